"""The agent's published figures held against the truth, second by second, over a scenario in simulated time.

Units are polled by the agent's own poller and schedule: each at its phase of the interval, later ones after a failure.
Figures are made every interval, as `agent.runtime.rounds` does, and count as published until the next ones. The truth
is the simulator's, in the middle of each second. So every delay between a unit and the published figure is in the
comparison.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simulated_time import run_simulated
from simulated_wire import CONNECT_TIMEOUT_S, SimulatedClient
from watched_scenario import SEEN_AS, agent_events, ledger_entries

from agent.site.curtailment.events import Curtailments
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.site.totals import SiteFigures, site_figures
from agent.site.tracker import Tracker
from agent.unit import registry
from agent.unit.reading import Poll
from simulators.farm.farm import Farm
from simulators.scenario.player import Playing, build_farm, play
from simulators.scenario.scenario import Scenario, find_scenario, read_scenario

INTERVAL_S = 10
STALE_AFTER_S = 30.0
SETTLED_S = 60
"""Seconds of a scenario that are not compared: the agent polls every unit for the first time."""
BACKOFF_MAX_S = 60.0
SLOW_EVERY = 30

OnRound = Callable[[Farm, Tracker, SiteFigures], None]


class Second(NamedTuple):
    """The figures in force during one second, and the truth in its middle.

    Attributes:
        at: Simulated Unix time, s.
        figures: The agent's latest figures.
        true_hs: The true hashrate of the site, H/s.
        true_losses_hs: True losses by the agent's names of the causes, H/s.
    """

    at: float
    figures: SiteFigures
    true_hs: float
    true_losses_hs: Counter[str]

    @property
    def off_points(self) -> float:
        """Published minus true operating, in points of deployed."""
        site = self.figures.site
        return 100 * (site.operating_hs - self.true_hs) / site.deployed_hs


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A scenario, second by second.

    Attributes:
        seconds: Every second after `SETTLED_S`.
        polls: Polls that were recorded.
        tracker: The agent's tracker at the end.
        farm: The simulated units at the end.
    """

    seconds: Sequence[Second]
    polls: int
    tracker: Tracker
    farm: Farm

    @property
    def bias_points(self) -> float:
        """Mean of published minus true operating, in points of deployed."""
        return sum(second.off_points for second in self.seconds) / len(self.seconds)

    @property
    def worst_points(self) -> float:
        """Largest difference of operating in one second, in points of deployed."""
        return max((second.off_points for second in self.seconds), key=abs)

    def published_points(self, causes: Iterable[str]) -> float:
        """Return the mean of the published losses to some causes, in points of deployed."""
        names = frozenset(causes)
        shares = [
            sum(lost_hs for cause, lost_hs in second.figures.site.losses_hs.items() if cause.value in names)
            / second.figures.site.deployed_hs
            for second in self.seconds
        ]
        return 100 * sum(shares) / len(shares)

    def true_points(self, causes: Iterable[str]) -> float:
        """Return the mean of the true losses to some causes, by the agent's names, in points of deployed."""
        names = tuple(causes)
        shares = [
            sum(second.true_losses_hs[cause] for cause in names) / second.figures.site.deployed_hs
            for second in self.seconds
        ]
        return 100 * sum(shares) / len(shares)

    def settled_after_s(self, at: float, *, within_points: float) -> float:
        """Return the seconds from a moment until operating stays within some points of the truth for a minute.

        Raises:
            AssertionError: It never does.
        """
        last_off = at
        for second in self.seconds:
            if second.at >= at and abs(second.off_points) > within_points:
                last_off = second.at
            elif second.at >= last_off + 60.0 and second.at >= at:
                return last_off - at
        raise AssertionError(f"never within {within_points} points for a minute")

    def report(self) -> str:
        """Return bias, worst second, and every cause, published and true, for a test's report."""
        last = self.seconds[-1]
        causes = sorted(
            {cause.value for second in self.seconds for cause in second.figures.site.losses_hs}
            | {cause for second in self.seconds for cause in second.true_losses_hs}
        )
        bias = f"{self.bias_points:+.3f} points of deployed on average, {self.worst_points:+.2f} at worst"
        lines = [f"{len(self.seconds)} s, {last.figures.site.units} units, {self.polls} polls: operating {bias}"]
        for cause in causes:
            published, true = self.published_points([cause]), self.true_points([cause])
            if published or true:
                lines.append(f"{cause:16s} published {published:7.3f}  true {true:7.3f}  off {published - true:+.3f}")
        return "\n".join(lines)


