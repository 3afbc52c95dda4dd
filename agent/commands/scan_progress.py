"""A scan while it runs: its progress bar, the signals that stop it, and its state on the disk."""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, Progress, TextColumn

from agent.commands.terminal import err
from agent.files.atomic import replace_file
from agent.hil.scan.probe import Tally
from agent.hil.scan.unfinished import Unfinished, encoded

SUFFIX: Final = ".resume"
KEPT_EVERY_S: Final = 10.0
"""The most that a killed process loses of its scan, in time."""
MOST_OF_TIME: Final = 0.02
"""Share of time that may go into keeping the state of a large scan."""
_REDRAWN_S: Final = 0.2
_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def cancelled_by_signals() -> Iterator[None]:
    """Cancel this task on Ctrl-C, SIGTERM and SIGHUP, so that its finds are kept."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    # Only the main thread can take signals.
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    for number in _STOPPING:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in _STOPPING:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def progress(tally: Tally) -> AsyncIterator[None]:
    """Show how far a scan is, on a terminal only."""
    columns = (BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f}"), TextColumn("{task.description}"))
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("", total=tally.addresses)

        async def redraw() -> None:
            began, already = time.monotonic(), tally.probes
            while True:
                per_s = (tally.probes - already) / max(time.monotonic() - began, _REDRAWN_S)
                found = f"{tally.open:,} answer, {tally.identified:,} identified"
                bar.update(task, completed=tally.looked, description=f"{per_s:,.0f}/s, {found}")
                await asyncio.sleep(_REDRAWN_S)

        drawing = asyncio.create_task(redraw(), name="scan: progress")
        try:
            yield
        finally:
            drawing.cancel()


@asynccontextmanager
async def kept(state: Unfinished, path: Path | None, *, every_s: float = KEPT_EVERY_S) -> AsyncIterator[None]:
    """Keep a scan's state in a file while the block runs, so that a process that is killed loses seconds of it.

    When the block ends, nothing is being written. If the file cannot be written, a note says so once, and the scan
    goes on.

    Args:
        state: The scan's.
        path: The file; None to keep nothing.
        every_s: The shortest time between two writes, s.
    """
    if path is None:
        yield
        return
    keeping = asyncio.create_task(_keep(state, path, every_s), name="scan: keep")
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(state: Unfinished, path: Path, every_s: float) -> None:
    pause_s = every_s
    while True:
        await asyncio.sleep(pause_s)
        began, pieces = time.monotonic(), []
        for piece in encoded(state):
            pieces.append(piece)
            await asyncio.sleep(0)
        writing = asyncio.create_task(asyncio.to_thread(replace_file, path, b"".join(pieces)))
        pieces.clear()
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            # A thread cannot be stopped, and what it writes late would replace what is newer.
            with suppress(OSError):
                await writing
            raise
        except OSError as error:
            err.print(f"note: a killed scan could not be continued: {path}: {error.strerror}", markup=False)
            return
        pause_s = max(every_s, (time.monotonic() - began) / MOST_OF_TIME)
