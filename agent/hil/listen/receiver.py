"""Reports of pressed buttons, received over UDP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple

from agent.address import Endpoint
from agent.errors import AgentError
from agent.hil.listen.reports import PORTS, Report, read_report

MOST_WAITING: Final = 256
"""Datagrams kept for a slow reader. A press sends a few; a faster stream is no walk."""


class Heard(NamedTuple):
    """One datagram.

    Attributes:
        report: What it reports; None if it is no report.
        sender: The address that sent it.
        at: When it came, s, on the event loop's clock.
    """

    report: Report | None
    sender: str
    at: float


class Receiver:
    """Datagrams as they come. Use `receiving`.

    Attributes:
        silent: Ports that could not be bound, with the reason.
        dropped: Datagrams that came faster than they were taken.
    """

    def __init__(self) -> None:
        self.silent: dict[int, str] = {}
        self.dropped = 0
        self._heard: asyncio.Queue[Heard] = asyncio.Queue(MOST_WAITING)

    async def next(self) -> Heard:
        """Return the next datagram, and wait for it if there is none."""
        return await self._heard.get()

    def take(self, data: bytes, sender: str) -> None:
        """Keep a datagram that came."""
        heard = Heard(read_report(data), sender, asyncio.get_running_loop().time())
        try:
            self._heard.put_nowait(heard)
        except asyncio.QueueFull:
            self.dropped += 1


@asynccontextmanager
async def receiving(host: str, ports: Sequence[int] = PORTS) -> AsyncIterator[Receiver]:
    """Receive reports while the block runs. Nothing is ever sent.

    Args:
        host: Address to bind; ``0.0.0.0`` also hears broadcasts.
        ports: Ports to bind.

    Raises:
        AgentError: None of the ports can be bound.
    """
    receiver, loop = Receiver(), asyncio.get_running_loop()
    async with AsyncExitStack() as sockets:
        for port in ports:
            try:
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Protocol(receiver), local_addr=(host, port), allow_broadcast=True
                )
            except OSError as error:
                receiver.silent[port] = error.strerror or str(error)
            else:
                sockets.callback(transport.close)
        if len(receiver.silent) == len(ports):
            reasons = "; ".join(f"UDP {Endpoint(host, port)}: {reason}" for port, reason in receiver.silent.items())
            raise AgentError(f"cannot listen: {reasons}")
        yield receiver


class _Protocol(asyncio.DatagramProtocol):
    """Hands every datagram of a socket to a receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Take a datagram."""
        self._receiver.take(data, str(addr[0]))
