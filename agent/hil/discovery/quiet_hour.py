"""The next time of day at which a site is quiet. Pure."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo


def next_quiet(after: float, at: time, zone: ZoneInfo) -> float:
    """Return the first Unix time later than `after` at which clocks in `zone` show `at`, s.

    A time that a change of clocks leaves out comes as much later as the clocks jump; one that comes twice is its first.
    """
    day = datetime.fromtimestamp(after, zone).date()
    while True:
        moment = datetime.combine(day, at, tzinfo=zone).timestamp()
        if moment > after:
            return moment
        day += timedelta(days=1)
