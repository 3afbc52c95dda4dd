"""The days of a statement: they add up to the period, whatever a zone does with its clocks."""

import math
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from history_cases import AT, DAY_S, EH, HOUR_S, PH, hour, hours, operating, row, unix
from hypothesis import given
from hypothesis import strategies as st
from statement_cases import LATER, Kept, course

from agent.history.minutes import Row
from agent.site.status import Cause
from agent.statement.days import Day, DayBook
from agent.statement.declared import DeployedCourse
from agent.statement.figures import bounds_of
from agent.statement.parts import Part
from agent.statement.period import days_of, midnights, name_before, parse_period
from agent.statement.statement import state


def by_day(
    rows: Sequence[Row],
    period: str = "2025-10",
    *,
    zone: str = "UTC",
    ledger: DeployedCourse | None = None,
    now: float = LATER,
) -> tuple[Part, list[Day]]:
    """Return the only part of a statement, and its days."""
    covered = parse_period(period, ZoneInfo(zone))
    book = DayBook(covered)
    (part,) = state(Kept(rows), covered, now=now, course=ledger, taker=book).parts
    return part, book.days(part)


def assert_sums(part: Part, days: Sequence[Day]) -> None:
    """Fail if the days do not add up to the part, within rounding."""

    def same(total: float, each: Sequence[float], scale: float) -> None:
        assert math.isclose(total, math.fsum(each), rel_tol=1e-9, abs_tol=1e-12 * scale)

    scale = part.mean.deployed_hs * part.unseen.deployed_s
    same(part.mean.watched_s, [day.mean.watched_s for day in days], 1e9)
    same(part.unseen.deployed_s, [day.unseen.deployed_s for day in days], 1e9)
    for name in ("deployed_hs", "operating_hs", "uplift_hs", "known_hs", "efficient_watts", "units"):
        whole = getattr(part.mean, name) * part.mean.watched_s
        same(whole, [getattr(day.mean, name) * day.mean.watched_s for day in days], scale)
    for cause in Cause:
        lost = [day.mean.losses_hs[cause] * day.mean.watched_s for day in days]
        same(part.mean.losses_hs[cause] * part.mean.watched_s, lost, scale)
    for name in ("unwatched", "unsure", "unknown"):
        same(getattr(part.unseen, name), [getattr(day.unseen, name) for day in days], scale)
    whole = bounds_of(part.mean, part.unseen)
    for place in (0, 3):
        # Deployed and the ceiling are sums; a floor is cut off at zero day by day.
        same(whole[place] * part.unseen.deployed_s, [day.bounds[place] * day.unseen.deployed_s for day in days], scale)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 31 * 24 - 1),
        st.floats(0.0, 3600.0),
        st.floats(0.0, 60.0),
        st.floats(0.0, 60.0),
        st.floats(0.0, 1.0),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda each: each[0],
)


@given(ROWS, st.sampled_from(["UTC", "America/St_Johns", "Asia/Kathmandu", "Europe/Berlin"]), st.booleans())
def test_days_add_up(cases: list[tuple[int, float, float, float, float]], zone: str, is_by_ledger: bool) -> None:  # noqa: FBT001 - drawn
    """Days add up to the month for any rows, with or without a ledger, also for hours that go over midnight."""
    start = parse_period("2025-10", ZoneInfo(zone)).start // HOUR_S * HOUR_S + HOUR_S
    rows = [
        hour(
            start + number * HOUR_S,
            watched_s=watched_s,
            deployed_hs=deployed * PH,
            operating_hs=operating_ * PH,
            known_hs=known * deployed * PH,
        )
        for number, watched_s, deployed, operating_, known in sorted(cases)
        if start + number * HOUR_S < parse_period("2025-10", ZoneInfo(zone)).end
    ]
    if not rows or not any(each.watched_s for each in rows):
        return
    ledger = course((0.05, "2025-10-04", "2025-10-20"), (0.02, None, None)) if is_by_ledger else None
    part, days = by_day(rows, zone=zone, ledger=ledger)
    assert len(days) == 31
    assert_sums(part, days)


