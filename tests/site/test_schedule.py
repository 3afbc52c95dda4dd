"""Due times: regular, backed off, and for a caller that comes late."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.site.schedule import Schedule

# With an interval that is a power of two, phases and sums of them are exact in floats.
INTERVAL_S = 8.0
BACKOFF_MAX_S = 64.0
UNITS = tuple(f"C1-R{rack}-{slot:02d}" for rack in range(2) for slot in range(6))

moments = st.integers(0, 2**20).map(lambda number: number / 64)
unit_sets = st.sets(st.sampled_from(UNITS))


def schedule(
    unit_ids: Iterable[str] = UNITS, *, now: float = 0.0, dice: float = 0.0, backoff_max_s: float = BACKOFF_MAX_S
) -> Schedule:
    """Return a schedule of `unit_ids` from `now` on, whose jitter is always `dice`."""
    one = Schedule(interval_s=INTERVAL_S, backoff_max_s=backoff_max_s, jitter=lambda: dice)
    one.replace(unit_ids, now=now)
    return one


def slots(one: Schedule, unit_id: str, after: float, until: float) -> list[float]:
    """Return the regular times of a unit in (`after`, `until`], one by one from the phase on."""
    phase = one.phase_s(unit_id)
    numbers = range(math.floor((after - phase) / INTERVAL_S) - 1, math.ceil((until - phase) / INTERVAL_S) + 1)
    return [at for number in numbers if after < (at := phase + number * INTERVAL_S) <= until]


def drain(one: Schedule, now: float, limit: int = 1000) -> list[tuple[str, float]]:
    """Take all that is due at `now`, at most `limit` at a time."""
    taken: list[tuple[str, float]] = []
    while some := one.pop_due(now, limit):
        taken += some
    return taken


def test_phases_are_the_same_in_every_process() -> None:
    """Literal phases: a restart must not shift a unit's place in the interval."""
    one = Schedule(interval_s=10.0, backoff_max_s=60.0, jitter=random.Random(1).random)
    phases = [round(one.phase_s(unit_id), 6) for unit_id in ("u000001", "C1-R02-S03", "127.0.0.2")]
    assert phases == [8.623002, 9.799168, 3.075975]


@given(st.text(max_size=20), st.floats(0.01, 1e5))
def test_a_phase_lies_inside_the_interval(unit_id: str, interval_s: float) -> None:
    """A name of any characters has a phase."""
    one = Schedule(interval_s=interval_s, backoff_max_s=60.0, jitter=lambda: 0.0)
    assert 0 <= one.phase_s(unit_id) < interval_s


@pytest.mark.parametrize(
    "unit_ids",
    [
        [f"u{number:06d}" for number in range(10_000)],
        [f"u{number}" for number in range(10_000)],
        [f"C{c:02d}-R{r:02d}-S{s:02d}" for c in range(25) for r in range(10) for s in range(40)],
        [f"10.0.{c}.{d}" for c in range(40) for d in range(1, 251)],
        [f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}" for number in range(10_000)],
        [f"SMTTYRHBDJAAA{number:04d}" for number in range(10_000)],
    ],
    ids=["padded", "plain", "places", "addresses", "macs", "serials"],
)
def test_phases_are_even(unit_ids: list[str]) -> None:
    """Realistic unit names fill a hundred parts of the interval at least as evenly as random numbers would."""
    one = schedule(())
    counts = Counter(int(one.phase_s(unit_id) / INTERVAL_S * 100) for unit_id in unit_ids)
    expected = len(unit_ids) / 100
    chi_square = sum((counts[part] - expected) ** 2 / expected for part in range(100))
    # Random numbers stay below 135 in 99 of 100 trials, at 99 degrees of freedom.
    assert chi_square < 135
    assert max(counts.values()) < 1.4 * expected


@given(unit_sets, moments, st.lists(st.integers(1, 8 * 64 - 1).map(lambda number: number / 64), max_size=40))
def test_every_unit_is_due_once_an_interval(unit_ids: set[str], start: float, gaps: list[float]) -> None:
    """If calls come within an interval of each other, each regular time comes up once, in any pattern of calls."""
    one = schedule(unit_ids, now=start)
    due: dict[str, list[float]] = defaultdict(list)
    now = start
    for gap in gaps:
        now += gap
        for unit_id, at in drain(one, now):
            due[unit_id].append(at)
    expected = {unit_id: slots(one, unit_id, start, now) for unit_id in unit_ids}
    assert due == {unit_id: times for unit_id, times in expected.items() if times}


