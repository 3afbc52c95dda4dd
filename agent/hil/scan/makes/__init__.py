"""What machines of other makes tell a scan of themselves, make by make."""
