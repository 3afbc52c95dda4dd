"""Bodies that scrapers share, so that many scrapers at once cost what one does.

A scraper that arrives while a body of its kind is being made gets that body. So does one that arrives shortly after:
within a second, or for as long as making took, because on a slow machine the next one would be as old when it is done.
Bodies of different kinds are made one after another. So memory holds one body of each kind, one that is being made, and
those that are still being sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

SHARE_S = 1.0

Key = TypeVar("Key", bound=Hashable)


class _Body(NamedTuple):
    """A finished body.

    Attributes:
        content: Its bytes.
        made_at: When it was finished, by the monotonic clock, s.
        share_s: For how long it serves further scrapers, s.
    """

    content: bytes
    made_at: float
    share_s: float


class SharedBodies(Generic[Key]):
    """The latest body of each kind.

    Args:
        clock: Monotonic clock, s.
        share_s: Shortest time for which a body serves further scrapers, s.
    """

    def __init__(self, clock: Callable[[], float], *, share_s: float = SHARE_S) -> None:
        self._clock = clock
        self._share_s = share_s
        self._bodies: dict[Key, _Body] = {}
        self._making: dict[Key, asyncio.Task[bytes]] = {}
        self._turn = asyncio.Lock()

    async def get(self, key: Key, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return a body of the kind `key`, made by `make` unless one can be shared."""
        body = self._bodies.get(key)
        if body is not None and self._is_young(body):
            return body.content
        task = self._making.get(key)
        if task is None:
            # A task of its own: a scraper that leaves must not end what others wait for.
            task = self._making[key] = asyncio.create_task(self._make(key, make), name="scrape")
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    def drop_old(self) -> None:
        """Drop bodies that serve no further scraper: large ones are not kept in memory between scrapes."""
        for key, body in list(self._bodies.items()):
            if not self._is_young(body):
                del self._bodies[key]

    def drop_all(self) -> None:
        """Drop every body; one that is being made serves only those that wait for it already."""
        self._bodies.clear()
        self._making.clear()

    def _is_young(self, body: _Body) -> bool:
        return self._clock() - body.made_at < body.share_s

    async def _make(self, key: Key, make: Callable[[], Awaitable[bytes]]) -> bytes:
        task = asyncio.current_task()
        try:
            async with self._turn:
                began = self._clock()
                content = await make()
                now = self._clock()
            if self._making.get(key) is task:
                self._bodies[key] = _Body(content, now, max(self._share_s, now - began))
            return content
        finally:
            if self._making.get(key) is task:
                del self._making[key]
