"""Work cut in turns: a generator that yields wherever something else may come first.

Whoever needs the result now takes all turns at once; on an event loop that has other things to do, one at a time.
"""

import asyncio
from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Turns: TypeAlias = Generator[None, None, T]


def at_once(turns: Turns[T]) -> T:
    """Give what the work comes to."""
    while True:
        try:
            next(turns)
        except StopIteration as done:
            result: T = done.value
            return result


async def in_turns(turns: Turns[T]) -> T:
    """Give what the work comes to; between two turns the loop does whatever else is due."""
    while True:
        try:
            next(turns)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)
