"""What the command line serves, and what it says meanwhile: a farm, a scenario played on one, or recorded replies."""

import asyncio
import contextlib
import gc
import signal
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from simulators.control.http import serve_control
from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import FarmError, FarmPlan
from simulators.scenario.player import Playing, build_farm, play
from simulators.scenario.scenario import Scenario
from simulators.scenario.show import announce, leap, milestones, outcome
from simulators.sockets.replay import RecordedUnit
from simulators.sockets.serving import serve_farm, serve_stations, sweep
from simulators.sockets.station import Station
from simulators.sockets.web_server import serve_hash_side, serve_web
from simulators.unit.builds import Line
from simulators.unit.endpoints import Endpoint
from simulators.unit.unit import Unit

# What is printed is data: ``:100:`` is a port and not an emoji, ``[x]`` a name and not a style.
SCREEN = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
ERRORS = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Where a farm is to be reached.

    Attributes:
        api: Port of its units' API.
        http: Port of their web pages; None for none.
        power: Port of their hash side; None for none.
        power_lines: Firmware lines on which the hash side answers.
        control: Host and port of the control API; None for none.
        ledger_out: Where to write its ledger; None for nowhere.
        allow_remote: Answer clients of other machines too.
    """

    api: int
    http: int | None
    power: int | None
    power_lines: frozenset[Line]
    control: tuple[str, int] | None
    ledger_out: Path | None
    allow_remote: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """How a scenario is to be played.

    Attributes:
        name: What it is called.
        scenario: What it says.
        seed: Another seed than its own.
        base: Another first address than its own.
        endpoints: Other places for its units than its own; empty for its own.
        speed: Simulated seconds per real second.
        every_s: Simulated seconds between two lines of truth; None for none.
        is_staying: Go on serving when it is over.
    """

    name: str
    scenario: Scenario
    seed: int | None
    base: str | None
    endpoints: tuple[Endpoint, ...]
    speed: float
    every_s: float | None
    is_staying: bool


async def host_farm(plan: FarmPlan, doors: Doors) -> None:
    """Serve a farm until stopped."""
    stopped = _stop_signal()
    farm = Farm(plan, SimClock(), watch=partial(_show_progress, plan.units))
    async with contextlib.AsyncExitStack() as stack:
        await _open_doors(stack, farm, doors)
        await stopped.wait()


async def host_show(show: Show, doors: Doors) -> None:
    """Play a scenario on its own farm, on real sockets, until it is over or stopped."""
    stopped = _stop_signal()
    farm, playing = _prepare(show)
    async with contextlib.AsyncExitStack() as stack:
        await _open_doors(stack, farm, doors, playing)
        farm.clock.run_at(show.speed)
        announcer = asyncio.create_task(
            announce(farm, playing, every_s=show.every_s, say=SCREEN.print), name="announcer"
        )
        stopping = asyncio.create_task(stopped.wait(), name="stop signal")
        try:
            await asyncio.wait({announcer, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if announcer.done():
                announcer.result()
            if show.is_staying:
                await stopping
        finally:
            announcer.cancel()
            stopping.cancel()
            await asyncio.wait({announcer, stopping})
        SCREEN.print(outcome(farm, farm.clock.now()))


def host_nothing(show: Show) -> None:
    """Play a scenario as fast as it goes, without sockets."""
    farm, playing = _prepare(show)
    SCREEN.print(f"seed {farm.plan.seed}")
    lines = milestones(playing, show.every_s)
    # A bar only where the lines do not show by themselves that something goes on.
    is_bare = ERRORS.is_terminal and not SCREEN.is_terminal
    told = leap(farm, lines)
    for line in track(told, "playing", total=len(lines), console=ERRORS, transient=True, disable=not is_bare):
        SCREEN.print(line)
    farm.clock.set(max(playing.end, farm.clock.now()))
    SCREEN.print(outcome(farm, playing.end))


async def host_replay(recorded: list[RecordedUnit], *, port: int, allow_remote: bool) -> None:
    """Serve recorded replies until stopped."""
    stopped = _stop_signal()
    stations: defaultdict[int, dict[str, Station]] = defaultdict(dict)
    for unit in recorded:
        stations[unit.port][unit.host] = unit
    async with serve_stations(stations, SimClock().now, port=port, is_loopback_only=not allow_remote) as server:
        for unit in recorded:
            SCREEN.print(f"{unit.host}:{unit.port or server.port}  {unit.name}  {', '.join(sorted(unit.replies))}")
        await stopped.wait()


def run(work: Coroutine[None, None, None]) -> None:
    """Run on uvloop where it is installed."""
    try:
        import uvloop  # noqa: PLC0415  optional; the standard loop serves as well
    except ImportError:
        asyncio.run(work)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work)


def _prepare(show: Show) -> tuple[Farm, Playing]:
    farm = build_farm(
        show.scenario,
        seed=show.seed,
        base=show.base,
        endpoints=show.endpoints,
        watch=partial(_show_progress, show.scenario.farm.units),
    )
    return farm, play(farm, show.name, show.scenario)


async def _open_doors(
    stack: contextlib.AsyncExitStack, farm: Farm, doors: Doors, playing: Playing | None = None
) -> None:
    """Serve a farm for as long as `stack` is open, and say where."""
    # The units live as long as this process: the collector need not look at them again, half a second for 256,000.
    gc.collect()
    gc.freeze()
    if doors.http is not None or doors.power is not None:
        _refuse_shared_addresses(farm)
    server = await stack.enter_async_context(serve_farm(farm, port=doors.api, is_loopback_only=not doors.allow_remote))
    web = power = None
    if doors.http is not None:
        web = await stack.enter_async_context(serve_web(farm, server, port=doors.http))
    if doors.power is not None:
        power = await stack.enter_async_context(serve_hash_side(farm, server, doors.power_lines, port=doors.power))
    if doors.ledger_out is not None:
        with doors.ledger_out.open("w", encoding="utf-8", newline="") as file:
            farm.write_ledger(file, port=server.port)
    first, last = farm.units[0].identity, farm.units[-1].identity
    is_shared = not any(unit.identity.port for unit in farm.units)
    if not server.can_silence:
        ERRORS.print("this kernel lets only root keep addresses silent: units without power reset connections instead")
    SCREEN.print(f"seed {farm.plan.seed}")
    who = f"{len(farm.units)} units at {first.endpoint} to {last.endpoint}"
    if len(farm.units) == 1:
        who = f"1 unit at {first.endpoint}"
    SCREEN.print(f"{who}, port {server.port}" if is_shared else who)
    if web is not None:
        SCREEN.print(f"web pages http://{first.host}:{web.port}/")
    if power is not None:
        SCREEN.print(f"power http://{first.host}:{power.port}/miner_power")
    if doors.control is not None:
        host, port = doors.control
        follow: Callable[[], None] = partial(sweep, farm, server)
        host, port = await stack.enter_async_context(
            serve_control(farm, server.journal, host=host, port=port, follow=follow, playing=playing)
        )
        SCREEN.print(f"control http://{host}:{port}/truth")
    now = farm.clock.now()
    SCREEN.print(
        f"true hashrate {farm.operating_hs(now) / 1e15:.3f} of {farm.deployed_hs / 1e15:.3f} PH/s deployed, "
        f"{farm.operating_hs(now) / farm.deployed_hs:.2%}"
    )


def _refuse_shared_addresses(farm: Farm) -> None:
    """Refuse web pages of units that their API port alone tells apart."""
    if len({unit.identity.address for unit in farm.units}) < len(farm.units):
        raise FarmError("units that share an address cannot have web pages: they are told apart by their address")


def _show_progress(total: int, units: Iterable[Unit]) -> Iterable[Unit]:
    return track(units, "building units", total=total, console=ERRORS, transient=True, disable=not ERRORS.is_terminal)


def _stop_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped
