"""Identities that machines of other makes tell a scan, make by make."""
