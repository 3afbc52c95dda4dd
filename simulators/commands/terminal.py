"""The terminal: data on standard output, errors and progress on standard error."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table

# What is printed is data: ``:100:`` is a port and not an emoji, ``[x]`` a name and not a style.
SCREEN = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
ERRORS = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)

_BAR_AFTER_S = 2.0

_Item = TypeVar("_Item")


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal is now."""
    Console(highlight=False, markup=False, emoji=False).print(table)


def building_bar(units: Iterable[_Item], *, total: int) -> Iterable[_Item]:
    """Yield the units as they are built, with a progress bar on a terminal."""
    return track(units, "building units", total=total, console=ERRORS, transient=True, disable=not ERRORS.is_terminal)


def late_bar(items: Iterable[_Item], total: int, about: str) -> Iterator[_Item]:
    """Yield the same items; on a terminal, show a progress bar once that has taken two seconds."""
    begun, is_started = time.monotonic(), False
    bar = Progress(console=ERRORS, transient=True)
    task = bar.add_task(about, total=total)
    try:
        for done, item in enumerate(items):
            if is_started:
                bar.update(task, completed=done)
            elif ERRORS.is_terminal and time.monotonic() - begun > _BAR_AFTER_S:
                bar.start()
                is_started = True
            yield item
    finally:
        if is_started:
            bar.stop()
