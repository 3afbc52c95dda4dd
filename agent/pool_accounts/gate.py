"""The pace at which one pool is asked, whatever number of accounts the site has there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime

MOST_REST_S = 3600.0
"""Longest wait after failures, unless the pool asks for a longer one."""

MOST_ASKED_REST_S = 86_400.0
"""Longest wait that a pool may ask for."""


class Gate:
    """Lets one request at a time through to a pool, and leaves a pause after each.

    Args:
        clock: Monotonic time, s.
        sleep: Waits for some seconds.
    """

    def __init__(self, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._clock, self._sleep = clock, sleep
        self._lock = asyncio.Lock()
        self._next_s = float("-inf")

    @asynccontextmanager
    async def turn(self, between_s: float) -> AsyncIterator[None]:
        """Hold the pool for one request while the block runs.

        Args:
            between_s: Least time from its end to the next one's beginning, s.
        """
        async with self._lock:
            wait_s = self._next_s - self._clock()
            if wait_s > 0:
                await self._sleep(wait_s)
            try:
                yield
            finally:
                self._next_s = self._clock() + between_s


def rest_s(every_s: float, failures: int, *, retry_after_s: float | None, luck: float) -> float:
    """Return the time until the next reading, s.

    Args:
        every_s: The interval.
        failures: Failures in a row; each doubles the wait.
        retry_after_s: What the pool asked for; None if nothing.
        luck: In [0, 1); lengthens the wait by up to a tenth, so that agents that start together do not stay together.
    """
    wait_s = every_s
    if failures:
        wait_s = max(every_s, min(MOST_REST_S, every_s * 2.0 ** min(failures - 1, 16)))
    if retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, MOST_ASKED_REST_S))
    return wait_s * (1 + luck / 10)


def retry_after(text: str | None, *, now: float) -> float | None:
    """Return the seconds of a ``Retry-After`` header; None without one that can be read.

    Args:
        text: Seconds, or a date as HTTP writes it.
        now: Unix time, s.
    """
    if text is None or len(text) > 64:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError, OSError):
        return None
