"""The subcommands of `hashsight`, one module each; each does one thing with the rooms below."""
