"""One check of an assumption, and what it found. Pure."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import msgspec

from agent.hil.assumptions.view import Row, View

_MAX_VALUE = 60


class Verdict(StrEnum):
    """A recording's verdict on an assumption, for this unit and firmware.

    Attributes:
        REFUTED: Some reply contradicts it.
        CONFIRMED: It had the occasion to be contradicted, and was not.
        NOT_SHOWN: The recording does not show the case that it is about.
    """

    REFUTED = "refuted"
    CONFIRMED = "confirmed"
    NOT_SHOWN = "not_shown"


class Observation(NamedTuple):
    """One look at the case that an assumption is about.

    Attributes:
        holds: It is as assumed.
        path: Where it was seen.
        value: What was seen, in one line; no text of the unit that names it or its owner.
        at_s: When, since the recording began, s.
    """

    holds: bool
    path: str
    value: str
    at_s: float


Judge: TypeAlias = Callable[[View], Iterable[Observation]]


class Check(NamedTuple):
    """A check.

    Attributes:
        id: Of the assumption.
        needs: What a recording must have for it, in words.
        judge: Yields what a recording shows; never raises.
        is_of_time: It is about cadence or durations, so moments without their times show nothing.
    """

    id: str
    needs: str
    judge: Judge
    is_of_time: bool = False


class Finding(msgspec.Struct, frozen=True, gc=False):
    """Result of one assumption on a recording; an object in JSON.

    Attributes:
        id: Of the assumption.
        verdict: For this unit and firmware.
        observations: How often the case was seen.
        needs: What a recording must have for it.
        path, value, at_s: Of the first observation that decided it; None if none did. No time without times.
    """

    id: str
    verdict: Verdict
    observations: int
    needs: str
    path: str | None = None
    value: str | None = None
    at_s: float | None = None


def found(check: Check, view: View) -> Finding:
    """Return what a recording says of one assumption: one contradiction refutes it."""
    first: Observation | None = None
    times = 0
    is_timed = view.recorded.is_timed
    for observation in check.judge(view) if is_timed or not check.is_of_time else ():
        times += 1
        if first is None or (first.holds and not observation.holds):
            first = observation
    if first is None:
        return Finding(check.id, Verdict.NOT_SHOWN, 0, check.needs)
    verdict = Verdict.CONFIRMED if first.holds else Verdict.REFUTED
    value = first.value if len(first.value) <= _MAX_VALUE else f"{first.value[: _MAX_VALUE - 1]}…"
    return Finding(check.id, verdict, times, check.needs, first.path, value, first.at_s if is_timed else None)


def seen(row: Row, key: str, value: object, *, holds: bool) -> Observation:
    """Return an observation of a field."""
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    path = f"{row.where}.{key}" if key else row.where
    return Observation(holds, path, shown if shown.isprintable() else ascii(shown), row.exchange.at_s)