@given(moments, st.lists(st.integers(1, 64 * 64).map(lambda number: number / 64), max_size=30), st.integers(1, 5))
def test_a_late_caller_gets_each_unit_once_and_no_burst(start: float, gaps: list[float], limit: int) -> None:
    """After any delay of the caller a unit is due once, at a regular time of its own that never came up before."""
    one = schedule(now=start)
    due: dict[str, list[float]] = defaultdict(list)
    now = start
    for gap in gaps:
        now += gap
        taken = drain(one, now, limit)
        assert max(Counter(unit_id for unit_id, _ in taken).values(), default=1) == 1
        for unit_id, at in taken:
            due[unit_id].append(at)
            assert at <= now
    for unit_id, times in due.items():
        assert set(times) <= set(slots(one, unit_id, start, now))
        assert all(earlier < later for earlier, later in pairwise(times))


def test_after_a_hold_up_units_are_back_at_their_places() -> None:
    """A hundred intervals late, every unit comes once immediately, then once at its usual time."""
    one = schedule()
    assert len(drain(one, 100 * INTERVAL_S)) == len(UNITS)
    assert one.pop_due(100 * INTERVAL_S, 1000) == []
    taken = sorted(drain(one, 101 * INTERVAL_S))
    assert taken == sorted((unit_id, 100 * INTERVAL_S + one.phase_s(unit_id)) for unit_id in UNITS)


@given(st.text(max_size=8), st.floats(0.1, 3600), st.integers(0, 10**7), st.sampled_from([-math.inf, None, math.inf]))
def test_the_next_regular_time_is_later_than_now(
    unit_id: str, interval_s: float, number: int, toward: float | None
) -> None:
    """At a regular time, or within a rounding error of it, a delayed unit is taken once and not twice."""
    one = Schedule(interval_s=interval_s, backoff_max_s=60.0, jitter=lambda: 0.0)
    one.replace([unit_id], now=-2 * interval_s)
    now = one.phase_s(unit_id) + number * interval_s
    now = now if toward is None else math.nextafter(now, toward)
    assert len(one.pop_due(now, 10)) == 1
    due = one.next_due()
    assert due is not None
    # One rounding error of the clock's own size is all that a regular time may be off.
    assert now < due <= now + interval_s + 4 * math.ulp(now)


@given(st.integers(0, 20))
def test_a_limit_holds_and_loses_nobody(limit: int) -> None:
    """Units beyond the limit come next time, still earliest first."""
    one, whole = schedule(), schedule()
    first = one.pop_due(INTERVAL_S, limit)
    rest = one.pop_due(INTERVAL_S, 1000)
    assert len(first) == min(limit, len(UNITS))
    assert first + rest == whole.pop_due(INTERVAL_S, 1000)
    assert [at for _, at in first + rest] == sorted(at for _, at in first + rest)


def test_nothing_is_due_before_its_time() -> None:
    """A unit is due exactly at its time, and not before."""
    one = schedule([UNITS[0]])
    due = one.next_due()
    assert due == one.phase_s(UNITS[0])
    assert one.pop_due(math.nextafter(due, 0), 10) == []
    assert one.pop_due(due, 10) == [(UNITS[0], due)]


def test_an_empty_schedule_has_nothing_due() -> None:
    """Without units there is no due time."""
    one = schedule(())
    assert (len(one), one.next_due(), one.pop_due(1e9, 10)) == (0, None, [])


# The interval is 8 s, the most is 64 s; two failures change nothing. The jitter takes a wait down to one half, but
# never under the interval.
@pytest.mark.parametrize(
    ("failures", "shortest_s", "longest_s"),
    [(0, 8, 8), (1, 8, 8), (2, 8, 8), (3, 16, 32), (4, 32, 64), (5, 32, 64), (17, 32, 64), (10**6, 32, 64)],
)
def test_waits_double_up_to_the_most(failures: int, shortest_s: float, longest_s: float) -> None:
    """Literal bounds of the wait after so many failures in a row."""
    unit_id = UNITS[0]
    waits = []
    for dice in (0.0, math.nextafter(1.0, 0.0)):
        one = schedule([unit_id], dice=dice)
        [(_, now)] = one.pop_due(INTERVAL_S, 1)
        one.back_off(unit_id, failures, now=now)
        due = one.next_due()
        assert due is not None
        waits.append(due - now)
    assert waits == [shortest_s, pytest.approx(longest_s)]


