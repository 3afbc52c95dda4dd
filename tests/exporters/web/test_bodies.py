"""Bodies on their way to clients: the limit for all of them, who is cut, who waits, and clients that leave."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from patience import PATIENT_S
from web_cases import until
from web_site import get_json, served, source

from agent.exporters.web import bodies, listener
from agent.exporters.web import server as web
from agent.exporters.web.bodies import SLICE_BYTES, Bodies, BusyError, Sending
from agent.exporters.web.guard import GuardedConnection
from agent.exporters.web.history_api import HistoryAnswer, HistoryQuery

on_both_loops = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

DEADLINE_S = 30.0


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        """Return the time, s."""
        return self.at


class Client:
    """A client that is cut or not."""

    def __init__(self) -> None:
        self.sending: Sending | None = None
        self.is_cut = False

    def abort(self) -> None:
        """Note that the client was cut."""
        self.is_cut = True


class Traffic:
    """Bodies under way, with a clock that stands still until it is set."""

    def __init__(self, max_bytes: int) -> None:
        self.clock = Clock()
        self.bodies = Bodies(self.clock, max_bytes=max_bytes)
        self._stack = ExitStack()

    def start(self, body: bytes, stack: ExitStack | None = None) -> Client:
        """Start to send a body to a new client."""
        client = Client()
        (stack or self._stack).enter_context(self.bodies._under_way(body, client, DEADLINE_S))
        return client

    async def has_room(self, *readers: Client) -> bool:
        """Return True if another body may be made; time passes only while the request waits, and `readers` read."""
        asking = asyncio.create_task(self.bodies.room(), name="room")
        while not asking.done():
            await asyncio.sleep(0.001)
            if not asking.done():
                self.clock.at += bodies.ROOM_WAIT_S / 10
                for reader in readers:
                    assert reader.sending is not None
                    reader.sending.take(10)
        return not isinstance(asking.exception(), BusyError)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LOOK_AGAIN_S", 0.0001)


async def test_a_shared_body_counts_once() -> None:
    """However many clients take one body, it counts once, until the last of them has it."""
    traffic, body = Traffic(1000), bytes(600)
    with ExitStack() as last:
        with ExitStack() as others:
            for _ in range(200):
                traffic.start(body, others)
            traffic.start(body, last)
            traffic.start(bytes(300), others)
            assert traffic.bodies.bytes_under_way == 900
        assert traffic.bodies.bytes_under_way == 600
    assert traffic.bodies.bytes_under_way == 0


async def test_late_clients_are_cut_when_room_is_needed() -> None:
    """Clients furthest behind are cut first, as many as it takes; without need none is cut."""
    traffic = Traffic(1000)
    clients = [traffic.start(bytes(400 + number)) for number in range(3)]
    traffic.clock.at = 10.0
    for client, sent in zip(clients, (100, 10, 300), strict=True):
        assert client.sending is not None
        client.sending.take(sent)
    assert await traffic.has_room()
    assert [client.is_cut for client in clients] == [False, True, False]
    assert traffic.bodies.bytes_under_way == 802


async def test_requests_wait_for_clients_that_read_and_are_then_refused() -> None:
    """While all clients keep their pace, a request waits; it is refused after five seconds, and none is cut."""
    traffic = Traffic(1000)
    client = traffic.start(bytes(3000))
    assert client.sending is not None
    client.sending.take(2000)
    assert not await traffic.has_room(client)
    assert traffic.clock.at == bodies.ROOM_WAIT_S
    assert not client.is_cut


async def test_a_client_that_stopped_reading_is_late() -> None:
    """A client that took nearly everything and then nothing more is cut within about a second."""
    traffic = Traffic(1000)
    client = traffic.start(bytes(3000))
    assert client.sending is not None
    client.sending.take(2999)
    assert await traffic.has_room()
    assert client.is_cut
    assert bodies.LATE_S <= traffic.clock.at <= bodies.LATE_S + 1


async def test_a_request_gets_the_room_of_a_body_that_ends() -> None:
    """A waiting request goes on as soon as a body is delivered."""
    traffic = Traffic(1000)
    with ExitStack() as sending:
        traffic.start(bytes(3000), sending)
        waiting = [asyncio.create_task(traffic.bodies.room(), name="room") for _ in range(5)]
        await asyncio.sleep(0.01)
        assert not any(each.done() for each in waiting)
    await asyncio.gather(*waiting)


async def test_turns_are_bounded_by_kind() -> None:
    """Two answers are made at once and one of history; one kind does not wait for the other."""
    traffic, most = Traffic(1000), dict.fromkeys(bodies.TURNS, 0)
    at_work = dict.fromkeys(bodies.TURNS, 0)

    async def make(kind: str) -> None:
        async with traffic.bodies.turn(kind):
            at_work[kind] += 1
            most[kind] = max(most[kind], at_work[kind])
            await asyncio.sleep(0.001)
            at_work[kind] -= 1

    async with asyncio.TaskGroup() as tasks:
        for number in range(60):
            tasks.create_task(make(("answer", "history")[number % 2]), name="turn")
    assert most == {"answer": 2, "history": 1}


# Over real sockets


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch, **limits: int) -> Iterator[list[Bodies]]:
    """Yield a list to which the bodies of each server are added."""
    made: list[Bodies] = []

    def make(clock: Callable[[], float]) -> Bodies:
        made.append(Bodies(clock, **limits))
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(listener, "Bodies", make)
        yield made


async def ask_and_never_read(port: int, count: int, stack: ExitStack, path: str = "/metrics") -> None:
    """Open connections that ask for a body and never read."""
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        stack.enter_context(closing(writer))
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        del reader


@on_both_loops
async def test_200_clients_that_never_read_hold_one_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that never read share one body, and each connection buffers one slice of it at most."""
    body = b"x" * 8_000_000
    connections: list[GuardedConnection] = []
    begin = GuardedConnection.begin_request

    def begin_and_keep(connection: GuardedConnection) -> None:
        connections.append(connection)
        begin(connection)

    monkeypatch.setattr(GuardedConnection, "begin_request", begin_and_keep)

    async def scrape(*_: str, **__: str) -> tuple[bytes, dict[str, str]]:
        return body, {"Content-Type": "text/plain"}

    with watched(monkeypatch) as made, ExitStack() as stack:
        async with (
            asyncio.timeout(PATIENT_S),
            web.serve(source(scrape=scrape), "127.0.0.1", 0, max_connections=400) as (_, port),
        ):
            await ask_and_never_read(port, 200, stack)
            await until(lambda: sum(1 for each in connections if each.sending and each.sending.sent) == 200)
            assert made[0].bytes_under_way == len(body)
            buffered = [each._transport.get_write_buffer_size() for each in connections if each._transport]
            assert len(buffered) == 200
            assert max(buffered) <= SLICE_BYTES
            assert (await fetch(port)).endswith(body)
            for connection in connections:
                connection.abort()
            await until(lambda: made[0].bytes_under_way == 0)


