"""Two readings of one kind of unit at two moments: which figures must be the same, and how far others may be apart."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from agent.hil.verify.differences import Difference, Kind
from agent.hil.verify.meaning import is_private
from agent.hil.verify.observed import shown


class Range(NamedTuple):
    """Tolerance between two readings of a figure: by a share of the larger, or by an amount."""

    share: float
    amount: float = 0.0

    def holds(self, first: float, second: float) -> bool:
        """Return True if two values are within it."""
        return math.isclose(first, second, rel_tol=self.share, abs_tol=self.amount)

    def __str__(self) -> str:
        parts = [f"{100 * self.share:g} %"] if self.share else []
        return " or ".join([*parts, f"{self.amount:g}"] if self.amount else parts)


# A unit that hashes moves within these: the 5 s rate by a few percent (O25), boards more (O50), heat with the weather.
_RANGES: Final[tuple[tuple[re.Pattern[str], Range], ...]] = tuple(
    (re.compile(pattern), allowed)
    for pattern, allowed in (
        (r"hashrate_(5s|30m|avg)_hs|stand_in_hs", Range(0.15)),
        (r"hashrate_(ideal|sale)_hs", Range(0.005)),
        (r"boards\[\d+\]\.hashrate_hs", Range(0.25)),
        (r"boards\[\d+\]\.frequency_hz", Range(0.1)),
        (r"boards\[\d+\]\.(chip|pcb|coolant)_celsius\[\d+\]", Range(0.0, 30.0)),
        (r"boards\[\d+\]\.bad_chips", Range(0.0, 3.0)),
        (r"fan_rpm\[\d+\]", Range(0.5, 600.0)),
        (r"power_watts", Range(0.2, 30.0)),
    )
)
# Counters and ages grow, pools are the site's, and a window is as long as the uptime.
_FREE: Final = re.compile(
    r"uptime_s|stand_in_window_s|shares(\..*)?|pools(\[.*)?|boards\[\d+\]\.hw_errors|reason|faults.*"
)


_IDEAL: Final = "hashrate_ideal_hs"
_CLOCK: Final = re.compile(r"boards\[\d+\]\.frequency_hz")
_CLOCK_RANGE: Final = Range(0.1)


def _follows_the_clock(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Return True if two ideals are apart as their boards' clocks are, which a unit's own tuning sets.

    Documented (D84): some builds tell the boards' sum, chips times clock, as the ideal.
    """
    ideals = [reading.get(_IDEAL) for reading in (first, second)]
    clocks = [
        sum(value for path, value in reading.items() if _CLOCK.fullmatch(path) and value) for reading in (first, second)
    ]
    if not all(ideals) or not all(clocks) or not _CLOCK_RANGE.holds(*clocks):
        return False
    return math.isclose(ideals[0] / clocks[0], ideals[1] / clocks[1], rel_tol=0.005)


def differences_of_figures(
    first: Mapping[str, Any], second: Mapping[str, Any], *, is_redacted: bool
) -> Iterator[Difference]:
    """Yield the figures that are further apart than two moments explain.

    Args:
        first: A reading as `meaning.meaning_of`.
        second: Another.
        is_redacted: One of them was; what redaction replaces is not compared.
    """
    for path in dict.fromkeys((*first, *second)):
        one, other = first.get(path), second.get(path)
        if one == other or _FREE.fullmatch(path) or (is_redacted and is_private(path)):
            continue
        if path == _IDEAL and _follows_the_clock(first, second):
            continue
        allowed = next((allowed for pattern, allowed in _RANGES if pattern.fullmatch(path)), None)
        if one is not None and other is not None and allowed is not None:
            if allowed.holds(one, other):
                continue
            why = f"further apart than {allowed}"
        elif one is None or other is None:
            why = "a figure that one of them has not"
        else:
            why = "must be the same"
        yield Difference(
            kind=Kind.FIGURE,
            path=f"reading: {path}",
            first=None if one is None else shown(one),
            second=None if other is None else shown(other),
            changes_meaning=True,
            why=why,
        )
