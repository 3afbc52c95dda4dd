"""Serving a farm or recorded units on TCP 4028: start, follow simulated time, stop."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping

from simulators.farm.farm import API_PORT, Farm
from simulators.sockets.api_server import ApiServer
from simulators.sockets.journal import Journal
from simulators.sockets.station import LiveUnit, Station
from simulators.sockets.stranger import StrangerAt
from simulators.strangers.surroundings import QUIET, Surroundings

_SWEEP_S = 0.5
_TURN_S = 0.02  # Longest work before the event loop gets a turn.


@contextlib.asynccontextmanager
async def serve_stations(
    stations: Mapping[int, Mapping[str, Station]],
    now: Callable[[], float],
    *,
    port: int = API_PORT,
    journal: Journal | None = None,
    around: Surroundings = QUIET,
    is_loopback_only: bool = True,
) -> AsyncIterator[ApiServer]:
    """Serve stations on the running event loop for as long as the context is open.

    Args:
        stations: Station by port and IPv4 address; port 0 is `port`.
        now: Returns the simulated time.
        port: Port of all stations without one of their own; 0 takes a free one, see `ApiServer.port`.
        journal: Log of requests; None for a new one.
        around: The network around them.
        is_loopback_only: Refuse clients on other machines.

    Raises:
        ServeError: Port taken or not permitted.
    """
    server = ApiServer(
        stations,
        now,
        Journal() if journal is None else journal,
        around=around,
        is_loopback_only=is_loopback_only,
    )
    try:
        server.open(port)
        yield server
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def serve_farm(
    farm: Farm, *, port: int = API_PORT, journal: Journal | None = None, is_loopback_only: bool = True
) -> AsyncIterator[ApiServer]:
    """Serve a farm for as long as the context is open; arguments and errors as for `serve_stations`."""
    stations: defaultdict[int, dict[str, Station]] = defaultdict(dict)
    for unit in farm.units:
        stations[unit.identity.port][unit.identity.host] = LiveUnit(farm, unit)
    for address, make in farm.plan.around.answering():
        stranger = StrangerAt(make, address)
        stations[0][stranger.host] = stranger
    async with serve_stations(
        stations,
        farm.clock.now,
        port=port,
        journal=journal,
        around=farm.plan.around,
        is_loopback_only=is_loopback_only,
    ) as server:
        sweep(farm, server)
        sweeper = asyncio.get_running_loop().create_task(_keep_swept(farm, server), name="farm sweep")
        try:
            yield server
        finally:
            sweeper.cancel()
            await asyncio.wait([sweeper])


def sweep(farm: Farm, server: ApiServer) -> None:
    """Play due events, so that units start or stop answering when their power changes, without a request."""
    for _ in farm.diary.play(farm.clock.now()):
        pass
    server.silence(farm.diary.silent)


async def settle(farm: Farm) -> None:
    """Play due events of every unit, yielding to the event loop; after a leap in time that is seconds of work."""
    clock = asyncio.get_running_loop().time
    turn_ends = clock() + _TURN_S
    for _ in farm.diary.play(farm.clock.now()):
        if clock() > turn_ends:
            await asyncio.sleep(0.0)
            turn_ends = clock() + _TURN_S


async def _keep_swept(farm: Farm, server: ApiServer) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        await settle(farm)
        sweep(farm, server)
