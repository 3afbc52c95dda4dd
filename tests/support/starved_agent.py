"""An agent that lacks time, over a scenario in simulated time, held against the truth second by second.

The agent's own poller, schedule, tracker and rounds run in simulated time. What starves them is a model of a busy
machine: each answer takes the agent some time, one after another, and while it stands still nothing runs at all.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import pytest
from simulated_time import run_simulated
from simulated_wire import CONNECT_TIMEOUT_S, SimulatedClient
from truth_by_second import BACKOFF_MAX_S, INTERVAL_S, SLOW_EVERY, STALE_AFTER_S
from watched_scenario import agent_events, ledger_entries

from agent.errors import PollError
from agent.runtime.fan_out import FanOut
from agent.runtime.repairs import Repairs
from agent.runtime.rounds import Rounds
from agent.runtime.standstill import Clocks, Standstill
from agent.site.curtailment.events import Curtailments
from agent.site.metered import UNMETERED
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.site.status import UnitState, UnitStatus
from agent.site.totals import SiteFigures
from agent.site.tracker import Tracker
from agent.slices import run_at_once
from agent.unit import registry
from agent.unit.reading import Poll
from simulators.farm.farm import Farm
from simulators.scenario.player import Playing, build_farm, play
from simulators.scenario.scenario import find_scenario
from simulators.unit.snapshot import OFFLINE

LOOK_S = 0.25
REST_S = 0.05


class Lack(NamedTuple):
    """A time in which the agent lacks time.

    Attributes:
        begin_s, end_s: Seconds of the scenario.
        answers_per_s: Answers that it can handle a second; 0 while it stands still.
    """

    begin_s: float
    end_s: float
    answers_per_s: float


class Second(NamedTuple):
    """What the agent showed during one second, and the truth in its middle.

    Attributes:
        at_s: Second of the scenario.
        stands_still: True if the agent did not run: nobody was answered.
        figures: The figures in force; None while there are none.
        unreadiness: Why the figures cannot be trusted; None if they can.
        true_hs: The true hashrate of the site, H/s.
        stretch_ratio: Achieved over configured interval.
        looked_at_hs: Nameplate of the units whose last poll succeeded at most `STALE_AFTER_S` before the figures, H/s.
        wronged: Units that are unreachable or unreadable and answered all the time lately.
    """

    at_s: int
    stands_still: bool
    figures: SiteFigures | None
    unreadiness: str | None
    true_hs: float
    stretch_ratio: float
    looked_at_hs: float
    wronged: Sequence[str]

    @property
    def off_points(self) -> float:
        """Published minus true operating, in points of deployed."""
        assert self.figures is not None
        site = self.figures.site
        return 100 * (site.operating_hs - self.true_hs) / site.deployed_hs


class StarvedClient(SimulatedClient):
    """Handles answers one after another, each when the agent has time.

    Args:
        farm, wall: As of `SimulatedClient`.
        lacks: When the agent lacks time; otherwise an answer takes none.
    """

    def __init__(self, farm: Farm, wall: Callable[[], float], lacks: Sequence[Lack]) -> None:
        super().__init__(farm, wall)
        self._lacks = lacks
        self._free_at = 0.0
        self._is_closed = False

    def close(self) -> None:
        """Drop what is in flight."""
        self._is_closed = True

    def _take(self, call: Any, answer: bytes | PollError) -> None:
        now = self._loop.time()
        begin = max(now, self._free_at)
        lack = lack_at(self._lacks, begin)
        if lack is None:
            self._free_at = begin
        else:
            self._free_at = begin + 1 / lack.answers_per_s if lack.answers_per_s else lack.end_s
        # Time that the agent lacks is not the unit's: as in the real client, it does not count for the deadline.
        call.started += self._free_at - now
        self._loop.call_at(self._free_at, self._handle, call, answer)

    def _handle(self, call: Any, answer: bytes | PollError) -> None:
        if not self._is_closed:
            super()._take(call, answer)


def lack_at(lacks: Iterable[Lack], at_s: float) -> Lack | None:
    """Return what the agent lacks at a second of the scenario; None if it has time."""
    return next((lack for lack in lacks if lack.begin_s <= at_s < lack.end_s), None)


class _Exporters:
    """Takes the place of every exporter."""

    def __init__(self) -> None:
        self.metrics = self

    def on_status(self, status: UnitStatus, before: UnitStatus) -> None:
        """Show nothing."""

    def on_unit(self, status: UnitStatus) -> None:
        """Show nothing."""

    def close_interval(self, at: float) -> None:
        """Log nothing."""

    def withdraw(self) -> None:
        """Show nothing."""

    def on_figures(self, _figures: SiteFigures, **_: Any) -> Iterator[None]:
        """Show nothing."""
        return iter(())

    def on_whole_round(self, _at: float, **_: Any) -> Iterator[None]:
        """Show nothing."""
        return iter(())


class _NoWalkList:
    """Takes the place of the walk list."""

    def pause(self) -> None:
        """Keep no time."""

    def begin_round(self, **_: float) -> bool:
        """Look at nothing."""
        return False


@dataclass(slots=True)
class _Clock:
    """The clocks of `agent.runtime.rounds`, simulated."""

    begin: float
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def time(self) -> float:
        """Return Unix time, s."""
        return self.begin + self.loop.time()

    def monotonic(self) -> float:
        """Return the monotonic clock, s."""
        return self.loop.time()

    def clocks(self) -> Clocks:
        """Return this moment on both clocks."""
        return Clocks(self.loop.time(), self.loop.time())


class StarvedAgent:
    """The agent's poller, tracker and rounds over a playing scenario. Build it on a simulated loop.

    Args:
        farm, playing: The scenario.
        lacks: When the agent lacks time.
    """

    def __init__(self, farm: Farm, playing: Playing, lacks: Sequence[Lack]) -> None:
        self._farm, self._lacks = farm, lacks
        self.clock = _Clock(playing.begin)
        self._loop = self.clock.loop
        self._jitter = random.Random(1)
        curtailments = Curtailments(events=agent_events(playing))
        self.tracker = Tracker(
            ledger_entries(farm, at=playing.begin),
            stale_after_s=STALE_AFTER_S,
            at=playing.begin,
            curtailments=curtailments,
        )
        self._standstill = Standstill(longest_s=lambda: STALE_AFTER_S, clocks=self.clock.clocks)
        self.rounds = Rounds(
            self.tracker,
            cast("FanOut", _Exporters()),
            metered=lambda: UNMETERED,
            curtailments=lambda: curtailments,
            counted=lambda statuses: statuses,
            simulated_units=lambda: 0,
            interval_s=INTERVAL_S,
            standstill=self._standstill,
            repairs=cast("Repairs", _NoWalkList()),
        )
        self.rounds.on_standstill = lambda _: self._start_over()
        self._client = StarvedClient(farm, self.clock.time, lacks)
        self.skipped: list[str] = []
        self.poller = Poller(
            client=self._client,  # type: ignore[arg-type]
            reader_of=lambda _: registry.DEFAULT,
            schedule=self._new_schedule(),
            bounds=Bounds(healthy=20, sick=20),
            slow_every=SLOW_EVERY,
            on_poll=self._on_poll,
            on_skipped=lambda why, _: self.skipped.append(why),
            wall=self.clock.time,
            clock=self._loop.time,
            # In simulated time a reply costs nothing, however busy the machine is.
            cpu=self._loop.time,
        )
        self.poller.replace_entries([status.entry for status in self.tracker.statuses()])
        self._answered_at: dict[str, float] = {}
        self._silent_at: dict[str, float] = {}
        self._looked_at_hs = 0.0

    def _new_schedule(self) -> Schedule:
        return Schedule(
            interval_s=INTERVAL_S, backoff_max_s=BACKOFF_MAX_S - CONNECT_TIMEOUT_S, jitter=self._jitter.random
        )

    def _start_over(self) -> None:
        self._client.close()
        self._client = StarvedClient(self._farm, self.clock.time, self._lacks)
        self.poller.reconfigure(
            client=self._client,  # type: ignore[arg-type]
            schedule=self._new_schedule(),
            bounds=Bounds(healthy=20, sick=20),
            slow_every=SLOW_EVERY,
        )

    def _on_poll(self, poll: Poll, clock_s: float) -> None:
        if poll.error is None:
            self._answered_at[poll.unit_id] = clock_s
        self.tracker.record(poll, clock_s=clock_s)

    async def _pause(self, seconds: float) -> None:
        """Wait; while the process stands still, nothing ends."""
        await asyncio.sleep(seconds)
        lack = lack_at(self._lacks, self._loop.time())
        if lack is not None and not lack.answers_per_s:
            await asyncio.sleep(lack.end_s - self._loop.time())

    async def poll(self) -> None:
        """Poll until cancelled."""
        while True:
            self.poller.start_due()
            await self._pause(REST_S)

    async def watch(self) -> None:
        """Look for standstills until cancelled."""
        self._standstill.begin()
        while True:
            self.rounds.look_for_standstill()
            await self._pause(LOOK_S)

    async def make_rounds(self) -> None:
        """Make figures until cancelled."""
        while True:
            await self._pause(INTERVAL_S)
            run_at_once(self.rounds.slices())
            since = self._loop.time() - STALE_AFTER_S
            self._looked_at_hs = sum(
                status.entry.nameplate.hashrate_hs
                for status in self.tracker.statuses()
                if self._answered_at.get(status.entry.unit_id, float("-inf")) > since
            )

    def second(self, at_s: int, *, lately_s: float) -> Second:
        """Return what is shown now, and the truth.

        Args:
            at_s: The second of the scenario.
            lately_s: A unit that was silent this long ago may still be called unreachable.
        """
        now = self.clock.time()
        self._farm.clock.set(now)
        true_hs = self._farm.sums(now).hashrate_hs
        for unit in self._farm.units:
            if unit.is_silent or unit.phase in OFFLINE:
                self._silent_at[unit.identity.unit_id] = now
        lack = lack_at(self._lacks, self._loop.time())
        stands_still = lack is not None and not lack.answers_per_s
        return Second(
            at_s,
            stands_still,
            self.rounds.figures if self.rounds.is_whole and not stands_still else None,
            "nobody answers" if stands_still else self.rounds.unreadiness,
            true_hs,
            self.poller.stretch_ratio,
            self._looked_at_hs,
            [
                status.entry.unit_id
                for status in self.tracker.statuses()
                if status.is_polled
                and status.state in {UnitState.UNREACHABLE, UnitState.UNREADABLE}
                and now - self._silent_at.get(status.entry.unit_id, float("-inf")) > lately_s
            ],
        )


class Starved(NamedTuple):
    """A scenario, second by second, and why polls were skipped."""

    seconds: list[Second]
    skipped: list[str]


def starve(name: str, lacks: Sequence[Lack], *, lately_s: float) -> Starved:
    """Play a shipped scenario under an agent that lacks time, and return every second of it.

    Args:
        name: Of the scenario.
        lacks: When the agent lacks time, and how much.
        lately_s: As of `StarvedAgent.second`.
    """
    name, scenario = find_scenario(name)
    farm = build_farm(scenario)
    playing = play(farm, name, scenario)
    return run_simulated(_watch(farm, playing, lacks, lately_s))


async def _watch(farm: Farm, playing: Playing, lacks: Sequence[Lack], lately_s: float) -> Starved:
    agent = StarvedAgent(farm, playing, lacks)
    seconds: list[Second] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("agent.runtime.rounds.time", agent.clock)
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(work) for work in (agent.poll(), agent.watch(), agent.make_rounds())]
        for at_s in range(int(playing.end - playing.begin)):
            await asyncio.sleep(max(0.0, at_s + 0.5 - loop.time()))
            seconds.append(agent.second(at_s, lately_s=lately_s))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            raise task.exception() or RuntimeError
    return Starved(seconds, agent.skipped)
