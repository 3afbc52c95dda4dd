"""Closed hours and days of credited hashrate, kept here because a pool forgets them, and which of them to ask for."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from agent.pool_accounts.plan import HOUR_S, Past
from agent.pool_accounts.reply import Credited
from agent.site.credited.windows import Window, first_gap

SETTLED_S = 600
"""A closed hour is asked for so long after its end, and a rolling one stands for it if it ended so soon after it."""


class Archive(Protocol):
    """Store of windows. Both methods are called in a thread."""

    def known(self, account: str, window_s: int, start: int) -> set[int]:
        """Return the Unix times at which the kept windows of an account begin, from `start` on, s."""

    def keep(self, account: str, windows: Iterable[Window], fetched: float) -> None:
        """Keep windows that were read at Unix time `fetched`, s; one that is kept already stays as it is."""


class Wanted(NamedTuple):
    """A span of the past to ask for: Unix times, s."""

    start: int
    end: int


class PastBook:
    """Which closed windows of one account are missing. A window that the pool left out is not asked for again.

    Args:
        past: What the pool documents of its past.
    """

    def __init__(self, past: Past) -> None:
        self._past = past
        self._unanswered: set[int] = set()
        self._complete_until = 0

    def is_due(self, now: float) -> bool:
        """Return True if a window may have closed since all were there, or the clock was set back."""
        return self._end(now) != self._complete_until

    def oldest(self, now: float) -> int:
        """Return the Unix time from which on the pool may still answer, s."""
        return int(now) - self._past.kept_s

    def wanted(self, known: Iterable[int], now: float) -> Wanted | None:
        """Return the first span that is missing; None if none is, until another window closes."""
        have = self._unanswered.union(known)
        window_s, end = self._past.figure.window_s, self._end(now)
        gap = first_gap(have, window_s, start=self.oldest(now), end=end, most=self._past.most_rows)
        if gap is None:
            self._complete_until = end
            return None
        return Wanted(*gap)

    def take(self, wanted: Wanted, windows: Iterable[Window]) -> list[Window]:
        """Return those of an answer's windows that were asked for; what it left out is noted."""
        inside = [window for window in windows if wanted.start <= window.start < wanted.end]
        starts = range(wanted.start, wanted.end, self._past.figure.window_s)
        self._unanswered.update(set(starts) - {window.start for window in inside})
        return inside

    def _end(self, now: float) -> int:
        window_s = self._past.figure.window_s
        return int((now - SETTLED_S) // window_s) * window_s


def rolling_hour(credited: Credited) -> Window | None:
    """Return the rolling hour of a reading as the clock's hour that ended just before; None if it ended long before.

    For pools without a past that can be asked for. It is off by at most `SETTLED_S`, and so are its neighbours.
    """
    rate_hs = credited.rates_hs.get(HOUR_S)
    end = int(credited.at // HOUR_S) * HOUR_S
    return None if rate_hs is None or credited.at - end > SETTLED_S else Window(end - HOUR_S, HOUR_S, rate_hs)
