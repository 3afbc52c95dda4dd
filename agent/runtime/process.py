"""This process: signals, the event loop, the limit of open files, and no core dumps."""

import asyncio
import ctypes
import resource
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Protocol, TypeVar

try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop  # type: ignore[assignment]

T = TypeVar("T")

# prctl(2): a process that is not dumpable leaves no core, not even one that is piped to a program.
PR_SET_DUMPABLE = 4


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


def forbid_core_dumps() -> None:
    """Make sure that a crash leaves no core dump, which would hold passwords; a system that refuses keeps its rule."""
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError, MemoryError):
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def raise_file_limit() -> int:
    """Raise this process's limit of open files to the system's hard limit and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