async def fetch(port: int, path: str = "/metrics", *, headers: str = "") -> bytes:
    """Return the whole reply to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Connection: close\r\n\r\n".encode())
        return await reader.read()


@pytest.mark.parametrize("size", [1, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1, 3 * SLICE_BYTES, 5_000_000])
@on_both_loops
async def test_slices_are_the_body(size: int) -> None:
    """A body arrives whole, whatever its size, with its length announced; HEAD has the length alone."""
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]

    async def scrape(*_: str, **__: str) -> tuple[bytes, dict[str, str]]:
        return body, {"Content-Type": "text/plain"}

    async with served(source(scrape=scrape)) as client:
        for _ in range(2):
            async with client.get("/metrics") as response:
                assert response.headers["Content-Length"] == str(size)
                assert await response.read() == body
            async with client.head("/metrics") as response:
                assert (response.headers["Content-Length"], await response.read()) == (str(size), b"")


async def test_bodies_of_their_own_stay_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """If each client gets a body of its own and never reads, bodies add up to the limit and one more at most.

    Further requests wait and are refused with Retry-After. Small answers, and metrics of the site alone, pass.
    """
    monkeypatch.setattr(bodies, "ROOM_WAIT_S", 0.2)
    size, most, made_sizes = 4_000_000, 0, []

    async def scrape(*_: str, scope: str, **__: str) -> tuple[bytes, dict[str, str]]:
        nonlocal most
        most = max(most, made[0].bytes_under_way)
        if scope == "site":
            return b"small\n", {"Content-Type": "text/plain"}
        made_sizes.append(size)
        return bytes(size), {"Content-Type": "text/plain"}

    monkeypatch.setattr(bodies, "LATE_S", 1e9)
    shown = source(scrape=scrape)
    with watched(monkeypatch, max_bytes=3 * size) as made, ExitStack() as stack:
        async with asyncio.timeout(PATIENT_S), web.serve(shown, "127.0.0.1", 0) as (_, port):
            await ask_and_never_read(port, 3, stack)
            await until(lambda: made[0].bytes_under_way == 3 * size)
            replies = await asyncio.gather(*(fetch(port) for _ in range(20)))
            assert {reply.split(b"\r\n")[0] for reply in replies} == {b"HTTP/1.1 503 Service Unavailable"}
            assert all(b"\r\nRetry-After: 5\r\n" in reply for reply in replies)
            assert b" 200 " in await fetch(port, "/healthz")
            assert b" 200 " in await fetch(port, "/metrics/site")
            assert b" 503 " in await fetch(port, "/api/v1/units")
            assert (shown.refused["busy"], len(made_sizes), most) == (21, 3, 3 * size)
            monkeypatch.setattr(bodies, "LATE_S", 0.0)
            assert (await fetch(port)).endswith(bytes(size))


async def test_scrapes_that_waited_for_one_another_stay_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scrapes that found room together and were then made one by one are refused when the room is used up."""
    monkeypatch.setattr(bodies, "LATE_S", 1e9)
    size, turn, most = 4_000_000, asyncio.Lock(), 0

    async def scrape(*_: str, **__: str) -> tuple[bytes, dict[str, str]]:
        nonlocal most
        async with turn:
            await asyncio.sleep(0.001)
            most = max(most, made[0].bytes_under_way)
            return bytes(size), {"Content-Type": "text/plain"}

    shown = source(scrape=scrape)
    with watched(monkeypatch, max_bytes=3 * size) as made, ExitStack() as stack:
        async with asyncio.timeout(PATIENT_S), web.serve(shown, "127.0.0.1", 0) as (_, port):
            await ask_and_never_read(port, 60, stack)
            await until(lambda: shown.refused["busy"] == 57)
            assert (most, made[0].bytes_under_way) == (3 * size, 3 * size)


