"""The listening sockets of a farm's API: one for all units, one for each port of their own, or one for each address."""

import socket
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from simulators.sockets.listening import listen
from simulators.sockets.silence import silence
from simulators.sockets.station import Station
from simulators.strangers.spans import Span, addresses_in
from simulators.strangers.surroundings import Elsewhere, Surroundings
from simulators.unit.endpoints import Endpoint

_ANY = "0.0.0.0"


class Door(NamedTuple):
    """One listening socket.

    Attributes:
        own_port: The port of its units' own; 0 for the common port.
        listener: The socket.
        stations: Station by IPv4 address.
    """

    own_port: int
    listener: socket.socket
    stations: Mapping[str, Station]


class Doors:
    """The listening sockets, and the addresses behind them that are silent.

    Args:
        stations: Station by port and IPv4 address; port 0 is the common port.
        around: The network around the units.
        is_loopback_only: Bind to the loopback device.
    """

    def __init__(
        self, stations: Mapping[int, Mapping[str, Station]], around: Surroundings, *, is_loopback_only: bool
    ) -> None:
        self._stations = stations
        self._around = around
        self._is_loopback_only = is_loopback_only
        self._doors: list[Door] = []

    def __iter__(self) -> Iterator[Door]:
        return iter(self._doors)

    def __len__(self) -> int:
        return len(self._doors)

    @property
    def port(self) -> int:
        """The common port; the first door's own if there is none."""
        door = next((door for door in self._doors if not door.own_port), self._doors[0])
        port: int = door.listener.getsockname()[1]
        return port

    def open(self, port: int) -> None:
        """Listen on `port`, 0 for a free one, and on the ports of the units' own.

        Raises:
            ServeError: Port taken or not permitted.
        """
        for own_port, stations in self._stations.items():
            for host in self._hosts(stations):
                listener = listen(
                    host,
                    own_port or port,
                    option="--addresses" if own_port else "--port",
                    is_loopback_only=self._is_loopback_only,
                )
                self._doors.append(Door(own_port, listener, stations))
                port = port or (0 if own_port else listener.getsockname()[1])

    def _hosts(self, stations: Mapping[str, Station]) -> Iterator[str]:
        """Yield the addresses to listen at. Only the wildcard answers for all of 127.0.0.0/8."""
        if self._around.elsewhere is not Elsewhere.REFUSE:
            yield _ANY
            return
        yield from stations
        for address in addresses_in(self._around.silent):
            yield socket.inet_ntoa(address.to_bytes(4, "big"))

    def silence(self, endpoints: frozenset[Endpoint]) -> None:
        """Silence these endpoints, those that are silent for good, and no others.

        Raises:
            PermissionError: This kernel forbids packet filters to this user.
        """
        around = self._around
        for door in self._doors:
            addresses = [endpoint.address for endpoint in endpoints if endpoint.port == door.own_port]
            only: list[Span] = []
            if around.elsewhere is Elsewhere.SILENT:
                only = [Span(address, address) for address in map(_number, door.stations)]
            silence(door.listener, addresses, around.silent, only=only, loss_ratio=around.loss_ratio)

    def close(self) -> None:
        """Stop listening."""
        for door in self._doors:
            door.listener.close()
        self._doors.clear()


def _number(host: str) -> int:
    number: int = struct.unpack("!I", socket.inet_aton(host))[0]
    return number
