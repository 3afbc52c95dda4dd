"""The subcommands of `hashsight`: the work of each in one module here, its options in one of `options`."""
