"""The options of every subcommand, one module each; importing them costs little more than importing typer."""
