"""The subcommands of `hashsight-sim`: the work of each in one module here, its options in one of `options`."""
