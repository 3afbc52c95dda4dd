"""Entry point of `hashsight`; the command line itself is `agent.commands.command_line`."""

import os
import signal
import sys
from types import FrameType

# New files are not for other accounts, whatever the shell allows; a stricter umask stays.
WITHHELD_MODE = 0o027


def main() -> None:
    """Run the command line."""
    os.umask(os.umask(0o077) | WITHHELD_MODE)
    is_service = sys.argv[1:2] == ["run"] or (sys.argv[1:2] == ["fleet"] and "--once" not in sys.argv)
    _hold_standard_files(is_output_wanted=not is_service)
    if is_service:
        # SIGHUP asks a service to reload its files. Importing it takes about a second, in which SIGHUP would kill the
        # process. Blocked here, it stays pending until `process.run_until_signalled` handles it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        signal.signal(signal.SIGTERM, _stop_early)
    from agent.commands.command_line import app  # noqa: PLC0415 - after the signal mask

    app()


def _hold_standard_files(*, is_output_wanted: bool) -> None:
    """Open the null device where standard input, output or error is closed.

    Another file would take the number. The event loop's library aborts the process when it closes one of these, and
    what the interpreter prints when it fails could end up in the history.

    Args:
        is_output_wanted: What is written to a closed standard output fails, as without this, instead of vanishing.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one.
            is_failing = is_output_wanted and name == "stdout"
            os.open(os.devnull, os.O_RDONLY if is_failing else os.O_RDWR)
            if is_failing:
                continue
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _stop_early(signal_number: int, _: FrameType | None) -> None:
    """End a start that is not complete; once the agent runs, its own handler takes the place of this one."""
    sys.stderr.write(f"hashsight: {signal.Signals(signal_number).name} before the agent had started\n")
    raise SystemExit(0)


if __name__ == "__main__":
    main()
