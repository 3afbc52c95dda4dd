"""One unit's shortfall by cause: literal cases in exact fractions, then random machines."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from site_cases import (
    AT,
    BINARY,
    FLOATS,
    FRACTIONS,
    MHZ,
    TH,
    Case,
    Numbers,
    board,
    entry,
    fleets,
    nameplates,
    reading,
    readings,
    statuses,
)

from agent.site.losses import attribute
from agent.site.status import Cause, UnitState, UnitStatus
from agent.site.totals import site_figures
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Mode, UnitReading

BARE = Nameplate(model="M294", hashrate_hs=294 * TH, cooling="immersion", source="no layout known")
CLOCKLESS = {"frequency_hz": None}
AT_440 = {"frequency_hz": 440 * MHZ}

# Every figure in TH/s; the machine is 3 boards of 98 chips at 490 MHz, one TH/s a chip.
HASHING = [
    ("exactly at nameplate", 294, {}, {}, 0),
    ("over nameplate", 300, {}, {}, 6),
    ("over nameplate without a board", 300, {"boards": (board(0), board(1))}, {}, 6),
    ("two dead boards, not listed", 98, {"boards": (board(0),)}, {Cause.MISSING_BOARDS: 196}, 0),
    (
        "two dead boards, listed without chips",
        98,
        {"boards": (board(0), board(1, chips=0, hashrate_hs=0), board(2, chips=0, hashrate_hs=None))},
        {Cause.MISSING_BOARDS: 196},
        0,
    ),
    (
        "a board without a chip count that hashes nothing",
        196,
        {"boards": (board(0), board(1), board(2, chips=None, hashrate_hs=0))},
        {Cause.MISSING_BOARDS: 98},
        0,
    ),
    (
        "boards that tell no chips and hash",
        290,
        {"boards": (board(0), board(1, chips=None), board(2, chips=None))},
        {Cause.UNDERPERFORMING: 4},
        0,
    ),
    (
        "boards that tell nothing at all",
        290,
        {"boards": (board(0), board(1), board(2, chips=None, hashrate_hs=None))},
        {Cause.UNDERPERFORMING: 4},
        0,
    ),
    ("a reply that lists no board", 290, {"boards": ()}, {Cause.UNDERPERFORMING: 4}, 0),
    ("no board, low power mode", 200, {"boards": (), "mode": Mode.LOW}, {Cause.DERATED: 94}, 0),
    ("eight chips missing", 286, {"boards": (board(0), board(1, chips=90), board(2))}, {Cause.MISSING_CHIPS: 8}, 0),
    (
        "throttled to 440 of 490 MHz",
        264,
        {"boards": (board(0, **AT_440), board(1, **AT_440), board(2, **AT_440))},
        {Cause.DERATED: 30},
        0,
    ),
    (
        "throttled, and it hashes what its firmware expects of it",
        260,
        {
            "boards": (board(0, **AT_440), board(1, **AT_440), board(2, **AT_440)),
            "hashrate_ideal_hs": 262 * TH,
            "is_profile_ideal": True,
        },
        {Cause.DERATED: 34},
        0,
    ),
    (
        "throttled, and it hashes less than its firmware expects of it",
        250,
        {
            "boards": (board(0, **AT_440), board(1, **AT_440), board(2, **AT_440)),
            "hashrate_ideal_hs": 262 * TH,
            "is_profile_ideal": True,
        },
        {Cause.DERATED: 32, Cause.UNDERPERFORMING: 12},
        0,
    ),
    (
        "one board throttled, and it hashes less than its clock explains",
        280,
        {"boards": (board(0, **AT_440), board(1), board(2))},
        {Cause.DERATED: 10, Cause.UNDERPERFORMING: 4},
        0,
    ),
    (
        "clock above the nameplate's",
        290,
        {"boards": tuple(board(slot, frequency_hz=500 * MHZ) for slot in range(3))},
        {Cause.UNDERPERFORMING: 4},
        0,
    ),
    (
        "low power mode, no clock reported",
        200,
        {"mode": Mode.LOW, "boards": tuple(board(slot, **CLOCKLESS) for slot in range(3))},
        {Cause.DERATED: 94},
        0,
    ),
    (
        "low power mode, clock reported",
        240,
        {"mode": Mode.LOW, "boards": tuple(board(slot, **AT_440) for slot in range(3))},
        {Cause.DERATED: 30, Cause.UNDERPERFORMING: 24},
        0,
    ),
    (
        "low power mode and a dead board",
        150,
        {"mode": Mode.LOW, "boards": (board(0, **CLOCKLESS), board(1, **CLOCKLESS))},
        {Cause.MISSING_BOARDS: 98, Cause.DERATED: 46},
        0,
    ),
    (
        "high power mode does not excuse",
        280,
        {"mode": Mode.HIGH, "boards": tuple(board(slot, **CLOCKLESS) for slot in range(3))},
        {Cause.UNDERPERFORMING: 14},
        0,
    ),
    ("nothing visible", 280, {}, {Cause.UNDERPERFORMING: 14}, 0),
    ("more boards and chips than rated", 280, {"boards": (board(0, chips=99),) * 4}, {Cause.UNDERPERFORMING: 14}, 0),
    (
        "a surplus chip does not stand in for a missing one",
        285,
        {"boards": (board(0, chips=106), board(1, chips=90), board(2))},
        {Cause.MISSING_CHIPS: 8, Cause.UNDERPERFORMING: 1},
        0,
    ),
    (
        "the other boards make up for half of a dead one",
        250,
        {"boards": (board(0), board(1))},
        {Cause.MISSING_BOARDS: 44},
        0,
    ),
    (
        # A board of 98 TH/s, 8 chips, 188 chips times 50 of 490 MHz, and the rest.
        "everything at once",
        150,
        {"boards": (board(0, **AT_440), board(1, chips=90, **AT_440))},
        {
            Cause.MISSING_BOARDS: 98,
            Cause.MISSING_CHIPS: 8,
            Cause.DERATED: Fraction(940, 49),
            Cause.UNDERPERFORMING: Fraction(922, 49),
        },
        0,
    ),
]


def in_ths(losses: tuple[Any, ...]) -> dict[Cause, Fraction]:
    """Return losses by cause in TH/s; a cause that comes twice would be lost here, so it fails."""
    by_cause = {cause: hashrate_hs / TH for cause, hashrate_hs in losses}
    assert len(losses) == len(by_cause)
    return by_cause


@pytest.mark.parametrize(
    ("rate_ths", "changes", "expected", "uplift_ths"), [row[1:] for row in HASHING], ids=[row[0] for row in HASHING]
)
def test_visible_faults_take_their_share_first(
    rate_ths: int, changes: dict[str, Any], expected: dict[Cause, Any], uplift_ths: int
) -> None:
    """Boards, chips and clock each take from what is left, in this order; the rest is underperforming."""
    reported = reading(hashrate_5s_hs=rate_ths * TH, **changes)
    losses, uplift_hs = attribute(entry(), UnitState.HASHING, reported, rate_ths * TH)
    assert (expected, uplift_ths * TH) == (in_ths(losses), uplift_hs)


@pytest.mark.parametrize(
    ("mode", "expected"), [(Mode.NORMAL, {Cause.UNDERPERFORMING: 94}), (Mode.LOW, {Cause.DERATED: 94})]
)
def test_without_a_layout_only_the_mode_is_visible(mode: Mode, expected: dict[Cause, int]) -> None:
    """A nameplate without boards and chips cannot miss any; a declared low power mode still explains a shortfall."""
    losses, uplift_hs = attribute(entry(nameplate=BARE), UnitState.HASHING, reading(mode=mode), 200 * TH)
    assert (expected, 0) == (in_ths(losses), uplift_hs)


@pytest.mark.parametrize("state", [state for state in UnitState if state is not UnitState.HASHING])
@pytest.mark.parametrize(
    ("rate_hs", "loss_ths", "uplift_ths"),
    [(None, 294, 0), (0 * TH, 294, 0), (100 * TH, 194, 0), (294 * TH, 0, 0), (300 * TH, 0, 6)],
)
def test_a_unit_that_does_not_hash_loses_everything_to_its_state(
    state: UnitState, rate_hs: Fraction | None, loss_ths: int, uplift_ths: int
) -> None:
    """A unit that is not hashing loses to its state alone; hashrate it still delivers counts."""
    reported = reading(boards=(board(0, chips=50),), hashrate_5s_hs=rate_hs)
    losses, uplift_hs = attribute(entry(), state, reported, rate_hs)
    expected = {Cause(state.value): loss_ths} if loss_ths else {}
    assert (expected, uplift_ths * TH) == (in_ths(losses), uplift_hs)


def test_the_firmwares_ideal_is_never_the_nameplate() -> None:
    """With two dead boards, 99 TH/s is 101 % of the ideal that the firmware scaled down, and still two boards short."""
    reported = reading(hashrate_5s_hs=99 * TH, hashrate_ideal_hs=98 * TH, boards=(board(0),))
    [status] = statuses([Case(entry=entry(), reading=reported, error=None, is_stale=False)])
    figures = site_figures([status], AT).site
    assert in_ths(status.losses) == {Cause.MISSING_BOARDS: 195}
    assert figures.deployed_hs == 294e12
    assert pytest.approx(99 / 294) == figures.operational_efficiency_ratio


@pytest.mark.parametrize("ideal_hs", [None, 0 * TH, 98 * TH, 400 * TH])
def test_no_ideal_changes_any_figure(ideal_hs: Fraction | None) -> None:
    """The firmware's ideal rate does not change a machine's losses."""
    reported = reading(hashrate_5s_hs=280 * TH, hashrate_ideal_hs=ideal_hs)
    losses, _ = attribute(entry(), UnitState.HASHING, reported, 280 * TH)
    assert in_ths(losses) == {Cause.UNDERPERFORMING: 14}


@st.composite
def broken_machines(draw: st.DrawFn) -> tuple[Nameplate, UnitReading, dict[Cause, Fraction]]:
    """Return a machine with known faults, its reading, and what each fault truly took."""
    boards, chips = draw(st.integers(1, 4)), draw(st.integers(1, 216))
    chip_hs, clock_hz = draw(FRACTIONS.rate_hs) / 500, draw(FRACTIONS.frequency_hz)
    nameplate = Nameplate(
        model="drawn",
        hashrate_hs=boards * chips * chip_hs,
        boards=boards,
        chips_per_board=chips,
        frequency_hz=clock_hz,
        cooling="air",
        source="drawn",
    )
    ratios = st.fractions(min_value=0, max_value=1, max_denominator=99)
    present = draw(st.integers(1, boards))
    working = [draw(st.integers(1, chips)) for _ in range(present)]
    slowed = [draw(ratios) for _ in range(present)]
    clocked_hs = sum(count * chip_hs * (1 - ratio) for count, ratio in zip(working, slowed, strict=True))
    drifted_hs = clocked_hs * draw(ratios)
    reported = UnitReading(
        unit_id="u1",
        at=AT,
        dialect=Dialect.LEGACY,
        mode=Mode.NORMAL,
        hashrate_5s_hs=clocked_hs - drifted_hs,
        boards=tuple(
            BoardReading(slot=slot, hashrate_hs=None, chips=count, frequency_hz=clock_hz * (1 - ratio))
            for slot, (count, ratio) in enumerate(zip(working, slowed, strict=True))
        ),
    )
    truth = {
        Cause.MISSING_BOARDS: (boards - present) * chips * chip_hs,
        Cause.MISSING_CHIPS: sum(chips - count for count in working) * chip_hs,
        Cause.DERATED: sum(count * chip_hs * ratio for count, ratio in zip(working, slowed, strict=True)),
        Cause.UNDERPERFORMING: drifted_hs,
    }
    return nameplate, reported, {cause: hashrate_hs for cause, hashrate_hs in truth.items() if hashrate_hs}


@given(broken_machines())
def test_each_fault_of_a_known_machine_gets_exactly_its_due(
    machine: tuple[Nameplate, UnitReading, dict[Cause, Fraction]],
) -> None:
    """Boards, chips, clock and drift together are separated exactly: nothing is counted twice."""
    nameplate, reported, truth = machine
    losses, uplift_hs = attribute(entry(nameplate=nameplate), UnitState.HASHING, reported, reported.hashrate_5s_hs)
    assert (truth, 0) == (dict(losses), uplift_hs)


def machines(numbers: Numbers) -> st.SearchStrategy[tuple[Nameplate, UnitReading | None, UnitState]]:
    """Return nameplates, readings and states that need not fit each other."""
    return st.tuples(nameplates(numbers), st.none() | readings(numbers), st.sampled_from(UnitState))


@given(machines(FRACTIONS))
def test_the_parts_of_any_machine_add_up(machine: tuple[Nameplate, UnitReading | None, UnitState]) -> None:
    """Nameplate less losses plus uplift is the measured rate, exactly, for any reading; no part is negative."""
    nameplate, reported, state = machine
    rate_hs = reported.hashrate_5s_hs if reported is not None else None
    losses, uplift_hs = attribute(entry(nameplate=nameplate), state, reported, rate_hs)
    causes = [cause for cause, _ in losses]
    assert (rate_hs or 0) == nameplate.hashrate_hs - sum(loss.hashrate_hs for loss in losses) + uplift_hs
    assert all(loss.hashrate_hs > 0 for loss in losses)
    assert uplift_hs >= 0
    assert not (losses and uplift_hs)
    assert len(causes) == len(set(causes))


@given(machines(FRACTIONS))
def test_only_units_that_hash_have_faults_of_the_machine(
    machine: tuple[Nameplate, UnitReading | None, UnitState],
) -> None:
    """A loss is named after the unit's state or, if the unit hashes, after a fault."""
    nameplate, reported, state = machine
    assume(state is not UnitState.HASHING)
    rate_hs = reported.hashrate_5s_hs if reported is not None else None
    losses, _ = attribute(entry(nameplate=nameplate), state, reported, rate_hs)
    assert {cause.value for cause, _ in losses} <= {state.value}


