"""`hashsight-sim replay`: recorded replies and pages, byte for byte."""

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
from simulators.sockets.recorded_pages import Place
from simulators.sockets.replay import RecordedUnit, read_captures
from simulators.sockets.replaying import serve_replay


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
    async with serve_replay(
        recorded,
        clock.now,
        port=port,
        web_port=web_port,
        has_pages=has_pages,
        is_loopback_only=not allow_remote,
    ) as replayed:
        if replayed.api is not None and not replayed.api.can_silence:
            ERRORS.print("this kernel lets only root keep addresses silent: they reset connections instead")
        for unit in recorded:
            SCREEN.print(_api_line(unit, replayed.api))
            for place in replayed.places:
                if place.unit is unit:
                    SCREEN.print(_place_line(place))
                    if place.problem:
                        ERRORS.print(f"{unit.host}: port {place.recorded}: {place.problem}")
            for scene in unit.scenes[1:]:
                SCREEN.print(f"  from {scene.at_s:.0f} s on: {scene.name}")
        if any(place.unit.scenes[-1].pages.behind for place in replayed.places):
            SCREEN.print("any digest login opens the pages: a capture holds no password to check it with")
        await stopped.wait()


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
