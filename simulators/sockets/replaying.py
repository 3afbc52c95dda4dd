"""Recorded units served whole: API, pages, and the ports that refused or stayed silent."""

import contextlib
import ipaddress
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from simulators.captures.form import PortState
from simulators.farm.farm import API_PORT
from simulators.sockets.api_server import ApiServer
from simulators.sockets.journal import Journal
from simulators.sockets.recorded_pages import Place, serve_recorded_ports
from simulators.sockets.replay import RecordedUnit
from simulators.sockets.serving import serve_stations
from simulators.sockets.station import Station
from simulators.strangers.spans import Span
from simulators.strangers.surroundings import Elsewhere, Make, Strangers, Surroundings


class Replayed(NamedTuple):
    """A replay that is being served.

    Attributes:
        api: The server of the API; None if it refused on every unit.
        places: Where the other ports can be reached.
        journal: Log of requests.
    """

    api: ApiServer | None
    places: tuple[Place, ...]
    journal: Journal


@contextlib.asynccontextmanager
async def serve_replay(
    units: Sequence[RecordedUnit],
    now: Callable[[], float],
    *,
    port: int = API_PORT,
    web_port: int | None = None,
    has_pages: bool = True,
    is_loopback_only: bool = True,
) -> AsyncIterator[Replayed]:
    """Serve recorded units for as long as the context is open.

    Each has listening sockets of its own, so that what was not recorded is refused.

    Args:
        units: The units.
        now: Returns the simulated time.
        port: Port of every unit's API without one of its own; 0 takes a free one.
        web_port: Port of the pages; None for 80, or a free one where that cannot be had.
        has_pages: False to serve the API alone.
        is_loopback_only: Refuse clients on other machines.

    Raises:
        ServeError: A port is taken or not permitted.
    """
    journal = Journal()
    async with contextlib.AsyncExitStack() as stack:
        api = await _open_api(stack, units, now, journal, port=port, is_loopback_only=is_loopback_only)
        places = await stack.enter_async_context(
            serve_recorded_ports(
                units, now, journal, web_port=web_port, has_pages=has_pages, is_loopback_only=is_loopback_only
            )
        )
        yield Replayed(api, places, journal)


async def _open_api(
    stack: contextlib.AsyncExitStack,
    units: Sequence[RecordedUnit],
    now: Callable[[], float],
    journal: Journal,
    *,
    port: int,
    is_loopback_only: bool,
) -> ApiServer | None:
    stations: defaultdict[int, dict[str, Station]] = defaultdict(dict)
    silent = []
    for unit in units:
        if unit.api_state is PortState.OPEN:
            stations[unit.port][unit.host] = unit
        elif unit.api_state is not PortState.REFUSED:
            address = int(ipaddress.IPv4Address(unit.host))
            silent.append(Span(address, address))
            stations[unit.port] = stations[unit.port]
    if not stations:
        return None
    strangers = (Strangers(make=Make.SILENT, spans=tuple(silent)),) if silent else ()
    server = await stack.enter_async_context(
        serve_stations(
            stations,
            now,
            port=port,
            journal=journal,
            around=Surroundings(strangers=strangers, elsewhere=Elsewhere.REFUSE),
            is_loopback_only=is_loopback_only,
        )
    )
    server.silence(frozenset())
    return server
