"""Ends of a connection: a reset that destroys nothing which was sent before it."""

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_LOOK_EVERY_S = 0.005
_MAX_WAIT_S = 10.0


def reset(connection: socket.socket) -> None:
    """Close with a reset, the nearest to a refusal after an accept."""
    reset_on_close(connection)
    connection.close()


def reset_on_close(connection: socket.socket) -> None:
    """Make the close of a connection a reset."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


async def arrived(connection: socket.socket) -> None:
    """Wait until the client's system has all that was sent, for ten seconds at most: a reset drops the rest."""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(_MAX_WAIT_S):
            # On a socket TIOCOUTQ is SIOCOUTQ: bytes that are not acknowledged.
            while struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]:  # noqa: ASYNC110  the system has no event for it
                await asyncio.sleep(_LOOK_EVERY_S)
