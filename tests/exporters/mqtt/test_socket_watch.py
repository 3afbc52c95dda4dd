"""The socket of an MQTT client: paused and resumed, and packets of which only the beginning is kept."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from patience import PATIENT_S

from agent.exporters.mqtt.socket_watch import SLICE_BYTES, WatchedLoop, keep_beginnings


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        yield ours, theirs


async def test_a_paused_socket_is_read_once_it_is_resumed(pair: tuple[socket.socket, socket.socket]) -> None:
    """While it is paused nothing is read; after that the reader is called, also for bytes that TLS already holds."""
    ours, theirs = pair
    loop = WatchedLoop(asyncio.get_running_loop())
    calls: list[bytes] = []

    def read() -> None:
        try:
            calls.append(ours.recv(100))
        except BlockingIOError:
            calls.append(b"")

    loop.add_reader(ours.fileno(), read)
    loop.pause()
    loop.pause()
    theirs.send(b"a")
    for _ in range(5):
        await asyncio.sleep(0)
    assert (calls, loop.is_paused) == ([], True)
    loop.resume()
    loop.resume()
    async with asyncio.timeout(PATIENT_S):
        while len(calls) < 2:  # noqa: ASYNC110  a list sets no event
            await asyncio.sleep(0)
    assert sorted(calls[:2]) == [b"", b"a"]
    loop.remove_reader(ours.fileno())
    loop.pause()
    assert not loop.is_paused


class Client:
    """A client that stores packets as paho does."""

    def __init__(self, data: bytes) -> None:
        self.left = memoryview(data)
        self.asked: list[int] = []
        self._in_packet = {"packet": bytearray()}

    def _sock_recv(self, size: int) -> bytes:
        self.asked.append(size)
        some, self.left = bytes(self.left[:size]), self.left[size:]
        return some

    def read_packet(self) -> bytearray:
        """Read a whole packet."""
        while self.left:
            self._in_packet["packet"] += self._sock_recv(len(self.left))
        return self._in_packet["packet"]


@pytest.mark.parametrize(("length", "kept"), [(10, 10), (50_000, 50_000), (60_000, 60_000), (5_000_000, 50_000)])
def test_of_a_long_packet_the_beginning_is_kept(length: int, kept: int) -> None:
    """A packet up to the bound is whole; of a longer one at most one slice more is held, and never asked for."""
    client = Client(bytes(number % 251 for number in range(length)))
    keep_beginnings(client, 50_000)
    packet = client.read_packet()
    assert kept <= len(packet) <= max(kept, 50_000 + SLICE_BYTES)
    assert packet[: min(length, 50_000)] == bytes(number % 251 for number in range(min(length, 50_000)))
    assert max(client.asked) <= SLICE_BYTES
