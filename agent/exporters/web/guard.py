"""A guard in front of aiohttp: limits on open connections, TLS, and a deadline for the head of a request.

aiohttp sets no deadline for the head: a client that sends it byte by byte keeps its connection for as long as it likes.
The guard is an asyncio protocol that wraps aiohttp's. It passes every call on, aborts slow connections, and uses no
private part of aiohttp.

At a limit a new connection takes the place of another: the one that has waited longest for a request, or else the one
whose client has read nothing of its answer for longest. A request at work gives way to none.

TLS begins behind the guard, so that its limits hold for connections in their handshake too.
"""

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import cast

from agent.exporters.http_refusals import HttpRefusal
from agent.exporters.web.bodies import Sending
from agent.exporters.web.door.tls_link import TlsLink
from agent.exporters.web.door.tls_server import ServerTls

# One address leaves a quarter of all places to others.
ADDRESS_SHARE = 0.75
# The kernel doubles it. Without a limit it buffers up to 4 MB for a client that does not read.
SEND_BUFFER_BYTES = 256 * 1024


class Guard:
    """Limits and counters shared by all connections of one server.

    Args:
        factory: Makes the protocol that is guarded.
        max_connections: Limit of open connections; one address may have three quarters of them.
        header_deadline_s: Time from the first byte, or from connecting, to the complete head of a request.
        refused: Counts of the clients turned away, by reason.
        tls: Returns how a new connection is to be encrypted; None if it is not.
    """

    def __init__(
        self,
        factory: Callable[[], asyncio.Protocol],
        *,
        max_connections: int,
        header_deadline_s: float,
        refused: Counter[str],
        tls: Callable[[], ServerTls | None] = lambda: None,
    ) -> None:
        self.factory = factory
        self.tls = tls
        self.max_connections = max_connections
        self.max_by_address = max(1, int(max_connections * ADDRESS_SHARE))
        self.header_deadline_s = header_deadline_s
        self.refused = refused
        # Each in order of entry. Connections in `_waiting` have no complete request.
        self._waiting: dict[GuardedConnection, None] = {}
        self._busy: dict[GuardedConnection, None] = {}
        self._by_address: Counter[str] = Counter()

    def __call__(self) -> "GuardedConnection":
        """Make the protocol of one connection."""
        return GuardedConnection(self)

    @property
    def open(self) -> int:
        """The number of open connections."""
        return len(self._waiting) + len(self._busy)

    def admit(self, connection: "GuardedConnection") -> bool:
        """Return True if there is a place for a new connection, after closing another if need be."""
        address = connection.address
        is_full = False
        if self._by_address[address] >= self.max_by_address:
            is_full = not self._displace(address)
        elif self.open >= self.max_connections:
            is_full = not self._displace(None)
        if is_full:
            self.refused[HttpRefusal.NO_PLACE] += 1
            return False
        self._by_address[address] += 1
        self._waiting[connection] = None
        return True

    def release(self, connection: "GuardedConnection") -> None:
        """Free the place of a connection; a second call does nothing."""
        if connection not in self._waiting and connection not in self._busy:
            return
        self._waiting.pop(connection, None)
        self._busy.pop(connection, None)
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]

    def set_busy(self, connection: "GuardedConnection") -> None:
        """Note that a connection has a request to answer."""
        if connection in self._waiting:
            del self._waiting[connection]
            self._busy[connection] = None

    def set_waiting(self, connection: "GuardedConnection") -> None:
        """Note that a connection waits for a request from now on."""
        if connection in self._waiting or connection in self._busy:
            self._waiting.pop(connection, None)
            self._busy.pop(connection, None)
            self._waiting[connection] = None

    def abort_all(self) -> None:
        """Close every connection and drop unsent data."""
        for connection in (*self._waiting, *self._busy):
            connection.end()

    def _displace(self, address: str | None) -> bool:
        """Close a connection of `address`, or of any address if that is None; return False if none can give way."""
        connection = next((each for each in self._waiting if address in {None, each.address}), None)
        if connection is None:
            connection = self._slowest_reader(address)
        if connection is None:
            return False
        self.refused[HttpRefusal.DISPLACED] += 1
        self.release(connection)
        connection.give_way()
        return True

    def _slowest_reader(self, address: str | None) -> "GuardedConnection | None":
        stalled = [
            (each.sending.stalled_s(), each)
            for each in self._busy
            if each.sending is not None and address in {None, each.address}
        ]
        return max(stalled, key=lambda pair: pair[0], default=(0.0, None))[1]


