"""TCP 4028 of a whole farm behind one listening socket; the address that was dialled tells which unit is meant.

The sockets sit in an epoll of their own whose descriptor the event loop watches: about nine system calls a reply, on
any event loop. Each unit serves one client at a time, as the board does.
"""

import asyncio
import contextlib
import errno
import resource
import select
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Protocol

from simulators import firmware
from simulators.farm import API_PORT, Farm
from simulators.journal import Journal
from simulators.silence import silence
from simulators.snapshot import OFFLINE, Phase
from simulators.unit import Unit

_BACKLOG = 4096
_ACCEPT_BATCH = 128
_MAX_WAITING = 100  # Documented: upstream's listen backlog.
_SWEEP_S = 0.5
_RESERVED_FILES = 256
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

# Commands of the API program that change something; a monitor never sends them.
WRITE_COMMANDS = frozenset({"reload", "sleep", "network"})


class ServeError(OSError):
    """The farm's port cannot be opened; the message says what to do about it."""


def raise_file_limit() -> int:
    """Raise the limit of open files to the most this process may have, and give it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """Open a listening socket.

    Raises:
        ServeError: Port taken, or not permitted to this user.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.settimeout(0.0)
    except OSError as error:
        listener.close()
        why = {
            errno.EADDRINUSE: f"port {port} is taken; choose another with {option}",
            errno.EACCES: f"port {port} needs a privilege this user has not; choose one above 1023 with {option}",
            errno.EADDRNOTAVAIL: f"address {host} is not one of this machine's",
        }.get(error.errno or 0, str(error))
        raise ServeError(error.errno or 0, f"cannot listen on {host}:{port}: {why}") from error
    return listener


class Station(Protocol):
    """Whoever stands at an address."""

    @property
    def name(self) -> str:
        """Give the name requests are put down under."""
        ...

    def is_online(self, t: float) -> bool:
        """Say whether its API process is up at `t`."""
        ...

    def answer(self, request: firmware.Request, t: float) -> bytes:
        """Give its reply at `t`, without the closing NUL."""
        ...


class LiveUnit:
    """A simulated unit at an address."""

    __slots__ = ("unit",)

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    @property
    def name(self) -> str:
        """Give the unit id."""
        return self.unit.identity.unit_id

    def is_online(self, t: float) -> bool:
        """Say whether its API process is up at `t`."""
        self.unit.advance(t)
        return self.unit.phase not in OFFLINE

    def answer(self, request: firmware.Request, t: float) -> bytes:
        """Give its reply at `t`, without the closing NUL."""
        return firmware.answer(self.unit, request, t)


