"""The pages of recorded units, with their heads and chunks, and the other ports that they had open or silent.

A login is asked for as it was recorded. It cannot be checked, because a capture holds no password: any GET with digest
credentials gets the page.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple

from simulators.captures import form
from simulators.captures.form import Answer, Ending, PortState, Reply
from simulators.firmware.pages import digest, lighttpd
from simulators.sockets.endings import arrived, reset_on_close
from simulators.sockets.journal import Journal
from simulators.sockets.listening import ServeError, listen
from simulators.sockets.page_bytes import NONCE, page_bytes
from simulators.sockets.recorded_delivery import MAX_PIECES, Delay
from simulators.sockets.replay import RecordedUnit
from simulators.sockets.silence import silence
from simulators.strangers.spans import Span

EVERYWHERE: Final = (Span(0, 0xFFFFFFFF),)
MAX_CLIENTS: Final = 64
MAX_OPEN_S: Final = 600.0

_IDLE_S = 60.0
_READ_ONLY = frozenset({"GET", "HEAD", "OPTIONS"})


class Place(NamedTuple):
    """Address of a recorded unit's port.

    Attributes:
        unit: The unit.
        recorded: The port's number on the real unit.
        port: Its number here; 0 if it could not be opened.
        state: What it does.
        problem: Why it is elsewhere, or not at all; empty if all is well.
    """

    unit: RecordedUnit
    recorded: int
    port: int
    state: PortState
    problem: str = ""


class _Client(NamedTuple):
    """Both ways of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@contextlib.asynccontextmanager
async def serve_recorded_ports(
    units: Sequence[RecordedUnit],
    now: Callable[[], float],
    journal: Journal,
    *,
    web_port: int | None,
    has_pages: bool = True,
    is_loopback_only: bool = True,
) -> AsyncIterator[tuple[Place, ...]]:
    """Serve every port but that of the API for as long as the context is open; yield where each one is.

    Args:
        units: The recorded units.
        now: Returns the simulated time.
        journal: Log of requests.
        web_port: Port of the pages; None for 80, or a free one where that cannot be had.
        has_pages: False to serve the API alone.
        is_loopback_only: Refuse clients on other machines.

    Raises:
        ServeError: The given port for pages is taken or not permitted.
    """
    server = _Ports(now, journal, is_loopback_only=is_loopback_only)
    try:
        for unit in units if has_pages else ():
            await server.open_pages(unit, web_port)
            for number, state in sorted(unit.other_ports.items()):
                await server.open_other(unit, number, state)
        yield tuple(server.places)
    finally:
        await server.close()


