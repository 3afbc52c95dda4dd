"""The diary of a farm: no event is missed, no unit is visited needlessly, and silent addresses are known."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from sim_cases import START, make_farm

from simulators.farm.farm import Farm
from simulators.farm.selection import Selector
from simulators.faults.unit import AddressSwapped, Asleep, PowerOff, PsuTrip, Rebooting
from simulators.faults.vocabulary import Fault
from simulators.faults.wire import Down
from simulators.unit.endpoints import Endpoint
from simulators.unit.work_modes import WORK_MODE_SLEEP

UNITS = ("C1-R01-01", "C1-R01-02", "C1-R01-03", "C1-R01-04")
FAULTS: tuple[Fault, ...] = (
    Asleep(),
    Down(),
    PowerOff(),
    PsuTrip(every_s=600.0, off_s=60.0),
    Rebooting(),
    *[AddressSwapped(unit_id=unit_id) for unit_id in UNITS],
)


def silent_by_search(farm: Farm) -> frozenset[Endpoint]:
    """Return the silent endpoints, found by a search of every address."""
    return frozenset(unit.identity.endpoint for unit in farm.units if farm.unit_found_at(unit).is_silent)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(FAULTS),
            st.sampled_from(UNITS),
            st.sampled_from([0.0, 0.0, 45.0, 700.0]),
            st.sampled_from([None, 30.0, 900.0]),
            st.sampled_from([0.0, 10.0, 1000.0]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=10,
    )
)
@settings(max_examples=150)
def test_a_diary_knows_what_a_search_of_every_unit_finds(
    steps: list[tuple[Fault, str, float, float | None, float, bool, bool]],
) -> None:
    """Through faults, clearing, leaps and polls in between, no event is missed and the silent addresses are right."""
    farm = make_farm(len(UNITS))
    for fault, unit_id, after_s, duration_s, leap_s, is_asked, is_cleared in steps:
        selector = Selector(units=(unit_id,))
        injection = farm.inject(fault, selector, at=farm.clock.now() + after_s, duration_s=duration_s)
        farm.clock.advance(leap_s)
        now = farm.clock.now()
        if is_asked:
            farm.by_id[unit_id].advance(now)
        if is_cleared and injection.number in {active.number for active in farm.active_injections()}:
            farm.clear(injection.number)
        for _ in farm.diary.play(now):
            pass
        assert all(unit.next_event > now for unit in farm.units)
        assert farm.diary.silent == silent_by_search(farm)


def test_a_unit_without_events_is_not_visited() -> None:
    """A month of mild air visits no unit; putting two units to sleep visits those two, once a step."""
    farm = make_farm(20)
    assert list(farm.diary.play(START + 30 * 86400.0)) == []
    sleepers = farm.units[3], farm.units[7]
    for unit in sleepers:
        farm.set_work_mode(unit, WORK_MODE_SLEEP)
    assert list(farm.diary.play(START)) == list(sleepers)
    assert list(farm.diary.play(START + 3600.0)) == list(sleepers)
    assert [unit.next_event for unit in sleepers] == [math.inf, math.inf]


def test_the_silent_addresses_are_the_same_object_until_they_change() -> None:
    """A server can then see with one comparison that nothing changed."""
    farm = make_farm(4)
    farm.inject(PowerOff(), Selector(units=(UNITS[0],)), duration_s=60.0)
    list(farm.diary.play(START))
    first = farm.diary.silent
    assert first == {farm.units[0].identity.endpoint}
    list(farm.diary.play(START + 30.0))
    assert farm.diary.silent is first
    list(farm.diary.play(START + 60.0))
    assert farm.diary.silent == frozenset()
