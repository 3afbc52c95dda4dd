"""The curtailment schedule: daily windows in local time, and the events they make.

A window is one span on each of its days. On days on which the clocks change, it holds every moment at which a clock at
the site shows a time within it. A time that the clocks skip stands for the moment of the jump. Of a time that they show
twice, the first begins a window and the second ends it. A window that lies wholly in skipped time makes no event.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agent.site.curtailment.events import Event, Scope

MINUTES_A_DAY = 1440
SCHEDULE = "schedule"
"""The source of the events that windows make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyWindow:
    """A span of local time in which units are meant to be curtailed.

    Attributes:
        name: Part of the id of its events.
        scope, target_ratio: As in `Event`.
        zone: The site's.
        starts, ends: Minutes since midnight, `ends` up to 1440; an end that is not after `starts` is on the next day.
        weekdays: The days on which it starts, 0 for Monday; ignored if there are dates.
        dates: The only dates on which it starts; None for every one of `weekdays`.
    """

    name: str
    scope: Scope
    target_ratio: float
    zone: ZoneInfo
    starts: int
    ends: int
    weekdays: frozenset[int] = frozenset(range(7))
    dates: frozenset[date] | None = None

    def event_on(self, day: date) -> Event | None:
        """Return the event that starts on local date `day`, or None."""
        is_its_day = day.weekday() in self.weekdays if self.dates is None else day in self.dates
        if not is_its_day:
            return None
        last = day if self.ends > self.starts else day + timedelta(days=1)
        start = local_moment(day, self.starts, self.zone, is_end=False)
        end = local_moment(last, self.ends, self.zone, is_end=True)
        if end <= start:
            return None
        return Event(
            id=f"{SCHEDULE}:{self.name}:{day}",
            start=start,
            end=end,
            target_ratio=self.target_ratio,
            scope=self.scope,
            source=SCHEDULE,
        )

    def events_near(self, at: float) -> Iterator[Event]:
        """Yield every event that may matter within a day of Unix time `at`, and those that ended the day before."""
        today = datetime.fromtimestamp(at, self.zone).date()
        for days in range(-3, 3):
            event = self.event_on(today + timedelta(days=days))
            if event is not None:
                yield event


def local_moment(day: date, minutes: int, zone: ZoneInfo, *, is_end: bool) -> float:
    """Return the Unix time, s, at which the clocks of `zone` show so many minutes past midnight of `day`.

    Args:
        day: The local date.
        minutes: 0 to 1440; 1440 is the next midnight.
        zone: The time zone.
        is_end: True for the second of two moments that show this time. In skipped time, the moment of the jump counts
            either way.
    """
    local = datetime.combine(day, time()) + timedelta(minutes=minutes)
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset(), second.utcoffset()
    if before is None or after is None or before >= after:
        return (second if is_end else first).timestamp()
    # PEP 495: in skipped time, fold 0 uses the offset before the jump and ends up after it; fold 1 ends up before it.
    low, high = int(second.timestamp()), int(first.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        is_past = datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset() == after
        low, high = (low, middle) if is_past else (middle, high)
    return float(high)
