"""The hashrate that pools credit to the site's accounts, as the pools themselves say."""
