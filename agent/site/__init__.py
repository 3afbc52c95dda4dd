"""Many units: the ledger, the schedule, each unit's state, and the site's figures."""
