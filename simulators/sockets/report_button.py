"""The report button: one datagram from a unit's own address to whatever listens for it."""

import contextlib
import ipaddress
import socket
from typing import NamedTuple


class ButtonError(ValueError):
    """A listener's address that cannot be used; the message names it."""


class Listener(NamedTuple):
    """Listener for the report button.

    Attributes:
        host: IPv4 address; that of a broadcast too.
        port: UDP port; 0 for the port that the make uses.
    """

    host: str
    port: int


def read_listener(text: str) -> Listener:
    """Read ``IPV4`` or ``IPV4:PORT``.

    Raises:
        ButtonError: It is neither.
    """
    host, colon, port = text.partition(":")
    with contextlib.suppress(ValueError):
        ipaddress.IPv4Address(host)
        if not colon or 1 <= int(port) <= 65535:
            return Listener(host, int(port) if colon else 0)
    raise ButtonError(f"listener {text[:60]!r} is not IPV4 or IPV4:PORT, as in 127.0.0.1:14235")


def send(payload: bytes, *, source: tuple[str, int], to: tuple[str, int]) -> tuple[str, int]:
    """Send one datagram and return address and port that it came from.

    Args:
        payload: The bytes.
        source: The unit's address, and the port that it sends from; where another program has that port, a free one.
        to: Address and port of the listener.

    Raises:
        OSError: It cannot be sent, for example because this machine has no such address or no way to the listener.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            sender.bind(source)
        except OSError:
            sender.bind((source[0], 0))
        sender.setblocking(False)  # noqa: FBT003  the socket module's own signature
        sender.sendto(payload, to)
        host, port = sender.getsockname()
        return host, port
