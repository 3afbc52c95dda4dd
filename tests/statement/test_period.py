"""Calendar periods in a site's own time zone."""

import zoneinfo
from zoneinfo import ZoneInfo

import pytest
from history_cases import unix
from hypothesis import given
from hypothesis import strategies as st

from agent.statement.period import parse_period

ZONES = sorted(zoneinfo.available_timezones() - {"localtime"})


@pytest.mark.parametrize(
    ("text", "zone", "start", "end", "days"),
    [
        ("2025-10", "UTC", "2025-10-01", "2025-11-01", 31),
        ("2025-12", "UTC", "2025-12-01", "2026-01-01", 31),
        ("2025-Q3", "UTC", "2025-07-01", "2025-10-01", 92),
        ("2025-Q4", "UTC", "2025-10-01", "2026-01-01", 92),
        ("2025", "UTC", "2025-01-01", "2026-01-01", 365),
        # Leap days.
        ("2028-02", "UTC", "2028-02-01", "2028-03-01", 29),
        ("2100-02", "UTC", "2100-02-01", "2100-03-01", 28),
        ("2028", "UTC", "2028-01-01", "2029-01-01", 366),
        # A month of the site's own calendar.
        ("2025-10", "Asia/Kolkata", "2025-09-30 18:30", "2025-10-31 18:30", 31),
        # Clocks change: 745, 743 and 721 hours.
        ("2025-10", "Europe/Berlin", "2025-09-30 22:00", "2025-10-31 23:00", 31),
        ("2025-03", "America/Chicago", "2025-03-01 06:00", "2025-04-01 05:00", 31),
        ("2025-11", "America/Chicago", "2025-11-01 05:00", "2025-12-01 06:00", 30),
        # The first midnight of the month is skipped: the month begins at the clock change.
        ("2017-10", "America/Asuncion", "2017-10-01 04:00", "2017-11-01 03:00", 31),
        # The first midnight occurs twice: the month begins at the first of the two.
        ("2015-11", "America/Havana", "2015-11-01 04:00", "2015-12-01 05:00", 30),
    ],
)
def test_periods(text: str, zone: str, start: str, end: str, days: int) -> None:
    """A period runs from local midnight to local midnight, across any clock changes."""
    period = parse_period(text, ZoneInfo(zone))
    assert (period.start, period.end, period.days) == (unix(start), unix(end), days)
    assert (period.name, period.zone) == (text, zone)


@pytest.mark.parametrize(
    "text",
    ["", "2025-13", "2025-00", "2025-1", "2025-Q5", "2025-Q0", "25-10", "2025-10-01", "2025-10 ", "\uff12025", "2008"],
)
def test_no_periods(text: str) -> None:
    """Anything else is refused, and the message lists the expected forms."""
    with pytest.raises(ValueError, match="is expected"):
        parse_period(text, ZoneInfo("UTC"))


@given(st.sampled_from(ZONES), st.integers(2009, 2060), st.integers(1, 12))
def test_months_follow_each_other(name: str, year: int, month: int) -> None:
    """In any zone a month ends where the next begins, at a whole minute, and lasts its days plus clock changes."""
    zone = ZoneInfo(name)
    period = parse_period(f"{year}-{month:02d}", zone)
    after = parse_period(f"{year + month // 12}-{month % 12 + 1:02d}", zone)
    assert period.end == after.start
    assert period.start % 60 == 0
    # Samoa left out a whole day when it crossed the date line, 2011-12-30.
    assert abs(period.seconds - period.days * 86400) <= 86400
