"""Books behind the comparison: windows and their means, reported hashrate of the last day, rejected shares."""

from fractions import Fraction

import msgspec
import pytest
from exporter_cases import reading, status
from hypothesis import given
from hypothesis import strategies as st

from agent.site.credited.rejects import RejectsBook
from agent.site.credited.reported import KEPT_S, SITE, STEP_S, Past, ReportedBook
from agent.site.credited.windows import DAY_S, HOUR_S, Mean, Window, first_gap, mean_over
from agent.site.status import UnitStatus
from agent.unit.reading import ShareReading

AT = 1_764_547_200


def test_hours_count_before_days_and_each_second_once() -> None:
    """A day fills what its hours leave open; a window that is partly in the span counts in part."""
    hours = [Window(AT + number * HOUR_S, HOUR_S, 100.0) for number in range(12)]
    assert mean_over(hours, AT, AT + DAY_S) == Mean(100.0, 12 * HOUR_S)
    assert mean_over([*hours, Window(AT, DAY_S, 40.0)], AT, AT + DAY_S) == Mean(70.0, DAY_S)
    assert mean_over(hours, AT + 1800, AT + HOUR_S) == Mean(100.0, 1800)
    assert mean_over(hours, AT + DAY_S, AT + 2 * DAY_S) == Mean(None, 0)
    assert mean_over(hours, AT, AT) == Mean(None, 0)


windows = st.lists(
    st.builds(Window, st.integers(0, 40), st.integers(1, 20), st.integers(0, 100).map(float)), max_size=8
)


@given(windows, st.integers(0, 40), st.integers(0, 30))
def test_the_mean_is_that_of_every_second(found: list[Window], start: int, length: int) -> None:
    """Second by second: the shortest window that covers it counts, the earliest of equals."""
    end, seconds = start + length, []
    for second in range(start, end):
        covering = sorted((w.window_s, w.start, number) for number, w in enumerate(found) if w.start <= second < w.end)
        if covering:
            seconds.append(Fraction(found[covering[0][2]].credited_hs))
    mean = mean_over(found, start, end)
    assert mean.covered_s == len(seconds)
    if seconds:
        assert mean.credited_hs == pytest.approx(float(sum(seconds) / len(seconds)))


@pytest.mark.parametrize(
    ("have", "gap"),
    [
        ([], (0, 3 * HOUR_S)),
        ([0, HOUR_S], (2 * HOUR_S, 5 * HOUR_S)),
        ([number * HOUR_S for number in range(7)], None),
        ([number * HOUR_S for number in range(7) if number != 6], (6 * HOUR_S, 7 * HOUR_S)),
    ],
)
def test_the_first_missing_hours_are_asked_for(have: list[int], gap: tuple[int, int] | None) -> None:
    """At most three at once here, and none that is not over."""
    assert first_gap(have, HOUR_S, start=0, end=7 * HOUR_S + 1800, most=3) == gap


def book(rate_hs: float, *, seconds: int, start: int = AT, every_s: int = 10) -> ReportedBook:
    """Return a book of a site at one rate."""
    made = ReportedBook(longest_gap_s=3 * every_s)
    for second in range(0, seconds + 1, every_s):
        made.add(start + second, {SITE: rate_hs})
    return made


def test_a_steady_rate_is_its_own_mean() -> None:
    """Over each window, and by how much of it was watched."""
    steady = book(5e15, seconds=2 * HOUR_S)
    end = AT + 2 * HOUR_S
    assert steady.over(SITE, end, HOUR_S) == (pytest.approx(5e15), pytest.approx(1.0))
    day = steady.over(SITE, end, DAY_S)
    assert day.mean_hs == pytest.approx(5e15)
    assert day.watched_ratio == pytest.approx(2 / 24)
    assert steady.over("other", end, HOUR_S) == (None, 0.0)


def test_time_without_figures_is_a_gap_and_no_zero() -> None:
    """A long silence, a pause and a clock that is set back lower what was watched, and change no mean."""
    gappy = book(5e15, seconds=600)
    gappy.add(AT + 1800, {SITE: 5e15})
    gappy.add(AT + 1810, {SITE: 5e15})
    gappy.pause()
    gappy.add(AT + 1820, {SITE: 1e15})
    gappy.add(AT + 1700, {SITE: 9e15})
    over = gappy.over(SITE, AT + HOUR_S, HOUR_S)
    assert over.mean_hs == pytest.approx(5e15)
    assert over.watched_ratio == pytest.approx(610 / 3600)


def test_a_clock_that_was_a_year_ahead_blinds_no_book() -> None:
    """A gateway may begin with a wrong clock; an hour after it is set right, the last hour is known."""
    set_right = book(1e15, seconds=600, start=AT + 365 * DAY_S)
    rejects = RejectsBook()
    rejects.record(shared(AT + 365 * DAY_S, 100, 50))
    rejects.record(shared(AT + 365 * DAY_S + 60, 200, 150))
    for second in range(0, HOUR_S + 10, 10):
        set_right.add(AT + second, {SITE: 5e15})
    for minute in range(61):
        rejects.record(shared(AT + 60 * minute, 1000 + 99 * minute, 200 + minute))
    over = set_right.over(SITE, AT + HOUR_S, HOUR_S)
    assert over == (pytest.approx(5e15), pytest.approx(1.0))
    assert rejects.ratio(AT + HOUR_S, HOUR_S) == pytest.approx(0.01)


def shared(at: float, accepted: int, rejected: int) -> UnitStatus:
    """Return the status of a unit that told its shares."""
    told = ShareReading(at=at, accepted=accepted, rejected=rejected)
    return status(latest=msgspec.structs.replace(reading(), shares=told))


def test_history_fills_what_came_before_a_restart() -> None:
    """A step that this process watched stays; a step without a watched second is a gap; old ones are dropped."""
    restarted = book(4e15, seconds=1200)
    past = [Past(AT - number * STEP_S, 300.0, 2e15) for number in range(300, 0, -1)]
    restarted.seed([*past, Past(AT, 300.0, 9e15), Past(AT - 301 * STEP_S, 0.0, 9e15)])
    over = restarted.over(SITE, AT + 1200, 2400)
    assert over == (pytest.approx(3e15), pytest.approx(1.0))
    assert restarted.over(SITE, AT + 1200, DAY_S).watched_ratio == pytest.approx(1.0)
    for second in range(1210, KEPT_S + 4 * STEP_S, 10):
        restarted.add(AT + second, {SITE: 1.0})
    assert restarted.over(SITE, AT, HOUR_S).mean_hs is None
