"""The curtailment schedule: windows in local time, day by day, and the events they make.

A window is one span on each of its days. On days on which the clocks change, the span holds every moment at which the
clock on the site's wall reads within it: a time that the clocks skip stands for the moment of the jump, and of a time
that they show twice, the first begins a window and the second ends it. A window that lies wholly in skipped time
makes no event that day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from agent.site.curtailment.events import Event, Scope

MINUTES_A_DAY = 1440
SCHEDULE = "schedule"
"""The source of events that a window makes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyWindow:
    """A span of local time in which units are meant to be curtailed.

    Attributes:
        name: Names its events.
        scope, target_ratio: As in `Event`.
        zone: The site's.
        starts, ends: Minutes since midnight, `ends` up to 1440; one that is not after `starts` is on the next day.
        weekdays: On which days it starts, 0 for Monday; ignored where there are dates.
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
        """Give the event that starts on local date `day`, if there is one."""
        if day not in self.dates if self.dates is not None else day.weekday() not in self.weekdays:
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
        """Give every event that may matter within a day of Unix time `at`, and those that ended the day before."""
        today = datetime.fromtimestamp(at, self.zone).date()
        for days in range(-3, 3):
            event = self.event_on(today + timedelta(days=days))
            if event is not None:
                yield event


def local_moment(day: date, minutes: int, zone: ZoneInfo, *, is_end: bool) -> float:
    """Give the Unix time, s, at which the clocks of `zone` read so many minutes past midnight of `day`.

    Args:
        day: The local date.
        minutes: 0 to 1440; 1440 is the next midnight.
        zone: Whose clocks.
        is_end: Of a time that they show twice, give the second; of one that they skip, either gives the jump.
    """
    local = datetime.combine(day, time()) + timedelta(minutes=minutes)
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = first.utcoffset(), second.utcoffset()
    if before is None or after is None or before >= after:
        return (second if is_end else first).timestamp()
    # PEP 495: in skipped time, fold 0 counts with the offset before the jump and comes out after it, fold 1 before it.
    low, high = int(second.timestamp()), int(first.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        is_past = datetime.fromtimestamp(middle, UTC).astimezone(zone).utcoffset() == after
        low, high = (low, middle) if is_past else (middle, high)
    return float(high)
