"""The hashrate that pools credit, held against what units report and deliver."""