def sums(fleet: list[UnitStatus]) -> tuple[Any, Any, Any, Any]:
    """Return deployed, lost, uplift and operating of a fleet, in the fleet's own number type."""
    return (
        sum(status.entry.nameplate.hashrate_hs for status in fleet),
        sum(loss.hashrate_hs for status in fleet for loss in status.losses),
        sum(status.uplift_hs for status in fleet),
        sum(status.hashrate_hs for status in fleet if status.hashrate_hs is not None),
    )


@given(fleets(FRACTIONS))
def test_a_fleet_adds_up_exactly(cases: list[Case]) -> None:
    """In exact fractions, deployed less losses plus uplift is operating, through judgement and attribution."""
    deployed_hs, lost_hs, uplift_hs, operating_hs = sums(statuses(cases))
    assert operating_hs == deployed_hs - lost_hs + uplift_hs


@given(fleets(FLOATS))
def test_a_fleet_adds_up_in_floats(cases: list[Case]) -> None:
    """In production's floats the identity of the site's figures holds within 1e-9 of what is deployed."""
    figures = site_figures(statuses(cases), AT).site
    balance_hs = figures.deployed_hs - math.fsum(figures.losses_hs.values()) + figures.uplift_hs
    assert abs(balance_hs - figures.operating_hs) <= 1e-9 * max(figures.deployed_hs, figures.operating_hs)
    assert all(hashrate_hs >= 0 for hashrate_hs in figures.losses_hs.values())


@given(fleets(BINARY))
def test_a_fleet_of_binary_fractions_adds_up_to_the_last_bit(cases: list[Case]) -> None:
    """If floats need no rounding, production's own sums are exact."""
    figures = site_figures(statuses(cases), AT).site
    lost_hs = sum(map(Fraction, figures.losses_hs.values()))
    balance_hs = Fraction(figures.deployed_hs) - lost_hs + Fraction(figures.uplift_hs)
    assert Fraction(figures.operating_hs) == balance_hs


def test_a_fleet_of_many_adds_up_in_floats() -> None:
    """Ten thousand units a third of a board short, with rates that no float holds, stay within 1e-9."""
    third_hs = float(98 * TH / 3)
    fleet = [
        Case(
            entry=entry(f"u{number}"),
            reading=reading(f"u{number}", hashrate_5s_hs=294e12 - third_hs + number / 7, boards=(board(0), board(1))),
            error=None,
            is_stale=False,
        )
        for number in range(10_000)
    ]
    figures = site_figures(statuses(fleet), AT).site
    balance_hs = figures.deployed_hs - sum(figures.losses_hs.values()) + figures.uplift_hs
    assert math.isclose(figures.operating_hs, balance_hs, rel_tol=1e-9)