class _Ports:
    """The listening sockets of recorded units, and the connections behind them."""

    def __init__(self, now: Callable[[], float], journal: Journal, *, is_loopback_only: bool) -> None:
        self.places: list[Place] = []
        self._now = now
        self._journal = journal
        self._is_loopback_only = is_loopback_only
        self._servers: list[asyncio.Server] = []
        self._silent: list[socket.socket] = []
        self._conversations: set[asyncio.Task[None]] = set()

    async def open_pages(self, unit: RecordedUnit, web_port: int | None) -> None:
        """Open a unit's port for pages, on a free port if none was asked for and 80 cannot be had."""
        if unit.web_state is PortState.REFUSED:
            self.places.append(Place(unit, form.WEB_PORT, 0, PortState.REFUSED))
            return
        problem = ""
        wanted = form.WEB_PORT if web_port is None else web_port
        try:
            listener = listen(unit.host, wanted, option="--web-port", is_loopback_only=self._is_loopback_only)
        except ServeError as error:
            if web_port is not None:
                raise
            problem = error.strerror or str(error)
            listener = listen(unit.host, 0, option="--web-port", is_loopback_only=self._is_loopback_only)
        await self._open(unit, form.WEB_PORT, unit.web_state, listener, problem)

    async def open_other(self, unit: RecordedUnit, number: int, state: PortState) -> None:
        """Open another port that did not refuse, if it can be had here."""
        try:
            listener = listen(unit.host, number, is_loopback_only=self._is_loopback_only)
        except ServeError as error:
            self.places.append(Place(unit, number, 0, state, error.strerror or str(error)))
            return
        await self._open(unit, number, state, listener, "")

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        for listener in self._silent:
            listener.close()
        for server in self._servers:
            server.close()
        for task in self._conversations:
            task.cancel()
        if self._conversations:
            await asyncio.wait(self._conversations)
            await asyncio.sleep(0.0)  # Their transports close in the loop's next turn.
        for server in self._servers:
            await server.wait_closed()

    async def _open(
        self, unit: RecordedUnit, recorded: int, state: PortState, listener: socket.socket, problem: str
    ) -> None:
        port = listener.getsockname()[1]
        if state is not PortState.OPEN:
            self._silent.append(listener)
            try:
                silence(listener, (), EVERYWHERE)
            except PermissionError:
                listener.close()
                problem = "this kernel lets only root keep a port silent: it refuses instead"
            self.places.append(Place(unit, recorded, port, state, problem))
            return

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = writer.get_extra_info("peername")[0]
            if len(self._conversations) >= MAX_CLIENTS or (self._is_loopback_only and not peer.startswith("127.")):
                writer.transport.abort()
                return
            talk = self._serve_pages if recorded == form.WEB_PORT else self._stay_mute
            writer.transport.set_write_buffer_limits(high=0)
            task = asyncio.get_running_loop().create_task(talk(unit, reader, writer), name=f"port {port} {unit.name}")
            self._conversations.add(task)
            task.add_done_callback(self._conversations.discard)

        server = await asyncio.start_server(begin, sock=listener, limit=lighttpd.MAX_HEAD_BYTES)
        self._servers.append(server)
        self.places.append(Place(unit, recorded, port, state, problem))

    async def _stay_mute(self, _unit: RecordedUnit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what comes and answer nothing, since nothing was recorded of this port."""
        try:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(MAX_OPEN_S):
                    while await reader.read(4096):
                        pass
        finally:
            writer.transport.abort()

    async def _serve_pages(
        self, unit: RecordedUnit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection, one after the other."""
        try:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                while await self._answer_next(unit, reader, writer):
                    pass
        finally:
            writer.close()

    async def _answer_next(
        self, unit: RecordedUnit, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; return True if the connection goes on."""
        try:
            async with asyncio.timeout(_IDLE_S):
                try:
                    head = await reader.readuntil(lighttpd.HEAD_END)
                except asyncio.LimitOverrunError:
                    raise lighttpd.BadRequestError(414, is_http11=False) from None
                request = lighttpd.read_head(head)
                await reader.readexactly(request.body_bytes)
        except lighttpd.BadRequestError as error:
            writer.write(lighttpd.error_reply(error.status, self._now(), is_last=True, is_http11=error.is_http11))
            await writer.drain()
            return False
        t = self._now()
        target = head.split(b" ", 2)[1].decode("latin-1")
        is_write = request.method not in _READ_ONLY
        self._journal.note(t, unit.name, f"{request.method} page", is_write=is_write)
        answer, status = _answer_to(unit, target, request, t)
        if answer is not None:
            return await _send(_Client(reader, writer), answer, unit.delay(answer.reply.request), request, t)
        writer.write(
            lighttpd.error_reply(
                status,
                t,
                is_last=not request.is_kept_alive,
                is_http11=request.is_http11,
                is_head=request.method == "HEAD",
                challenge=digest.challenge(NONCE) if status == 401 else "",
            )
        )
        await writer.drain()
        return request.is_kept_alive


def _answer_to(unit: RecordedUnit, target: str, request: lighttpd.Request, t: float) -> tuple[Answer | None, int]:
    """Return the recorded answer to a request; None and a status if lighttpd's own page has to do.

    Without a login a page that was recorded with one gets the recorded challenge, of whichever page. With one, a page
    that was not recorded gets what the unit said of a page that it does not have.
    """
    pages = unit.scene(t).pages
    has_login = request.headers.get("authorization", "").partition(" ")[0].lower() == "digest"
    if request.method in ("GET", "HEAD"):
        for path in (target, request.path):
            found = (pages.behind.get(path) if has_login else None) or pages.open.get(path)
            if found is not None:
                return found, 0
    challenge = next((each for each in pages.open.values() if each.reply.status == 401), None)
    if not has_login and (pages.behind or challenge is not None or not pages.open):
        return challenge, 401
    missing = (each for each in (*pages.behind.values(), *pages.open.values()) if each.reply.status == 404)
    return next(missing, None), 404


async def _send(
    client: _Client,
    answer: Answer,
    delay: Delay | None,
    request: lighttpd.Request,
    t: float,
) -> bool:
    """Send a recorded page; return True if the connection goes on."""
    reader, writer = client
    reply = answer.reply
    head, data = page_bytes(answer, t)
    data = head if request.method == "HEAD" else head + data
    wait_s, spread_s, pieces = delay or Delay(0.0, 0.0, 1)
    pieces = max(1, min(pieces, len(data), MAX_PIECES))
    size = -(-len(data) // pieces) or 1
    await asyncio.sleep(wait_s)
    for at in range(0, len(data), size):
        if at:
            await asyncio.sleep(spread_s / (pieces - 1))
        writer.write(data[at : at + size])
        await writer.drain()
    match reply.ending if reply.ending or reply.file else Ending.RESET:
        case Ending.RESET:
            connection = writer.get_extra_info("socket")
            await arrived(connection)
            reset_on_close(connection)
            writer.transport.abort()
            return False
        case Ending.SILENCE:
            async with asyncio.timeout(MAX_OPEN_S):
                while await reader.read(4096):
                    pass
            return False
        case Ending.CLOSE | Ending.TOO_LARGE:
            return False
        case _:
            return request.is_kept_alive and not _says_close(reply)


def _says_close(reply: Reply) -> bool:
    return any(line.lower().replace(" ", "") == "connection:close" for line in (reply.head or "").splitlines())
