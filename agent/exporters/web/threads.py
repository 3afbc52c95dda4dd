"""Work in threads for clients that may leave."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[], T], *, on_left: Callable[[], None] = lambda: None) -> T:
    """Return the result of `work`, which runs in a thread.

    A thread cannot be stopped from outside. A cancelled call ends when its thread does, so that the turn it holds is
    not given away early.

    Args:
        work: The work.
        on_left: Called if this call is cancelled, to make `work` end early.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    running.add_done_callback(retrieve)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        on_left()
        await asyncio.wait({running})
        raise


def retrieve(task: asyncio.Task[Any]) -> None:
    """Take the exception out of a task whose caller may have left, so that it is not logged as lost."""
    if not task.cancelled():
        task.exception()
