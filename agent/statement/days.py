"""The figures of a period by its calendar days, from the same rows and gaps as the period's own. Pure.

Days add up to the period: each row counts in the day in which it was kept, a row over midnight in both, and a gap is
filled by the ledger as it is for the period. A day lasts from midnight to midnight of the site, 23 to 25 hours.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator

import msgspec

from agent.history.minutes import COLUMNS, DELIVERED, JUDGED, Row, Totals, Values, row_from
from agent.statement.figures import Bounds, bounds_of
from agent.statement.parts import Part
from agent.statement.period import Period, days_of, midnights
from agent.statement.unseen import Hidden, Unseen

_TIMES = (COLUMNS.index("watched_s"), DELIVERED, JUDGED)
_NO_MEANS: Values = (0.0,) * len(COLUMNS)


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day of one site.

    Attributes:
        date: Its date: ``2025-10-26``.
        start, end: Unix times of its midnights, s.
        mean: Means over the seconds that were watched; all zero if none was.
        unseen: What history does not show of the day. Gaps are listed by the period only.
    """

    date: str
    start: int
    end: int
    mean: Row
    unseen: Unseen

    @property
    def bounds(self) -> Bounds:
        """The day's deployed, floor and ceiling, H/s."""
        return bounds_of(self.mean, self.unseen)

    @property
    def watched_share(self) -> float:
        """Share of the day's time with units deployed, as far as it has passed, that was watched."""
        return self.unseen.watched_share(self.mean.watched_s)


class DayBook:
    """Sums of rows and gaps by day.

    Args:
        period: The period.
    """

    def __init__(self, period: Period) -> None:
        self._dates, self._midnights = days_of(period), midnights(period)
        self._days = [_DaySums() for _ in self._dates]
        self._open: list[Values] = []
        self._open_day = 0

    def add(self, row: Values, hidden: Hidden) -> None:
        """Take a row; rows come in their order."""
        at, end = int(row[0] or 0), int((row[0] or 0) + (row[1] or 0))
        for day, start, until in self._pieces(at, end):
            if day != self._open_day:
                self._close()
                self._open_day = day
            share = (until - start) / (end - at)
            self._open.append(row if share == 1 else _cut(row, start, until, share))
            self._days[day].hide(hidden, share)

    def add_gap(self, start: int, end: int, deployed: Callable[[float, float], float]) -> None:
        """Take a time without rows; `deployed` gives deployed times time over any part of it, hashes."""
        for day, begin, until in self._pieces(start, end):
            self._days[day].hide(Hidden(deployed(begin, until)))

    def _pieces(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield each day that [start, end) touches, by its number, with the bounds of what lies within it."""
        last = len(self._days) - 1
        day = min(max(bisect_right(self._midnights, start) - 1, 0), last)
        while start < end:
            until = end if day == last else min(end, self._midnights[day + 1])
            if until > start:
                yield day, start, until
            start, day = until, day + 1

    def _close(self) -> None:
        self._days[self._open_day].totals.add(self._open)
        self._open = []

    def days(self, part: Part) -> list[Day]:
        """Return all days of the period.

        Args:
            part: The part that was computed from the rows: it says from when on and until when units were deployed.
        """
        self._close()
        since, until = part.unseen.since, part.unseen.since + part.unseen.deployed_s
        return [
            sums.day(date, start, end, since=max(start, since), until=min(end, until))
            for date, start, end, sums in zip(
                self._dates, self._midnights, self._midnights[1:], self._days, strict=False
            )
        ]


class _DaySums:
    """Sums of one day."""

    def __init__(self) -> None:
        self.totals = Totals()
        self._unwatched: list[float] = []
        self._unsure: list[float] = []
        self._unknown: list[float] = []

    def hide(self, hidden: Hidden, share: float = 1.0) -> None:
        """Add a share of what a row or a gap does not show."""
        self._unwatched.append(hidden.unwatched * share)
        self._unsure.append(hidden.unsure * share)
        self._unknown.append(hidden.unknown * share)

    def day(self, date: str, start: int, end: int, *, since: float, until: float) -> Day:
        """Return the day, of which [since, until) has units and has passed."""
        mean = self.totals.values(at=start, span_s=end - start)
        return Day(
            date=date,
            start=start,
            end=end,
            mean=row_from((start, end - start, *_NO_MEANS[2:]) if mean is None else mean),
            unseen=Unseen(
                since=int(since),
                deployed_s=max(0.0, float(until - since)),
                unwatched=math.fsum(self._unwatched),
                unsure=math.fsum(self._unsure),
                unknown=math.fsum(self._unknown),
            ),
        )


def _cut(row: Values, start: int, end: int, share: float) -> Values:
    """Return the share of a row that lies in [start, end): the same means over less time."""
    cut = list(row)
    cut[0], cut[1] = start, end - start
    for place in _TIMES:
        cut[place] = (row[place] or 0.0) * share
    return tuple(cut)
