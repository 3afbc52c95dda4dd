"""Temperatures of a unit's boards: a broken sensor is no reading, and the hottest of the others stays the hottest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.unit.reading import BoardReading, Dialect, Mode, Places, UnitReading
from agent.unit.sensors import coolest_of_board, hottest_by_board

HEALTHY: Places = (54.0, 54.0, 68.0, 68.0)


@pytest.mark.parametrize(
    ("boards", "hottest"),
    [
        pytest.param([HEALTHY, (55.0, 54.0, 70.0, 67.0)], (68.0, 70.0), id="each board's own"),
        pytest.param([HEALTHY, (54.0, 180.0, 68.0, 67.0), HEALTHY], (68.0, 68.0, 68.0), id="a sensor at 180"),
        pytest.param([HEALTHY, (54.0, -40.0, 68.0, 67.0), HEALTHY], (68.0, 68.0, 68.0), id="a sensor at -40"),
        pytest.param([HEALTHY, (54.0, 109.0, 68.0, 67.0), HEALTHY], (68.0, 109.0, 68.0), id="a chip that overheats"),
        pytest.param([(20.0, 20.0), (20.0, 21.0), (20.0, 90.0)], (20.0, 21.0, 20.0), id="hot beside a cold unit"),
        pytest.param([(54.0, None, 68.0, None), (None, None), ()], (68.0, None, None), id="places without a value"),
        pytest.param([(180.0,), (54.0,), (55.0,)], (None, 54.0, 55.0), id="a board with nothing else"),
        pytest.param([(90.0,)], (90.0,), id="the only sensor"),
        pytest.param([(10.0, 90.0)], (None,), id="two that contradict each other"),
        pytest.param([], (), id="no boards"),
    ],
)
def test_the_hottest_sensor_is_a_plausible_one(boards: list[Places], hottest: Places) -> None:
    """A sensor 60 degrees from the median of the unit's others is no reading; otherwise the hottest is a maximum."""
    assert hottest_by_board(boards) == hottest


@given(
    boards=st.lists(
        st.lists(st.integers(30, 80).map(float), min_size=2, max_size=4).map(tuple), min_size=2, max_size=4
    ),
    shown=st.floats(-60, 200) | st.none(),
    place=st.integers(0, 15),
)
def test_one_sensor_moves_the_hottest_by_60_degrees_at_most(
    boards: list[tuple[float, ...]], shown: float | None, place: int
) -> None:
    """Whatever one sensor shows, the hottest of the unit stays within 60 degrees of what the others show."""
    places = [(slot, at) for slot, values in enumerate(boards) for at in range(len(values))]
    slot, at = places[place % len(places)]
    changed: list[Places] = [*boards]
    changed[slot] = (*boards[slot][:at], shown, *boards[slot][at + 1 :])
    others = [value for values in changed for value in values if value is not None]
    hottest = max(value for value in hottest_by_board(changed) if value is not None)
    assert max(others) - 160 <= hottest <= 80 + 60
    assert hottest in others


@pytest.mark.parametrize(
    ("values", "coolest"),
    [
        (HEALTHY, 54.0),
        ((73.0, 45.0, 64.0, 65.0), 45.0),
        ((48.0, 66.0, 68.0, 68.0), 48.0),
        ((2.0, -1.0, 20.0, 22.0), -1.0),
        ((54.0, -40.0, 68.0, 68.0), 54.0),
        ((54.0, 180.0, 68.0, 68.0), 54.0),
        ((None, 54.0, None, 68.0), 54.0),
        ((37.0, 60.0), 37.0),
        ((54.0, 180.0), None),
        ((None, None), None),
        ((), None),
    ],
)
def test_the_coolest_sensor_agrees_with_its_board(values: Places, coolest: float | None) -> None:
    """A board's coolest sensor is its inlet; one 30 degrees from the board's median is none."""
    assert coolest_of_board(values) == coolest


def test_a_units_hottest() -> None:
    """A unit has the hottest plausible chip of each board and of all, and the hottest board sensor."""
    chips = ((59.0, 73.0), (180.0, 72.0), (None, 74.0))
    boards = tuple(
        BoardReading(slot=slot, hashrate_hs=None, chips=108, chip_celsius=chips[slot], pcb_celsius=(54.0, 68.0 + slot))
        for slot in range(3)
    )
    seen = UnitReading(unit_id="u1", at=0.0, dialect=Dialect.NEW_API, mode=Mode.NORMAL, boards=boards)
    assert seen.hottest_chips_celsius == (73.0, 72.0, 74.0)
    assert (seen.hottest_chip_celsius, seen.hottest_pcb_celsius) == (74.0, 70.0)
    assert UnitReading(unit_id="u1", at=0.0, dialect=Dialect.LEGACY, mode=None).hottest_pcb_celsius is None