@given(st.integers(3, 10**9), st.floats(0, 1, exclude_max=True), st.floats(0.1, 1e3), moments, st.floats(0, 1))
def test_a_wait_is_at_least_an_interval_and_at_most_the_most(
    failures: int, dice: float, backoff_max_s: float, start: float, took: float
) -> None:
    """A dead unit is polled at least every `backoff_max_s`, or every interval if that is longer."""
    one = schedule([UNITS[0]], now=start, dice=dice, backoff_max_s=backoff_max_s)
    [(_, due)] = one.pop_due(start + INTERVAL_S, 1)
    now = due + took * INTERVAL_S
    one.back_off(UNITS[0], failures, now=now)
    following = one.next_due()
    assert following is not None
    slack_s = 4 * math.ulp(following)
    assert INTERVAL_S - slack_s <= following - now <= max(backoff_max_s, INTERVAL_S) + slack_s


@pytest.mark.parametrize("took_s", [0.0, 2.0, 7.9])
def test_two_polls_may_fail_and_the_next_still_comes_at_a_regular_time(took_s: float) -> None:
    """A silent unit whose last reading still counts is asked three times, each an interval apart."""
    one = schedule([UNITS[0]])
    for failures in (1, 2):
        [(_, due)] = one.pop_due(failures * INTERVAL_S, 10)
        one.back_off(UNITS[0], failures, now=due + took_s)
    [(_, third)] = one.pop_due(3 * INTERVAL_S, 10)
    assert third == one.phase_s(UNITS[0]) + 2 * INTERVAL_S
    one.back_off(UNITS[0], 3, now=third + took_s)
    assert one.next_due() == third + took_s + 16


def failed(unit_ids: Iterable[str], *, failures: int = 9) -> Schedule:
    """Return a schedule at its first interval's end, when all these units failed for the longest back-off."""
    one = schedule(unit_ids)
    drain(one, INTERVAL_S)
    for unit_id in unit_ids:
        one.back_off(unit_id, failures, now=INTERVAL_S)
    return one


# The rest is a quarter of the longest back-off, 16 s; half an interval is 4 s.
@pytest.mark.parametrize(("answered_after_s", "wait_s"), [(1.0, 15.0), (10.0, 6.0), (15.0, 4.0)])
def test_a_silent_unit_that_answers_brings_the_others_forward(answered_after_s: float, wait_s: float) -> None:
    """Once one answers, all others come at a regular time: once they have rested, and not within half an interval."""
    one = failed(UNITS)
    now = INTERVAL_S + answered_after_s
    one.resume(UNITS[0], now=now)
    soon = {unit_id: at for unit_id, at in drain(one, now + INTERVAL_S + wait_s) if unit_id != UNITS[0]}
    assert len(soon) == len(UNITS) - 1
    assert all(wait_s < at - now <= wait_s + INTERVAL_S for at in soon.values())
    assert all((at - one.phase_s(unit_id)) % INTERVAL_S == 0 for unit_id, at in soon.items())


@pytest.mark.parametrize("failures", [0, 2])
def test_an_answer_of_a_unit_that_could_be_reached_brings_none_forward(failures: int) -> None:
    """Only a unit that could not be reached at its last poll says that a path is back; two failures are enough."""
    one = failed(UNITS[1:])
    one.add(UNITS[0], now=INTERVAL_S)
    if failures:
        one.back_off(UNITS[0], failures, now=INTERVAL_S)
    one.resume(UNITS[0], now=INTERVAL_S + 1)
    others = {unit_id for unit_id, _ in drain(one, INTERVAL_S + 24)} - {UNITS[0]}
    assert others == (set(UNITS[1:]) if failures else set())


def test_an_answer_brings_a_postponed_unit_forward_only_if_it_is_silent() -> None:
    """A unit that costs too much CPU was not silent, and waits until its cost is paid off."""
    one = schedule(UNITS[:3])
    drain(one, INTERVAL_S)
    one.postpone(UNITS[1], 60.0, now=INTERVAL_S)
    for unit_id in (UNITS[0], UNITS[2]):
        one.back_off(unit_id, 9, now=INTERVAL_S)
    one.resume(UNITS[0], now=INTERVAL_S)
    assert {unit_id for unit_id, _ in drain(one, INTERVAL_S + 24)} == {UNITS[0], UNITS[2]}


