"""Three workarounds at the socket of an MQTT client: pauses, bounded packets, and sockets that outlive their client.

They rely on inner parts of paho 2.2.0 and aiomqtt 2.5.1, whose versions are pinned.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

SLICE_BYTES = 16 * 1024
"""The most that one read of the socket returns."""


class WatchedLoop:
    """The event loop as aiomqtt sees it, which watches one socket.

    Watching a socket that was closed meanwhile is no error: another thread asks for it. Reading can be paused; the
    broker then keeps what it has, which bounds the messages that wait here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._reader: tuple[int, Callable[[], None]] | None = None
        self.is_paused = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_writer(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Watch a socket, if it is still open."""
        with suppress(OSError, ValueError):
            self._loop.add_writer(descriptor, callback)

    def add_reader(self, descriptor: int, callback: Callable[[], None]) -> None:
        """Watch a socket, if it is still open."""
        self._reader = (descriptor, callback)
        with suppress(OSError, ValueError):
            self._loop.add_reader(descriptor, callback)

    def remove_reader(self, descriptor: int) -> bool:
        """Watch a socket no longer."""
        self._reader = None
        return self._loop.remove_reader(descriptor)

    def pause(self) -> None:
        """Read no more from the socket."""
        if self._reader is not None and not self.is_paused:
            self.is_paused = True
            self._loop.remove_reader(self._reader[0])

    def resume(self) -> None:
        """Read from the socket again."""
        if not self.is_paused:
            return
        self.is_paused = False
        if self._reader is not None:
            descriptor, callback = self._reader
            self.add_reader(descriptor, callback)
            # TLS may hold decrypted bytes, of which the socket shows nothing.
            self._loop.call_soon(callback)


def keep_beginnings(paho: Any, max_bytes: int) -> None:
    """Let a client keep only the beginning of a packet that is too long, and throw away the rest as it arrives.

    Its payload is then still longer than `max_bytes` less the topic, so the receiver refuses it by its length. Ending
    the connection instead would let one retained message end every connection.

    Args:
        paho: The client.
        max_bytes: Longest packet that is kept whole; of a longer one, up to `SLICE_BYTES` more are kept.
    """
    receive = paho._sock_recv  # noqa: SLF001  paho has no option for it

    def receive_slice(size: int) -> bytes:
        packet = paho._in_packet["packet"]  # noqa: SLF001  likewise
        if len(packet) > max_bytes:
            del packet[max_bytes:]
        data: bytes = receive(min(size, SLICE_BYTES))
        return data

    paho._sock_recv = receive_slice  # noqa: SLF001  likewise


def close_socket(left: Any) -> None:
    """Close a socket that outlived its DISCONNECT: with a frozen broker it would stay open until the keepalive ends."""
    if left is None or left.fileno() < 0:
        return
    loop = asyncio.get_running_loop()
    loop.remove_reader(left.fileno())
    loop.remove_writer(left.fileno())
    left.close()
