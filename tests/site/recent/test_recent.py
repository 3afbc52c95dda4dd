"""The last 24 hours of units in memory: slots, absences, clocks, and what they cost."""

import tracemalloc

import msgspec
import pytest
from exporter_cases import AT, board, entry, gone_silent, reading, status
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import DeadlineError
from agent.site.lateness import held
from agent.site.recent.day import RING_BYTES, SLOT_S, SLOTS, WORST, Kept, Slot, UnitDay
from agent.site.recent.days import RecentDays
from agent.site.status import UnitState

NOW = int(AT // SLOT_S)
TH = 1e12


def at(slot: int) -> float:
    """Return the Unix time at which the slot that many after `NOW` begins."""
    return float((NOW + slot) * SLOT_S)


def days_of(*looks: tuple[int, object]) -> RecentDays:
    """Return what is known after these looks: (slot after `NOW`, status)."""
    days = RecentDays()
    for slot, look in looks:
        days.set_time(at(slot))
        days.on_status(look)  # type: ignore[arg-type]
    return days


def seen(days: RecentDays, slot: int, unit_id: str = "u1") -> Slot:
    """Return one slot of a unit."""
    return days.slots(unit_id, at(slot))[-1]


def hashing(hashrate_th: float, **changes: object) -> object:
    """Return a unit that hashes at a rate."""
    return status(entry(), reading(hashrate_5s_hs=hashrate_th * TH, **changes))


def test_a_slot_is_a_mean_a_maximum_and_the_worst() -> None:
    """Rates are averaged, temperatures are the highest, the state is the worst of those ten minutes."""
    days = RecentDays()
    for minute, look in enumerate((hashing(200), hashing(190, boards=(board(0, chip_celsius=(71.0,)),)), hashing(195))):
        days.set_time(at(0) + 60 * minute)
        days.on_status(look)  # type: ignore[arg-type]
    days.on_status(gone_silent("u1"))
    slot = seen(days, 0)
    assert slot.at == at(0)
    assert slot.hashrate_hs == pytest.approx(195 * TH, rel=1e-3)
    assert (slot.celsius, slot.state) == (71.0, UnitState.UNREACHABLE)


def test_every_state_has_its_rank() -> None:
    """The order from best to worst has every state once."""
    assert sorted(WORST) == sorted(UnitState)


def test_a_measured_zero_is_no_absence() -> None:
    """A unit that stands still has a rate of nought; a unit that was not read has none."""
    assert seen(days_of((0, hashing(0.0))), 0).hashrate_hs == 0.0
    silent = seen(days_of((0, gone_silent("u1"))), 0)
    assert (silent.hashrate_hs, silent.celsius, silent.state) == (None, None, UnitState.UNREACHABLE)


def test_a_failed_poll_adds_no_rate_twice() -> None:
    """After a failed poll the rate of the last good one is still shown by the status, and is not added again."""
    late = status(entry(), reading(hashrate_5s_hs=200 * TH), error=DeadlineError("no whole reply in 5 s"))
    assert late.hashrate_hs is not None
    assert seen(days_of((0, hashing(100)), (0, late)), 0).hashrate_hs == pytest.approx(100 * TH, rel=1e-3)


def test_what_was_not_looked_at_is_absent() -> None:
    """An overdue unit, slots between two looks, and a unit not polled yet have nothing."""
    days = days_of((0, hashing(200)), (3, hashing(180)))
    states = [slot.state for slot in days.slots("u1", at(3))[-4:]]
    assert states == [UnitState.HASHING, None, None, UnitState.HASHING]
    assert seen(days_of((0, held(hashing(200)))), 0).state is None  # type: ignore[arg-type]
    assert days_of((0, status(entry()))).slots("u1", at(0)) == []
    assert days.slots("another", at(3)) == []


def test_a_day_later_everything_is_forgotten() -> None:
    """Slots older than 24 hours are gone, whether the unit was seen since or not."""
    days = days_of((0, hashing(200)), (SLOTS, hashing(180)))
    assert [slot.state for slot in days.slots("u1", at(SLOTS))].count(UnitState.HASHING) == 1
    assert all(slot == (slot.at, None, None, None) for slot in days.slots("u1", at(3 * SLOTS)))


def test_a_clock_set_back_leaves_no_future() -> None:
    """After the clock was set back, the slots of the future are absent when their time comes."""
    days = days_of((0, hashing(200)), (10, hashing(150)), (2, hashing(190)), (12, hashing(180)))
    known = {slot.at for slot in days.slots("u1", at(12)) if slot.state}
    assert known == {at(0), at(2), at(12)}


def test_the_temperature_is_looked_at_once_a_minute() -> None:
    """A second look within a minute does not read the sensors again; a look in the next minute does."""
    days = RecentDays()
    for second, celsius in ((0, 60.0), (30, 80.0), (61, 70.0)):
        days.set_time(at(0) + second)
        days.on_status(hashing(200, boards=(board(0, chip_celsius=(celsius,)),)))  # type: ignore[arg-type]
    assert seen(days, 0).celsius == 70.0


def test_units_that_leave_are_forgotten() -> None:
    """A unit that left the ledger leaves the memory."""
    days = days_of((0, hashing(200)))
    days.remove("u1")
    days.remove("never there")
    assert len(days) == 0
    assert days.slots("u1", at(0)) == []


def test_what_is_kept_comes_back() -> None:
    """A day that was kept is the same after a restart; units that are not deployed any more are left out."""
    days = days_of((0, hashing(200)), (1, gone_silent("u1")))
    days.on_status(status(entry("gone"), reading("gone")))
    kept = [each for some in days.kept(1) for each in some]
    after = RecentDays()
    after.set_time(at(2))
    assert after.restore(kept, deployed={"u1"}, at=at(2)) == 1
    assert after.slots("u1", at(2)) == days.slots("u1", at(2))
    assert after.slots("gone", at(2)) == []


def test_a_partial_slot_goes_on_after_a_restart() -> None:
    """What was bad before the restart stays bad; the rate is the one measured since, if there is one."""
    kept = [each for some in days_of((0, hashing(100)), (0, gone_silent("u1"))).kept(9) for each in some]
    after = RecentDays()
    after.restore(kept, deployed={"u1"}, at=at(0))
    after.set_time(at(0))
    assert seen(after, 0).hashrate_hs == pytest.approx(100 * TH, rel=1e-3)
    after.on_status(hashing(200))  # type: ignore[arg-type]
    slot = seen(after, 0)
    assert slot.state is UnitState.UNREACHABLE
    assert slot.hashrate_hs == pytest.approx(200 * TH, rel=1e-3)


def test_a_day_of_the_future_is_cut() -> None:
    """A file that a wrong clock wrote ahead shows nothing later than now."""
    kept = [each for some in days_of((-1, hashing(200)), (50, hashing(150))).kept(9) for each in some]
    after = RecentDays()
    after.restore(kept, deployed={"u1"}, at=at(0))
    assert {slot.at for slot in after.slots("u1", at(60)) if slot.state} == {at(-1)}


def test_a_day_of_another_length_is_refused() -> None:
    """A ring that is too short is damage, and nothing of the file is taken over."""
    days = RecentDays()
    good, bad = Kept("u1", NOW, bytes(RING_BYTES)), Kept("u2", NOW, bytes(RING_BYTES - 1))
    with pytest.raises(ValueError, match="the day of 'u2' has 575 bytes, not 576"):
        days.restore([good, bad], deployed={"u1", "u2"}, at=AT)
    assert len(days) == 0


def test_a_unit_takes_less_than_its_budget() -> None:
    """A thousand units with a full day each take less than 2.5 kB a unit."""
    units = [status(entry(f"unit-{number}"), reading(f"unit-{number}")) for number in range(1000)]
    tracemalloc.start()
    try:
        days = RecentDays()
        before = tracemalloc.get_traced_memory()[0]
        for slot in range(0, SLOTS, 16):
            days.set_time(at(slot))
            for unit in units:
                days.on_status(unit)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 576 * 1000 < taken < 2500 * 1000


looks = st.lists(
    st.tuples(st.integers(0, 3 * SLOTS), st.integers(1, len(WORST)), st.none() | st.floats(0, 1e15)), max_size=30
)


@given(looks)
def test_any_looks_leave_a_day(steps: list[tuple[int, int, float | None]]) -> None:
    """However the clock jumps, a day has 144 slots in order, and the current one shows the latest state or worse."""
    day = UnitDay(0)
    for slot, rank, rate_hs in steps:
        day.add(slot, rank, rate_hs)
    latest = steps[-1][0] if steps else 0
    slots = day.slots(latest)
    assert [slot.at for slot in slots] == [number * SLOT_S for number in range(latest - SLOTS + 1, latest + 1)]
    if steps:
        state = slots[-1].state
        assert state is not None
        assert WORST.index(state) >= steps[-1][1] - 1
    assert all(slot.hashrate_hs is None or slot.hashrate_hs >= 0 for slot in slots)


def test_a_status_is_immutable() -> None:
    """What the memory keeps is no part of a status: the same status may be added to many memories."""
    look = hashing(200)
    assert days_of((0, look)).slots("u1", at(0)) == days_of((0, msgspec.structs.replace(look))).slots("u1", at(0))
