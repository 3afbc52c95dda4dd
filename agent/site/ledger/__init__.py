"""The ledger: the units deployed, where, and between which dates."""
