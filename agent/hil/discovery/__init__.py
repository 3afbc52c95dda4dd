"""Machines at addresses that a running agent does not poll, held against the ledger."""
