"""The subcommands of `hashsight-sim`, one module each; `command_line` loads the one that is run."""