def test_one_answer_brings_a_bounded_number_forward() -> None:
    """64 at most, those that failed last: a site of 100,000 silent units does not hold the event loop."""
    unit_ids = [f"u{number}" for number in range(200)]
    one = failed(unit_ids)
    one.resume("u0", now=INTERVAL_S)
    assert {unit_id for unit_id, _ in drain(one, INTERVAL_S + 24)} == {"u0", *unit_ids[-64:]}


@pytest.mark.parametrize("dice", [0, 3, 7])
def test_a_unit_that_comes_and_goes_costs_dead_ones_four_times_as_many_polls_at_most(dice: int) -> None:
    """Beside a unit that answers every other poll, 40 dead ones still rest for a quarter of the longest back-off."""
    dead = [f"dead{number}" for number in range(40)]

    def polls(*, comes_and_goes: bool) -> int:
        one = schedule([*dead, "flaps"], dice=dice / 8)
        asked: Counter[str] = Counter()
        for tick in range(2000):
            now = tick * INTERVAL_S / 8
            for unit_id, _ in one.pop_due(now, 1000):
                asked[unit_id] += 1
                if unit_id == "flaps" and comes_and_goes and asked[unit_id] % 2:
                    one.resume(unit_id, now=now)
                else:
                    one.back_off(unit_id, 1 if unit_id == "flaps" else asked[unit_id], now=now)
        return sum(asked[unit_id] for unit_id in dead)

    assert polls(comes_and_goes=True) <= 4 * polls(comes_and_goes=False)


def test_jitter_spreads_units_that_failed_together() -> None:
    """The units of a container that goes dark are not all polled again at the same time."""
    one = Schedule(interval_s=INTERVAL_S, backoff_max_s=BACKOFF_MAX_S, jitter=random.Random(7).random)
    unit_ids = [f"u{number}" for number in range(1000)]
    one.replace(unit_ids, now=0.0)
    drain(one, INTERVAL_S)
    for unit_id in unit_ids:
        one.back_off(unit_id, 5, now=INTERVAL_S)
    waits = Counter(int((at - INTERVAL_S - 32) / 4) for _, at in drain(one, INTERVAL_S + BACKOFF_MAX_S))
    # Eight parts of the 32 s between the shortest and the longest wait; 125 each on average.
    assert set(waits) == set(range(8))
    assert max(waits.values()) < 170


def test_a_second_failure_in_the_same_interval_does_not_bring_a_unit_forward() -> None:
    """A back-off never brings a due time forward."""
    one = schedule([UNITS[0]])
    drain(one, INTERVAL_S)
    one.back_off(UNITS[0], 5, now=INTERVAL_S)
    one.back_off(UNITS[0], 1, now=INTERVAL_S)
    assert one.next_due() == INTERVAL_S + 32


@pytest.mark.parametrize(("wait_s", "least_s"), [(0.0, INTERVAL_S), (20.0, 20.0), (1e6, BACKOFF_MAX_S)])
def test_a_unit_can_be_postponed(wait_s: float, least_s: float) -> None:
    """It waits at least an interval and at most the longest back-off, and `resume` ends the wait."""
    one = schedule()
    one.postpone(UNITS[0], wait_s, now=100.0)
    one.postpone("unknown", wait_s, now=100.0)
    taken = [at for _, at in filter(lambda pair: pair[0] == UNITS[0], one.pop_due(100.0 + BACKOFF_MAX_S, 1000))]
    assert taken == [100.0 + least_s]
    one.postpone(UNITS[0], 1e6, now=200.0)
    one.resume(UNITS[0], now=200.0)
    assert min(at for unit_id, at in one.pop_due(200.0 + INTERVAL_S, 1000) if unit_id == UNITS[0]) > 200.0


@given(st.integers(1, 9), st.sampled_from([0.0, 0.25, 0.875]), st.integers(0, 4 * 64).map(lambda number: number / 64))
def test_a_unit_that_answers_again_is_back_at_its_place(failures: int, dice: float, took: float) -> None:
    """From its first answer on, a backed-off unit is due at its regular times again."""
    unit_id = UNITS[3]
    one = schedule([unit_id], dice=dice)
    [(_, now)] = one.pop_due(INTERVAL_S, 1)
    for count in range(1, failures + 1):
        one.back_off(unit_id, count, now=now + took)
        waited = one.next_due()
        assert waited is not None
        [(_, now)] = one.pop_due(waited, 1)
    one.resume(unit_id, now=now + took)
    due = [at for later in (8, 16, 24) for _, at in one.pop_due(now + took + later, 10)]
    assert due == slots(one, unit_id, now + took, now + took + 24)


