"""The subcommands of `hashsight`, one module each, and what they share."""
