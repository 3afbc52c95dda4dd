"""The walk list of a simulated site: exactly the entries that a technician wants, through the agent's own reader."""

from collections.abc import Mapping

from polled_farm import Polled
from sim_cases import START, make_farm

from agent.site.repairs.book import RepairBook
from agent.site.repairs.entries import RepairEntry
from agent.site.repairs.symptoms import Closing, Symptom
from simulators.farm.farm import Farm
from simulators.farm.selection import Selector
from simulators.faults.vocabulary import read_fault

LOOK_S = 30.0
HOUR_S = 3600.0


class Walked:
    """A farm, polled and looked at every half minute in simulated time."""

    def __init__(self, units: int, containers: int) -> None:
        self.farm: Farm = make_farm(units, containers=containers)
        self.polled = Polled(self.farm.units, at=START, slow_every=10, farm=self.farm)
        self.book = RepairBook(longest_gap_s=3 * LOOK_S)
        self.at = START
        self.closed: list[RepairEntry] = []

    def wait(self, seconds: float) -> None:
        """Let simulated time pass."""
        until = self.at + seconds
        while self.at < until:
            self.at += LOOK_S
            self.farm.clock.advance(LOOK_S)
            self.polled.sweep(self.at)
            self.book.begin_round(at=self.at, clock_s=self.at)
            self.book.see(self.polled.tracker.statuses())
            self.closed += [each for each in self.book.close_round() if each.until is not None]

    def hurt(self, fault: str, selector: Selector, values: Mapping[str, object] | None = None) -> int:
        """Inject a fault now; returns its number."""
        return self.farm.inject(read_fault(fault, values or {}), selector).number

    def listed(self) -> list[tuple[str, str, Symptom, str]]:
        """Return the open entries as container, unit, symptom and words without the numbers of a temperature."""
        return sorted(
            (each.place.container, each.unit_id, each.symptom, each.words.partition(" at ")[0])
            for each in self.book.entries()
        )


def units(*unit_ids: str) -> Selector:
    """Return a selector of units."""
    return Selector(units=unit_ids)


def test_a_technician_gets_exactly_the_entries_to_walk_to() -> None:
    """Dead board, stopped fan, hot unit, dead pools, a silent and a sleeping unit, and a dark container: no more."""
    walked = Walked(21, containers=3)
    walked.wait(1200.0)
    assert walked.listed() == []
    first = [each.identity.unit_id for each in walked.farm.units if each.identity.container == "C1"]
    dead, stopped, hot, poolless, silent, asleep = first[:6]
    for fault, unit_id, values in (
        ("dead_board", dead, {"board": 1}),
        ("fan_stopped", stopped, {"fan": 1}),
        ("overheat", hot, {"celsius": 18.0}),
        ("pool_dead", poolless, {"pools": 2}),
        ("power_off", silent, {}),
        ("asleep", asleep, {}),
    ):
        walked.hurt(fault, units(unit_id), values)
    began = walked.at
    dark = walked.hurt("power_off", Selector(containers=("C2",)))
    walked.wait(HOUR_S)
    assert walked.listed() == sorted(
        [
            ("C1", dead, Symptom.BOARD_MISSING, "board 1 absent"),
            ("C1", stopped, Symptom.FAN_STOPPED, "fan 2"),
            ("C1", hot, Symptom.HOT, "chip"),
            ("C1", poolless, Symptom.NO_POOL_ALIVE, "no pool alive"),
            ("C1", silent, Symptom.NO_ANSWER, "no answer"),
            ("C1", asleep, Symptom.NOT_HASHING, "asleep"),
            ("C2", "", Symptom.CONTAINER_DARK, "7 of 7 units do not hash; no answer (7)"),
        ]
    )
    # Each began with its fault, to two looks and the time for which a silent unit's reading counts.
    late_s = {Symptom.NO_POOL_ALIVE: 600.0, Symptom.HOT: 600.0}
    for each in walked.book.entries():
        assert 0 < each.since - began <= late_s.get(each.symptom, 2 * LOOK_S + 30.0), each
    (container,) = (each for each in walked.book.entries() if each.symptom is Symptom.CONTAINER_DARK)
    entries = [status.entry for status in walked.polled.tracker.statuses()]
    lost_hs = sum(each.nameplate.hashrate_hs for each in entries if each.place.container == "C2")
    assert 0.95 < container.lost_hashes / (lost_hs * HOUR_S) <= 1.0

    walked.farm.clear(dark)
    walked.wait(HOUR_S)
    assert [(each.symptom, each.closing) for each in walked.closed] == [(Symptom.CONTAINER_DARK, Closing.RECOVERED)]
    assert {container for container, *_ in walked.listed()} == {"C1"}


def test_a_unit_that_restarts_over_and_over_is_one_entry() -> None:
    """A restart loop comes and goes in the figures; on the list it is one fault, and closes once the loop ends."""
    walked = Walked(4, containers=1)
    walked.wait(1200.0)
    loop = walked.hurt("restart_loop", units(walked.farm.units[0].identity.unit_id))
    walked.wait(2 * HOUR_S)
    assert [symptom for *_, symptom, _ in walked.listed()] == [Symptom.NOT_HASHING]
    walked.farm.clear(loop)
    walked.wait(HOUR_S)
    assert (walked.listed(), [each.closing for each in walked.closed]) == ([], [Closing.RECOVERED])
