"""A declared curtailment in simulated time: the agent's own judgement, held against the simulator's truth."""

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agent.config import DEFAULT_NETWORKS
from agent.errors import DisconnectedError, PollError, UnreachableError
from agent.site.curtailment import RESTORE_S, Curtailments, Event, Scope
from agent.site.ledger import read_ledger
from agent.site.status import Cause, UnitState
from agent.site.totals import Figures, site_figures
from agent.site.tracker import Tracker
from agent.unit.conversation import Memory, converse
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import Poll, UnitReading
from simulators.farm import Farm
from simulators.firmware import answer, read_request
from simulators.player import Playing, build_farm, play
from simulators.scenario import find_scenario
from simulators.snapshot import OFFLINE
from simulators.truth import farm_truth
from simulators.unit import Unit

STEP_S = 120.0
# What the truth calls a unit without power or with a sleeping unit nobody declared, and what an agent can know of it.
SEEN_AS = {"off": "unreachable", "asleep": "stopped"}


class Moment(NamedTuple):
    """One look at the site: when, what the agent says, what is true by the agent's words, H/s."""

    at: float
    told: Figures
    true_hs: Counter[str]


def ask(unit: Unit, memory: Memory, t: float) -> UnitReading:
    """Poll a simulated unit without a socket.

    Raises:
        PollError: It has no power, or its API program is not up.
    """
    unit.advance(t)
    if unit.is_silent:
        raise UnreachableError("no answer")
    if unit.phase in OFFLINE:
        raise DisconnectedError("closed without a reply")
    conversation = converse(unit.identity.unit_id, memory, slow_every=1000, wall=lambda: t)
    request = next(conversation)
    while True:
        try:
            request = conversation.send(answer(unit, read_request(request), t))
        except StopIteration as over:
            reading: UnitReading = over.value
            return reading


@dataclass
class Watched:
    """A scenario that is played, and the agent's tracker over it."""

    farm: Farm
    playing: Playing
    tracker: Tracker
    memories: dict[str, Memory] = field(default_factory=dict)

    def look(self, t: float) -> Moment:
        """Poll every unit at simulated time `t`, and sum up."""
        self.farm.clock.set(t)
        clock_s = t - self.playing.begin
        for unit in self.farm.units:
            unit_id = unit.identity.unit_id
            reading, error = None, None
            try:
                reading = ask(unit, self.memories.setdefault(unit_id, Memory()), t)
            except PollError as refusal:
                error = refusal
            poll = Poll(unit_id=unit_id, at=t, took_s=0.01, reading=reading, error=error)
            self.tracker.record(poll, clock_s=clock_s)
        self.tracker.refresh(at=t, clock_s=clock_s)
        told = site_figures(self.tracker.statuses(), t).site
        true_hs: Counter[str] = Counter()
        for cause, lost_hs in farm_truth(self.farm, t)["site"]["losses_hs"].items():
            true_hs[SEEN_AS.get(cause, cause)] += lost_hs
        return Moment(t, told, true_hs)


def watched(name: str) -> Watched:
    """Give a shipped scenario at its beginning, with its curtailments declared to the agent."""
    name, scenario = find_scenario(name)
    farm = build_farm(scenario)
    playing = play(farm, name, scenario)
    text = io.StringIO()
    farm.write_ledger(text)
    ledger = read_ledger(
        text.getvalue(),
        "ledger.csv",
        catalogue=shipped_catalogue(),
        zone=ZoneInfo("UTC"),
        networks=DEFAULT_NETWORKS,
    )
    events = [
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
    # Every poll is a whole step apart here: a unit that misses one is not seen at that step.
    entries = ledger.at(playing.begin)
    curtailments = Curtailments(events=events)
    tracker = Tracker(entries, stale_after_s=STEP_S / 2, at=playing.begin, curtailments=curtailments)
    return Watched(farm, playing, tracker)


def moments(one: Watched) -> Iterator[Moment]:
    """Look at the site step by step until the scenario is over."""
    steps = int((one.playing.end - one.playing.begin) / STEP_S)
    return (one.look(one.playing.begin + step * STEP_S) for step in range(1, steps + 1))


def test_curtailment_with_stragglers_is_told_as_it_was() -> None:
    """Two containers for two hours: what was curtailed, who straggled and who did not come back agree with the truth.

    Of the hashrate lost over eight hours, the agent calls as much curtailed and unreachable as the truth does within
    1 % of it; a unit without power inside an event is not curtailed.
    """
    one = watched("curtailment-with-stragglers")
    seen = list(moments(one))
    told_hs: Counter[str] = Counter()
    true_hs: Counter[str] = Counter()
    for moment in seen:
        told_hs.update({cause.value: lost_hs for cause, lost_hs in moment.told.losses_hs.items()})
        true_hs.update(moment.true_hs)
    for cause in (Cause.CURTAILED, Cause.UNREACHABLE, Cause.STOPPED):
        assert true_hs[cause] > 0
        assert abs(told_hs[cause] - true_hs[cause]) <= 0.01 * sum(true_hs.values()), cause
    declared = one.playing.curtailments[0]
    inside = [moment for moment in seen if declared.begin + 600 <= moment.at < declared.end]
    before = [moment for moment in seen if moment.at < declared.begin]
    waking = [moment for moment in seen if declared.end <= moment.at < declared.end + RESTORE_S]
    after = [moment for moment in seen if declared.end + RESTORE_S <= moment.at < declared.end + 5400]
    # A tenth of C1's fifty units do not follow. A fifth of C2's fifty are forgotten; one of them has no power.
    assert {moment.told.stragglers for moment in inside} == {5}
    assert {moment.told.stragglers for moment in (*before, *waking, *after)} == {0}
    assert {moment.told.unrestored for moment in after} == {9}
    assert {moment.told.unrestored for moment in (*before, *inside, *waking, seen[-1])} == {0}
    assert {moment.told.units_by_state[UnitState.CURTAILED] for moment in after} == {0}
