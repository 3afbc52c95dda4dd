"""The time for which a history has no figures, and the most that it and unknown units can hide. Pure.

A gap's reason is read off the rows at its edges, as far as they tell:

    clock         rows of a wrong clock were set aside when it ended
    power         units were lost in masses within a minute of its beginning
    planned stop  the agent wrote the minute that was open: it was asked to stop, or the machine slept
    crash         that minute was lost

The ledger says what was deployed in a gap. Without one, the larger figure of its two edges counts.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

import msgspec

from agent.history.minutes import COLUMNS, Values
from agent.site.status import Cause
from agent.statement.declared import DeployedCourse

LISTED_GAP_S = 300
"""A gap that is longer than this is listed."""
MASS_LOSS_RATIO = 0.2
"""A share of deployed that stops within a minute and was not curtailed: a feeder or a container, not single units."""
# Rows of a wrong clock are set aside when it is right again or at the next start.
_CLOCK_SLACK_S = 3600
# Deployed sums are floats of 1e15 to 1e20; what is less than this share of them is rounding.
_ROUNDING_RATIO = 1e-9
_WATCHED_SLACK_S = 1e-3

_PLACE = {name: place for place, name in enumerate(COLUMNS)}
_WATCHED_S, _DEPLOYED, _KNOWN = _PLACE["watched_s"], _PLACE["deployed_hs"], _PLACE["known_hs"]
_OPERATING = _PLACE["operating_hs"]
_SILENT = tuple(_PLACE[f"loss_{cause}_hs"] for cause in (Cause.UNREACHABLE, Cause.UNREADABLE))
_LOST = tuple(_PLACE[f"loss_{cause}_hs"] for cause in Cause)
_UNPLANNED = tuple(_PLACE[f"loss_{cause}_hs"] for cause in Cause if cause not in {Cause.CURTAILED, Cause.MAINTENANCE})


class GapReason(StrEnum):
    """Why there are no figures."""

    LATE_START = "late start"
    CLOCK = "clock"
    POWER = "power"
    PLANNED = "planned stop"
    CRASH = "crash"
    UNKNOWN = "not known"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A time without rows that is longer than `LISTED_GAP_S`.

    Attributes:
        start, end: Unix times, s.
        reason: As far as history tells.
    """

    start: int
    end: int
    reason: GapReason

    @property
    def seconds(self) -> int:
        """Its length, s."""
        return self.end - self.start


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """What a site's history does not show of the time in which units were deployed.

    Attributes:
        since: Unix time from which units were deployed in the period, s.
        deployed_s: The time from then until the end of the period, or of what passed of it, s.
        unwatched: Deployed times the time without figures, hashes.
        unsure: The most that rates of units in unknown states make of operating, hashes: what the floor leaves out.
        unknown: The most that units in unknown states can have hashed beside that, hashes.
        gaps: Those to list, oldest first.
        ledger_digest: SHA-256 of the ledger that says what was deployed in gaps; empty without one.
        ledger_off: Deployed by that ledger over the watched time less deployed by history's rows, hashes.
    """

    since: int
    deployed_s: float
    unwatched: float
    unsure: float
    unknown: float
    gaps: tuple[Gap, ...] = ()
    ledger_digest: str = ""
    ledger_off: float = 0.0


