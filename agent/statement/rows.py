"""The checks that every history row behind a statement must pass. Pure.

A row that breaks one was edited, damaged, or written by a fault of this program; nothing may be computed from it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from agent.history.minutes import COLUMNS, MINUTE_S, PARTIAL, Values
from agent.site.status import Cause, UnitState
from agent.statement.errors import StatementError
from agent.statement.period import utc_text

TOLERANCE_RATIO = 1e-6
"""What rounding in means over a minute may add up to, as a share of deployed."""
_SLACK_S = 1e-3

_PLACE = {name: place for place, name in enumerate(COLUMNS)}
_AT, _SPAN_S, _WATCHED_S = _PLACE["at"], _PLACE["span_s"], _PLACE["watched_s"]
_UNITS, _SIMULATED = _PLACE["units"], _PLACE["simulated_units"]
_DEPLOYED, _OPERATING, _UPLIFT = _PLACE["deployed_hs"], _PLACE["operating_hs"], _PLACE["uplift_hs"]
_KNOWN = _PLACE["known_hs"]
_PARTS_OF_DEPLOYED = tuple((name, _PLACE[name]) for name in ("known_hs", "efficient_deployed_hs"))
_PARTS_OF_OPERATING = (("efficient_hs", _PLACE["efficient_hs"]),)
_LOSSES = slice(_PLACE[f"loss_{next(iter(Cause))}_hs"], _KNOWN)
_STATES = slice(_PLACE[f"units_{next(iter(UnitState))}"], _SIMULATED)
_TIMES = tuple((COLUMNS[place], place) for place in PARTIAL)
# A mean over a time of zero is absent.
_MAY_BE_ABSENT = tuple(place + 1 for place in PARTIAL)


def refuse_unsound(chunk: Sequence[Values], *, site: str, after: int) -> int:
    """Check rows in their order.

    Args:
        chunk: The rows.
        site: Named in the error.
        after: Unix time at which the row before them ends, s.

    Returns:
        The Unix time at which the last of them ends, s.

    Raises:
        StatementError: For the first row that cannot be: it names the row's time and what is wrong.
    """
    end = after
    for values in chunk:
        wrong = _wrong(values, end)
        if wrong:
            raise StatementError(f"the history of {site} has a row that cannot be: {_when(values)}: {wrong}")
        end = int(values[_AT] or 0) + int(values[_SPAN_S] or 0)
    return end


def _when(values: Values) -> str:
    at = values[_AT]
    try:
        return utc_text(at or 0.0)
    except (TypeError, ValueError, OverflowError, OSError):
        return f"at {at!r}"


def _wrong(values: Values, end: int) -> str:
    """Return what is wrong with a row, in words; empty if nothing is."""
    not_finite = _not_finite(values)
    if not_finite:
        return not_finite
    # Only means that may be absent are None, and none of those is read here as a number.
    numbers: Sequence[float] = [0.0 if value is None else value for value in values]
    return next(_time_mistakes(numbers, end), "") or next(_sum_mistakes(numbers), "")


def _not_finite(values: Values) -> str:
    try:
        absent = sum(values[place] is None for place in _MAY_BE_ABSENT)
        # One sum shows whether all are finite; only a row that fails is looked at value by value.
        if values.count(None) == absent and math.isfinite(sum([value for value in values if value is not None])):
            return ""
    except (TypeError, OverflowError):
        pass
    for place, value in enumerate(values):
        if value is None and place in _MAY_BE_ABSENT:
            continue
        if not isinstance(value, int | float) or not math.isfinite(value):
            return f"{COLUMNS[place]} is {value!r}, a finite number is expected"
    return ""


def _time_mistakes(row: Sequence[float], end: int) -> Iterator[str]:
    at, span_s, watched_s = row[_AT], row[_SPAN_S], row[_WATCHED_S]
    if at % MINUTE_S or span_s % MINUTE_S or span_s <= 0:
        yield f"it covers {span_s:g} s from {at:.0f} on, whole minutes are expected"
    if at < end:
        yield f"it begins before the row before it ends, at {utc_text(end)}"
    if not 0 <= watched_s <= span_s + _SLACK_S:
        yield f"watched_s is {watched_s:g}, 0 to {span_s:g} is expected"
    for name, place in _TIMES:
        if not 0 <= row[place] <= watched_s + _SLACK_S:
            yield f"{name} is {row[place]:g}, 0 to the {watched_s:g} s watched is expected"


def _sum_mistakes(row: Sequence[float]) -> Iterator[str]:
    deployed_hs, operating_hs = row[_DEPLOYED], row[_OPERATING]
    slack_hs = TOLERANCE_RATIO * max(deployed_hs, operating_hs, 1.0)
    least = min(row)
    if least < 0 and -least > slack_hs:
        yield f"{COLUMNS[list(row).index(least)]} is {least:g}, nothing below 0 is expected"
    found_hs = deployed_hs - math.fsum(row[_LOSSES]) + row[_UPLIFT]
    if abs(found_hs - operating_hs) > slack_hs:
        yield f"deployed - losses + uplift is {found_hs:g}, operating_hs is {operating_hs:g}"
    for name, place in _PARTS_OF_DEPLOYED:
        if row[place] > deployed_hs + slack_hs:
            yield f"{name} is {row[place]:g}, more than the {deployed_hs:g} deployed"
    for name, place in _PARTS_OF_OPERATING:
        if row[place] > operating_hs + slack_hs:
            yield f"{name} is {row[place]:g}, more than the {operating_hs:g} operating"
    units, in_states = row[_UNITS], math.fsum(row[_STATES])
    if abs(units - in_states) > TOLERANCE_RATIO * max(units, 1.0):
        yield f"{in_states:g} units are in some state, units is {units:g}"
    if row[_SIMULATED] > units * (1 + TOLERANCE_RATIO):
        yield f"simulated_units is {row[_SIMULATED]:g}, more than the {units:g} units"


class GroupSums(NamedTuple):
    """The sums over all containers in one hour.

    Attributes:
        deployed, operating: Hashrate times watched time, hashes.
    """

    deployed: float
    operating: float


APART_RATIO = 1e-3
"""Containers that differ from their site by more, over an hour, do not add up."""


class HourSums:
    """A site's own sums by hour, to be held against those of its containers.

    Args:
        start: Unix time from which hours are counted, s.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._hours: dict[int, tuple[list[float], list[float]]] = {}

    def add(self, chunk: Sequence[Values]) -> None:
        """Add the site's rows."""
        for values in chunk:
            at, watched_s = values[_AT] or 0, values[_WATCHED_S] or 0.0
            deployed, operating = self._hours.setdefault(int(at - self._start) // 3600, ([], []))
            deployed.append((values[_DEPLOYED] or 0.0) * watched_s)
            operating.append((values[_OPERATING] or 0.0) * watched_s)

    def apart(self, containers: Mapping[int, GroupSums]) -> Iterator[int]:
        """Yield the Unix times of the hours in which containers do not add up to the site, s.

        An hour without any row of a container says nothing: such rows are deleted early where the file is full.
        """
        for hour, (deployed, operating) in sorted(self._hours.items()):
            theirs = containers.get(hour)
            whole = math.fsum(deployed)
            if theirs is None:
                continue
            off = max(abs(theirs.deployed - whole), abs(theirs.operating - math.fsum(operating)))
            if off > APART_RATIO * whole + 1.0:
                yield self._start + hour * 3600
