"""The ledger: what is deployed, where, and between which dates."""
