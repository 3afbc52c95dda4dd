"""A site of four firmwares and another make, read by the agent over an hour, against the simulator's truth."""

from collections import Counter

import pytest
from watched_scenario import Moment, Watched

from agent.site.status import UnitState, UnitStatus
from agent.unit import registry
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit

WHATSMINERS, WHATSMINER_HS = 20, 126e12
# Documented in docs/aftermarket-api.md (O89): Braiins OS divides by a whole minute, however short the run.
WINDOW_S = {"braiins": 60.0}
OPERATING_RATIO = 0.005
LOSS_RATIO = 0.01


def is_filling(unit: Unit, t: float) -> bool:
    """Return True while a unit's rate changes within the window that its firmware averages over."""
    window_s = WINDOW_S.get(unit.identity.firmware, 0.0)
    return window_s > 0.0 and (unit.phase is Phase.RAMPING or t - unit.since < window_s)


def status_of(watched: Watched, unit_id: str) -> UnitStatus:
    """Return a unit's status."""
    status = watched.polled.tracker.status(unit_id)
    assert status is not None
    return status


def check_moment(watched: Watched, moment: Moment) -> None:
    """Hold one interval against the truth: deployed, operating, coverage, and who is read by whom."""
    site, t = moment.figures.site, moment.at
    assert site.deployed_hs == watched.farm.deployed_hs + WHATSMINERS * WHATSMINER_HS
    told_hs = true_hs = 0.0
    unknown_hs = WHATSMINERS * WHATSMINER_HS
    for unit in watched.farm.units:
        status = status_of(watched, unit.identity.unit_id)
        if status.reading is not None:
            assert status.reading.reader == unit.identity.firmware
        if not is_filling(unit, t):
            told_hs += status.hashrate_hs or 0.0
            true_hs += unit.hashrate_hs(t)
        if not status.is_known:
            # Without power, or its API is not up yet after a start.
            assert status.state in {UnitState.UNREACHABLE, UnitState.STARTING}
            assert unit.hashrate_hs(t) == 0.0
            unknown_hs += unit.identity.model.hashrate_hs
    assert told_hs == pytest.approx(true_hs, rel=OPERATING_RATIO)
    # A window that fills never tells too much.
    assert site.operating_hs <= moment.true_operating_hs * (1 + OPERATING_RATIO)
    assert site.coverage_ratio == pytest.approx(1 - unknown_hs / site.deployed_hs)


def check_hour(step_s: float) -> None:
    """Play the scenario; hold each interval, and the losses by cause over the hour, against the truth."""
    watched = Watched("mixed-site", step_s=step_s, reader=registry.CHOOSING, slow_every=5)
    assert len(watched.farm.units) == 380
    assert Counter(unit.identity.firmware for unit in watched.farm.units) == {
        "antminer": 160,
        "vnish": 100,
        "braiins": 60,
        "luxos": 60,
    }
    told: Counter[str] = Counter()
    true: Counter[str] = Counter()
    deployed_hs = 0.0
    seen: set[UnitState] = set()
    for moment in watched.moments():
        check_moment(watched, moment)
        site = moment.figures.site
        deployed_hs += site.deployed_hs
        told.update({cause.value: lost_hs for cause, lost_hs in site.losses_hs.items()})
        true.update(moment.true_hs)
        # The truth is of the farm's units alone: nobody knows what the Whatsminers do.
        true["unreadable"] += WHATSMINERS * WHATSMINER_HS
        seen |= {state for state, units in site.units_by_state.items() if units}
    off = {cause: (told[cause] - true[cause]) / deployed_hs for cause in told | true}
    assert max(map(abs, off.values())) < LOSS_RATIO, off
    assert {UnitState.HASHING, UnitState.STARTING, UnitState.STOPPED, UnitState.CURTAILED} <= seen
    whatsminers = [status for status in watched.polled.tracker.statuses() if status.entry.nameplate.make == "MicroBT"]
    assert len(whatsminers) == WHATSMINERS
    for status in whatsminers:
        assert (status.state, status.hashrate_hs, status.is_known) == (UnitState.UNREADABLE, None, False)
        assert (status.entry.nameplate.model, status.entry.nameplate.hashrate_hs) == ("Whatsminer M30S+", WHATSMINER_HS)


def test_an_hour_looked_at_twelve_times() -> None:
    """Every five minutes: operating within half a per cent, deployed exact, losses within one, coverage told."""
    check_hour(300.0)


@pytest.mark.slow
def test_an_hour_minute_by_minute() -> None:
    """The same, each minute."""
    check_hour(60.0)