def test_an_answer_before_the_next_look_brings_it_forward() -> None:
    """A unit with a long back-off that is found alive otherwise does not wait that long."""
    one = schedule([UNITS[0]], dice=0.875)
    drain(one, INTERVAL_S)
    one.back_off(UNITS[0], 9, now=INTERVAL_S)
    one.resume(UNITS[0], now=INTERVAL_S + 1)
    assert [one.next_due()] == slots(one, UNITS[0], INTERVAL_S + 1, 2 * INTERVAL_S + 1)
    assert len(drain(one, 20 * INTERVAL_S)) == 1


def test_an_answer_changes_nothing_for_a_unit_that_was_not_put_off() -> None:
    """Resuming a unit that is due already neither skips nor repeats that poll."""
    one = schedule([UNITS[0]])
    due = one.next_due()
    one.resume(UNITS[0], now=2 * INTERVAL_S)
    assert one.pop_due(2 * INTERVAL_S, 10) == [(UNITS[0], due)]


def test_units_that_are_not_scheduled_are_not_scheduled_by_an_outcome() -> None:
    """A poll that ends after its unit left the ledger changes nothing."""
    one = schedule([UNITS[0]])
    one.back_off("gone", 3, now=0.0)
    one.resume("gone", now=0.0)
    assert len(one) == 1
    assert {unit_id for unit_id, _ in drain(one, INTERVAL_S)} == {UNITS[0]}


def test_a_changed_ledger_moves_nobody_who_stays() -> None:
    """Due times stay, backed off or not; a new unit is due within an interval, a removed one never."""
    stays, waits, goes, comes = UNITS[:4]
    one = schedule([stays, waits, goes])
    drain(one, INTERVAL_S)
    one.back_off(waits, 9, now=INTERVAL_S)
    one.replace([stays, waits, comes], now=INTERVAL_S + 1)
    assert len(one) == 3
    taken = [(unit_id, at) for now in range(9, 50) for unit_id, at in drain(one, float(now))]
    first = dict(reversed(taken))
    assert first == {
        stays: INTERVAL_S + one.phase_s(stays),
        waits: INTERVAL_S + 32,
        comes: slots(one, comes, INTERVAL_S + 1, 2 * INTERVAL_S + 1)[0],
    }


def test_a_unit_that_comes_back_is_not_still_put_off() -> None:
    """Leaving the ledger forgets the back-off."""
    one = schedule([UNITS[0]])
    drain(one, INTERVAL_S)
    one.back_off(UNITS[0], 9, now=INTERVAL_S)
    one.replace([], now=INTERVAL_S)
    assert one.next_due() is None
    one.replace([UNITS[0]], now=INTERVAL_S)
    assert one.next_due() == INTERVAL_S + one.phase_s(UNITS[0])


def test_memory_is_bounded_however_often_units_fail() -> None:
    """Outdated entries are dropped as they come up; a thousand rounds of failures leave no pile."""
    one = schedule(dice=0.5)
    failures: Counter[str] = Counter()
    for tick in range(1000):
        now = tick * INTERVAL_S / 2
        for unit_id, _ in one.pop_due(now, 1000):
            failures[unit_id] += 1
            one.back_off(unit_id, failures[unit_id] % 7, now=now)
        if tick % 50 == 0:
            for unit_id in UNITS:
                one.resume(unit_id, now=now)
    assert len(one._heap) <= 3 * len(UNITS)


