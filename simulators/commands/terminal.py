"""The terminal: data on standard output, errors and progress on standard error."""

import errno
import io
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, TextIO, TypeVar

import typer
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


class _Unclosed(io.RawIOBase):
    """A raw file over another one, which stays open when this one is closed.

    Args:
        inner: The other one.
    """

    def __init__(self, inner: BinaryIO) -> None:
        super().__init__()
        self._inner = inner

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any, /) -> int:
        """Write a part of `data`, and return its size."""
        return self._inner.write(data)

    def flush(self) -> None:
        """Flush the other file as well."""
        if not self.closed:
            self._inner.flush()


@contextmanager
def machine_output() -> Iterator[TextIO]:
    """Yield standard output for data that programs read: UTF-8 everywhere, past the terminal library.

    Raises:
        OSError: Something could not be written.
        typer.Exit: The reader of a pipe left; this is no error to report.
    """
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")
    sys.stdout.flush()
    # With PYTHONUNBUFFERED one write may take a part only, which text files do not notice.
    buffered = io.BufferedWriter(_Unclosed(sys.stdout.buffer))
    text = io.TextIOWrapper(buffered, encoding="utf-8", errors="backslashreplace", newline="\n")
    try:
        yield text
        text.flush()
    except OSError as error:
        _abandon_stdout()
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(1) from error
        raise
    finally:
        with suppress(OSError):
            text.close()


def _abandon_stdout() -> None:
    """Discard what standard output still holds, so that the interpreter does not fail on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


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
