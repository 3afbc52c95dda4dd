"""Windows of credited hashrate: which of them are missing, and what they come to over a longer time."""

from collections.abc import Iterable
from typing import NamedTuple

HOUR_S, DAY_S = 3600, 86_400


class Window(NamedTuple):
    """Credited hashrate over one span of time.

    Attributes:
        start: Unix time at which it begins, s.
        window_s: Its length, s.
        credited_hs: Mean over it, H/s.
    """

    start: int
    window_s: int
    credited_hs: float

    @property
    def end(self) -> int:
        """Unix time at which it ends, s."""
        return self.start + self.window_s


class Mean(NamedTuple):
    """The mean over those parts of a span that windows cover.

    Attributes:
        credited_hs: H/s; None if nothing is covered.
        covered_s: How much of the span windows cover, s.
    """

    credited_hs: float | None
    covered_s: int


def mean_over(windows: Iterable[Window], start: int, end: int) -> Mean:
    """Return the mean over [start, end). Where windows overlap, the shortest counts; each second counts once."""
    open_spans = [(start, end)] if start < end else []
    credited, covered_s = 0.0, 0
    for window in sorted(windows, key=lambda each: (each.window_s, each.start)):
        left: list[tuple[int, int]] = []
        for begin, until in open_spans:
            first, last = max(begin, window.start), min(until, window.end)
            if first >= last:
                left.append((begin, until))
                continue
            credited += window.credited_hs * (last - first)
            covered_s += last - first
            left += [span for span in ((begin, first), (last, until)) if span[0] < span[1]]
        open_spans = left
    return Mean(credited / covered_s if covered_s else None, covered_s)


def first_gap(have: Iterable[int], window_s: int, *, start: float, end: float, most: int) -> tuple[int, int] | None:
    """Return the span of at most `most` windows from the first one that is missing; None if none is.

    Args:
        have: Unix times at which the known windows begin, s.
        window_s: Length of each, s; they begin at multiples of it.
        start: Unix time from which on to look, s; only windows that lie in the time as a whole are missed.
        end: Unix time until which to look, s.
        most: Greatest length of the span, in windows.
    """
    known = set(have)
    first, after = -int(-start // window_s) * window_s, int(end // window_s) * window_s
    for begin in range(first, after, window_s):
        if begin not in known:
            return begin, min(after, begin + most * window_s)
    return None
