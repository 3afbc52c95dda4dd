"""A guard in front of aiohttp: a limit on open connections, and a deadline for the head of a request.

aiohttp sets no deadline for the head: a client that sends it byte by byte keeps its connection for as long as it likes.
The guard is an asyncio protocol that wraps aiohttp's. It passes every call on, aborts slow connections, and uses no
private part of aiohttp.
"""

import asyncio
from collections.abc import Callable
from typing import cast


class Guard:
    """Limits and counters shared by all connections of one server.

    Args:
        factory: Makes the protocol that is guarded.
        max_connections: Limit of open connections; further ones are closed at once.
        header_deadline_s: Time from the first byte, or from connecting, to the complete head of a request.
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
    """One guarded connection."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_busy = False

    def begin_request(self) -> None:
        """Cancel the deadline: the head of a request is complete, and the answer is being made."""
        self._is_busy = True
        self._disarm()

    def end_request(self) -> None:
        """Start the deadline again at the next byte."""
        self._is_busy = False

    def abort(self) -> None:
        """Close the connection and drop unsent data."""
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
        """Accept the connection, or refuse it above the limit."""
        # A TCP server makes no other kind. uvloop's have all methods of asyncio.Transport but do not subclass it.
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
        """Free the place of this connection."""
        self._disarm()
        if self._inner is not None:
            self._guard.open -= 1
            self._inner.connection_lost(exc)
            self._inner = None
            self._transport = None

    def data_received(self, data: bytes) -> None:
        """Start the deadline at the first byte of a request."""
        if self._inner is None:
            return
        if not self._is_busy:
            self._arm()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on to the guarded protocol."""
        return None if self._inner is None else self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on to the guarded protocol."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on to the guarded protocol."""
        if self._inner is not None:
            self._inner.resume_writing()
