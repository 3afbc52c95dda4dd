"""Work in a gap, as units' counters prove it: each case by hand, and bounds for any counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import TH, reading

from agent.site.delivered import HASHES_PER_DIFFICULTY
from agent.site.kept_counters import KeptCounter, counter_of
from agent.site.recovered import Outcome, recovered_of, unit_work
from agent.unit.reading import ShareReading

RATE_HS = 200 * TH
START, END = 10_000.0, 13_600.0
PER_S = RATE_HS / HASHES_PER_DIFFICULTY
"""Difficulty that a unit at its nameplate does in a second."""


def counter(at: float, seconds: float, *, started_at: float = 0.0, rate_hs: float | None = RATE_HS) -> KeptCounter:
    """Return a counter that was read at a time, with the work of so many seconds at the nameplate in it."""
    return KeptCounter(PER_S * seconds, at, started_at, rate_hs)


@pytest.mark.parametrize(
    ("before", "now", "outcome", "proven_s"),
    [
        pytest.param(counter(9_900, 9_900), counter(13_700, 13_700), Outcome.THROUGH, 3600, id="hashed all the time"),
        pytest.param(counter(9_900, 9_900), counter(13_700, 11_900), Outcome.THROUGH, 1800, id="hashed half of it"),
        pytest.param(counter(9_900, 9_900), counter(13_700, 10_100), Outcome.STILL, 0, id="only beside it"),
        pytest.param(
            counter(9_900, 9_900),
            counter(13_700, 14_060),
            Outcome.THROUGH,
            3960,
            id="more than the nameplate: luck, or uplift",
        ),
        pytest.param(counter(9_900, 9_900), counter(13_700, 25_000), Outcome.UNKNOWN, 0, id="four times the nameplate"),
        pytest.param(counter(9_900, 9_900), counter(13_700, 100), Outcome.UNKNOWN, 0, id="counter reset or wrapped"),
        pytest.param(
            counter(9_900, 9_900),
            counter(13_700, 2_000, started_at=11_700),
            Outcome.RESTARTED,
            1900,
            id="restarted in the gap: from its start on",
        ),
        pytest.param(
            None, counter(13_700, 2_000, started_at=11_700), Outcome.RESTARTED, 1900, id="began in the gap, none kept"
        ),
        pytest.param(
            counter(9_900, 9_900),
            counter(13_700, 120, started_at=11_700),
            Outcome.RESTARTED,
            0,
            id="restarted, and asleep since",
        ),
        pytest.param(
            counter(9_000, 9_000),
            counter(13_700, 4_200, started_at=9_500),
            Outcome.THROUGH,
            3600,
            id="restarted before the gap, after its counter was kept",
        ),
        pytest.param(
            counter(9_900, 9_900), counter(13_700, 50, started_at=13_650), Outcome.UNKNOWN, 0, id="restarted after it"
        ),
        pytest.param(
            counter(9_900, 9_900),
            counter(13_700, 13_000, started_at=500),
            Outcome.UNKNOWN,
            0,
            id="another machine: two processes at one time",
        ),
        pytest.param(None, counter(13_700, 13_700), Outcome.UNKNOWN, 0, id="nothing kept of an old process"),
        pytest.param(counter(9_900, 9_900), None, Outcome.UNKNOWN, 0, id="no answer"),
        pytest.param(
            counter(9_900, 9_900, rate_hs=None), counter(13_700, 13_700), Outcome.THROUGH, 3600, id="no rate before"
        ),
        pytest.param(
            counter(10_040, 10_040),
            counter(13_700, 13_700),
            Outcome.THROUGH,
            3560,
            id="kept after its beginning",
        ),
        pytest.param(
            counter(9_900, 9_900), counter(13_590, 13_590), Outcome.THROUGH, 3590, id="read before the gap's end"
        ),
    ],
)
def test_work_of_a_unit(before: KeptCounter | None, now: KeptCounter | None, outcome: Outcome, proven_s: float) -> None:
    """What is left of a counter's difference, less the reported rate over the watched time beside the gap."""
    work = unit_work(before, now, nameplate_hs=RATE_HS, start=START, end=END)
    assert work.outcome is outcome
    assert work.hashes == pytest.approx(proven_s * RATE_HS)


def test_sums_keep_to_the_nameplate() -> None:
    """Ten per cent more than the nameplate is said and not counted; a unit with less makes room for luck only."""
    above, below = (
        unit_work(counter(10_000, 0), counter(13_600, seconds), nameplate_hs=RATE_HS, start=START, end=END)
        for seconds in (3960, 3000)
    )
    found = recovered_of([above])
    assert (found.units, found.hashes) == (1, 3600 * RATE_HS)
    assert found.excess_hashes == pytest.approx(360 * RATE_HS)
    assert recovered_of([above, below]).hashes == pytest.approx(6960 * RATE_HS)
    assert recovered_of([]).of_units == 0


MOMENTS = st.floats(0, 20_000)
COUNTERS = st.none() | st.builds(
    KeptCounter, st.floats(0, 1e9), MOMENTS, st.floats(-1e6, 20_000), st.none() | st.floats(0, 2 * RATE_HS)
)


@given(st.lists(st.tuples(COUNTERS, COUNTERS), max_size=5))
def test_any_counters_keep_to_the_nameplate(counters: list[tuple[KeptCounter | None, KeptCounter | None]]) -> None:
    """Whatever counters say, units add up, and nothing above nameplate times the gap counts."""
    found = recovered_of(unit_work(before, now, nameplate_hs=RATE_HS, start=START, end=END) for before, now in counters)
    assert found.of_units == len(counters)
    assert 0 <= found.hashes <= len(counters) * RATE_HS * (END - START) * (1 + 1e-12)


def test_a_counter_of_an_earlier_process_is_none() -> None:
    """Shares that were read before the process began say nothing of it; other firmware and no uptime neither."""
    shares = ShareReading(at=5_000.0, difficulty_accepted=7.0)
    young = reading("u1", at=5_100.0, uptime_s=60.0, shares=shares)
    assert counter_of(young) is None
    old = reading("u1", at=5_100.0, uptime_s=600.0, shares=shares, hashrate_5s_hs=5.0)
    assert counter_of(old) == KeptCounter(7.0, 5_000.0, 4_500.0, 5.0)
    assert counter_of(reading("u1", at=5_100.0, uptime_s=600.0, shares=shares, reader="epic")) is None
    assert counter_of(reading("u1", at=5_100.0, uptime_s=None, shares=shares)) is None
    assert counter_of(reading("u1", at=5_100.0, uptime_s=600.0)) is None
    assert counter_of(None) is None
