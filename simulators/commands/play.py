"""`hashsight-sim play`: a scenario on its own farm, on real sockets or as fast as possible without any."""

import asyncio
import contextlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer
from rich.progress import track

from simulators.commands.exit_status import clear_errors
from simulators.commands.given import listed_endpoints
from simulators.commands.hosting import open_listeners
from simulators.commands.listeners import Listeners, read_listeners
from simulators.commands.process import run_until_done, stop_signal
from simulators.commands.terminal import ERRORS, SCREEN, building_bar
from simulators.farm.farm import Farm
from simulators.farm.plan import FarmError
from simulators.scenario.durations import read_duration
from simulators.scenario.player import Playing, build_farm, play
from simulators.scenario.scenario import Scenario, find_scenario
from simulators.scenario.show import announce, leap, milestones, outcome
from simulators.unit.endpoints import Endpoint

_MAX_LINES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """A scenario and how to play it.

    Attributes:
        name: Name of the scenario.
        scenario: The scenario.
        seed: Overrides the scenario's seed; None keeps it.
        base: Overrides the scenario's first address; None keeps it.
        endpoints: Override the places of the scenario's units; empty keeps them.
        speed: Simulated seconds per real second.
        every_s: Simulated seconds between two lines of truth; None prints none.
        is_staying: Keep serving after the end.
    """

    name: str
    scenario: Scenario
    seed: int | None
    base: str | None
    endpoints: tuple[Endpoint, ...]
    speed: float
    every_s: float | None
    is_staying: bool


def run(
    context: typer.Context,
    scenario: str,
    *,
    speed: float,
    seed: int | None,
    base: str | None,
    addresses: str,
    port: int,
    http_port: int | None,
    no_pages: bool,
    power_port: int | None,
    power_lines: str,
    control: str,
    report_to: str,
    ledger_out: Path | None,
    allow_remote: bool,
    every: str,
    stay: bool,
    at_once: bool,
) -> None:
    """Play a scenario on sockets, or as fast as possible without any."""
    with clear_errors():
        name, found = find_scenario(scenario)
        show = Show(
            name=name,
            scenario=found,
            seed=seed,
            base=base,
            endpoints=listed_endpoints(context, addresses),
            speed=speed,
            every_s=read_every(every, found.duration),
            is_staying=stay,
        )
        if at_once:
            play_at_once(show)
            return
        listeners = read_listeners(
            port=port,
            http_port=http_port,
            no_pages=no_pages,
            power_port=power_port,
            power_lines=power_lines,
            control=control,
            report_to=report_to,
            ledger_out=ledger_out,
            allow_remote=allow_remote,
        )
        run_until_done(host_show(show, listeners))


def read_every(text: str, duration_s: float) -> float | None:
    """Read ``--every`` for a scenario of `duration_s` seconds; None if it was not given.

    Raises:
        FarmError: Not a length of time, or so short that more than 100,000 lines would be printed.
    """
    if not text:
        return None
    try:
        every_s = read_duration(text)
    except ValueError as error:
        raise FarmError(f"--every {text!r}: {error}") from error
    if not duration_s / _MAX_LINES <= every_s:
        raise FarmError(f"--every {text!r}: more than a hundred thousand lines would be printed")
    return every_s


async def host_show(show: Show, listeners: Listeners) -> None:
    """Play a scenario on its own farm, on real sockets, until it ends or a signal stops it."""
    stopped = stop_signal()
    farm, playing = _prepare(show)
    async with contextlib.AsyncExitStack() as stack:
        await open_listeners(stack, farm, listeners, playing)
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


def play_at_once(show: Show) -> None:
    """Play a scenario as fast as possible, without sockets."""
    farm, playing = _prepare(show)
    SCREEN.print(f"seed {farm.plan.seed}")
    lines = milestones(playing, show.every_s)
    # The printed lines show progress by themselves, unless they go to a file.
    is_bare = ERRORS.is_terminal and not SCREEN.is_terminal
    printed = leap(farm, lines)
    for line in track(printed, "playing", total=len(lines), console=ERRORS, transient=True, disable=not is_bare):
        SCREEN.print(line)
    farm.clock.set(max(playing.end, farm.clock.now()))
    SCREEN.print(outcome(farm, playing.end))


def _prepare(show: Show) -> tuple[Farm, Playing]:
    farm = build_farm(
        show.scenario,
        seed=show.seed,
        base=show.base,
        endpoints=show.endpoints,
        watch=partial(building_bar, total=show.scenario.farm.units),
    )
    return farm, play(farm, show.name, show.scenario)
