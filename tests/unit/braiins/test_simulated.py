"""Simulated units under Braiins OS, polled through the agent: figures against the truth, and nothing written."""

import pytest
from polled_farm import Polled
from sim_cases import START, make_farm

from agent.site.status import Cause, UnitState
from agent.unit import registry
from agent.unit.reading import Mode, PowerKind
from simulators.faults.unit import Asleep, DeadBoard, MissingChips, PowerOff
from simulators.unit.conditions import Change, Condition, Verb
from simulators.unit.unit import Unit

UNITS = 60
EVERY_S = 10
# Half of the units at their rating, others below and above it.
MIX = "S21:200/braiins=60%,S21 Pro:234/braiins=40%"


def started(units: int = UNITS) -> tuple[Polled, tuple[Unit, ...]]:
    """Return a farm that was polled for two minutes, and its units."""
    farm = make_farm(units, mix=MIX)
    polled = Polled(farm.units, at=START, slow_every=6, reader=registry.CHOOSING)
    for turn in range(12):
        polled.sweep(START + EVERY_S * turn)
    return polled, farm.units


def operating_hs(polled: Polled) -> float:
    """Return the rate that the agent credits."""
    return sum(status.hashrate_hs or 0.0 for status in polled.tracker.statuses())


def true_hs(units: tuple[Unit, ...], at: float) -> float:
    """Return the true rate."""
    return sum(unit.hashrate_hs(at) for unit in units)


def inject(unit: Unit, at: float, fault: Condition, number: int = 1) -> None:
    """Begin a fault."""
    unit.schedule(Change(at, 2 * number, Verb.INJECT, number, fault))


def test_operating_is_the_truth() -> None:
    """Within half a percent at every poll, tuned units too; power is an estimate, chips are computed."""
    polled, units = started()
    for turn in range(12, 40):
        at = START + EVERY_S * turn
        polled.sweep(at)
        assert operating_hs(polled) == pytest.approx(true_hs(units, at), rel=0.005)
    statuses = list(polled.tracker.statuses())
    assert {status.state for status in statuses} == {UnitState.HASHING}
    for status in statuses:
        reading = status.reading
        assert reading is not None
        assert (reading.reader, reading.mode, reading.is_chip_computed) == ("braiins", Mode.NORMAL, True)
        assert (reading.power_kind, reading.repairs) == (PowerKind.ESTIMATED, ())
        assert [board.slot for board in reading.boards] == [0, 1, 2]
        assert len(reading.fan_rpm) == 4
        assert len(reading.pools) == 2
        assert reading.shares is not None
    tuned = [(status, unit) for status, unit in zip(statuses, units, strict=True) if unit.identity.tuning < 1]
    assert len(tuned) > UNITS / 6
    for status, _ in tuned:
        losses = {loss.cause: loss.hashrate_hs for loss in status.losses}
        assert losses.get(Cause.DERATED, 0.0) > 0.9 * sum(losses.values())


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_missing_board_is_missing_at_its_slot(*, is_listed: bool) -> None:
    """Listed with noughts or not listed at all: its share of the nameplate is lost to it once the minute is over."""
    polled, units = started(1)
    (unit,) = units
    inject(unit, START + 130, DeadBoard(board=1, is_listed=is_listed))
    for turn in range(12, 90):
        polled.sweep(START + EVERY_S * turn)
    (status,) = polled.tracker.statuses()
    at = START + EVERY_S * 89
    assert status.state is UnitState.HASHING
    assert status.hashrate_hs == pytest.approx(unit.hashrate_hs(at), rel=0.01)
    losses = {loss.cause: loss.hashrate_hs for loss in status.losses}
    assert losses == {Cause.MISSING_BOARDS: pytest.approx(status.entry.nameplate.hashrate_hs / 3, rel=0.05)}
    assert "board 1 absent" in status.why
    assert status.reading is not None
    boards = {board.slot: board for board in status.reading.boards}
    assert sorted(boards) == ([0, 1, 2] if is_listed else [0, 2])
    assert all(boards[slot].chip_celsius for slot in (0, 2))


def test_missing_chips_are_seen_at_a_slow_poll() -> None:
    """What the boards should give has moved, so `devdetails` is asked again."""
    polled, (unit,) = started(1)
    inject(unit, START + 130, MissingChips(board=0, chips=3))
    for turn in range(12, 90):
        polled.sweep(START + EVERY_S * turn)
    (status,) = polled.tracker.statuses()
    assert status.reading is not None
    design = unit.identity.model.chips_per_board
    assert [board.chips for board in status.reading.boards] == [design - 3, design, design]


def test_a_pause_is_sleep_and_its_end_is_none() -> None:
    """From the first answer on; awake again it hashes at its rate."""
    polled, units = started(6)
    for number, unit in enumerate(units):
        inject(unit, START + 130, Asleep(), number)
    for turn in range(12, 60):
        polled.sweep(START + EVERY_S * turn)
    for status in polled.tracker.statuses():
        assert status.reading is not None
        assert (status.state, status.reading.mode, status.hashrate_hs) == (UnitState.STOPPED, Mode.SLEEP, 0)
        assert status.reading.power_watts is None
        assert status.reading.repairs == ()
    for number, unit in enumerate(units):
        unit.withdraw(number, START + 600)
    for turn in range(60, 160):
        polled.sweep(START + EVERY_S * turn)
    at = START + EVERY_S * 159
    assert {status.state for status in polled.tracker.statuses()} == {UnitState.HASHING}
    assert operating_hs(polled) == pytest.approx(true_hs(units, at), rel=0.005)


def test_a_start_is_never_flattered() -> None:
    """From the first second with power to the full rate, at every poll."""
    polled, (unit,) = started(1)
    inject(unit, START + 130, PowerOff())
    unit.advance(START + 200)
    unit.withdraw(1, START + 200)
    seen, with_watts = [], 0
    for turn in range(12, 120):
        at = START + EVERY_S * turn
        polled.sweep(at)
        (status,) = polled.tracker.statuses()
        if status.is_fresh and status.reading is not None and at > START + 210:
            told = status.reading
            # The tuner tells its profile's watts from the start on; they are none before the rate is near its own.
            assert told.power_watts is None or (told.rate_hs or 0.0) >= 0.75 * (told.hashrate_ideal_hs or 0.0)
            with_watts += told.power_watts is not None
            seen.append((status.hashrate_hs or 0.0, unit.hashrate_hs(at)))
    assert len(seen) > 60
    assert 20 < with_watts < len(seen) - 5
    # The minute scatters by a third of a percent.
    assert all(shown_hs <= 1.015 * actual_hs for shown_hs, actual_hs in seen)
    assert seen[-1][0] == pytest.approx(seen[-1][1], rel=0.015)
