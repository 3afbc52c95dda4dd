"""`hashsight-sim replay`: recorded replies, byte for byte."""

from collections import defaultdict
from pathlib import Path

import typer

from simulators.commands.exit_status import clear_errors
from simulators.commands.given import listed_endpoints
from simulators.commands.process import run_until_done, stop_signal
from simulators.commands.terminal import SCREEN
from simulators.farm.clock import SimClock
from simulators.sockets.replay import RecordedUnit, read_captures
from simulators.sockets.serving import serve_stations
from simulators.sockets.station import Station


def run(
    context: typer.Context, captures: list[Path], *, base: str, addresses: str, port: int, allow_remote: bool
) -> None:
    """Serve captures until stopped."""
    with clear_errors():
        recorded = read_captures(captures, base, listed_endpoints(context, addresses))
        run_until_done(host_replay(recorded, port=port, allow_remote=allow_remote))


async def host_replay(recorded: list[RecordedUnit], *, port: int, allow_remote: bool) -> None:
    """Serve recorded replies until stopped."""
    stopped = stop_signal()
    stations: defaultdict[int, dict[str, Station]] = defaultdict(dict)
    for unit in recorded:
        stations[unit.port][unit.host] = unit
    async with serve_stations(stations, SimClock().now, port=port, is_loopback_only=not allow_remote) as server:
        for unit in recorded:
            SCREEN.print(f"{unit.host}:{unit.port or server.port}  {unit.name}  {', '.join(sorted(unit.replies))}")
        await stopped.wait()
