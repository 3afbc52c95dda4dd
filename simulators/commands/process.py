"""The process: its event loop, and the signals that stop it."""

import asyncio
import signal
from collections.abc import Coroutine


def run_until_done(work: Coroutine[None, None, None]) -> None:
    """Run a coroutine, on uvloop if it is installed."""
    try:
        import uvloop  # noqa: PLC0415  optional; the standard loop serves as well
    except ImportError:
        asyncio.run(work)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)


def stop_signal() -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped
