"""Connections at their limits: which one gives way, and which are left alone."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from typing import Any

import pytest
from patience import PATIENT_S
from web_cases import until
from web_site import source

from agent.exporters.web import listener
from agent.exporters.web import server as web
from agent.exporters.web.guard import Guard

on_both_loops = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Connection:
    """A client's connection, from an address of its choice."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes = HEALTH) -> bytes:
        """Return the status line of the answer; empty if the connection ends without one."""
        try:
            self.writer.write(request)
            return (await self.reader.readuntil(b"ok\n")).partition(b"\r\n")[0]
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def end(self) -> bytes:
        """Return what arrives until the connection ends."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""


class Site:
    """A server and its clients.

    Attributes:
        guard: The server's guard.
    """

    def __init__(self, port: int, guard: Guard, stack: ExitStack) -> None:
        self.guard = guard
        self._port = port
        self._stack = stack

    def count(self, reason: str) -> int:
        """Return how many clients were turned away for a reason."""
        return self.guard.refused[reason]

    async def connect(self, address: str = "127.0.0.1") -> Connection:
        """Open a connection from `address`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
        self._stack.enter_context(closing(writer))
        return Connection(reader, writer)

    async def idle(self, address: str = "127.0.0.1") -> Connection:
        """Open a connection that has had one answer and waits."""
        connection = await self.connect(address)
        assert await connection.ask() == b"HTTP/1.1 200 OK"
        return connection

    def stuck(self, requests: int = 1) -> None:
        """Open a connection that asks for metrics and never reads."""
        connection = self._stack.enter_context(closing(socket.socket()))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self._port))
        connection.sendall(METRICS * requests)


@contextmanager
def guards(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Guard]]:
    """Yield a list to which each guard made is added."""
    made: list[Guard] = []

    def make(*args: Any, **more: Any) -> Guard:
        made.append(Guard(*args, **more))
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(listener, "Guard", make)
        yield made


@asynccontextmanager
async def site(monkeypatch: pytest.MonkeyPatch, shown: web.Source | None = None, most: int = 8) -> AsyncIterator[Site]:
    """Serve with at most `most` connections."""
    async with asyncio.timeout(PATIENT_S):
        with guards(monkeypatch) as made, ExitStack() as stack:
            async with web.serve(shown or source(), "127.0.0.1", 0, max_connections=most, header_deadline_s=15) as at:
                yield Site(at[1], made[0], stack)


@on_both_loops
async def test_the_oldest_idle_connection_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the limit each new connection is served in place of the one that has waited longest."""
    async with site(monkeypatch) as served:
        held = [await served.idle() for _ in range(6)]
        assert await held[0].ask() == b"HTTP/1.1 200 OK"
        late = [await served.idle() for _ in range(3)]
        assert [await each.end() for each in held[1:4]] == [b"", b"", b""]
        assert [await each.ask() for each in (held[0], *held[4:], *late)] == [b"HTTP/1.1 200 OK"] * 6
        assert (served.count("displaced"), served.count("no_place"), served.guard.open) == (3, 0, 6)


@on_both_loops
async def test_256_idle_connections_refuse_no_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every one of 68 scrapes on connections of their own is answered beside 256 idle ones of the same address."""
    async with site(monkeypatch, most=256) as served:
        for _ in range(256):
            await served.connect()
        for _ in range(68):
            assert await (await served.connect()).ask() == b"HTTP/1.1 200 OK"
        assert (served.count("no_place"), served.guard.open) == (0, served.guard.max_by_address)


async def test_an_address_displaces_its_own_connections_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One address takes at most three quarters of the places, however many connections it opens."""
    async with site(monkeypatch) as served:
        other = [await served.idle("127.0.0.3") for _ in range(2)]
        many = [await served.idle("127.0.0.2") for _ in range(20)]
        assert served.guard.open == 8
        assert [await each.ask() for each in (*other, *many[-6:])] == [b"HTTP/1.1 200 OK"] * 8
        third = await served.idle("127.0.0.4")
        assert await other[0].end() == b""
        assert [await each.ask() for each in (other[1], third)] == [b"HTTP/1.1 200 OK"] * 2


async def test_half_sent_heads_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections with an unfinished head give way like idle ones, after connections that are idle."""
    async with site(monkeypatch) as served:
        half = [await served.connect() for _ in range(6)]
        for each in half:
            each.writer.write(HEALTH[:20])
        assert await (await served.idle()).ask() == b"HTTP/1.1 200 OK"
        assert await half[0].end() == b""


async def test_a_request_at_work_keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """While every place has a request at work, a new connection is refused; no request is given up for it."""
    may_end = asyncio.Event()

    async def scrape(*_: str, **__: str) -> tuple[bytes, dict[str, str]]:
        await may_end.wait()
        return b"ok\n", {"Content-Type": "text/plain"}

    async with site(monkeypatch, source(scrape=scrape)) as served:
        asking = [asyncio.create_task((await served.connect()).ask(METRICS), name="scrape") for _ in range(6)]
        await until(lambda: len(served.guard._busy) == 6)
        assert await (await served.connect()).ask() == b""
        assert await (await served.idle("127.0.0.2")).ask() == b"HTTP/1.1 200 OK"
        may_end.set()
        assert [await each for each in asking] == [b"HTTP/1.1 200 OK"] * 6
        assert (served.count("no_place"), served.count("displaced")) == (1, 0)


@on_both_loops
async def test_clients_that_never_read_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape is answered although clients that never read hold every place of its address."""
    body = b"x" * 10_000_000

    async def scrape(*_: str, **__: str) -> tuple[bytes, dict[str, str]]:
        return body, {"Content-Type": "text/plain"}

    async with site(monkeypatch, source(scrape=scrape)) as served:
        for _ in range(6):
            served.stuck()
        await until(lambda: sum(1 for each in served.guard._busy if each.sending) == 6)
        assert await (await served.connect()).ask() == b"HTTP/1.1 200 OK"
        assert (served.count("no_place"), served.count("displaced")) == (0, 1)


async def test_unread_small_answers_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that ask for many small answers and read none hold no place against a scrape."""

    async def scrape(*_: str, **__: str) -> tuple[bytes, dict[str, str]]:
        return b"x" * 60_000, {"Content-Type": "text/plain"}

    async with site(monkeypatch, source(scrape=scrape)) as served:
        for _ in range(6):
            served.stuck(requests=200)
        await until(lambda: sum(1 for each in served.guard._busy if each.sending) == 6)
        assert await (await served.connect()).ask() == b"HTTP/1.1 200 OK"


@on_both_loops
async def test_places_are_freed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """When all clients are gone, refused and displaced ones included, no place is taken."""
    async with site(monkeypatch) as served:
        for each in [await served.connect(f"127.0.0.{1 + number % 4}") for number in range(40)]:
            each.writer.close()
        await until(lambda: served.guard.open == 0)
        assert not served.guard._by_address
        assert await (await served.connect()).ask() == b"HTTP/1.1 200 OK"
