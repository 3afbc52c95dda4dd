"""This process and the system around it: signals, the event loop, the limit of open files."""

import asyncio
import gc
import resource
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop  # type: ignore[assignment]

T = TypeVar("T")

# Objects made and not gone before the youngest are looked at, and so on; 700, 10 and 10 unless told.
GC_THRESHOLDS = (70_000, 10, 20)


class Service(Protocol):
    """What can be run until somebody says stop."""

    stop: asyncio.Event
    reload_wanted: asyncio.Event

    async def run(self) -> None:
        """Work until `stop` is set."""


async def run_until_signalled(service: Service) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP, also one that was held back, makes the service read its files again."""
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
    """Raise this process's limit of open files to what the system allows, and give it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def pause_collector() -> None:
    """Have the cyclic collector wait for `settle_collector`: it would go through a growing ledger again and again.

    Of a start with 100,000 rows that was a third, 1.5 s.
    """
    gc.disable()


def settle_collector() -> None:
    """Have the cyclic collector leave alone what is there, and look at what comes a hundredth as often.

    What is there lives as long as the process, as do the two thousand objects in cycles that imports leave: to look for
    them among what 100,000 rows were made into takes a tenth of a second. What comes are statuses, readings and text,
    which hold no cycles and of which the collector knows little; at its usual pace it took 7 % of all polling.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    gc.enable()


def look_at_youngest() -> None:
    """Have the cyclic collector look at what is new since the last time; to be called about once a second.

    Polling makes as many objects as it lets go of, so that left alone the collector waits for minutes and then goes
    through everything that was replaced meanwhile at once: 0.1 s at 10,000 units, 1 s at 256,000. What is looked at
    early is little, and tuples of numbers are found to need no further look.
    """
    if gc.isenabled():
        gc.collect(0)


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Have the cyclic collector leave alone what is made while the block runs, as `settle_collector` does.

    In the middle of a ledger of 100,000 rows it would hold everything for a quarter of a second.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