class GuardedConnection(asyncio.Protocol):
    """One guarded connection.

    Attributes:
        address: IP address of the client.
        sending: The large body that is being sent, if any.
    """

    def __init__(self, guard: Guard) -> None:
        self.address = ""
        self.sending: Sending | None = None
        self._guard = guard
        self._inner: asyncio.Protocol | None = None
        # The connection, and what the inner protocol writes to: the same, or TLS over it.
        self._wire: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None
        self._link: TlsLink | None = None
        self._tls: ServerTls | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_busy = False

    def begin_request(self) -> None:
        """Cancel the deadline: the head of a request is complete, and the answer is being made."""
        self._is_busy = True
        self._guard.set_busy(self)
        self._disarm()

    def end_request(self) -> None:
        """Start the deadline again at the next byte."""
        self._is_busy = False
        self._guard.set_waiting(self)

    def abort(self) -> None:
        """Close the connection of a client that is too slow, and drop unsent data."""
        self._guard.refused[HttpRefusal.SLOW] += 1
        self.end()

    def end(self) -> None:
        """Close the connection and drop unsent data."""
        self._disarm()
        if self._wire is not None:
            self._wire.abort()

    def give_way(self) -> None:
        """Close the connection for another; one with unsent data is closed without waiting for its client."""
        self._disarm()
        if self._wire is None:
            return
        if self._transport is None or self._is_busy or self._wire.get_write_buffer_size():
            self._wire.abort()
        else:
            self._transport.close()

    def _arm(self) -> None:
        if self._deadline is None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._guard.header_deadline_s, self.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or refuse it if there is no place."""
        # A TCP server makes no other kind. uvloop's have all methods of asyncio.Transport but do not subclass it.
        transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        if not self._guard.admit(self):
            transport.abort()
            return
        self._wire = transport
        # An answer has ended when the kernel has all of it, so that its deadline covers its last byte too.
        transport.set_write_buffer_limits(high=0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._arm()
        self._tls = self._guard.tls()
        if self._tls is None:
            self._begin(transport)
        else:
            self._link = TlsLink(transport, self._tls.context)

    def _begin(self, transport: asyncio.Transport) -> None:
        """Hand the connection to the protocol that is guarded."""
        self._transport = transport
        self._inner = self._guard.factory()
        self._inner.connection_made(transport)

    def _decrypted(self, link: TlsLink, data: bytes) -> bytes:
        """Return the plain text in what came over a connection with TLS; the handshake has none."""
        try:
            text = link.receive(data)
        except ssl.SSLError:
            self._refuse_handshake()
            return b""
        if link.is_up and self._inner is None and self._tls is not None:
            if not self._tls.welcomes(link.get_extra_info("peercert")):
                self._refuse_handshake()
                return b""
            self._begin(link)
        return text

    def _refuse_handshake(self) -> None:
        if self._inner is None:
            self._guard.refused[HttpRefusal.HANDSHAKE] += 1
        self._disarm()
        if self._wire is not None:
            self._wire.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place of this connection."""
        if self._link is not None and not self._link.is_up and self._deadline is not None:
            self._guard.refused[HttpRefusal.HANDSHAKE] += 1
        self._disarm()
        self._guard.release(self)
        self._wire = self._transport = None
        if self._inner is not None:
            self._inner.connection_lost(exc)
            self._inner = None

    def data_received(self, data: bytes) -> None:
        """Pass on what came, decrypted if need be."""
        if self._link is None:
            self._receive(data)
        elif not self._link.is_closing():
            text = self._decrypted(self._link, data)
            if text:
                self._receive(text)
            if self._link.is_ended:
                self._link.close()

    def _receive(self, data: bytes) -> None:
        """Start the deadline at the first byte of a request."""
        if self._inner is None:
            return
        if not self._is_busy:
            if self._deadline is None:
                # From here on it is not idle: others give way first.
                self._guard.set_waiting(self)
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
