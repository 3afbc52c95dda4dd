"""The web pages of a whole farm behind one listening socket; the destination address selects the unit."""

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final, cast

from simulators.farm.farm import Farm
from simulators.firmware.pages import digest, lighttpd
from simulators.firmware.pages.stock_pages import Visit
from simulators.firmware.pages.web_services import HashSide, StockPages, WebService
from simulators.sockets.api_server import ApiServer
from simulators.sockets.journal import Journal
from simulators.sockets.listening import ServeError, listen, raise_file_limit
from simulators.sockets.silence import silence
from simulators.unit.builds import Line
from simulators.unit.unit import Unit

HTTP_PORT: Final = 80
HASH_SIDE_PORT: Final = 6060

_MAX_UNSENT_BYTES = 16 * 1024  # About six pages; beyond it nothing more is read from the client.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a web server. Documented (D69): defaults of 1.4.32 (configfile.c).

    Attributes:
        idle_s: Longest pause between two requests of a connection.
        read_s: Longest wait for the rest of a request.
        write_s: Longest wait for a client to take a reply.
        connections: Connections to the whole farm; further ones are reset. At most half the files this process may
            open.
    """

    idle_s: float = 5.0
    read_s: float = 60.0
    write_s: float = 360.0
    connections: int = 4096


class WebServer:
    """Serves one web service of every unit of a farm on one port. Use `serve_web` or `serve_hash_side`.

    Args:
        farm: The units.
        service: The service they offer.
        journal: Log of requests.
        is_loopback_only: Refuse clients on other machines.
        limits: Time and size limits.
    """

    def __init__(
        self, farm: Farm, service: WebService, journal: Journal, *, is_loopback_only: bool, limits: Limits
    ) -> None:
        self.farm = farm
        self.service = service
        self.journal = journal
        self.is_loopback_only = is_loopback_only
        self.limits = limits
        self.connections: set[Connection] = set()
        self.replies = 0
        self.max_connections = limits.connections
        self._units: dict[str, Unit] = {}
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None

    @property
    def units(self) -> dict[str, Unit]:
        """The units by address; built for the first client, so that pages which no reader uses cost next to nothing."""
        if not self._units:
            self._units = {unit.identity.host: unit for unit in self.farm.units}
        return self._units

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._listener is None:
            raise ServeError(errno.ENOTCONN, "the farm's web pages are not being served")
        port: int = self._listener.getsockname()[1]
        return port

    async def open(self, port: int, *, option: str) -> None:
        """Start listening; `option` is the command-line option that an error message names.

        Raises:
            ServeError: Port taken or not permitted.
        """
        self.max_connections = min(self.limits.connections, raise_file_limit() // 2)
        self._listener = listen("0.0.0.0", port, option=option, is_loopback_only=self.is_loopback_only)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), sock=self._listener, backlog=1024)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
            for connection in tuple(self.connections):
                connection.drop()
            await self._server.wait_closed()
        self._server = self._listener = None

    def silence(self, addresses: frozenset[int]) -> None:
        """Silence these addresses and no others."""
        if self._listener is not None:
            silence(self._listener, tuple(addresses))


class Connection(asyncio.Protocol):
    """One client of one unit: requests answered in order, each completely, within limits of size and time."""

    __slots__ = (
        "_body_bytes",
        "_buffer",
        "_deadline",
        "_host",
        "_is_closing",
        "_is_paused",
        "_request",
        "_requests",
        "_server",
        "_timer",
        "_transport",
        "_unit",
    )

    def __init__(self, server: WebServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._request: lighttpd.Request | None = None
        self._requests = 0
        self._is_paused = self._is_closing = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Find the unit at the destination address; reset the connection if there is none."""
        server = self._server
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_MAX_UNSENT_BYTES)
        self._host: str = transport.get_extra_info("sockname")[0]
        peer: str = transport.get_extra_info("peername")[0]
        unit = server.units.get(self._host)
        server.connections.add(self)
        if (
            unit is None
            or (server.is_loopback_only and not peer.startswith("127."))
            or len(server.connections) > server.max_connections
        ):
            self._reset()
            return
        self._unit = unit
        if self._found() is None:
            self._reset()
        else:
            self._expect(server.limits.read_s)

    def connection_lost(self, _error: Exception | None) -> None:
        """Remove it from the server."""
        if self._timer is not None:
            self._timer.cancel()
        self._server.connections.discard(self)

    def drop(self) -> None:
        """Abort it at once."""
        self._is_closing = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Buffer the bytes and answer every complete request."""
        if self._is_closing:
            return
        self._buffer += data
        self._expect(self._server.limits.read_s)
        self._answer_all()

    def pause_writing(self) -> None:
        """Stop reading from a client that does not take its replies."""
        self._is_paused = True
        if not self._is_closing:
            self._transport.pause_reading()
            self._expect(self._server.limits.write_s)

    def resume_writing(self) -> None:
        """Read and answer again."""
        self._is_paused = False
        if not self._is_closing:
            self._transport.resume_reading()
            self._expect(self._server.limits.read_s)
            self._answer_all()

    def _answer_all(self) -> None:
        while not (self._is_paused or self._is_closing):
            try:
                if not self._answer_next():
                    return
            except lighttpd.BadRequestError as error:
                now = self._server.farm.clock.now()
                self._note(now, f"bad request {error.status}", is_write=False)
                self._send(lighttpd.error_reply(error.status, now, is_last=True, is_http11=error.is_http11))
                self._hang_up()

    def _answer_next(self) -> bool:
        """Answer the next request; return False if none is complete.

        Raises:
            BadRequestError: The bytes are not a request.
        """
        if self._request is None:
            self._request = self._read_head()
            if self._request is None:
                return False
        request, buffer = self._request, self._buffer
        if len(buffer) < request.body_bytes:
            return False
        body = bytes(buffer[: request.body_bytes])
        del buffer[: request.body_bytes]
        self._request = None
        self._requests += 1
        unit = self._found()
        if unit is None:
            self._reset()
            return False
        is_last = not request.is_kept_alive or self._requests > lighttpd.MAX_REQUESTS
        now = self._server.farm.clock.now()
        reply = self._server.service.answer(Visit(unit, self._host, body, now), request, is_last=is_last)
        self._note(now, reply.note, is_write=reply.is_write)
        self._send(reply.data)
        if is_last or reply.ends_connection:
            self._hang_up()
        elif not self._is_paused:
            self._expect(self._server.limits.idle_s)
        return True

    def _read_head(self) -> lighttpd.Request | None:
        """Take the head of a request from the buffer; None if it is incomplete.

        Raises:
            BadRequestError: The bytes are not a head, or it is too big.
        """
        buffer = self._buffer
        if self._requests and buffer.startswith(b"\r\n"):
            del buffer[:2]  # Documented (D71): some clients send an empty line after what they post.
        end = buffer.find(lighttpd.HEAD_END)
        if end < 0 and len(buffer) <= lighttpd.MAX_HEAD_BYTES:
            return None
        if not 0 <= end <= lighttpd.MAX_HEAD_BYTES:
            raise lighttpd.BadRequestError(414, is_http11=False)
        end += len(lighttpd.HEAD_END)
        head = bytes(buffer[:end])
        del buffer[:end]
        return lighttpd.read_head(head)

    def _found(self) -> Unit | None:
        """Return the unit found at the destination address, or None if it does not answer now."""
        now = self._server.farm.clock.now()
        self._unit.advance(now)
        unit = self._server.farm.unit_found_at(self._unit)
        return unit if self._server.service.is_up(unit, now) else None

    def _note(self, now: float, text: str, *, is_write: bool) -> None:
        unit = self._server.farm.unit_found_at(self._unit)
        self._server.journal.note(now, unit.identity.unit_id, text, is_write=is_write)

    def _send(self, data: bytes) -> None:
        self._transport.write(data)
        self._server.replies += 1

    def _hang_up(self) -> None:
        """Close once the client has taken everything or its time is up."""
        self._is_closing = True
        self._buffer.clear()
        self._expect(self._server.limits.write_s)
        self._transport.close()

    def _reset(self) -> None:
        """Close with a reset, the nearest to a refusal after an accept."""
        self._is_closing = True
        with contextlib.suppress(OSError):
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._transport.abort()

    def _expect(self, seconds: float) -> None:
        """Set the deadline for the client's next step; one timer serves the whole connection."""
        loop = asyncio.get_running_loop()
        self._deadline = loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(self._deadline, self._check_deadline)

    def _check_deadline(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._deadline:
            self._timer = None
            self.drop()
        else:
            self._timer = loop.call_at(self._deadline, self._check_deadline)


@contextlib.asynccontextmanager
async def serve_web(
    farm: Farm,
    api: ApiServer,
    *,
    port: int = HTTP_PORT,
    password: str = digest.DEFAULT_PASSWORD,
    limits: Limits | None = None,
) -> AsyncIterator[WebServer]:
    """Serve the stock pages of a farm for as long as the context is open.

    Args:
        farm: The units.
        api: The running server of their API; the pages share its journal, silent addresses and loopback restriction.
        port: Port of all units; 0 takes a free one, see `WebServer.port`.
        password: Password of user root, on every unit.
        limits: Time and size limits; None for those of the units' own server.

    Raises:
        ServeError: Port taken or not permitted.
    """
    pages = StockPages(password=password, seed=farm.plan.seed, twin_of=farm.twin_of)
    async with _serve(farm, api, pages, port=port, option="--http-port", limits=limits) as server:
        yield server


@contextlib.asynccontextmanager
async def serve_hash_side(
    farm: Farm, api: ApiServer, lines: Iterable[Line], *, port: int = HASH_SIDE_PORT, limits: Limits | None = None
) -> AsyncIterator[WebServer]:
    """Serve ``/miner_power`` and ``/warning`` of units on some firmware lines; other arguments as for `serve_web`."""
    async with _serve(farm, api, HashSide(lines), port=port, option="--power-port", limits=limits) as server:
        yield server


@contextlib.asynccontextmanager
async def _serve(
    farm: Farm, api: ApiServer, service: WebService, *, port: int, option: str, limits: Limits | None
) -> AsyncIterator[WebServer]:
    server = WebServer(
        farm, service, api.journal, is_loopback_only=api.is_loopback_only, limits=Limits() if limits is None else limits
    )
    await server.open(port, option=option)
    api.follow_silence(server.silence)
    try:
        yield server
    finally:
        await server.close()
