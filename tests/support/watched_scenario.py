"""A shipped scenario, watched by the agent's own code in simulated time, without a socket.

Every unit is polled with the agent's conversation and its replies are read by the agent's reader. Tracker and figures
run on simulated clocks. The truth comes from the simulator alone.
"""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from polled_farm import CATALOGUE, Polled

from agent.config.sections import DEFAULT_NETWORKS
from agent.site.curtailment.events import Curtailments, Event, Scope
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.reader import read_ledger
from agent.site.totals import SiteFigures, site_figures
from agent.site.tracker import Tracker
from agent.unit import registry
from agent.unit.reader import AnyReader
from simulators.farm.farm import Farm
from simulators.farm.truth import farm_truth
from simulators.firmware.request import NUL, read_request
from simulators.scenario.player import Playing, build_farm, play
from simulators.scenario.scenario import find_scenario
from simulators.strangers.recorded import reply_of
from simulators.strangers.spans import addresses_in
from simulators.strangers.surroundings import Make
from simulators.unit.endpoints import Endpoint

# The simulator's causes that an agent sees as another one: a unit without power is silent, and a unit asleep without a
# declared curtailment has stopped.
SEEN_AS = {
    "off": "unreachable",
    "asleep": "stopped",
}


class Moment(NamedTuple):
    """The agent's figures and the truth at one moment.

    Attributes:
        at: Simulated Unix time, s.
        figures: The agent's figures.
        true_hs: True losses by the agent's names of the causes, H/s.
        true_operating_hs: True hashrate of all chips, H/s.
    """

    at: float
    figures: SiteFigures
    true_hs: Counter[str]
    true_operating_hs: float


def ledger_entries(farm: Farm, *, at: float) -> Sequence[LedgerEntry]:
    """Return the entries in force at Unix time `at` of the ledger that a farm writes for an agent."""
    text = io.StringIO()
    farm.write_ledger(text)
    ledger = read_ledger(
        text.getvalue(), "ledger.csv", catalogue=CATALOGUE, zone=ZoneInfo("UTC"), networks=DEFAULT_NETWORKS
    )
    return ledger.at(at)


def agent_events(playing: Playing) -> list[Event]:
    """Return the declared curtailments of a scenario as the agent's events."""
    return [
        Event(
            id=f"e{number}",
            start=declared.begin,
            end=declared.end,
            target_ratio=declared.target_ratio,
            scope=Scope() if declared.scope == "site" else Scope(**{declared.scope: declared.name}),
            source="scenario",
        )
        for number, declared in enumerate(playing.curtailments)
    ]


def _stranger_answer(make: Make, address: int, request: bytes) -> bytes:
    return reply_of(make, address, read_request(request).command) + NUL


class Watched:
    """A playing scenario, and the agent over it.

    Args:
        name: Name of a shipped scenario.
        step_s: Simulated time between two polling rounds, s; a unit that misses one poll is stale in that round.
        reader: Reads all units; that of stock firmware, or the one that asks each what it runs.
        slow_every: Share counters are requested in every n-th poll.
    """

    def __init__(
        self, name: str, *, step_s: float, reader: AnyReader = registry.DEFAULT, slow_every: int = 1000
    ) -> None:
        name, scenario = find_scenario(name)
        self.step_s = step_s
        self.farm = build_farm(scenario)
        self.playing = play(self.farm, name, scenario)
        begin = self.playing.begin
        self.polled = Polled(self.farm.units, at=begin, slow_every=slow_every, reader=reader)
        self.polled.tracker = Tracker(
            ledger_entries(self.farm, at=begin),
            stale_after_s=step_s / 2,
            at=begin,
            curtailments=Curtailments(events=agent_events(self.playing)),
        )

    def look(self, t: float) -> Moment:
        """Poll every unit at simulated time `t`, and return figures and truth."""
        self.farm.clock.set(t)
        self._poll_strangers(t)
        self.polled.sweep(t)
        truth = farm_truth(self.farm, t)["site"]
        true_hs: Counter[str] = Counter()
        for cause, lost_hs in truth["losses_hs"].items():
            true_hs[SEEN_AS.get(cause, str(cause))] += lost_hs
        figures = site_figures(self.polled.tracker.statuses(), t)
        return Moment(t, figures, true_hs, truth["hashrate_hs"])

    def _poll_strangers(self, t: float) -> None:
        """Poll the machines of other makes that the ledger has, over their recorded replies."""
        for group in self.farm.plan.around.strangers:
            for address in addresses_in(group.spans) if group.listed is not None else ():
                answer = partial(_stranger_answer, group.make, address)
                poll = self.polled.poll_as(f"{group.make}-{Endpoint(address)}", answer, t)
                self.polled.tracker.record(poll, clock_s=t)

    def moments(self, *, until: float | None = None) -> Iterator[Moment]:
        """Yield the moment in the middle of each step until the scenario ends."""
        begin, end = self.playing.begin, self.playing.end if until is None else until
        steps = int((end - begin) / self.step_s)
        return (self.look(begin + (step + 0.5) * self.step_s) for step in range(steps))
