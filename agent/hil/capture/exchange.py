"""Exchanges with a unit, byte for byte: one request a connection on TCP 4028, and connections without a request.

Nothing is interpreted here but the end of a reply. The agent's own client stops at the NUL; a recorder also waits a
moment to see who closes.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypedDict

from agent.address import Endpoint
from agent.errors import LocalResourceError
from agent.hil.capture.exchanged import Exchange
from agent.hil.capture.form import Ending, Port
from agent.hil.capture.requests import encoded

MOST_REPLY_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 64 * 1024
_NUL: Final = b"\0"
# A shortage of local ports, descriptors or memory says nothing about the unit.
_OWN_FAULTS: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EPERM, errno.EACCES}
)
_REFUSED: Final = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Deadlines of a recorder, s.

    Attributes:
        connect_s: For a connection.
        deadline_s: For a whole reply, from the request.
        close_s: For the unit to close, after the NUL.
    """

    connect_s: float = 4.0
    deadline_s: float = 10.0
    close_s: float = 0.5


@dataclass(slots=True)
class Connection:
    """One TCP connection, or why there is none.

    Attributes:
        port: What the port did.
        connect_s: Time until it stood; None if it never did.
    """

    port: Port
    connect_s: float | None = None
    _socket: socket.socket | None = None

    @property
    def socket(self) -> socket.socket:
        """The connected socket; only if `port` is OPEN."""
        if self._socket is None:
            raise ConnectionError("not connected")
        return self._socket

    def close(self) -> None:
        """Close it; nothing happens without one."""
        if self._socket is not None:
            self._socket.close()


async def connect(endpoint: Endpoint, patience_s: float, clock: Callable[[], float]) -> Connection:
    """Return a connection, or what the port did instead.

    Raises:
        LocalResourceError: This process has no socket to spare, or may not use it.
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    began = clock()
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise LocalResourceError(f"no socket to spare: {error.strerror}") from error
    try:
        sock.settimeout(0)
        async with asyncio.timeout(patience_s):
            await loop.sock_connect(sock, tuple(endpoint))
    except TimeoutError:
        # The kernel's own time limit raises the same exception, and means the same.
        sock.close()
        return Connection(Port.SILENT)
    except OSError as error:
        sock.close()
        if error.errno in _OWN_FAULTS:
            raise LocalResourceError(f"{endpoint}: {error.strerror}") from error
        return Connection(Port.REFUSED if error.errno in _REFUSED else Port.NO_ROUTE)
    except BaseException:
        sock.close()
        raise
    return Connection(Port.OPEN, clock() - began, sock)


async def look_at_port(endpoint: Endpoint, patience: Patience, clock: Callable[[], float]) -> Port:
    """Return what a port does to a connection, which is closed without a request.

    Raises:
        LocalResourceError: This process has no socket to spare.
    """
    connection = await connect(endpoint, patience.connect_s, clock)
    connection.close()
    return connection.port


async def ask(
    endpoint: Endpoint, name: str, *, look: int, began: float, patience: Patience, clock: Callable[[], float]
) -> Exchange:
    """Send one request on a connection of its own and return everything that came.

    Args:
        endpoint: Address and port of the unit's API.
        name: A request of the whitelist.
        look: Number of the look that it belongs to.
        began: When the recording began, on `clock`.
        patience: How long to wait.
        clock: Monotonic time, s.

    Raises:
        ValueError: The request is not on the whitelist; nothing was sent.
        LocalResourceError: This process has no socket to spare.
    """
    request = encoded(name)
    at_s = clock() - began
    connection = await connect(endpoint, patience.connect_s, clock)
    if connection.port is not Port.OPEN:
        return Exchange(look=look, request=name, at_s=at_s, port=connection.port)
    taken = Taken()
    try:
        sent = clock()
        ending = await _exchange(connection.socket, request, taken, patience, clock)
    finally:
        connection.close()
    data = bytes(taken.data)
    if ending in {Ending.CLOSE, Ending.SILENCE} and _is_ended(data):
        ending = Ending.NUL_CLOSE if ending is Ending.CLOSE else Ending.NUL
    if ending in {Ending.NUL, Ending.NUL_CLOSE}:
        data = data.removesuffix(_NUL)
    return Exchange(
        look=look,
        request=name,
        at_s=at_s,
        port=Port.OPEN,
        data=data,
        ending=ending,
        connect_s=connection.connect_s,
        **taken.times(sent),
    )


class Taken:
    """Bytes read from a connection, with their times."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.reads: list[int] = []
        self.first_at: float | None = None
        self.last_at: float | None = None

    def add(self, chunk: bytes, at: float) -> None:
        """Take one read of at least one byte."""
        self.data += chunk
        self.note(len(chunk), at)

    def note(self, size: int, at: float) -> None:
        """Take the size and time of one read."""
        self.reads.append(size)
        self.first_at = at if self.first_at is None else self.first_at
        self.last_at = at

    def times(self, sent: float) -> "Times":
        """Return the times since a request was sent."""
        return {
            "first_byte_s": None if self.first_at is None else self.first_at - sent,
            "last_byte_s": None if self.last_at is None else self.last_at - sent,
            "reads": tuple(self.reads),
        }


class Times(TypedDict):
    """Times and sizes of the reads of one reply, as in `Exchange`."""

    first_byte_s: float | None
    last_byte_s: float | None
    reads: tuple[int, ...]


async def _exchange(
    sock: socket.socket, request: bytes, taken: Taken, patience: Patience, clock: Callable[[], float]
) -> Ending:
    """Send a request and read until the unit closes, resets, or says nothing for too long."""
    loop = asyncio.get_running_loop()
    until = clock() + patience.deadline_s
    try:
        async with asyncio.timeout(patience.deadline_s):
            await loop.sock_sendall(sock, request)
        while True:
            wait_s = until - clock()
            if _is_ended(taken.data):
                wait_s = min(wait_s, patience.close_s)
            async with asyncio.timeout(max(wait_s, 0.0)):
                chunk = await loop.sock_recv(sock, READ_BYTES)
            if not chunk:
                return Ending.CLOSE
            taken.add(chunk, clock())
            if len(taken.data) > MOST_REPLY_BYTES:
                del taken.data[MOST_REPLY_BYTES:]
                return Ending.TOO_LARGE
    except TimeoutError:
        return Ending.SILENCE
    except OSError:
        # A unit that closes with our bytes unread resets, also after its NUL.
        return Ending.NUL_CLOSE if _is_ended(taken.data) else Ending.RESET


def _is_ended(data: bytes | bytearray) -> bool:
    """Return True if the only NUL is the last byte. A NUL in the middle is part of what came, and is kept."""
    return data.endswith(_NUL) and data.find(_NUL) == len(data) - 1