def hold(name: str, *, on_round: OnRound | None = None) -> Held:
    """Play a shipped scenario, or one in a file, and hold the agent's figures against every second of it.

    Args:
        name: Name or path.
        on_round: Called after every round of figures with the farm, the agent's tracker, and the figures.
    """
    return _hold(*find_scenario(name), on_round=on_round)


def hold_text(text: str, *, on_round: OnRound | None = None) -> Held:
    """Play the scenario in a TOML text, and hold the agent's figures against every second of it."""
    return _hold("text", read_scenario(text, file="text"), on_round=on_round)


def _hold(name: str, scenario: Scenario, *, on_round: OnRound | None = None) -> Held:
    farm = build_farm(scenario)
    playing = play(farm, name, scenario)
    return run_simulated(_watch(farm, playing, on_round))


async def _watch(farm: Farm, playing: Playing, on_round: OnRound | None) -> Held:
    loop = asyncio.get_running_loop()
    begin = playing.begin
    polls = 0

    def wall() -> float:
        return begin + loop.time()

    tracker = Tracker(
        ledger_entries(farm, at=begin),
        stale_after_s=STALE_AFTER_S,
        at=begin,
        curtailments=Curtailments(events=agent_events(playing)),
    )

    def on_poll(poll: Poll, clock_s: float) -> None:
        nonlocal polls
        polls += 1
        tracker.record(poll, clock_s=clock_s)

    jitter = random.Random(1)
    poller = Poller(
        client=SimulatedClient(farm, wall),  # type: ignore[arg-type]
        reader_of=lambda _: registry.DEFAULT,
        schedule=Schedule(interval_s=INTERVAL_S, backoff_max_s=BACKOFF_MAX_S - CONNECT_TIMEOUT_S, jitter=jitter.random),
        bounds=Bounds(healthy=1000, sick=1000),
        slow_every=SLOW_EVERY,
        on_poll=on_poll,
        on_skipped=lambda _reason, _polls: None,
        wall=wall,
        clock=loop.time,
        # In simulated time a reply costs nothing, however busy the machine is.
        cpu=loop.time,
    )
    poller.replace_entries([status.entry for status in tracker.statuses()])
    polling = loop.create_task(poller.run(), name="polling")
    seconds: list[Second] = []
    figures: SiteFigures | None = None
    for second in range(int(playing.end - begin)):
        await _sleep_until(second)
        if second % INTERVAL_S == 0:
            tracker.refresh(at=wall(), clock_s=loop.time())
            figures = site_figures(tracker.statuses(), wall())
            if on_round is not None:
                on_round(farm, tracker, figures)
        await _sleep_until(second + 0.5)
        farm.clock.set(wall())
        if second >= SETTLED_S and figures is not None:
            seconds.append(_second(farm, figures, wall()))
    polling.cancel()
    await asyncio.wait([polling])
    return Held(seconds=seconds, polls=polls, tracker=tracker, farm=farm)


async def _sleep_until(clock_s: float) -> None:
    await asyncio.sleep(max(0.0, clock_s - asyncio.get_running_loop().time()))


def _second(farm: Farm, figures: SiteFigures, at: float) -> Second:
    sums = farm.sums(at)
    losses_hs: Counter[str] = Counter()
    for cause, lost_hs in sums.losses_hs.items():
        losses_hs[SEEN_AS.get(cause, str(cause))] += lost_hs
    return Second(at, figures, sums.hashrate_hs, losses_hs)
