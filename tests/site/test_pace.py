"""Polls when there is less time than polls: intervals stretch for all units alike, and recover without a burst."""

from collections import defaultdict
from collections.abc import Callable, Generator
from itertools import pairwise
from statistics import median
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.site.lateness import Pace
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit.cgminer.call import Outcome
from agent.unit.cgminer.client import Client
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Reader

INTERVAL_S = 10.0
STEP_S = 0.125
S21 = Nameplate(model="S21", hashrate_hs=200e12, cooling="air", source="test")


def _converse(*_: Any, **__: Any) -> Generator[bytes, bytes, Any]:
    yield b""


class StarvedSite:
    """A poller over units that all answer, by an agent that has time for some polls a second only.

    Args:
        units: Number of units.
        places: Bound on polls in flight.
    """

    def __init__(self, units: int, *, places: int = 20) -> None:
        self.now = 1000.0
        self.units = units
        self.starts: dict[str, list[float]] = defaultdict(list)
        self.skipped: list[str] = []
        self._pending: list[tuple[str, Callable[[Outcome[Any]], None]]] = []
        self._time_left = 0.0
        schedule = Schedule(interval_s=INTERVAL_S, backoff_max_s=60.0, jitter=lambda: 0.5)
        reader: Any = Reader(name="mute", new_memory=lambda: None, converse=_converse)
        self.poller = Poller(
            client=cast("Client", self),
            reader_of=lambda _: reader,
            schedule=schedule,
            bounds=Bounds(healthy=places, sick=places),
            slow_every=30,
            on_poll=lambda *_: None,
            on_skipped=lambda why, _: self.skipped.append(why),
            clock=lambda: self.now,
        )
        self.poller.replace_entries(
            LedgerEntry(unit_id=f"u{number}", nameplate=S21, place=Place(), host=f"u{number}")
            for number in range(units)
        )

    def start(
        self, address: tuple[str, int], conversation: Generator[bytes, bytes, Any], done: Callable[[Outcome[Any]], None]
    ) -> None:
        """Begin a poll, as the client does."""
        conversation.close()
        self.starts[address[0]].append(self.now)
        self._pending.append((address[0], done))

    def run(self, seconds: float, *, polls_per_s: float) -> None:
        """Let time pass in which the agent ends so many polls a second."""
        until = self.now + seconds
        while self.now < until:
            self.now += STEP_S
            self.poller.start_due()
            self._time_left = min(self._time_left, 1.0) + STEP_S * polls_per_s
            while self._time_left >= 1 and self._pending:
                self._time_left -= 1
                _, done = self._pending.pop(0)
                done(Outcome(None, None, 0.01, 1))

    def gaps(self, since: float) -> list[float]:
        """Return the times between two polls of one unit that began after `since`, s."""
        return [
            later - earlier
            for starts in self.starts.values()
            for earlier, later in pairwise(at for at in starts if at > since)
        ]


@pytest.mark.parametrize("stretch", [1.3, 1.9, 2.6, 5.0])
def test_intervals_stretch_for_all_alike(stretch: float) -> None:
    """With time for a part of the polls, each unit is polled every `stretch` intervals, and none is skipped."""
    site = StarvedSite(200)
    site.run(3 * INTERVAL_S, polls_per_s=1000.0)
    assert site.poller.stretch_ratio == pytest.approx(1.0, abs=0.05)
    site.run(10 * INTERVAL_S * stretch, polls_per_s=site.units / INTERVAL_S / stretch)
    settled = site.now
    site.run(20 * INTERVAL_S * stretch, polls_per_s=site.units / INTERVAL_S / stretch)
    gaps = site.gaps(settled)
    assert median(gaps) == pytest.approx(stretch * INTERVAL_S, rel=0.05)
    alike = [gap for gap in gaps if abs(gap - stretch * INTERVAL_S) < 0.2 * stretch * INTERVAL_S]
    assert len(alike) > 0.9 * len(gaps)
    assert site.poller.stretch_ratio == pytest.approx(stretch, rel=0.15)
    assert site.skipped == []


@pytest.mark.parametrize("stretch", [1.3, 2.6, 5.0])
def test_recovery_makes_no_burst(stretch: float) -> None:
    """With time again, no unit is polled twice within half an interval, and all return to their regular times."""
    site = StarvedSite(200)
    site.run(10 * INTERVAL_S * stretch, polls_per_s=site.units / INTERVAL_S / stretch)
    recovered = site.now
    site.run(8 * INTERVAL_S, polls_per_s=1000.0)
    assert min(site.gaps(recovered)) >= 0.5 * INTERVAL_S - STEP_S
    assert site.poller.stretch_ratio == pytest.approx(1.0, abs=0.05)
    phases = {unit_id: site.poller._schedule.phase_s(unit_id) for unit_id in site.starts}
    off = [(starts[-1] - phases[unit_id]) % INTERVAL_S for unit_id, starts in site.starts.items()]
    assert max(off) <= STEP_S


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.floats(1.0, 60.0), st.sampled_from([0.0, 2.0, 7.0, 15.0, 500.0])), min_size=1, max_size=6),
    st.integers(1, 30),
)
def test_nobody_is_forgotten_or_queued_twice(stretches: list[tuple[float, float]], places: int) -> None:
    """Whatever the agent has time for, every unit has one poll under way at most, and comes once it has time again."""
    site = StarvedSite(60, places=places)
    for seconds, polls_per_s in stretches:
        site.run(seconds, polls_per_s=polls_per_s)
        pending = [unit_id for unit_id, _ in site._pending]
        assert len(pending) == len(set(pending)) <= places
        assert site.poller.waiting <= site.units
    before = {unit_id: len(starts) for unit_id, starts in site.starts.items()}
    site.run(3 * INTERVAL_S, polls_per_s=500.0)
    assert all(len(site.starts[f"u{number}"]) > before.get(f"u{number}", 0) for number in range(site.units))
    assert set(site.skipped) <= {"busy"}


def test_the_ratio_is_the_median_of_the_last_interval() -> None:
    """Single units that are asked late do not move it; an interval without a poll leaves nothing to go by."""
    pace = Pace(interval_s=10.0, now=0.0)
    for number, gap_s in enumerate((10.0, 10.0, 10.0, 70.0, 10.0)):
        pace.add(gap_s, float(number))
    assert pace.stretch_ratio(9.9, waits_s=0.0) == 1.0
    assert pace.stretch_ratio(10.0, waits_s=0.0) == 1.0
    for gap_s in (25.0, 25.0, 10.0):
        pace.add(gap_s, 15.0)
    assert pace.stretch_ratio(21.0, waits_s=0.0) == 2.5
    assert pace.stretch_ratio(32.0, waits_s=0.0) == 1.0


@pytest.mark.parametrize(("waits_s", "ratio"), [(0.0, 1.0), (9.9, 1.0), (10.0, 2.0), (45.0, 5.5)])
def test_a_poll_that_waits_for_an_interval_counts_at_once(waits_s: float, ratio: float) -> None:
    """While no poll begins, the ratio grows with the wait; a wait shorter than an interval is none."""
    assert Pace(interval_s=10.0, now=0.0).stretch_ratio(1.0, waits_s=waits_s) == ratio
