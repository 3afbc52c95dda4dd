"""A ledger held against a proposal, and the chosen differences put into the ledger."""