class UnseenBook:
    """Adds up what is not seen, row by row.

    Args:
        start: Unix time at which the period begins, s.
        course: Deployed by the ledger; None without one.
        set_aside_at: Unix times at which rows of a wrong clock were set aside, s.
        is_first: True if history has no rows before the period.
        is_site_watched: Returns True if there are rows of the site between two Unix times, s, where these are an
            owner's; None if they are the site's.
    """

    def __init__(
        self,
        start: int,
        *,
        course: DeployedCourse | None,
        set_aside_at: Sequence[float],
        is_first: bool,
        is_site_watched: Callable[[int, int], bool] | None = None,
    ) -> None:
        self._start, self._course, self._set_aside_at, self._is_first = start, course, set_aside_at, is_first
        self._is_site_watched = is_site_watched
        self._since = start
        self._before: Values | None = None
        self._last: Values | None = None
        self._unwatched: list[float] = []
        self._unsure: list[float] = []
        self._unknown: list[float] = []
        self._off: list[float] = []
        self._gaps: list[Gap] = []

    def add(self, chunk: Sequence[Values]) -> None:
        """Add rows."""
        for row in chunk:
            at, span_s, watched_s = int(row[0] or 0), row[1] or 0.0, row[_WATCHED_S] or 0.0
            end = self._begin(at) if self._last is None else _end(self._last)
            if at > end:
                self._gap(end, at, row)
            deployed_hs = row[_DEPLOYED] or 0.0
            self._unwatched.append(deployed_hs * (span_s - watched_s) if watched_s < span_s else 0.0)
            if self._course is not None:
                declared_hs = self._course.hashes(at, at + span_s) / span_s
                self._off.append((declared_hs - deployed_hs) * watched_s)
            unknown_hs = deployed_hs - (row[_KNOWN] or 0.0)
            if unknown_hs > deployed_hs * _ROUNDING_RATIO:
                self._doubt(row, unknown_hs, watched_s)
            self._before, self._last = self._last, row

    def _begin(self, at: int) -> int:
        """Return when units were first deployed in the period, or the time of the first row if that is earlier."""
        if self._course is not None:
            self._since = min(self._course.first_deployed_at(self._start, at) or at, at)
        return self._since

    def _doubt(self, row: Values, unknown_hs: float, watched_s: float) -> None:
        """Add units in unknown states: silent ones count as nothing, those that were not asked in time as before."""
        silent_hs = math.fsum(row[place] or 0.0 for place in _SILENT)
        lost_hs = math.fsum(row[place] or 0.0 for place in _LOST)
        asked_late_hs = unknown_hs - silent_hs
        if asked_late_hs > unknown_hs * _ROUNDING_RATIO:
            self._unsure.append(min(asked_late_hs, row[_OPERATING] or 0.0) * watched_s)
        self._unknown.append(min(unknown_hs, lost_hs) * watched_s)

    def _gap(self, start: int, end: int, after: Values | None) -> None:
        if self._course is not None:
            self._unwatched.append(self._course.hashes(start, end))
        else:
            edges = [row[_DEPLOYED] or 0.0 for row in (self._last, after) if row is not None]
            self._unwatched.append(max(edges) * (end - start))
        # The minutes at its edges were watched in part.
        begins, ends = start - _unwatched_s(self._last), end + _unwatched_s(after)
        if ends - begins > LISTED_GAP_S:
            self._gaps.append(Gap(start=begins, end=ends, reason=self._reason(start, end, after)))

    def _reason(self, start: int, end: int, after: Values | None) -> GapReason:
        if any(start <= at <= end + _CLOCK_SLACK_S for at in self._set_aside_at):
            return GapReason.CLOCK
        last = self._last
        if last is None:
            return GapReason.LATE_START if self._is_first else GapReason.UNKNOWN
        if self._is_site_watched is not None and self._is_site_watched(start, end):
            return GapReason.UNKNOWN
        edges = [(self._before, last), (last, after)]
        if any(_is_mass_loss(one, other) for one, other in edges if one is not None and other is not None):
            return GapReason.POWER
        is_written = (last[_WATCHED_S] or 0.0) < (last[1] or 0.0) - _WATCHED_SLACK_S
        return GapReason.PLANNED if is_written else GapReason.CRASH

    def unseen(self, end: float) -> Unseen:
        """Return what is not seen until Unix time `end`, s. At least one row was added."""
        last = int(end) if self._last is None else _end(self._last)
        if last < int(end):
            self._gap(last, int(end), None)
        return Unseen(
            since=self._since,
            deployed_s=float(end - self._since),
            unwatched=math.fsum(self._unwatched),
            unsure=math.fsum(self._unsure),
            unknown=math.fsum(self._unknown),
            gaps=tuple(self._gaps),
            ledger_digest="" if self._course is None else self._course.digest,
            ledger_off=math.fsum(self._off),
        )


def _unwatched_s(row: Values | None) -> int:
    """Return how much of a row beside a gap belongs to the gap, s."""
    return 0 if row is None else max(0, int((row[1] or 0) - (row[_WATCHED_S] or 0.0)))


def _end(row: Values) -> int:
    return int(row[0] or 0) + int(row[1] or 0)


def _is_mass_loss(before: Values, after: Values) -> bool:
    """Return True if a large share of deployed was lost from one row to the next, without a curtailment."""
    lost_hs = sum((after[place] or 0.0) - (before[place] or 0.0) for place in _UNPLANNED)
    return lost_hs > MASS_LOSS_RATIO * max(before[_DEPLOYED] or 0.0, after[_DEPLOYED] or 0.0) > 0


def gaps_by_reason(gaps: Sequence[Gap]) -> Iterator[tuple[GapReason, int, int]]:
    """Yield each reason among `gaps` with their number and their seconds."""
    for reason in GapReason:
        of_it = [gap.seconds for gap in gaps if gap.reason is reason]
        if of_it:
            yield reason, len(of_it), sum(of_it)
