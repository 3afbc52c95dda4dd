"""An agent that lacks time watches ordinary faults: its lateness is never the site's fault.

The shipped scenario `starved-agent` is played while the agent polls a quarter of what is due, stands still for moments,
and polls hardly at all. What it shows is held against the truth, second by second.
"""

from collections.abc import Iterator

import pytest
from starved_agent import Lack, Second, Starved, lack_at, starve
from truth_by_second import INTERVAL_S, STALE_AFTER_S

# Sixty units every ten seconds are six polls a second.
SLOW = Lack(600, 1200, 1.2)
PAUSE = Lack(1560, 1580, 0)
STANDSTILL = Lack(1680, 1725, 0)
LONG_STANDSTILL = Lack(1980, 2160, 0)
NEXT_TO_NOTHING = Lack(2400, 2640, 0.25)
LACKS = (SLOW, PAUSE, STANDSTILL, LONG_STANDSTILL, NEXT_TO_NOTHING)

TRIP_S, TRIPPED_POINTS = 840, 5.0
"""The feeder of three units in sixty trips at this second of the scenario."""
NOTICED_AFTER_S = 100
"""At a quarter of the polls, a unit is asked every 40 to 50 s. A reading is held until a poll fails."""
OFF_POINTS = 1.25
"""Noise of the 5 s rates, and three units of sixty that ramp up through the pause."""
WHOLE_AGAIN_S = 3 * INTERVAL_S


@pytest.fixture(scope="module")
def starved() -> Starved:
    """Play the scenario once for all tests."""
    return starve("starved-agent", LACKS, lately_s=NOTICED_AFTER_S)


def within(starved: Starved, begin_s: float, end_s: float) -> Iterator[Second]:
    """Yield the seconds from `begin_s` to `end_s` of the scenario."""
    return (second for second in starved.seconds if begin_s <= second.at_s < end_s)


def test_operating_is_the_truth_while_and_after_the_agent_lacks_time(starved: Starved) -> None:
    """What changes is noticed late; apart from that, published operating is the truth whenever there are figures."""
    off = {second.at_s: second.off_points for second in starved.seconds if second.figures is not None}
    worst = max((points for at_s, points in off.items() if not 0 <= at_s - TRIP_S < NOTICED_AFTER_S), key=abs)
    print(f"{len(off)} seconds with figures; off by {worst:+.2f} points of deployed at worst")  # noqa: T201
    assert abs(worst) < OFF_POINTS
    unnoticed = [points for at_s, points in off.items() if 0 <= at_s - TRIP_S < NOTICED_AFTER_S]
    assert max(unnoticed) < TRIPPED_POINTS + OFF_POINTS
    assert min(unnoticed) > -OFF_POINTS


def test_no_unit_is_blamed(starved: Starved) -> None:
    """No unit is unreachable or unreadable that was there all the time, in any second."""
    assert {unit_id for second in starved.seconds for unit_id in second.wronged} == set()


def test_coverage_is_what_was_looked_at(starved: Starved) -> None:
    """Known is what answered within the time of a reading, and no more; what is overdue is counted as such."""
    rows = [second for second in starved.seconds if second.figures is not None]
    assert all(row.figures.site.known_hs <= row.looked_at_hs * (1 + 1e-9) for row in rows if row.figures)
    late = [row for row in within(starved, SLOW.begin_s + 2 * STALE_AFTER_S, SLOW.end_s) if row.figures is not None]
    assert all(row.figures.site.overdue_units > 0 for row in late if row.figures)
    assert all(0.3 < (row.figures.site.coverage_ratio or 0) < 0.7 for row in late if row.figures)


def test_a_slow_agent_shows_figures_and_says_so(starved: Starved) -> None:
    """At a quarter of the polls there are figures in every second, and they are not ready to be trusted."""
    rows = list(within(starved, SLOW.begin_s + 2 * STALE_AFTER_S, SLOW.end_s))
    assert all(row.figures is not None for row in rows)
    assert all("this agent is late: " in (row.unreadiness or "") for row in rows)
    assert all(3.0 < row.stretch_ratio < 5.5 for row in rows)


def test_a_short_pause_changes_nothing(starved: Starved) -> None:
    """Twenty seconds without a poll are less than readings last: figures stay, and stay true."""
    rows = list(within(starved, PAUSE.end_s, PAUSE.end_s + 60))
    assert all(row.figures is not None and row.unreadiness is None for row in rows)


@pytest.mark.parametrize("lack", [STANDSTILL, LONG_STANDSTILL])
def test_after_a_standstill_figures_come_back_whole(starved: Starved, lack: Lack) -> None:
    """No figure until every unit was asked again, with the reason in words; then the truth, soon."""
    rows = list(within(starved, lack.end_s, lack.end_s + 120))
    back = next(row.at_s for row in rows if row.figures is not None)
    assert INTERVAL_S / 2 < back - lack.end_s < WHOLE_AGAIN_S
    for row in rows:
        assert (row.figures is not None) == (row.at_s >= back) == (row.unreadiness is None)
    assert (rows[0].unreadiness or "").startswith("this agent stood still for ")


def test_old_readings_are_shown_as_nothing(starved: Starved) -> None:
    """With hardly a poll, figures are held for two minutes at most, then there are none until there is time again."""
    rows = list(within(starved, NEXT_TO_NOTHING.begin_s, NEXT_TO_NOTHING.end_s))
    last = max(row.at_s for row in rows if row.figures is not None)
    assert STALE_AFTER_S < last - NEXT_TO_NOTHING.begin_s < 4 * STALE_AFTER_S + 2 * INTERVAL_S
    assert all(row.figures is None for row in rows if row.at_s > last)
    after = list(within(starved, NEXT_TO_NOTHING.end_s, NEXT_TO_NOTHING.end_s + 120))
    assert next(row.at_s for row in after if row.figures is not None) - NEXT_TO_NOTHING.end_s < WHOLE_AGAIN_S


def test_on_time_there_is_nothing_to_say(starved: Starved) -> None:
    """Whenever the agent has had time for a minute, it is ready and on time, and covers all but what is dark."""
    for second in starved.seconds:
        if second.at_s < 60 or any(lack_at(LACKS, second.at_s - ago_s) for ago_s in range(60)):
            continue
        assert second.figures is not None
        assert (second.unreadiness, second.figures.site.overdue_units) == (None, 0)
        assert second.stretch_ratio == pytest.approx(1.0, abs=0.05)
        assert (second.figures.site.coverage_ratio or 0) > 0.89
    assert set(starved.skipped) <= {"busy"}
