"""A pool's word held against the units': which of credited, delivered and reported does not fit the others.

    reported    what units say they hash, averaged over the window
    delivered   the work for which units' own counters say that a pool accepted it
    credited    the hashrate that the pool says it credits

Over 24 h a few percent between credited and reported are normal. Over one hour the luck of shares adds its part: with N
shares the relative error of credited and delivered is 1/sqrt(N).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from agent.site.delivered import HASHES_PER_DIFFICULTY

NORMAL_RATIO = {3600: 0.05, 86_400: 0.03}
"""Documented (D331): 2 to 3 % between a pool's 24 h and the units' word. Over an hour the pool's window may also begin
some minutes beside ours."""

SHARE_DIFFICULTY = 2.0**20
"""Assumed (A225): no pool lets a unit send rarer shares. It makes the luck rather too large than too small."""

SIGMAS = 3.0

LEAST_WATCHED_RATIO = 0.95
"""A window is compared only if so much of it was watched, and if delivered covers so much of the deployed nameplate."""

OTHER_UNIT_RATIO = 300.0
"""Figures that differ by more are of different units of measure, or of different things: units step by 1000."""


class Verdict(StrEnum):
    """Result of holding a pool's figure against the units' word."""

    AGREES = "agrees"
    BELOW = "below"
    ABOVE = "above"
    STALE = "stale"
    UNKNOWN = "unknown"


class Odd(StrEnum):
    """Which of the three does not fit the others."""

    NONE = "none"
    CREDITED = "credited"
    DELIVERED = "delivered"
    REPORTED = "reported"
    REJECTS = "rejects"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One window of one account.

    Attributes:
        window_s: Its length, s.
        credited_hs: The pool's word, H/s; None if it is not known, or too old to stand for now.
        reported_hs: What units reported over the same time, H/s; None if too little of it was watched.
        delivered_hs: What units' counters delivered, for all of the deployed nameplate, H/s; None if they cover too
            little of it.
        watched_ratio: Share of the window for which it is known what units reported.
        verdict: What that comes to.
        odd: Which of the three does not fit.
        words: The verdict in words, without names.
    """

    window_s: int
    credited_hs: float | None
    reported_hs: float | None
    delivered_hs: float | None
    watched_ratio: float
    verdict: Verdict
    odd: Odd
    words: str

    @property
    def difference_ratio(self) -> float | None:
        """Credited over reported, less 1; None unless both are known."""
        if self.credited_hs is None or not self.reported_hs:
            return None
        return self.credited_hs / self.reported_hs - 1


def band_ratio(rate_hs: float, window_s: int) -> float:
    """Return how far credited may be from reported: what is normal over such a window, or the luck of shares."""
    shares = rate_hs * window_s / (SHARE_DIFFICULTY * HASHES_PER_DIFFICULTY)
    return max(NORMAL_RATIO[window_s], SIGMAS / math.sqrt(shares) if shares > 0 else math.inf)


def compare(
    window_s: int,
    *,
    credited_hs: float | None,
    reported_hs: float | None,
    watched_ratio: float,
    delivered_hs: float | None = None,
    rejects_ratio: float | None = None,
    is_stale: bool = False,
) -> Compared:
    """Judge one window.

    Args:
        window_s: 3600 or 86400.
        credited_hs: The pool's latest word, H/s; None without one.
        reported_hs: Mean of what units reported over the watched part of the window, H/s.
        watched_ratio: Share of the window for which that is known.
        delivered_hs: What counters delivered over about the same time, for all of the nameplate, H/s.
        rejects_ratio: Share of rejected and stale among all shares.
        is_stale: True if the pool's word is too old.
    """
    shown_hs = reported_hs if watched_ratio >= LEAST_WATCHED_RATIO else None
    verdict, words = _verdict(window_s, credited_hs, shown_hs, watched_ratio, is_stale=is_stale)
    odd = Odd.NONE
    if verdict in _COMPARED and credited_hs is not None and shown_hs and delivered_hs is not None:
        rates_hs = (credited_hs, shown_hs, delivered_hs)
        odd = _odd(verdict, rates_hs, window_s=window_s, rejects_ratio=rejects_ratio)
    return Compared(
        window_s=window_s,
        credited_hs=None if is_stale else credited_hs,
        reported_hs=shown_hs,
        delivered_hs=delivered_hs,
        watched_ratio=watched_ratio,
        verdict=verdict,
        odd=odd,
        words=words + (f"; {ODD_WORDS[odd]}" if odd in ODD_WORDS else ""),
    )


