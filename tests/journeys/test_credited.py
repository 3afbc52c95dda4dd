"""Credited, delivered and reported against the simulator's truth over a day of simulated time with outages.

Units are polled with the agent's conversation, their counters go through its books, and the pool stand-in credits the
work that it was sent. Each divergence is injected at its source, and told by the one of the three that is wrong.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from polled_farm import Polled

from agent.pool_accounts.plan import DAY_S, HOUR_S
from agent.runtime.credited import Credited
from agent.site.credited.account import AccountCredit, AccountState
from agent.site.credited.verdict import Odd, Verdict
from agent.site.delivered import DeliveredBook
from agent.site.totals import site_figures
from agent.slices import run_at_once
from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import HEALTHY_FARM, FarmPlan
from simulators.farm.selection import EVERYTHING, read_selector
from simulators.faults.vocabulary import read_fault
from simulators.pool.books import HONEST, PoolBooks, Terms

START = 1_764_547_200.0
STEP_S = 300.0
UNITS = 5
HOURS = 25
SHARE_LUCK = 0.02
"""Four times the luck of a day's shares of so many units, and what five minutes between polls miss."""


class States:
    """The reader of pools' accounts, without a pool: what it would have read."""

    def __init__(self) -> None:
        self.state = AccountState(name="main", pool="OCEAN")

    def __len__(self) -> int:
        return 1

    def states(self) -> Iterator[AccountState]:
        """Yield the one account."""
        yield self.state


class Day(NamedTuple):
    """What came of a day.

    Attributes:
        credits: What each pool's word comes to at its end.
        true_hs: The true mean over the last 24 h.
        delivered_hs: What units' counters delivered over them.
    """

    credits: dict[str, AccountCredit]
    true_hs: float
    delivered_hs: float | None


def play(fault: str | None, values: dict[str, float], pools: dict[str, Terms], *, outages: bool = False) -> Day:
    """Play a day and an hour of a farm that works for the same account at several pools; return its end."""
    clock = SimClock(start=START, speed=0)
    farm = Farm(FarmPlan(units=UNITS, seed=11, base="127.31.0.1", troubles=HEALTHY_FARM), clock)
    if fault is not None:
        farm.inject(read_fault(fault, values), EVERYTHING)
    polled = Polled(farm.units, at=START, slow_every=4, farm=farm)
    polled.tracker.set_stale_after(STEP_S, shortens=False, foreign_stale_after_s=STEP_S)
    books = {name: PoolBooks(farm.units, start=START, terms=terms) for name, terms in pools.items()}
    delivered = DeliveredBook(cadence_s=4 * STEP_S)
    states = {name: States() for name in pools}
    credited = {
        name: Credited(each, statuses=polled.tracker.statuses, interval_s=STEP_S)  # type: ignore[arg-type]
        for name, each in states.items()
    }
    if outages:
        for hour, what in ((5, "power_off"), (9, "pool_dead"), (14, "asleep"), (20, "rebooting")):
            farm.inject(
                read_fault(what, {"pools": 2} if what == "pool_dead" else {}),
                read_selector("share=50%"),
                at=START + hour * 3600.0,
                duration_s=5400.0,
            )
    found: dict[str, AccountCredit] = {}
    hashes_before = 0.0
    for step in range(1, int(HOURS * 3600 / STEP_S) + 1):
        t = START + step * STEP_S
        clock.set(t)
        polled.sweep(t)
        for status in polled.tracker.statuses():
            delivered.record(status, clock_s=t)
            for each in credited.values():
                each.record(status)
        figures = site_figures(polled.tracker.statuses(), t, delivered=delivered.delivered(t))
        for name, one in books.items():
            one.take(t)
            rates_hs = {HOUR_S: one.rate_hs(t, HOUR_S), DAY_S: one.rate_hs(t, DAY_S)}
            states[name].state = AccountState(name="main", pool="OCEAN", at=t, age_s=0.0, rates_hs=rates_hs)
            (found[name],) = run_at_once(credited[name].round(figures, is_whole=True))
        if t == START + HOURS * 3600 - DAY_S:
            hashes_before = farm.sums(t).hashes
    true_hs = (farm.sums(START + HOURS * 3600).hashes - hashes_before) / DAY_S
    return Day(found, true_hs, figures.delivered_24h_hs)


@pytest.fixture(scope="module")
def outages() -> Day:
    """Return a day with outages, at an honest pool and at one that keeps 8 % for itself."""
    return play(None, {}, {"honest": HONEST, "skims": Terms(skim_ratio=0.08)}, outages=True)


def test_the_three_agree_with_the_truth_over_a_day_with_outages(outages: Day) -> None:
    """Reported, delivered and credited are each the true hashrate within the luck of shares."""
    day = outages.credits["honest"].day
    assert outages.true_hs < 0.95 * UNITS * 200e12
    assert day.reported_hs == pytest.approx(outages.true_hs, rel=SHARE_LUCK)
    assert day.credited_hs == pytest.approx(outages.true_hs, rel=SHARE_LUCK)
    assert outages.delivered_hs == pytest.approx(outages.true_hs, rel=SHARE_LUCK)
    assert (day.verdict, day.odd) == (Verdict.AGREES, Odd.NONE)
    assert outages.credits["honest"].hour.verdict is Verdict.AGREES


def test_a_skimmed_fee_is_told_by_credited(outages: Day) -> None:
    """Units' own counters agree with what they report, and the pool credits 8 % less."""
    day = outages.credits["skims"].day
    assert (day.verdict, day.odd) == (Verdict.BELOW, Odd.CREDITED)
    assert day.difference_ratio == pytest.approx(-0.08, abs=SHARE_LUCK)
    assert day.reported_hs == pytest.approx(outages.true_hs, rel=SHARE_LUCK)


def test_stale_shares_are_told_by_the_counters() -> None:
    """Counters and pool say 8 % less than the rate, and the counters of stale shares say why."""
    day = play("late_shares", {"ratio": 0.08}, {"pool": Terms(stale_ratio=0.08)}).credits["pool"].day
    assert (day.verdict, day.odd) == (Verdict.BELOW, Odd.REJECTS)
    assert day.difference_ratio == pytest.approx(-0.08, abs=SHARE_LUCK)


def test_firmware_that_reports_too_much_is_told_by_reported() -> None:
    """Counters and pool agree with the truth, and the reported rate is 8 % above it."""
    played = play("over_reports", {"factor": 1.08}, {"pool": HONEST})
    day = played.credits["pool"].day
    assert (day.verdict, day.odd) == (Verdict.BELOW, Odd.REPORTED)
    assert day.credited_hs == pytest.approx(played.true_hs, rel=SHARE_LUCK)
    assert day.reported_hs == pytest.approx(1.08 * played.true_hs, rel=SHARE_LUCK)