@pytest.mark.parametrize(
    ("period", "zone", "day", "hours_of_it", "count"),
    [
        ("2025-03", "America/Chicago", "2025-03-09", 23, 31),
        ("2025-11", "America/Chicago", "2025-11-02", 25, 30),
        ("2025-03", "Europe/Berlin", "2025-03-30", 23, 31),
        ("2025-10", "Europe/Berlin", "2025-10-26", 25, 31),
        ("2024-02", "UTC", "2024-02-29", 24, 29),
        ("2025-10", "Australia/Lord_Howe", "2025-10-05", 23.5, 31),
        ("2011-12", "Pacific/Apia", "2011-12-30", 0, 31),
    ],
)
def test_a_day_is_as_long_as_its_clock_says(period: str, zone: str, day: str, hours_of_it: float, count: int) -> None:
    """Days with a clock change have 23, 25 or no hours, February of a leap year 29 days; they add up all the same."""
    covered = parse_period(period, ZoneInfo(zone))
    begin = covered.start // 1800 * 1800
    halves = [row(at, span_s=1800, watched_s=1800.0) for at in range(begin, covered.end, 1800)]
    part, days = by_day(halves, period, zone=zone)
    assert len(days) == count
    assert [each.date for each in days] == days_of(covered)
    found = next(each for each in days if each.date == day)
    assert (found.end - found.start, found.mean.watched_s) == (hours_of_it * 3600, hours_of_it * 3600)
    assert midnights(covered)[0] == covered.start
    assert midnights(covered)[-1] == covered.end
    assert sum(each.end - each.start for each in days) == covered.seconds
    assert_sums(part, days)


def test_a_row_over_midnight_counts_in_both_days() -> None:
    """Of an hour that begins at 23:30, half is of the next day."""
    half = [row(at, span_s=1800, watched_s=1800.0) for at in range(AT, AT + 47 * 1800, 1800)]
    after = AT + 47 * 1800
    part, days = by_day([*half, hour(after, operating_hs=20 * PH, delivered_hs=PH, delivered_s=1000.0)])
    assert [day.mean.watched_s for day in days[:3]] == [86_400.0, 1800.0, 0.0]
    assert days[1].mean.operating_hs == 20 * PH
    assert (days[1].mean.delivered_hs, days[1].mean.delivered_s) == (PH, 500.0)
    assert_sums(part, days)


def test_a_day_that_nobody_watched() -> None:
    """It has no means, its floor is nothing and its ceiling full; the ledger says what was deployed in it."""
    rows = [*hours(AT, AT + 3 * DAY_S), *hours(AT + 5 * DAY_S, AT + 31 * DAY_S)]
    part, days = by_day(rows, ledger=course((0.05, None, None), (0.01, "2025-10-05", None)))
    shown = [(day.watched_share, *(round(hs / PH, 6) for hs in day.bounds)) for day in days[2:6]]
    assert shown == [
        (1.0, 50.0, 46.0, 46.0, 46.0),
        (0.0, 50.0, 0.0, 0.0, 50.0),
        (0.0, 60.0, 0.0, 0.0, 60.0),
        (1.0, 50.0, 46.0, 46.0, 46.0),
    ]
    assert_sums(part, days)


def test_without_a_ledger_a_gap_has_its_larger_edge_on_every_day() -> None:
    """A gap over growth counts with the larger fleet, as it does for the month."""
    rows = [
        *operating(AT, AT + 3 * DAY_S, deployed_hs=32 * EH, operating_hs=30 * EH),
        *operating(AT + 5 * DAY_S, AT + 31 * DAY_S, deployed_hs=50 * EH, operating_hs=46 * EH),
    ]
    part, days = by_day(rows)
    assert [day.bounds.whole_hs / EH for day in days[2:6]] == [32, 50, 50, 50]
    assert_sums(part, days)


def test_a_site_that_joined_at_noon_and_a_month_that_goes_on() -> None:
    """Time before the first deployed moment, and time that has not passed, belong to no day."""
    joined, now = AT + 2 * DAY_S + 12 * HOUR_S, AT + 9 * DAY_S + 6 * HOUR_S
    part, days = by_day(hours(joined, now), ledger=course((0.05, "2025-10-03", None)), now=now)
    # The ledger's day begins at midnight; nobody watched its morning.
    assert [day.unseen.deployed_s / HOUR_S for day in days[:11]] == [0, 0, 24, 24, 24, 24, 24, 24, 24, 6, 0]
    assert [round(day.watched_share, 6) for day in days[1:4]] == [0.0, 0.5, 1.0]
    assert_sums(part, days)


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("2025-10", "2025-09"),
        ("2026-01", "2025-12"),
        ("2025-Q1", "2024-Q4"),
        ("2025-Q3", "2025-Q2"),
        ("2025", "2024"),
        ("october", ""),
    ],
)
def test_the_period_before(name: str, before: str) -> None:
    """A month follows a month, a quarter a quarter, a year a year."""
    assert name_before(name) == before


def test_every_period_ends_where_the_next_begins() -> None:
    """The period before one of any kind ends with its first second."""
    zone = ZoneInfo("America/Chicago")
    names: Any = [f"{year}{rest}" for year in (2024, 2025) for rest in ("", "-01", "-03", "-11", "-Q1", "-Q2", "-Q4")]
    for name in names:
        assert parse_period(name_before(name), zone).end == parse_period(name, zone).start
    assert unix("2025-10-01") == AT
