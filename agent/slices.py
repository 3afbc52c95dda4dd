"""Long computations as generators that yield between slices, so that an event loop can run other tasks in between."""

import asyncio
from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Slices: TypeAlias = Generator[None, None, T]


def run_at_once(slices: Slices[T]) -> T:
    """Run all slices without a pause and return the result."""
    while True:
        try:
            next(slices)
        except StopIteration as done:
            result: T = done.value
            return result


async def run_slices(slices: Slices[T]) -> T:
    """Run the slices and return the result; the event loop runs other tasks between them."""
    while True:
        try:
            next(slices)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)
