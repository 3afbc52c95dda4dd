"""LuxOS, ePIC and stock units against the agent, in simulated time: operating and losses by cause as in the truth."""

from collections import Counter

import pytest
from polled_farm import Polled
from sim_cases import START, make_farm
from watched_scenario import SEEN_AS

from agent.site.status import UnitState
from agent.unit import registry
from agent.unit.reading import Mode
from simulators.farm.plan import Troubles
from simulators.faults.unit import Asleep
from simulators.unit.conditions import Change, Verb

STEP_S = 60.0


@pytest.mark.parametrize("firmware", ["luxos", "epic", "antminer"])
def test_operating_and_losses_are_the_truth(firmware: str) -> None:
    """Operating within half a percent, each cause within one point of what the units of that firmware could do."""
    farm = make_farm(225, mix="S21:200/luxos=40%,S21:200/epic=40%,S21:200=20%", troubles=Troubles())
    polled = Polled(farm.units, at=START, slow_every=6, reader=registry.CHOOSING)
    at = START
    for _ in range(12):
        at += STEP_S
        polled.sweep(at)
    units = [unit for unit in farm.units if unit.identity.firmware == firmware]
    assert len(units) > 30
    true: Counter[str] = Counter()
    told: Counter[str] = Counter()
    operating_hs = 0.0
    for unit in units:
        status = polled.tracker.status(unit.identity.unit_id)
        assert status is not None
        assert status.reading is None or status.reading.reader == firmware
        operating_hs += status.hashrate_hs or 0.0
        for cause, lost_hs in unit.losses_hs(at).items():
            true[str(SEEN_AS.get(cause, cause))] += lost_hs
        for loss in status.losses:
            told[str(loss.cause)] += loss.hashrate_hs
    deployed_hs = sum(unit.identity.model.hashrate_hs for unit in units)
    assert operating_hs == pytest.approx(sum(unit.hashrate_hs(at) for unit in units), rel=0.005)
    for cause in true | told:
        assert told[cause] == pytest.approx(true[cause], abs=0.01 * deployed_hs), cause


@pytest.mark.parametrize("firmware", ["luxos", "epic"])
def test_a_curtailed_farm_sleeps_and_comes_back(firmware: str) -> None:
    """Every unit is asleep within a poll of the order, waking is a start, and all hash again."""
    farm = make_farm(12, mix=f"S21:200/{firmware}=100%")
    polled = Polled(farm.units, at=START, slow_every=6, reader=registry.CHOOSING)
    for unit in farm.units:
        unit.schedule(Change(START + 300, 1, Verb.INJECT, 1, Asleep()))
    seen: list[set[UnitState]] = []
    at = START
    for step in range(60):
        at += STEP_S / 2
        if step == 25:
            for unit in farm.units:
                unit.withdraw(1, at)
        polled.sweep(at)
        statuses = [polled.tracker.status(unit.identity.unit_id) for unit in farm.units]
        seen.append({status.state for status in statuses if status is not None})
    assert seen[5] == {UnitState.HASHING}
    assert seen[20] == {UnitState.STOPPED}
    assert UnitState.STARTING in set().union(*seen[26:40])
    assert seen[-1] == {UnitState.HASHING}
    readings = [polled.poll(unit, at).reading for unit in farm.units]
    assert {reading.mode for reading in readings if reading is not None} == {Mode.NORMAL}