class ApiServer:
    """Answers for every station on one port. Use `serve_farm` or `serve_stations`, which start and stop it.

    Args:
        stations: Who stands at which IPv4 address.
        now: Gives the simulated time.
        journal: Where requests are put down.
        is_loopback_only: Refuse clients that are not on this machine.
    """

    def __init__(
        self,
        stations: Mapping[str, Station],
        now: Callable[[], float],
        journal: Journal,
        *,
        is_loopback_only: bool = True,
    ) -> None:
        self.journal = journal
        self.replies = 0
        self._is_loopback_only = is_loopback_only
        self._stations = stations
        self._now = now
        self._connections: dict[int, tuple[socket.socket, Station]] = {}
        self._busy: dict[Station, deque[socket.socket]] = {}
        self._silent: frozenset[int] = frozenset()
        self._listener: socket.socket | None = None
        self._epoll: select.epoll | None = None
        self._max_connections = 1024

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._listener is None:
            raise ServeError(errno.ENOTCONN, "the farm is not being served")
        port: int = self._listener.getsockname()[1]
        return port

    def open(self, port: int) -> None:
        """Listen, and have the running event loop watch.

        Raises:
            ServeError: Port taken or not permitted.
        """
        self._max_connections = raise_file_limit() - _RESERVED_FILES
        # The wildcard is the only address that answers for all of 127.0.0.0/8.
        self._listener = listen("0.0.0.0", port)
        self._epoll = select.epoll()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._turn)

    def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        for connection, _ in self._connections.values():
            connection.close()
        for waiting in self._busy.values():
            for connection in waiting:
                connection.close()
        self._connections.clear()
        self._busy.clear()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def silence(self, addresses: frozenset[int]) -> None:
        """Have these addresses not answer at all, and all others answer again."""
        if addresses != self._silent and self._listener is not None:
            silence(self._listener, tuple(addresses))
            self._silent = addresses

    def _turn(self) -> None:
        """Serve whatever is ready now."""
        if self._epoll is None or self._listener is None:
            return
        listening = self._listener.fileno()
        for descriptor, _ in self._epoll.poll(0, 256):
            if descriptor == listening:
                self._accept(self._listener)
            else:
                self._read(descriptor)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPT_BATCH):
            try:
                connection, peer = listener.accept()
            except BlockingIOError:
                return
            except OSError:
                # The client gave up in the queue, or this process has no file left; the rest stay queued.
                return
            station = self._stations.get(connection.getsockname()[0])
            if (
                station is None
                or (self._is_loopback_only and not peer[0].startswith("127."))
                or len(self._connections) >= self._max_connections
            ):
                _reset(connection)
                continue
            if not station.is_online(self._now()):
                _reset(connection)
                continue
            waiting = self._busy.get(station)
            if waiting is None:
                self._begin(connection, station)
            elif len(waiting) < _MAX_WAITING:
                waiting.append(connection)
            else:
                _reset(connection)

    def _begin(self, connection: socket.socket, station: Station) -> None:
        """Serve a client at once when its request is there already, else wait for it."""
        try:
            data = connection.recv(firmware.MAX_REQUEST_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            descriptor = connection.fileno()
            self._connections[descriptor] = (connection, station)
            self._busy.setdefault(station, deque())
            if self._epoll is not None:
                self._epoll.register(descriptor, select.EPOLLIN)
        except OSError:
            connection.close()
        else:
            self._answer(connection, station, data)

    def _read(self, descriptor: int) -> None:
        connection, station = self._connections.pop(descriptor)
        try:
            data = connection.recv(firmware.MAX_REQUEST_BYTES, socket.MSG_DONTWAIT)
        except OSError:
            data = b""
        if self._epoll is not None:
            self._epoll.unregister(descriptor)
        self._answer(connection, station, data)
        waiting = self._busy.pop(station)
        while waiting and station not in self._busy:
            following = waiting.popleft()
            self._begin(following, station)
        if waiting:
            self._busy[station] = waiting

    def _answer(self, connection: socket.socket, station: Station, data: bytes) -> None:
        with connection:
            if not data:
                return
            now = self._now()
            if not station.is_online(now):
                _reset(connection)
                return
            request = firmware.read_request(data)
            self.journal.note(
                now,
                station.name,
                f"{request.command} new_api" if request.is_new_api else request.command,
                is_write=request.command in WRITE_COMMANDS,
            )
            reply = station.answer(request, now) + firmware.NUL
            with contextlib.suppress(OSError):  # The client has gone; so does its reply, as on a board.
                connection.send(reply, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            self.replies += 1


def _reset(connection: socket.socket) -> None:
    """Close with a reset: as near to a refusal as a socket that has accepted can come."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    connection.close()


@contextlib.contextmanager
def serve_stations(
    stations: Mapping[str, Station],
    now: Callable[[], float],
    *,
    port: int = API_PORT,
    journal: Journal | None = None,
    is_loopback_only: bool = True,
) -> Iterator[ApiServer]:
    """Serve stations on the running event loop for as long as the context is open.

    Args:
        stations: Who stands at which IPv4 address.
        now: Gives the simulated time.
        port: Port of all of them; 0 takes a free one, see `ApiServer.port`.
        journal: Where requests are put down; a new one when None.
        is_loopback_only: Refuse clients that are not on this machine.

    Raises:
        ServeError: Port taken or not permitted.
    """
    server = ApiServer(stations, now, Journal() if journal is None else journal, is_loopback_only=is_loopback_only)
    server.open(port)
    try:
        yield server
    finally:
        server.close()


@contextlib.asynccontextmanager
async def serve_farm(
    farm: Farm, *, port: int = API_PORT, journal: Journal | None = None, is_loopback_only: bool = True
) -> AsyncIterator[ApiServer]:
    """Serve a farm for as long as the context is open; arguments and errors as `serve_stations`."""
    stations = {unit.identity.host: LiveUnit(unit) for unit in farm.units}
    with serve_stations(
        stations, farm.clock.now, port=port, journal=journal, is_loopback_only=is_loopback_only
    ) as server:
        sweep(farm, server)
        sweeper = asyncio.get_running_loop().create_task(_keep_swept(farm, server), name="farm sweep")
        try:
            yield server
        finally:
            sweeper.cancel()
            await asyncio.wait([sweeper])


def sweep(farm: Farm, server: ApiServer) -> None:
    """Play due events, so that a unit whose power came or went starts or stops answering without being asked."""
    now = farm.clock.now()
    for unit in farm.units:
        if unit.is_restless:
            unit.advance(now)
    server.silence(frozenset(unit.identity.address for unit in farm.units if unit.phase is Phase.OFF))


async def _keep_swept(farm: Farm, server: ApiServer) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        sweep(farm, server)
