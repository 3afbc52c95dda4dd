"""Reported hashrate of the last day, in steps of five minutes: the site as a whole, and by account.

The figures of a round hold until the next ones. Time without figures is a gap: it lowers how much of a window was
watched, and is no zero.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

STEP_S = 300
KEPT_S = 86_400 + 7200
"""A day, and as long as a pool's figure may be old."""

AHEAD_S = 3600
"""A clock that is set back by less leaves a gap of as long."""

SITE = ""
"""The key of the whole site: no account is named so."""


class Past(NamedTuple):
    """One step of a site's history.

    Attributes:
        at: Unix time at which it begins, s.
        watched_s: Seconds of it with figures.
        operating_hs: Mean over these of what units reported for the site, H/s.
    """

    at: int
    watched_s: float
    operating_hs: float


def own_hs(operating_hs: float, watched_s: float, diverted_hs: float | None, judged_s: float) -> float:
    """Return what units reported for the site, H/s: without what is known to have worked for somewhere else.

    Args:
        operating_hs: Mean of what they reported over the watched seconds, H/s.
        watched_s: Seconds with figures.
        diverted_hs: Mean of what was diverted over the seconds in which that was judged, H/s; None without any.
        judged_s: Number of these seconds.
    """
    if diverted_hs is None or watched_s <= 0:
        return operating_hs
    return max(0.0, operating_hs - diverted_hs * min(1.0, judged_s / watched_s))


class Over(NamedTuple):
    """A mean over a window.

    Attributes:
        mean_hs: H/s; None if nothing of the window was watched.
        watched_ratio: Share of the window that was.
    """

    mean_hs: float | None
    watched_ratio: float


class _Step:
    """Sums over one step: watched seconds and hashes, by key."""

    __slots__ = ("at", "hashes", "watched_s")

    def __init__(self, at: int) -> None:
        self.at = at
        self.watched_s: dict[str, float] = {}
        self.hashes: dict[str, float] = {}

    def add(self, key: str, rate_hs: float, seconds: float) -> None:
        self.watched_s[key] = self.watched_s.get(key, 0.0) + seconds
        self.hashes[key] = self.hashes.get(key, 0.0) + rate_hs * seconds


class ReportedBook:
    """Reported hashrate of the last day.

    Attributes:
        longest_gap_s: Figures hold no longer than this, s.
    """

    def __init__(self, *, longest_gap_s: float) -> None:
        self.longest_gap_s = longest_gap_s
        self._steps: deque[_Step] = deque()
        self._latest: tuple[float, Mapping[str, float]] | None = None

    def pause(self) -> None:
        """Begin a gap."""
        self._latest = None

    def add(self, at: float, rates_hs: Mapping[str, float]) -> None:
        """Take the figures of Unix time `at`, by key; they hold until the next ones.

        After a clock that was far ahead is set right, what was recorded of the time to come is dropped.
        """
        if self._steps and self._steps[-1].at > at + AHEAD_S:
            self._steps = deque(step for step in self._steps if step.at <= at)
        before, self._latest = self._latest, (at, rates_hs)
        if before is None or not 0 < at - before[0] <= self.longest_gap_s:
            return
        begin, held_hs = before
        while begin < at:
            until = min(at, (begin // STEP_S + 1) * STEP_S)
            step = self._step(int(begin // STEP_S) * STEP_S)
            if step is not None:
                for key, rate_hs in held_hs.items():
                    step.add(key, rate_hs, until - begin)
            begin = until
        while self._steps and self._steps[0].at < at - KEPT_S:
            self._steps.popleft()

    def seed(self, past: Iterable[Past]) -> None:
        """Take the site's own history of before this process, oldest first; steps that are there already stay."""
        known = {step.at for step in self._steps}
        for row in past:
            if row.watched_s > 0 and row.at % STEP_S == 0 and row.at not in known:
                step = _Step(row.at)
                step.add(SITE, row.operating_hs, min(row.watched_s, STEP_S))
                self._steps.append(step)
        self._steps = deque(sorted(self._steps, key=lambda step: step.at))

    def over(self, key: str, end: float, window_s: float) -> Over:
        """Return the mean over a window that ends at Unix time `end`; a step that is partly in it counts in part."""
        begin, hashes, watched_s = end - window_s, 0.0, 0.0
        for step in self._steps:
            share = (min(end, step.at + STEP_S) - max(begin, step.at)) / STEP_S
            if share > 0 and key in step.watched_s:
                hashes += share * step.hashes[key]
                watched_s += share * step.watched_s[key]
        return Over(hashes / watched_s if watched_s else None, min(1.0, watched_s / window_s))

    def _step(self, at: int) -> _Step | None:
        """Return the step that begins at `at`; None for one of before the latest, after a clock was set back."""
        if not self._steps or at > self._steps[-1].at:
            self._steps.append(_Step(at))
        return self._steps[-1] if self._steps[-1].at == at else None
