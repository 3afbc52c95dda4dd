"""Where `hashsight` begins; the command line itself is `agent.commands.command_line`."""

import signal
import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["run"]:
        # Importing the rest takes most of a second, in which SIGHUP, which asks an agent to read its files again, would
        # end it. It waits until `process.run_until_signalled` can follow it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    from agent.commands.command_line import app  # noqa: PLC0415 - see above

    app()


if __name__ == "__main__":
    main()
