"""TCP 4028 of a whole farm behind one listening socket; the destination address selects the unit.

Units with a port of their own sit behind one listening socket for each such port.

The sockets belong to an epoll whose descriptor the event loop watches: about nine system calls a reply, on any event
loop. Each unit serves one client at a time, as a real control board does.
"""

import asyncio
import contextlib
import errno
import select
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from simulators.firmware.request import MAX_REQUEST_BYTES, NUL, read_request
from simulators.sockets.doors import Doors
from simulators.sockets.endings import arrived, reset
from simulators.sockets.journal import Journal
from simulators.sockets.listening import ServeError, raise_file_limit
from simulators.sockets.station import Station
from simulators.strangers.surroundings import Surroundings
from simulators.unit.delivery import Delivery, Ending
from simulators.unit.endpoints import Endpoint

_ACCEPT_BATCH = 128
_MAX_WAITING = 100  # Documented (D04): upstream's listen backlog. Assumed (A02): an S21's too.
_RESERVED_FILES = 256
_MAX_HANG_S = 3600.0


class ApiServer:
    """Answers for every station. `serving` starts and stops it.

    Args:
        stations: Station by port and IPv4 address; port 0 is the one given to `open`.
        now: Returns the simulated time.
        journal: Log of requests.
        around: The network around the units.
        is_loopback_only: Refuse clients on other machines.
    """

    def __init__(
        self,
        stations: Mapping[int, Mapping[str, Station]],
        now: Callable[[], float],
        journal: Journal,
        *,
        around: Surroundings,
        is_loopback_only: bool = True,
    ) -> None:
        self.journal = journal
        self.replies = 0
        self.is_loopback_only = is_loopback_only
        self.can_silence = True
        self._now = now
        self._latency_s = around.latency_s
        self._connections: dict[int, tuple[socket.socket, Station]] = {}
        self._busy: dict[Station, deque[socket.socket]] = {}
        # None until the filter is attached that losses and strangers need.
        self._silent: frozenset[Endpoint] | None = None if around.needs_filter else frozenset()
        self._followers: list[Callable[[frozenset[int]], None]] = []
        self._doors = Doors(stations, around, is_loopback_only=is_loopback_only)
        self._listeners: dict[int, tuple[socket.socket, Mapping[str, Station]]] = {}
        self._epoll: select.epoll | None = None
        self._deliveries: set[asyncio.Task[None]] = set()
        self._max_connections = 1024
        self._queued = 0

    @property
    def port(self) -> int:
        """Port of the units without one of their own; the first unit's port if all have one."""
        if not self._listeners:
            raise ServeError(errno.ENOTCONN, "the farm is not being served")
        return self._doors.port

    def open(self, port: int) -> None:
        """Start listening on the running event loop.

        Raises:
            ServeError: Port taken or not permitted.
        """
        most_files = raise_file_limit()
        self._doors.open(port)
        self._max_connections = most_files - _RESERVED_FILES - len(self._doors)
        self._epoll = select.epoll()
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._turn)
        for door in self._doors:
            self._listeners[door.listener.fileno()] = (door.listener, door.stations)
            self._epoll.register(door.listener.fileno(), select.EPOLLIN)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._epoll is not None:
            asyncio.get_running_loop().remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None
        self._doors.close()
        self._listeners.clear()
        for connection, _ in self._connections.values():
            connection.close()
        for waiting in self._busy.values():
            for connection in waiting:
                connection.close()
        self._connections.clear()
        self._busy.clear()
        self._queued = 0
        if self._deliveries:
            for task in self._deliveries:
                task.cancel()
            await asyncio.wait(self._deliveries)

    def silence(self, endpoints: frozenset[Endpoint]) -> None:
        """Silence these endpoints and no others; port 0 is the port of units without their own.

        If the kernel forbids it to this user, `can_silence` becomes False and the endpoints reset connections.
        """
        if endpoints != self._silent and self._listeners:
            try:
                self._doors.silence(endpoints)
            except PermissionError:
                self.can_silence = False
                return
            self._silent = endpoints
            for follower in self._followers:
                follower(self._silent_addresses)

    @property
    def _silent_addresses(self) -> frozenset[int]:
        return frozenset(endpoint.address for endpoint in self._silent or ())

    def follow_silence(self, follower: Callable[[frozenset[int]], None]) -> None:
        """Pass the silent addresses to another server of the same units, now and after every change."""
        self._followers.append(follower)
        if self._silent:
            follower(self._silent_addresses)

    def _turn(self) -> None:
        """Serve the sockets that are ready now."""
        if self._epoll is None:
            return
        for descriptor, _ in self._epoll.poll(0, 256):
            door = self._listeners.get(descriptor)
            if door is None:
                self._read(descriptor)
            else:
                self._accept(*door)

    def _accept(self, listener: socket.socket, stations: Mapping[str, Station]) -> None:
        for _ in range(_ACCEPT_BATCH):
            try:
                connection, peer = listener.accept()
            except BlockingIOError:
                return
            except OSError:
                # The client left the queue, or this process has no file descriptor left; the rest stay queued.
                return
            station = stations.get(connection.getsockname()[0])
            if (
                station is None
                or (self.is_loopback_only and not peer[0].startswith("127."))
                or len(self._connections) + self._queued + len(self._deliveries) >= self._max_connections
            ):
                reset(connection)
                continue
            if not station.is_online(self._now()):
                reset(connection)
                continue
            waiting = self._busy.get(station)
            if waiting is None:
                self._begin(connection, station)
            elif len(waiting) < _MAX_WAITING:
                waiting.append(connection)
                self._queued += 1
            else:
                reset(connection)

    def _begin(self, connection: socket.socket, station: Station) -> None:
        """Serve a client at once if its request has arrived, else wait for it."""
        try:
            data = connection.recv(MAX_REQUEST_BYTES, socket.MSG_DONTWAIT)
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
        if self._epoll is not None:
            self._epoll.unregister(descriptor)
        try:
            data = connection.recv(MAX_REQUEST_BYTES, socket.MSG_DONTWAIT)
        except OSError:
            data = b""
        if self._answer(connection, station, data):
            self._serve_next(station)

    def _serve_next(self, station: Station) -> None:
        """Serve the clients that queued while the last one was served."""
        waiting = self._busy.pop(station, None)
        while waiting:
            self._queued -= 1
            self._begin(waiting.popleft(), station)
            if station in self._busy:
                self._busy[station] = waiting
                return

    def _answer(self, connection: socket.socket, station: Station, data: bytes) -> bool:
        """Answer a request and close; return False if a task of its own continues the delivery."""
        now = self._now()
        if not data:
            connection.close()
            return True
        if not station.is_online(now):
            reset(connection)
            return True
        request = read_request(data)
        self.journal.note(
            now,
            station.name,
            f"{request.command} new_api" if request.is_new_api else request.command,
            is_write=station.is_write(request),
        )
        reply = station.answer(request, now)
        self.replies += 1
        whole = reply + NUL if isinstance(reply, bytes) else reply.reply if reply.is_at_once else b""
        if whole and not self._latency_s:
            try:
                whole = whole[connection.send(whole, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]
            except OSError:
                # The client has left; its reply is dropped, as on a real control board.
                whole = b""
            if not whole:
                connection.close()
                return True
            reply = Delivery(command=request.command, reply=whole)
        if isinstance(reply, bytes):
            reply = Delivery(command=request.command, reply=whole)
        if self._latency_s:
            reply = replace(reply, wait_s=reply.wait_s + self._latency_s)
        self._busy.setdefault(station, deque())
        task = asyncio.get_running_loop().create_task(
            self._deliver(connection, station, reply), name=f"delivery {station.name}"
        )
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)
        return False

    async def _deliver(self, connection: socket.socket, station: Station, delivery: Delivery) -> None:
        """Send a reply as its delivery says, then serve the next client in the queue."""
        try:
            # OSError: the client has left, or hung on for an hour (TimeoutError is a subclass).
            with contextlib.suppress(OSError):
                await _send(connection, delivery)
        finally:
            connection.close()
            if self._listeners:
                self._serve_next(station)


async def _send(connection: socket.socket, delivery: Delivery) -> None:
    loop = asyncio.get_running_loop()
    connection.setblocking(False)  # noqa: FBT003  the socket module's own signature
    await asyncio.sleep(delivery.wait_s)
    piece_bytes = delivery.piece_bytes or max(1, len(delivery.reply))
    for at in range(0, len(delivery.reply), piece_bytes):
        if at:
            await asyncio.sleep(delivery.gap_s)
        await loop.sock_sendall(connection, delivery.reply[at : at + piece_bytes])
    if delivery.ending is Ending.HANG:
        async with asyncio.timeout(_MAX_HANG_S):
            while await loop.sock_recv(connection, MAX_REQUEST_BYTES):
                pass
    else:
        await asyncio.sleep(delivery.linger_s)
    if delivery.ending is Ending.RESET:
        await arrived(connection)
        reset(connection)
