"""A guard before aiohttp: how many connections, and how long one may take to say what it wants.

aiohttp waits for the end of a request's head for as long as a client likes to drip it (400 such connections were all
open after 100 s). The guard is a protocol of its own that hands everything through and aborts who takes too long, so it
needs nothing private of aiohttp's.
"""

import asyncio
from collections.abc import Callable
from typing import cast


class Guard:
    """What all connections of one server share.

    Args:
        factory: Makes the protocol that is guarded.
        max_connections: Beyond these, a connection is closed at once.
        header_deadline_s: From the first byte (or the connection) to the whole head of a request.
    """

    def __init__(
        self, factory: Callable[[], asyncio.Protocol], *, max_connections: int, header_deadline_s: float
    ) -> None:
        self.factory = factory
        self.max_connections = max_connections
        self.header_deadline_s = header_deadline_s
        self.open = 0
        self.refused = 0
        self.aborted = 0

    def __call__(self) -> "GuardedConnection":
        """Make the protocol of one connection."""
        return GuardedConnection(self)


class GuardedConnection(asyncio.Protocol):
    """One connection, guarded."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_busy = False

    def begin_request(self) -> None:
        """Call off the deadline: a request's head is whole and is being answered."""
        self._is_busy = True
        self._disarm()

    def end_request(self) -> None:
        """Watch again what comes next."""
        self._is_busy = False

    def abort(self) -> None:
        """Close the connection and drop what was still to be sent."""
        self._deadline = None
        self._guard.aborted += 1
        if self._transport is not None:
            self._transport.abort()

    def _arm(self) -> None:
        if self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._guard.header_deadline_s, self.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it where there are too many."""
        # A TCP server makes no other; uvloop's are not subclasses of asyncio's, though they do all that those do.
        transport = cast("asyncio.Transport", transport)
        if self._guard.open >= self._guard.max_connections:
            self._guard.refused += 1
            transport.abort()
            return
        self._guard.open += 1
        self._transport = transport
        self._inner = self._guard.factory()
        self._arm()
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._disarm()
        if self._inner is not None:
            self._guard.open -= 1
            self._inner.connection_lost(exc)
            self._inner = None
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Start the clock at the first byte of a request."""
        if self._inner is None:
            return
        if not self._is_busy:
            self._arm()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand through."""
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """Hand through."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand through."""
        if self._inner is not None:
            self._inner.resume_writing()