# Clients that leave


class SlowHistory:
    """History whose reads last until their answer is no longer wanted, or until they may end.

    Attributes:
        asked: The ends of the queries that were read.
        given_up: The ends of those that were given up.
    """

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.given_up: list[int] = []
        self.may_end = threading.Event()

    def read(self, query: HistoryQuery, is_wanted: Callable[[], bool]) -> HistoryAnswer:
        """Read in a thread."""
        self.asked.append(query.end)
        give_up_at = time.monotonic() + 20
        while not self.may_end.wait(0.005) and time.monotonic() < give_up_at:
            if not is_wanted():
                self.given_up.append(query.end)
                break
        moment = datetime.fromtimestamp(query.end, UTC)
        return HistoryAnswer(site="nd-1", container=None, owner=None, begins=moment, ends=moment, step_s=60, rows=[])


@on_both_loops
async def test_work_for_clients_that_left_stops() -> None:
    """A read under way is given up when its client leaves, and one that waits is never begun; others are answered."""
    history = SlowHistory()
    async with web.serve(source(history=history.read), "127.0.0.1", 0) as (_, port):
        leaving = []
        for end in (100_000, 200_000, 300_000):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /api/v1/history?to={end} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            await until(lambda: history.asked)
            leaving.append(writer)
        for writer in reversed(leaving):
            writer.close()
            await writer.wait_closed()
        await until(lambda: history.given_up)
        staying = asyncio.create_task(fetch(port, "/api/v1/history?to=400000"), name="stays")
        await until(lambda: len(history.asked) > 1)
        history.may_end.set()
        assert b" 200 " in (await staying)[:20]
    assert history.given_up == [100_000]
    assert history.asked == [100_000, 400_000]


async def test_a_thread_keeps_its_turn_until_it_ends() -> None:
    """Clients that ask and leave at once never have more threads at work than there are turns."""
    at_work, most, lock, may_end = 0, 0, threading.Lock(), threading.Event()

    def units() -> Any:
        return ()

    def site(*_: Any, **__: Any) -> Any:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        may_end.wait(PATIENT_S)
        with lock:
            at_work -= 1
        return {}

    patched = pytest.MonkeyPatch()
    patched.setattr(web, "site_answer", site)
    try:
        async with web.serve(source(units=units), "127.0.0.1", 0) as (_, port):
            for _ in range(30):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /api/v1/site HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                await asyncio.sleep(0.002)
                writer.close()
            await until(lambda: at_work == bodies.TURNS["answer"])
            may_end.set()
            await until(lambda: at_work == 0)
            assert b" 200 " in await fetch(port, "/api/v1/site")
    finally:
        may_end.set()
        patched.undo()
    assert most == bodies.TURNS["answer"]


async def test_answers_after_everybody_left() -> None:
    """After a hundred clients that asked and left, the next answer is whole."""
    async with served() as client:
        base = client._base_url
        assert base is not None
        for path in ("/metrics", "/api/v1/site", "/api/v1/units", "/") * 25:
            _, writer = await asyncio.open_connection("127.0.0.1", base.port or 0)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            writer.close()
        assert (await get_json(client, "/api/v1/site"))["site"] == "nd-1"
        async with client.get("/metrics") as response:
            assert response.status == 200
