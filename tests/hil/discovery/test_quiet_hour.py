"""When the next look is due."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.hil.discovery.quiet_hour import next_quiet

CHICAGO = ZoneInfo("America/Chicago")


def moment(text: str) -> float:
    """Return the Unix time of a date and time with an offset."""
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("after", "at", "due"),
    [
        ("2025-11-20T03:59:59-06:00", time(4), "2025-11-20T04:00:00-06:00"),
        # The moment itself is over: two looks a day would be one too many.
        ("2025-11-20T04:00:00-06:00", time(4), "2025-11-21T04:00:00-06:00"),
        ("2025-11-20T23:30:00-06:00", time(0, 15), "2025-11-21T00:15:00-06:00"),
        # Clocks go from 02:00 to 03:00, and from 02:00 back to 01:00.
        ("2025-03-09T01:00:00-06:00", time(2, 30), "2025-03-09T03:30:00-05:00"),
        ("2025-11-02T00:30:00-05:00", time(1, 30), "2025-11-02T01:30:00-05:00"),
    ],
)
def test_the_next_quiet_hour(after: str, at: time, due: str) -> None:
    """The first later moment at which clocks of the site show that time."""
    assert next_quiet(moment(after), at, CHICAGO) == moment(due)


@given(st.floats(0, 4e9), st.times(), st.sampled_from(["UTC", "America/Chicago", "Asia/Kathmandu", "Pacific/Apia"]))
def test_it_is_later_and_within_two_days(after: float, at: time, zone: str) -> None:
    """Whatever the clocks do; a day without that date is as long as two."""
    due = next_quiet(after, at.replace(microsecond=0), ZoneInfo(zone))
    assert after < due <= after + 2 * 86400.0 + 7200.0
    assert datetime.fromtimestamp(due, UTC).second == at.second
