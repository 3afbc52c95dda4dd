"""The books of a simulated unit against independent integrals of power, hashrate and losses, event by event.

The integrals are Gauss-Legendre sums between the unit's own events. They use none of its formulas, only `power_watts`,
`hashrate_hs` and `losses_hs` at single moments.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_cases import make_unit

from simulators.faults.unit import (
    Asleep,
    DeadBoard,
    FanStopped,
    FirmwareChanged,
    Frozen,
    HashrateDrift,
    MissingChips,
    Overheat,
    PoolDead,
    PowerOff,
    PsuTrip,
    Rebooting,
)
from simulators.scenario.player import build_farm, play
from simulators.scenario.scenario import find_scenario
from simulators.unit.conditions import Cause, Change, Condition, Verb
from simulators.unit.physics import Climate
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_HIGH, WORK_MODE_LOW, WORK_MODE_NORMAL, WORK_MODE_SLEEP

WEEK_S = 7 * 86400.0
START = 0.0  # 1970, where a float resolves 1e-10 s; in 2025 it resolves 2e-7 s, which a ramp would show.
END = START + WEEK_S
NODES = 10
SMOOTH_S = 6 * 3600.0  # A quarter of the daily sine: ten nodes integrate it to the last digit.
KINK_S = 1e-6  # A piece with a kink is halved down to this.

MILD = Climate(mean_celsius=22.0, swing_celsius=6.0)
HOT = Climate(mean_celsius=40.0, swing_celsius=8.0)

# An event of a unit: seconds after the start, duration in seconds (0 for permanent), and a fault or a work mode.
Happening = tuple[float, float, Condition | int]

FAULTS: tuple[Condition, ...] = (
    Asleep(),
    Asleep(is_curtailed=True),
    DeadBoard(board=0),
    DeadBoard(board=1, is_listed=False),
    FanStopped(fan=1),
    FirmwareChanged(build="s21-fr"),
    Frozen(),
    HashrateDrift(ratio=0.9),
    HashrateDrift(ratio=1.0, per_hour=0.01),
    MissingChips(board=2, chips=40),
    Overheat(celsius=12.0),
    PoolDead(pools=1),
    PoolDead(pools=2),
    PowerOff(),
    PsuTrip(every_s=7200.0, off_s=300.0),
    Rebooting(),
)

EVENTFUL_WEEK: tuple[Happening, ...] = (
    (10_000.0, 0.0, WORK_MODE_HIGH),
    (40_000.0, 50_000.0, DeadBoard(board=0)),
    (60_000.0, 20_000.0, MissingChips(board=1, chips=30)),
    (95_000.0, 3_600.0, Asleep(is_curtailed=True)),
    (98_700.0, 60.0, PowerOff()),  # In the middle of the ramp that follows.
    (120_000.0, 0.0, WORK_MODE_LOW),
    (150_000.0, 0.0, Rebooting()),
    (200_000.0, 90_000.0, HashrateDrift(ratio=0.99, per_hour=0.004, floor=0.8)),
    (210_000.0, 70_000.0, DeadBoard(board=2)),
    (300_000.0, 60_000.0, PsuTrip(every_s=5_000.0)),
    (370_000.0, 0.0, WORK_MODE_NORMAL),
    (380_000.0, 80_000.0, Overheat(celsius=9.0)),
    (470_000.0, 5_000.0, PoolDead(pools=2)),
    (480_000.0, 5_000.0, Frozen()),
    (500_000.0, 0.0, WORK_MODE_SLEEP),
    (560_000.0, 0.0, WORK_MODE_NORMAL),
)


def lived(happenings: Sequence[Happening], *, climate: Climate, uptime_s: float, key: int = 7) -> Unit:
    """Return a unit with a week of events on its agenda."""
    unit = make_unit(climate=climate, uptime_s=uptime_s, key=key, start=START)
    for number, (after_s, lasting_s, what) in enumerate(happenings, 1):
        at = START + after_s
        if isinstance(what, int):
            unit.schedule(Change(at, 2 * number, Verb.MODE, what))
            continue
        unit.schedule(Change(at, 2 * number, Verb.INJECT, number, what))
        if lasting_s:
            unit.schedule(Change(at + lasting_s, 2 * number + 1, Verb.CLEAR, number))
    return unit


@cache
def legendre() -> tuple[tuple[float, float], ...]:
    """Return nodes in [-1, 1] and their weights, by Newton's method on the Legendre polynomial."""
    nodes = []
    for number in range(NODES):
        x = math.cos(math.pi * (number + 0.75) / (NODES + 0.5))
        slope = 0.0
        for _ in range(50):
            before, value = 1.0, x
            for degree in range(2, NODES + 1):
                before, value = value, ((2 * degree - 1) * x * value - (degree - 1) * before) / degree
            slope = NODES * (x * value - before) / (x * x - 1.0)
            x -= value / slope
        nodes.append((x, 2.0 / ((1.0 - x * x) * slope * slope)))
    return tuple(nodes)


