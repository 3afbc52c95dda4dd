"""The scenario `liars` against the truth: units whose replies contradict themselves, or come from something else.

The agent's poller runs over the scenario in simulated time. Every round, each unit is held against its truth once it
and its faults have been the same for long enough to be seen. What cannot be known is expected to be unknown: a unit
behind another protocol is unreadable, whatever it does in truth.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache

import pytest
from scenario_bounds import OFF_RATIO, TOGETHER
from truth_by_second import INTERVAL_S, Held, hold
from watched_scenario import SEEN_AS

from agent.site.status import UnitState, UnitStatus
from agent.site.totals import SiteFigures
from agent.site.tracker import Tracker
from simulators.farm.farm import Farm
from simulators.faults.vocabulary import fault_name
from simulators.unit.conditions import Cause
from simulators.unit.snapshot import OFFLINE, Phase
from simulators.unit.unit import Unit

# A reading may fail twice before it is given up; then figures are made within another interval.
SEEN_AFTER_S = 4 * INTERVAL_S
CHANGED_WITHIN_S = 2 * INTERVAL_S + 5

UNREADABLE = frozenset(
    {
        *("refuses", "access_denied"),
        *("speaks_http", "speaks_tls", "speaks_ssh", "speaks_stratum", "speaks_whatsminer"),
    }
)
DARK = frozenset({UnitState.UNREADABLE, UnitState.UNREACHABLE, UnitState.STARTING, UnitState.CURTAILED})
STATES = {
    Phase.ENUMERATING: frozenset({UnitState.STARTING}),
    Phase.RAMPING: frozenset({UnitState.STARTING}),
    Phase.HASHING: frozenset({UnitState.HASHING}),
    Phase.ASLEEP: frozenset({UnitState.STOPPED}),
}
MINUTE_S = 60


@dataclass(slots=True)
class Book:
    """What was seen over the scenario.

    Attributes:
        begin: When it began, Unix time, s.
        wrong: Units in a wrong state: second of the scenario, unit, state, reason and what was expected.
        rounds: Rounds held against the truth.
        off: Agent minus truth by container and by group of causes, H/s, summed over rounds; "operating" is one of them.
        watts_off: Worst relative error of power by container.
        sources: Sources of power by container.
        repaired: Containers with a unit whose reading was repaired.
        sensors, fans, boards_hs: The readings of the containers whose sensors, fans or boards lie, without repeats.
        coverage: Coverage by second of the scenario.
        by_state: Units of each container by state, and stragglers, by second of the scenario.
    """

    begin: float = 0.0
    wrong: list[tuple[int, str, str, str, str]] = field(default_factory=list)
    rounds: int = 0
    deployed_hs: float = 0.0
    off: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    watts_off: Counter[str] = field(default_factory=Counter)
    sources: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    repaired: set[str] = field(default_factory=set)
    sensors: set[tuple[float | None, ...]] = field(default_factory=set)
    fans: set[tuple[float | None, ...]] = field(default_factory=set)
    boards_hs: set[float | None] = field(default_factory=set)
    coverage: dict[int, float] = field(default_factory=dict)
    by_state: dict[int, dict[str, tuple[Counter[str], int]]] = field(default_factory=dict)
    _changed: dict[str, tuple[tuple[object, ...], float]] = field(default_factory=dict)

    def take(self, farm: Farm, tracker: Tracker, figures: SiteFigures) -> None:
        """Hold one round of figures against the truth."""
        at = figures.at
        self.begin = self.begin or at
        second = round(at - self.begin)
        self.deployed_hs = figures.site.deployed_hs
        self.coverage[second] = figures.site.coverage_ratio
        self.by_state[second] = {
            name: (Counter({state.value: count for state, count in part.units_by_state.items()}), part.stragglers)
            for name, part in figures.by_container.items()
        }
        if second < SEEN_AFTER_S:
            return
        self.rounds += 1
        for unit in farm.units:
            status = tracker.status(unit.identity.unit_id)
            assert status is not None
            self._hold(unit, status, at, second)

    def _hold(self, unit: Unit, status: UnitStatus, at: float, second: int) -> None:
        unit.advance(at)
        faults = {fault_name(type(fault)) for _, fault in unit.faults}
        if not self._is_seen(unit, at, faults):
            return
        is_unreadable = bool(faults & UNREADABLE)
        expected = frozenset({UnitState.UNREADABLE}) if is_unreadable else _states(unit, at)
        if status.state not in expected:
            words = "/".join(sorted(expected))
            self.wrong.append((second, unit.identity.unit_id, status.state.value, status.why, words))
        off = self.off[unit.identity.container]
        nameplate_hs = unit.identity.model.hashrate_hs
        off["operating"] += (status.hashrate_hs or 0.0) - (0.0 if is_unreadable else unit.hashrate_hs(at))
        true = {"unreadable": nameplate_hs} if is_unreadable else _losses(unit, at)
        told = {loss.cause.value: loss.hashrate_hs for loss in status.losses}
        for group, causes in TOGETHER.items():
            off[group] += sum(told.get(cause, 0.0) - true.get(cause, 0.0) for cause in causes)
        if unit.phase is Phase.HASHING and not is_unreadable:
            self._read(unit, status, at, faults)

    def _is_seen(self, unit: Unit, at: float, faults: set[str]) -> bool:
        """Return True if unit and faults have been the same for so long that figures must show them."""
        now = (unit.phase, unit.conditions)
        before = self._changed.get(unit.identity.unit_id)
        if before is None or before[0] != now:
            self._changed[unit.identity.unit_id] = (now, at)
            return False
        needed_s = SEEN_AFTER_S if faults & UNREADABLE else CHANGED_WITHIN_S
        return at - before[1] >= needed_s and at - unit.since >= needed_s

    def _read(self, unit: Unit, status: UnitStatus, at: float, faults: set[str]) -> None:
        """Hold power and the parts of a reading against a unit that hashes."""
        reading, container = status.reading, unit.identity.container
        assert reading is not None
        if unit.hashrate_hs(at) and "rate_in_summary" not in faults:
            watts = 0.0 if status.power is None else status.power.watts
            error = abs(watts / unit.power_watts(at) - 1.0)
            self.watts_off[container] = max(self.watts_off[container], error)
        if faults and status.power is not None:
            self.sources[container].add(status.power.source.value)
        if reading.repairs:
            self.repaired.add(container)
        if "board_unit" in faults:
            self.boards_hs |= {board.hashrate_hs for board in reading.boards}
        if "sensor_stuck" in faults and "fan_null" not in faults:
            self.sensors.add(reading.boards[0].pcb_celsius)
        if "fan_null" in faults:
            self.fans.add(reading.fan_rpm)


def _states(unit: Unit, at: float) -> frozenset[UnitState]:
    """Return the states in which a unit that can be read may be shown."""
    losses = unit.losses_hs(at)
    if unit.phase in OFFLINE:
        return DARK
    states = STATES[unit.phase]
    if Cause.CURTAILED in losses:
        states = frozenset({UnitState.CURTAILED})
    elif Cause.STOPPED in losses:
        states = frozenset({UnitState.STOPPED})
    is_nearly_up = unit.phase is Phase.RAMPING and unit.hashrate_hs(at) > 0.9 * unit._full_rate_hs()
    return states | {UnitState.HASHING} if is_nearly_up else states


def _losses(unit: Unit, at: float) -> dict[str, float]:
    return {SEEN_AS.get(cause, str(cause)): lost_hs for cause, lost_hs in unit.losses_hs(at).items()}


@cache
def watched() -> tuple[Held, Book]:
    """Return the whole scenario, watched once for all tests."""
    book = Book()
    return hold("liars", on_round=book.take), book


def test_no_unit_is_in_a_wrong_state() -> None:
    """Each unit is in the state that its truth explains, or unreadable where another protocol or a refusal answers."""
    _, book = watched()
    kinds = Counter((unit_id.partition("-")[0], state, why, wanted) for _, unit_id, state, why, wanted in book.wrong)
    assert kinds == {}


def test_operating_is_the_true_one() -> None:
    """Over all units whose figures can be known, operating is within 0.2 % of what is deployed; so is each cause."""
    _, book = watched()
    for group in ("operating", *TOGETHER):
        off = {container: parts[group] / book.rounds / book.deployed_hs for container, parts in book.off.items()}
        report = ", ".join(f"{container} {ratio:+.3%}" for container, ratio in off.items() if abs(ratio) > 1e-4)
        print(f"{group}: {sum(off.values()):+.3%} ({report})")  # noqa: T201 - the figures belong in the report
        assert abs(sum(off.values())) < OFF_RATIO, (group, report)


@pytest.mark.parametrize("container", [f"C{number}" for number in range(1, 21)])
def test_no_lie_is_hidden_by_another(container: str) -> None:
    """In each container alone, operating is within 2 % of what is deployed there."""
    _, book = watched()
    assert abs(book.off[container]["operating"] / book.rounds) < 0.02 * book.deployed_hs / 20


def test_the_sum_is_never_more_than_the_site_can_do() -> None:
    """No second shows more than 1.1 times the best that any true second has."""
    held, _ = watched()
    best_hs = max(second.true_hs for second in held.seconds)
    assert max(second.figures.site.operating_hs for second in held.seconds) <= 1.1 * best_hs


def test_power_is_never_a_contradiction() -> None:
    """Power is within a tenth of the true one under every lie; what contradicts the rate is modelled instead."""
    _, book = watched()
    assert {container for container, error in book.watts_off.items() if error > 0.1} == set()
    assert book.sources["C1"] == book.sources["C2"] == {"modelled"}
    assert book.sources["C10"] == {"estimated"}
    assert "estimated" in book.sources["C11"]
    assert "measured" in book.sources["C11"] or book.sources["C11"] == {"estimated"}


def test_each_repair_is_counted() -> None:
    """A reading whose rate another figure had to stand in for says so."""
    _, book = watched()
    assert book.repaired >= {"C4", "C5", "C6", "C7"}


def test_a_lie_costs_only_itself() -> None:
    """One sensor, one fan: the others stay in their places, and no board is a thousandth of itself."""
    _, book = watched()
    assert book.sensors
    for sensors in book.sensors:
        assert len(sensors) == 4
        assert all(celsius is not None and 20 < celsius < 90 for celsius in sensors[1:])
    assert {fans[1] for fans in book.fans} == {None}
    assert all(rpm for fans in book.fans for place, rpm in enumerate(fans) if place != 1)
    assert {hashrate_hs for hashrate_hs in book.boards_hs if hashrate_hs is not None and hashrate_hs < 40e12} == set()


def test_words_do_not_make_a_curtailment() -> None:
    """Units that say sleep and hash are stragglers; stopped and sleeping ones are curtailed; none of them is both."""
    _, book = watched()
    counts, stragglers = book.by_state[56 * MINUTE_S]["C3"]
    assert (counts["curtailed"], stragglers) == (0, 5)
    for container in ("C13", "C15"):
        counts, stragglers = book.by_state[56 * MINUTE_S][container]
        assert (counts["curtailed"], stragglers) == (5, 0)
    assert book.by_state[49 * MINUTE_S]["C13"][0]["curtailed"] == 0


def test_what_cannot_be_known_is_not_covered() -> None:
    """While three of twenty containers refuse or speak another protocol, their nameplates are not covered."""
    held, book = watched()
    hidden = {"C18", "C19", "C20"}
    units = held.farm.units
    share = sum(unit.identity.model.hashrate_hs for unit in units if unit.identity.container in hidden) / sum(
        unit.identity.model.hashrate_hs for unit in units
    )
    assert book.coverage[63 * MINUTE_S] == pytest.approx(1.0 - share, abs=0.001)
