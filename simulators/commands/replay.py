"""`hashsight-sim replay`: recorded replies and pages, byte for byte."""

import contextlib
import ipaddress
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import typer

from simulators.captures.form import ANY_COMMAND, WEB_PORT, PortState
from simulators.commands.exit_status import clear_errors
from simulators.commands.given import is_given, listed_endpoints
from simulators.commands.process import run_until_done, stop_signal
from simulators.commands.terminal import ERRORS, SCREEN
from simulators.farm.clock import SimClock
from simulators.farm.plan import FarmError
from simulators.sockets.api_server import ApiServer
from simulators.sockets.journal import Journal
from simulators.sockets.recorded_pages import Place, serve_recorded_ports
from simulators.sockets.replay import RecordedUnit, read_captures
from simulators.sockets.serving import serve_stations
from simulators.sockets.station import Station
from simulators.strangers.spans import Span
from simulators.strangers.surroundings import Elsewhere, Make, Strangers, Surroundings


def run(
    context: typer.Context,
    captures: list[Path],
    *,
    base: str,
    addresses: str,
    port: int,
    web_port: int | None,
    no_pages: bool,
    moment: str,
    over_time: bool,
    speed: float,
    timings: bool,
    allow_remote: bool,
) -> None:
    """Serve captures until stopped."""
    with clear_errors():
        if no_pages and web_port is not None:
            raise FarmError("--no-pages and --web-port exclude each other")
        if over_time and moment:
            raise FarmError("--over-time and --moment exclude each other")
        if is_given(context, "speed") and not over_time:
            raise FarmError("--speed needs --over-time: nothing else of a replay takes time")
        clock = SimClock(speed=speed)
        recorded = read_captures(
            captures,
            base,
            listed_endpoints(context, addresses),
            moment=moment,
            is_over_time=over_time,
            has_delays=timings,
            start=clock.now(),
        )
        run_until_done(
            host_replay(
                recorded, clock, port=port, web_port=web_port, has_pages=not no_pages, allow_remote=allow_remote
            )
        )


async def host_replay(
    recorded: list[RecordedUnit],
    clock: SimClock,
    *,
    port: int,
    web_port: int | None,
    has_pages: bool,
    allow_remote: bool,
) -> None:
    """Serve recorded replies until stopped."""
    stopped = stop_signal()
    journal = Journal()
    async with contextlib.AsyncExitStack() as stack:
        server = await open_api(stack, recorded, clock, journal, port=port, allow_remote=allow_remote)
        places = await stack.enter_async_context(
            serve_recorded_ports(
                recorded,
                clock.now,
                journal,
                web_port=web_port,
                has_pages=has_pages,
                is_loopback_only=not allow_remote,
            )
        )
        for unit in recorded:
            SCREEN.print(_api_line(unit, server))
            for place in places:
                if place.unit is unit:
                    SCREEN.print(_place_line(place))
                    if place.problem:
                        ERRORS.print(f"{unit.host}: port {place.recorded}: {place.problem}")
            for scene in unit.scenes[1:]:
                SCREEN.print(f"  from {scene.at_s:.0f} s on: {scene.name}")
        if any(scene.pages.behind for unit in recorded for scene in unit.scenes) and has_pages:
            SCREEN.print("any digest login opens the pages: a capture holds no password to check it with")
        await stopped.wait()


async def open_api(
    stack: contextlib.AsyncExitStack,
    recorded: Iterable[RecordedUnit],
    clock: SimClock,
    journal: Journal,
    *,
    port: int,
    allow_remote: bool,
) -> ApiServer | None:
    """Serve the API of recorded units; None if every one of them refused.

    Each has a listening socket of its own, so that what was not recorded is refused.
    """
    stations: defaultdict[int, dict[str, Station]] = defaultdict(dict)
    silent = []
    for unit in recorded:
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
            clock.now,
            port=port,
            journal=journal,
            around=Surroundings(strangers=strangers, elsewhere=Elsewhere.REFUSE),
            is_loopback_only=not allow_remote,
        )
    )
    server.silence(frozenset())
    if not server.can_silence:
        ERRORS.print("this kernel lets only root keep addresses silent: they reset connections instead")
    return server


def _api_line(unit: RecordedUnit, server: ApiServer | None) -> str:
    number = unit.port or (server.port if server is not None else 0)
    place = f"{unit.host}:{number}" if number else unit.host
    if unit.api_state is not PortState.OPEN:
        is_refused = unit.api_state is PortState.REFUSED
        return f"{place}  {unit.name}  {'its API refuses' if is_refused else 'its API is silent'}"
    requests = sorted({request for scene in unit.scenes for request in scene.api if request != ANY_COMMAND})
    return f"{place}  {unit.name}  {', '.join(requests)}"


def _place_line(place: Place) -> str:
    unit = place.unit
    where = f"{unit.host}:{place.port}" if place.port else unit.host
    if place.recorded != WEB_PORT:
        does = "not opened here" if not place.port else "silent" if place.state is not PortState.OPEN else "open, mute"
        return f"  port {place.recorded}: {does}"
    if place.state is not PortState.OPEN:
        return f"  pages: {'refused' if place.state is PortState.REFUSED else 'silent'}"
    paths = sorted({path for scene in unit.scenes for path in (*scene.pages.open, *scene.pages.behind)})
    return f"  pages http://{where}/  {', '.join(paths) or 'none recorded'}"