class NaiveSchedule:
    """A plain oracle: a table of exact due times, searched from end to end."""

    def __init__(self, phases: dict[str, Fraction]) -> None:
        self.phases = phases
        self.due: dict[str, Fraction] = {}
        self.backed_off: set[str] = set()
        self.silent: set[str] = set()
        self.resting: dict[str, Fraction] = {}

    def regular(self, unit_id: str, now: Fraction) -> Fraction:
        """Return the first regular time after `now`, by counting intervals."""
        phase = self.phases[unit_id]
        return phase + (math.floor((now - phase) / 8) + 1) * 8

    def replace(self, unit_ids: set[str], now: Fraction) -> None:
        """Keep units that stay, add new ones."""
        self.due = {
            unit_id: self.due[unit_id] if unit_id in self.due else self.regular(unit_id, now) for unit_id in unit_ids
        }
        self.backed_off &= unit_ids
        self.silent &= unit_ids
        self.resting = {unit_id: since for unit_id, since in self.resting.items() if unit_id in unit_ids}

    def pop_due(self, now: Fraction, limit: int) -> list[tuple[str, Fraction]]:
        """Take the earliest, one after the other."""
        taken: list[tuple[str, Fraction]] = []
        while len(taken) < limit:
            due = sorted((at, unit_id) for unit_id, at in self.due.items() if at <= now)
            if not due:
                break
            at, unit_id = due[0]
            taken.append((unit_id, at))
            self.resting.pop(unit_id, None)
            self.due[unit_id] = at + 8 if at + 8 > now else self.regular(unit_id, now)
        return taken

    def back_off(self, unit_id: str, failures: int, dice: Fraction, now: Fraction) -> None:
        """Double the wait with each failure from the third on, up to 64 s, and apply the jitter to its upper half."""
        if unit_id not in self.due:
            return
        self.silent.add(unit_id)
        if failures <= 2:
            return
        self.backed_off.add(unit_id)
        wait = min(64, 8 * 2 ** (failures - 1))
        self.due[unit_id] = max(self.due[unit_id], now + max(8, Fraction(wait, 2) * (1 + dice)))
        self.resting[unit_id] = now

    def resume(self, unit_id: str, now: Fraction) -> None:
        """Go back to the regular times; if the unit was silent, bring all that rest forward."""
        if unit_id in self.silent:
            self.silent.remove(unit_id)
            for each, since in self.resting.items():
                if each != unit_id:
                    self.due[each] = min(self.due[each], self.regular(each, max(now + 4, since + 16)))
            self.resting = {}
        if unit_id in self.backed_off:
            self.backed_off.remove(unit_id)
            self.due[unit_id] = self.regular(unit_id, now)


class ScheduleAgainstModel(RuleBasedStateMachine):
    """Random interleavings of everything a caller can do, on the heap and on the table."""

    def __init__(self) -> None:
        super().__init__()
        self.dice = 0.0
        self.now = 0.0
        self.real = Schedule(interval_s=INTERVAL_S, backoff_max_s=BACKOFF_MAX_S, jitter=lambda: self.dice)
        self.naive = NaiveSchedule({unit_id: Fraction(self.real.phase_s(unit_id)) for unit_id in UNITS})

    @initialize(now=moments, unit_ids=unit_sets)
    def start(self, now: float, unit_ids: set[str]) -> None:
        """Begin at any time with any units."""
        self.now = now
        self.replace(unit_ids)

    @rule(later=st.integers(0, 30 * 64).map(lambda number: number / 64), limit=st.integers(0, 15))
    def pop(self, later: float, limit: int) -> None:
        """Some time passes, and the caller takes the due units."""
        self.now += later
        assert self.real.pop_due(self.now, limit) == self.naive.pop_due(Fraction(self.now), limit)

    @precondition(lambda self: self.naive.due)
    @rule(later=st.integers(0, 64).map(lambda number: number / 64))
    def pop_at_the_next_time(self, later: float) -> None:
        """The caller sleeps until something is due, or a little longer."""
        due = self.real.next_due()
        assert due is not None
        self.now = max(self.now, math.ceil(due * 64) / 64) + later
        assert self.real.pop_due(self.now, 1000) == self.naive.pop_due(Fraction(self.now), 1000)

    @rule(unit_id=st.sampled_from(UNITS), failures=st.integers(1, 20), dice=st.integers(0, 7))
    def back_off(self, unit_id: str, failures: int, dice: int) -> None:
        """A unit cannot be reached."""
        self.dice = dice / 8
        self.real.back_off(unit_id, failures, now=self.now)
        self.naive.back_off(unit_id, failures, Fraction(dice, 8), Fraction(self.now))

    @rule(unit_id=st.sampled_from(UNITS))
    def resume(self, unit_id: str) -> None:
        """A unit answers again."""
        self.real.resume(unit_id, now=self.now)
        self.naive.resume(unit_id, Fraction(self.now))

    @rule(unit_ids=unit_sets)
    def replace(self, unit_ids: set[str]) -> None:
        """The ledger changes."""
        self.real.replace(sorted(unit_ids), now=self.now)
        self.naive.replace(unit_ids, Fraction(self.now))

    @invariant()
    def agree(self) -> None:
        """Both have the same units and the same next time."""
        assert len(self.real) == len(self.naive.due)
        assert self.real.next_due() == min(self.naive.due.values(), default=None)


TestScheduleAgainstModel = ScheduleAgainstModel.TestCase
