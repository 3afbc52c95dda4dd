"""Long computations as generators that yield between slices, so that an event loop can run other tasks in between."""

import asyncio
import time
from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Slices: TypeAlias = Generator[None, None, T]

HOLD_S = 0.005
"""For how long short slices run together. A busy loop's turn may take a second, and a round has a hundred slices."""


def run_at_once(slices: Slices[T]) -> T:
    """Run all slices without a pause and return the result."""
    while True:
        try:
            next(slices)
        except StopIteration as done:
            result: T = done.value
            return result


async def run_slices(slices: Slices[T]) -> T:
    """Run the slices and return the result; the event loop runs other tasks every `HOLD_S`."""
    while True:
        until = time.perf_counter() + HOLD_S
        try:
            next(slices)
            while time.perf_counter() < until:
                next(slices)
        except StopIteration as done:
            result: T = done.value
            return result
        await asyncio.sleep(0)
