"""A site of many units: the ledger, the poll schedule, each unit's state, and the site's figures."""
