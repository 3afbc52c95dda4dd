"""Hashrates by window, under the keys of any firmware: ``GHS 5s``, ``MHS av``, ``THS 30m``, ``MHS 1m``.

Observed (O80): Braiins OS and BOSminer report MH/s over 5 s, 1, 5 and 15 minutes, 24 h and the run. Observed (O81):
LuxOS has the same windows, and 30 minutes, in GH/s.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from agent.errors import UnsupportedReplyError
from agent.unit.cgminer.fields import LONGEST_KEY, number, spelled
from agent.unit.limits import HS_PER_GHS, HS_PER_THS, MAX_HASHRATE_HS

FIVE_S: Final = 5.0
THIRTY_MIN_S: Final = 1800.0
_AVERAGE: Final = 0.0
_KEY: Final = re.compile(r"([kmgtp])hs(?:(av)|([0-9]{1,4})([smh]))")
_PREFIXES: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": HS_PER_GHS, "t": HS_PER_THS, "p": 1e15}
# ``GH/s`` in new_api, ``GH`` in the legacy dialect; case and signs do not count.
_RATE_UNIT: Final = re.compile(r"([kmgtp]?)h(?:s|ps)?")
_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


def hashes_per_unit(rate_unit: str | None, command: str) -> float:
    """Return the H/s in one `rate_unit` of a reply, in any spelling; GH/s if it names none.

    Raises:
        UnsupportedReplyError: The unit is unknown.
    """
    if rate_unit is None or rate_unit == "GH/s":
        return HS_PER_GHS
    match = _RATE_UNIT.fullmatch(spelled(rate_unit))
    if match is None:
        raise UnsupportedReplyError(f"{command}: rate_unit {str(rate_unit)[:20]!r} is not known")
    return _PREFIXES[match[1]]


class Rates(NamedTuple):
    """Rates of one report, H/s; None where it has none.

    Attributes:
        five_s_hs, thirty_min_hs, average_hs: Over 5 s, 30 minutes, and since the start.
        others: Rates over other windows: (window in s, H/s), shortest first.
    """

    five_s_hs: float | None = None
    thirty_min_hs: float | None = None
    average_hs: float | None = None
    others: tuple[tuple[float, float], ...] = ()

    def beside(self, known: "Rates") -> "Rates":
        """Return these rates, completed by those that are known otherwise: of two for one window, the known one."""
        return Rates(
            five_s_hs=self.five_s_hs if known.five_s_hs is None else known.five_s_hs,
            thirty_min_hs=self.thirty_min_hs if known.thirty_min_hs is None else known.thirty_min_hs,
            average_hs=self.average_hs if known.average_hs is None else known.average_hs,
            others=self.others,
        )

    def stand_in(self, uptime_s: float | None) -> tuple[float, float | None] | None:
        """Return (H/s, window in s) of the shortest window but 5 s that the uptime fills; the average's is the uptime.

        Observed (O89): BOSminer divides by the whole window from the start, so a window not yet full is too low.
        """
        known = self.others
        if self.thirty_min_hs is not None:
            known = tuple(sorted((*known, (THIRTY_MIN_S, self.thirty_min_hs))))
        for window_s, rate_hs in known:
            if uptime_s is None or window_s <= uptime_s:
                return rate_hs, window_s
        return None if self.average_hs is None else (self.average_hs, uptime_s)


def read_rates(row: Mapping[str, Any], repairs: set[str]) -> Rates:
    """Return every rate in an object; one that is not a number or beyond any unit is absent, with a repair."""
    by_window: dict[float, float] = {}
    for key, value in row.items():
        # What is remembered must not be as long as a unit likes.
        meaning = _meaning(key) if len(key) <= LONGEST_KEY else None
        if meaning is None or meaning[1] in by_window:
            continue
        rate = number(value, repairs)
        if rate is None:
            continue
        if not 0 <= rate * meaning[0] <= MAX_HASHRATE_HS:
            repairs.add("implausible")
            continue
        by_window[meaning[1]] = rate * meaning[0]
    return Rates(
        five_s_hs=by_window.pop(FIVE_S, None),
        thirty_min_hs=by_window.pop(THIRTY_MIN_S, None),
        average_hs=by_window.pop(_AVERAGE, None),
        others=tuple(sorted(by_window.items())),
    )


def is_rate(key: str) -> bool:
    """Return True if `read_rates` takes a key for a rate."""
    return len(key) <= _LONGEST_RATE_KEY and _meaning(key) is not None


_LONGEST_RATE_KEY: Final = 24


@lru_cache(maxsize=2048)
def _meaning(key: str) -> tuple[float, float] | None:
    """Return (H/s in one unit, window in s) of a key; None if it is no rate."""
    match = _KEY.fullmatch(spelled(key))
    if match is None:
        return None
    prefix, average, count, unit = match.groups()
    window_s = _AVERAGE if average else int(count) * _SECONDS[unit]
    return _PREFIXES[prefix], window_s