def instant(unit: Unit, t: float) -> tuple[float, ...]:
    """Return a unit's figures at one moment: watts, H/s, H/s above the nameplate, and H/s lost to each cause."""
    rate_hs, losses_hs = unit.hashrate_hs(t), unit.losses_hs(t)
    above_hs = max(0.0, rate_hs - unit.identity.model.hashrate_hs)
    return (unit.power_watts(t), rate_hs, above_hs, *[losses_hs.get(cause, 0.0) for cause in Cause])


def area(unit: Unit, begin: float, end: float) -> list[float]:
    """Return the integrals of a unit's figures between two moments, where they are smooth."""
    half, middle = (end - begin) / 2.0, (begin + end) / 2.0
    rows = [[weight * value for value in instant(unit, middle + half * node)] for node, weight in legendre()]
    return [half * math.fsum(column) for column in zip(*rows, strict=True)]


def area_with_kinks(unit: Unit, begin: float, end: float) -> list[list[float]]:
    """Return the integrals between two moments in parts, for figures that may have kinks at unknown places."""
    whole, middle = area(unit, begin, end), (begin + end) / 2.0
    halves = [area(unit, begin, middle), area(unit, middle, end)]
    scales = [unit.identity.model.power_watts, *[unit.identity.model.hashrate_hs] * (len(whole) - 1)]
    if end - begin < KINK_S or all(
        abs(first + second - value) <= 1e-14 * scale * (end - begin)
        for value, first, second, scale in zip(whole, *halves, scales, strict=True)
    ):
        return halves
    return [*area_with_kinks(unit, begin, middle), *area_with_kinks(unit, middle, end)]


def integrals(
    unit: Unit, begin: float, end: float, parts_of: Callable[[Unit, float, float], list[list[float]]] = area_with_kinks
) -> list[float]:
    """Return joules, hashes, uplift and lost hashes by cause, from a unit's figures at single moments."""
    parts: list[list[float]] = []
    at = begin
    while at < end:
        unit.advance(at)
        upto = min(unit.next_event, end, at + SMOOTH_S)
        parts += parts_of(unit, at, upto)
        at = upto
    return [math.fsum(column) for column in zip(*parts, strict=True)]


def check(happenings: Sequence[Happening], *, climate: Climate, uptime_s: float) -> None:
    """Compare the books of a week with the integrals, and with the books of a unit read only at its end."""
    watched = lived(happenings, climate=climate, uptime_s=uptime_s)
    joules, *hashes = integrals(watched, START, END)
    totals = lived(happenings, climate=climate, uptime_s=uptime_s).totals(END)
    assert totals == watched.totals(END)
    deployed = watched.identity.model.hashrate_hs * WEEK_S
    lost = [totals.losses.get(cause, 0.0) for cause in Cause]
    assert totals.joules == pytest.approx(joules, rel=1e-12)
    assert [totals.hashes, totals.uplift, *lost] == pytest.approx(hashes, rel=1e-12, abs=1e-12 * deployed)
    assert deployed - math.fsum(lost) + totals.uplift == pytest.approx(totals.hashes, rel=1e-12, abs=1e-12 * deployed)


@pytest.mark.parametrize("climate", [MILD, HOT], ids=["mild", "hot"])
def test_the_books_of_an_eventful_week_are_the_integrals_exactly(climate: Climate) -> None:
    """Modes, faults, curtailment, restarts, throttling: energy, hashes and losses are the integrals to 12 digits."""
    check(EVENTFUL_WEEK, climate=climate, uptime_s=86_400.0)


@given(
    happenings=st.lists(
        st.tuples(
            st.floats(0.0, WEEK_S, exclude_max=True),
            st.sampled_from([0.0, 30.0, 600.0, 20_000.0, 150_000.0]),
            st.sampled_from([*FAULTS, WORK_MODE_NORMAL, WORK_MODE_SLEEP, WORK_MODE_HIGH, WORK_MODE_LOW]),
        ),
        max_size=8,
    ),
    climate=st.sampled_from([MILD, HOT]),
    uptime_s=st.sampled_from([0.0, 100.0, 86_400.0]),
)
@settings(max_examples=60)
def test_the_books_of_any_week_are_the_integrals_exactly(
    *, happenings: list[Happening], climate: Climate, uptime_s: float
) -> None:
    """For any events in any order, the books are the integrals of the unit's figures, cause by cause."""
    check(happenings, climate=climate, uptime_s=uptime_s)


@pytest.mark.parametrize("name", ["bad-psu-batch", "curtailment-with-stragglers", "firmware-roll-out", "heat-wave"])
def test_the_books_of_a_scenario_are_the_integrals_exactly(name: str) -> None:
    """Every ninth unit of a shipped scenario agrees to ten digits; a float resolves only 2e-7 s in 2025."""
    _, scenario = find_scenario(name)
    farm = build_farm(scenario)
    playing = play(farm, name, scenario)
    for unit in farm.units[::9]:
        joules, hashes, *_ = integrals(unit, playing.begin, playing.end, lambda *piece: [area(*piece)])
        totals = unit.totals(playing.end)
        assert (totals.joules, totals.hashes) == pytest.approx((joules, hashes), rel=1e-10)
