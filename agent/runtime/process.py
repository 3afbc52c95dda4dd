"""This process: signals, the event loop, and the limit of open files."""

import asyncio
import resource
import signal
from collections.abc import Coroutine
from typing import Protocol, TypeVar

try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop  # type: ignore[assignment]

T = TypeVar("T")


class Service(Protocol):
    """Anything that runs until `stop` is set."""

    stop: asyncio.Event
    reload_wanted: asyncio.Event

    async def run(self) -> None:
        """Work until `stop` is set."""


async def run_until_signalled(service: Service) -> None:
    """Run until SIGTERM or SIGINT. SIGHUP, also one that was blocked until now, asks the service for a reload."""
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, service.stop.set)
    loop.add_signal_handler(signal.SIGHUP, service.reload_wanted.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    try:
        await service.run()
    finally:
        for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(signal_number)


def run_loop(main: Coroutine[None, None, T]) -> T:
    """Run `main` on uvloop where it is installed, on the standard loop where it is not."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def raise_file_limit() -> int:
    """Raise this process's limit of open files to the system's hard limit and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
