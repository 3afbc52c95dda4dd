"""Entry point of `hashsight-sim`; the command line itself is `simulators.commands.command_line`."""

from simulators.commands.command_line import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
