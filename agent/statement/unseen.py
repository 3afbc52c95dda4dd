"""The time for which a history has no figures, and the most that it and unknown units can hide. Pure.

A gap's reason is read off the rows at its edges, as far as they tell:

    clock         rows of a wrong clock were set aside when it ended
    power         units were lost in masses within a minute of its beginning, or by its end
    planned stop  the agent wrote down that it stopped, and did not run for most of the gap
    crash         it did not run for most of the gap, and nothing says that it stopped

Where history has no starts and stops in the gap, as of earlier versions or of a machine that slept, the minute before
it tells: if the agent wrote the minute that was open it is a planned stop, and if that minute was lost a crash.

The ledger says what was deployed in a gap. Without one, the larger figure of its two edges counts.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from agent.history.chain.links import Fact
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

    def watched_share(self, watched_s: float) -> float:
        """Return the share of that time that `watched_s` seconds are; exactly 1 without a gap."""
        return watched_s / self.deployed_s if self.deployed_s else 0.0

    def whole_hs(self, deployed_hs: float, watched_s: float) -> float:
        """Return deployed as a mean over that time, if it was `deployed_hs` in the `watched_s` seconds watched, H/s."""
        unwatched_hs = self.unwatched / self.deployed_s if self.deployed_s else 0.0
        return deployed_hs * self.watched_share(watched_s) + unwatched_hs


class Hidden(NamedTuple):
    """Hashes that one row does not show; the fields are those of `Unseen`."""

    unwatched: float = 0.0
    unsure: float = 0.0
    unknown: float = 0.0


_NOTHING = Hidden()


class RowTaker(Protocol):
    """Receiver of the same rows and gaps as the book of the whole period, in their order."""

    def add(self, row: Values, hidden: Hidden) -> None:
        """Take a row."""

    def add_gap(self, start: int, end: int, deployed: Callable[[float, float], float]) -> None:
        """Take a time without rows; `deployed` gives deployed times time over any part of it, hashes."""


RUN_KINDS = ("start", "stop")
"""The facts that tell of runs."""


class Runs(NamedTuple):
    """When agents started and stopped, as facts of the chain tell.

    Attributes:
        at: Unix times, s, oldest first.
        are_stops: True for each of them that is an orderly stop.
    """

    at: tuple[int, ...] = ()
    are_stops: tuple[bool, ...] = ()

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> "Runs":
        """Return the runs of facts of `RUN_KINDS`, by their times."""
        found = [(fact.at, fact.kind == "stop") for fact in facts]
        return cls(tuple(at for at, _ in found), tuple(is_stop for _, is_stop in found))

    def reason(self, start: int, end: int) -> "GapReason | None":
        """Return why there are no figures between two moments; None if nothing started or stopped in that time.

        The longest part between two starts or stops decides. No agent ran before a start; it had stopped in an orderly
        way if a stop is what came before.
        """
        # Times of facts are whole seconds, so a stop may seem a second older than the figures before it.
        first, last = bisect_left(self.at, start - 1), bisect_right(self.at, end)
        if first == last:
            return None
        bounds = [start, *self.at[first:last], end]
        places = range(first, last + 1)
        longest = max(places, key=lambda place: bounds[place - first + 1] - bounds[place - first])
        if longest > first and self.are_stops[longest - 1]:
            return GapReason.PLANNED
        is_before_start = longest < last and not self.are_stops[longest]
        return GapReason.CRASH if is_before_start else None


NO_RUNS = Runs()


class UnseenBook:
    """Adds up what is not seen, row by row.

    Args:
        start: Unix time at which the period begins, s.
        course: Deployed by the ledger; None without one.
        set_aside_at: Unix times at which rows of a wrong clock were set aside, s.
        is_first: True if history has no rows before the period.
        taker: Receiver of the same rows and gaps; None for none.
        runs: When agents started and stopped.
        is_site_watched: Returns True if there are rows of the site between two Unix times, s, where these are an
            owner's; None if they are the site's.

    Attributes:
        gaps: Those to list, oldest first.
    """

    def __init__(
        self,
        start: int,
        *,
        course: DeployedCourse | None,
        set_aside_at: Sequence[float],
        is_first: bool,
        taker: RowTaker | None = None,
        runs: Runs = NO_RUNS,
        is_site_watched: Callable[[int, int], bool] | None = None,
    ) -> None:
        self._runs = runs
        self._start, self._course, self._set_aside_at, self._is_first = start, course, set_aside_at, is_first
        self._taker = taker
        self._is_site_watched = is_site_watched
        self._since = start
        self._before: Values | None = None
        self._last: Values | None = None
        self._unwatched_in_gaps: list[float] = []
        self._hidden: list[Hidden] = []
        self._off: list[float] = []
        self.gaps: list[Gap] = []

    def add(self, chunk: Sequence[Values]) -> None:
        """Add rows."""
        for row in chunk:
            at, span_s, watched_s = int(row[0] or 0), row[1] or 0.0, row[_WATCHED_S] or 0.0
            end = self._begin(at) if self._last is None else _end(self._last)
            if at > end:
                self._gap(end, at, row)
            deployed_hs = row[_DEPLOYED] or 0.0
            if self._course is not None:
                declared_hs = self._course.hashes(at, at + span_s) / span_s
                self._off.append((declared_hs - deployed_hs) * watched_s)
            hidden = _hidden(row)
            self._hidden.append(hidden)
            if self._taker is not None:
                self._taker.add(row, hidden)
            self._before, self._last = self._last, row

    def _begin(self, at: int) -> int:
        """Return when units were first deployed in the period, or the time of the first row if that is earlier."""
        if self._course is not None:
            self._since = min(self._course.first_deployed_at(self._start, at) or at, at)
        return self._since

    def _gap(self, start: int, end: int, after: Values | None) -> None:
        deployed = self._deployed_in_gap(after)
        self._unwatched_in_gaps.append(deployed(start, end))
        if self._taker is not None:
            self._taker.add_gap(start, end, deployed)
        # The minutes at its edges were watched in part.
        begins, ends = start - _unwatched_s(self._last), end + _unwatched_s(after)
        if ends - begins > LISTED_GAP_S:
            self.gaps.append(Gap(start=begins, end=ends, reason=self._reason(start, end, after)))

    def _deployed_in_gap(self, after: Values | None) -> Callable[[float, float], float]:
        if self._course is not None:
            return self._course.hashes
        edge_hs = max(row[_DEPLOYED] or 0.0 for row in (self._last, after) if row is not None)
        return lambda start, end: edge_hs * (end - start)

    def _reason(self, start: int, end: int, after: Values | None) -> GapReason:
        if any(start <= at <= end + _CLOCK_SLACK_S for at in self._set_aside_at):
            return GapReason.CLOCK
        last = self._last
        if last is None:
            return GapReason.LATE_START if self._is_first else GapReason.UNKNOWN
        if self._is_site_watched is not None and self._is_site_watched(start, end):
            return GapReason.UNKNOWN
        if _is_mass_loss(self._before, last):
            return GapReason.POWER
        told = self._runs.reason(start - _unwatched_s(last), end)
        if told is not GapReason.PLANNED and _is_mass_loss(last, after):
            return GapReason.POWER
        return told or _reason_by_rows(last)

    def unseen(self, end: float) -> Unseen:
        """Return what is not seen until Unix time `end`, s. At least one row was added."""
        last = int(end) if self._last is None else _end(self._last)
        if last < int(end):
            self._gap(last, int(end), None)
        return Unseen(
            since=self._since,
            deployed_s=float(end - self._since),
            unwatched=math.fsum([*self._unwatched_in_gaps, *(each.unwatched for each in self._hidden)]),
            unsure=math.fsum(each.unsure for each in self._hidden),
            unknown=math.fsum(each.unknown for each in self._hidden),
            gaps=tuple(self.gaps),
            ledger_digest="" if self._course is None else self._course.digest,
            ledger_off=math.fsum(self._off),
        )


def _hidden(row: Values) -> Hidden:
    """Return what a row hides: silent units count as nothing, those that were not asked in time as before."""
    span_s, watched_s, deployed_hs = row[1] or 0.0, row[_WATCHED_S] or 0.0, row[_DEPLOYED] or 0.0
    unwatched = deployed_hs * (span_s - watched_s) if watched_s < span_s else 0.0
    unknown_hs = deployed_hs - (row[_KNOWN] or 0.0)
    if unknown_hs <= deployed_hs * _ROUNDING_RATIO:
        return Hidden(unwatched) if unwatched else _NOTHING
    silent_hs = math.fsum(row[place] or 0.0 for place in _SILENT)
    lost_hs = math.fsum(row[place] or 0.0 for place in _LOST)
    asked_late_hs = unknown_hs - silent_hs
    unsure_hs = min(asked_late_hs, row[_OPERATING] or 0.0) if asked_late_hs > unknown_hs * _ROUNDING_RATIO else 0.0
    return Hidden(unwatched, unsure_hs * watched_s, min(unknown_hs, lost_hs) * watched_s)


def _unwatched_s(row: Values | None) -> int:
    """Return how much of a row beside a gap belongs to the gap, s."""
    return 0 if row is None else max(0, int((row[1] or 0) - (row[_WATCHED_S] or 0.0)))


def _end(row: Values) -> int:
    return int(row[0] or 0) + int(row[1] or 0)


def _reason_by_rows(last: Values) -> GapReason:
    """Return what the last minute before a gap tells: it was written although it was not over, or it was lost."""
    is_written = (last[_WATCHED_S] or 0.0) < (last[1] or 0.0) - _WATCHED_SLACK_S
    return GapReason.PLANNED if is_written else GapReason.CRASH


def watched_until(row: Values) -> int:
    """Return when figures ended within a row before a gap, Unix time, s."""
    return _end(row) - _unwatched_s(row)


def _is_mass_loss(before: Values | None, after: Values | None) -> bool:
    """Return True if a large share of deployed was lost from one row to the next, without a curtailment."""
    if before is None or after is None:
        return False
    lost_hs = sum((after[place] or 0.0) - (before[place] or 0.0) for place in _UNPLANNED)
    return lost_hs > MASS_LOSS_RATIO * max(before[_DEPLOYED] or 0.0, after[_DEPLOYED] or 0.0) > 0


def gaps_by_reason(gaps: Sequence[Gap]) -> Iterator[tuple[GapReason, int, int]]:
    """Yield each reason among `gaps` with their number and their seconds."""
    for reason in GapReason:
        of_it = [gap.seconds for gap in gaps if gap.reason is reason]
        if of_it:
            yield reason, len(of_it), sum(of_it)
