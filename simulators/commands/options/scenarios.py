"""Options of `hashsight-sim scenarios`."""


def run() -> None:
    """List the scenarios that come with this program."""
