"""Months, quarters and years in a site's own time zone. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 2009, 9998
_MONTHS_IN_QUARTER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A month, a quarter or a year.

    Attributes:
        name: ``2025-10``, ``2025-Q3`` or ``2025``.
        zone: The time zone whose midnights bound the period, by IANA name.
        start, end: Unix times, s; half open. A day with a clock change has 23 or 25 hours.
        days: Calendar days.
    """

    name: str
    zone: str
    start: int
    end: int
    days: int

    @property
    def seconds(self) -> int:
        """Length of the period with its clock changes, s."""
        return self.end - self.start


def parse_period(text: str, zone: ZoneInfo) -> Period:
    """Parse ``2025-10``, ``2025-Q3`` or ``2025``.

    Raises:
        ValueError: With a message for the operator.
    """
    months = _months(text)
    if months is None:
        raise ValueError("a month such as 2025-10, a quarter (2025-Q3) or a year is expected")
    year, first, count = months
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"a year from {FIRST_YEAR} to {LAST_YEAR} is expected")
    begin = date(year, first, 1)
    after = date(year + (first + count - 1) // 12, (first + count - 1) % 12 + 1, 1)
    return Period(
        name=text, zone=zone.key, start=_midnight(begin, zone), end=_midnight(after, zone), days=(after - begin).days
    )


def _months(text: str) -> tuple[int, int, int] | None:
    """Return year, first month and number of months; None if `text` is not a period."""
    match = re.fullmatch(r"([0-9]{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?", text)
    if match is None:
        return None
    year, quarter, month = match.groups()
    if quarter:
        return int(year), int(quarter) * _MONTHS_IN_QUARTER - 2, _MONTHS_IN_QUARTER
    return (int(year), int(month), 1) if month else (int(year), 1, 12)


def _midnight(day: date, zone: ZoneInfo) -> int:
    """Return the Unix time at which a day begins, s.

    If a clock change skips midnight, the day begins at the change. If clocks are set back over midnight, the first of
    the two midnights counts, so that no hour is in two periods.
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def midnights(period: Period) -> list[int]:
    """Return the Unix times at which the period's days begin and the last one ends, s: one more than it has days.

    A day that a zone skipped, such as 2011-12-30 in Samoa, begins and ends at once.
    """
    zone = ZoneInfo(period.zone)
    year, first, _ = _months(period.name) or (FIRST_YEAR, 1, 1)
    begin = date(year, first, 1)
    return [_midnight(begin + timedelta(days=number), zone) for number in range(period.days + 1)]


def days_of(period: Period) -> list[str]:
    """Return the dates of the period's days: ``2025-10-26``."""
    year, first, _ = _months(period.name) or (FIRST_YEAR, 1, 1)
    return [(date(year, first, 1) + timedelta(days=number)).isoformat() for number in range(period.days)]


def name_before(name: str) -> str:
    """Return the month, quarter or year before one: ``2025-Q4`` for ``2026-Q1``; empty for no period."""
    months = _months(name)
    if months is None:
        return ""
    year, first, count = months
    if count > _MONTHS_IN_QUARTER:
        return f"{year - 1:04}"
    year, first = (year, first - count) if first > count else (year - 1, first - count + 12)
    return f"{year:04}-{first:02}" if count == 1 else f"{year:04}-Q{first // _MONTHS_IN_QUARTER + 1}"


def utc_text(at: float) -> str:
    """Return a Unix time as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local_text(at: float, zone: str) -> str:
    """Return a Unix time as local time with its offset, to the minute."""
    return datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %z")