_COMPARED = frozenset({Verdict.AGREES, Verdict.BELOW, Verdict.ABOVE})

ODD_WORDS = {
    Odd.CREDITED: "units' own counters agree with what they report: look at the pool, its fee, a proxy, or the account",
    Odd.DELIVERED: "units' own counters do not fit: they may miss work, or count another's",
    Odd.REPORTED: "units' own counters agree with the pool: units report a rate that they do not send",
    Odd.REJECTS: "shares that pools reject or call stale explain it",
    Odd.UNCLEAR: "units' own counters agree with neither",
}


def _verdict(
    window_s: int, credited_hs: float | None, reported_hs: float | None, watched_ratio: float, *, is_stale: bool
) -> tuple[Verdict, str]:
    hours = f"{window_s // 3600} h"
    if is_stale:
        return Verdict.STALE, "the pool's figure is too old"
    if credited_hs is None:
        return Verdict.UNKNOWN, f"the pool tells no figure over {hours}"
    if reported_hs is None:
        known = f"{100 * watched_ratio:.0f} % of the {hours}"
        return Verdict.UNKNOWN, f"what units report for it is known for {known}, too little to compare"
    return _compared(window_s, credited_hs, reported_hs)


def _compared(window_s: int, credited_hs: float, reported_hs: float) -> tuple[Verdict, str]:
    hours = f"{window_s // 3600} h"
    if not reported_hs:
        if not credited_hs:
            return Verdict.AGREES, f"nothing is reported and nothing credited over {hours}"
        return Verdict.ABOVE, f"credited, while units report nothing over {hours}"
    ratio = credited_hs / reported_hs
    if credited_hs and not 1 / OTHER_UNIT_RATIO < ratio < OTHER_UNIT_RATIO:
        return Verdict.UNKNOWN, f"{ratio:.1e} of what units report: another unit of measure, or another account"
    band, difference = band_ratio(max(credited_hs, reported_hs), window_s), ratio - 1
    if abs(difference) <= band:
        return Verdict.AGREES, f"within {100 * band:.0f} % of what units report over {hours}"
    word = "less" if difference < 0 else "more"
    verdict = Verdict.BELOW if difference < 0 else Verdict.ABOVE
    return verdict, f"{100 * abs(difference):.1f} % {word} than units report over {hours}"


def _odd(verdict: Verdict, rates_hs: tuple[float, float, float], *, window_s: int, rejects_ratio: float | None) -> Odd:
    """Return which of credited, reported and delivered does not fit the other two."""
    credited_hs, reported_hs, delivered_hs = rates_hs
    to_reported_hs, to_credited_hs = abs(delivered_hs - reported_hs), abs(delivered_hs - credited_hs)
    nearer_hs = min(to_reported_hs, to_credited_hs)
    if verdict is Verdict.AGREES:
        is_far = nearer_hs > band_ratio(max(credited_hs, reported_hs), window_s) * reported_hs
        return Odd.DELIVERED if is_far else Odd.NONE
    # A difference beyond the band is split in its middle: the counters stand on the side that they are nearer to.
    half_hs = abs(reported_hs - credited_hs) / 2
    if nearer_hs > half_hs:
        return Odd.UNCLEAR
    if to_reported_hs <= to_credited_hs:
        return Odd.CREDITED
    is_rejected = rejects_ratio is not None and rejects_ratio * reported_hs >= half_hs
    return Odd.REJECTS if verdict is Verdict.BELOW and is_rejected else Odd.REPORTED
