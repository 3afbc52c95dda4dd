"""What a running agent finds at addresses that it does not poll, held against the ledger."""
