"""Requests to a pool and the places of figures in its answers: data, for presets and for kind ``http`` alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

HOUR_S, DAY_S = 3600, 86_400

NOT_TRIED = "documented, not tried against the pool"


class Signature(StrEnum):
    """A step that adds fields to the form before it is sent."""

    NONE = "none"
    ANTPOOL = "antpool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. ``{account}``, ``{key}`` and ``{secret}`` stand for these values in every text.

    A request for the past may also name ``{start_ms}``, ``{end_ms}``, ``{start_date}`` and ``{end_date}`` (UTC).

    Attributes:
        method: Its method.
        path: Below the pool's address; values in it are escaped.
        query, headers, form: By name.
        body: JSON as text; values are put into its strings.
        signature: The step before it is sent.
    """

    method: Literal["GET", "POST"] = "GET"
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    signature: Signature = Signature.NONE


class Figure(NamedTuple):
    """One figure in an answer.

    Attributes:
        window_s: Time it is over, s.
        pointer: JSON pointer to it.
        scale: H/s per unit of it; ignored if it names its unit.
        unit_pointer: JSON pointer to the name of its unit, ``Gh/s``; None where the unit is fixed.
    """

    window_s: int
    pointer: str
    scale: float = 1.0
    unit_pointer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The credited hashrate of now.

    Attributes:
        call: The request.
        figures: Where the figures stand.
        at_pointer: JSON pointer to the time that they are of; None if the answer does not say.
        done_pointer: JSON pointer to a code that is 0 if the pool did what was asked; None without one.
    """

    call: Call
    figures: tuple[Figure, ...]
    at_pointer: str | None = None
    done_pointer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Closed hours or days, which a pool forgets after a while.

    Attributes:
        call: The request.
        rows_pointer: JSON pointer to the list of them; empty for the whole answer.
        start_pointer: Within one, JSON pointer to its beginning.
        figure: Within one, its figure; the window is the length of each.
        kept_s: How far back the pool answers, or as far as is asked, s.
        most_rows: Rows asked for at once.
        done_pointer: As of `Reading`.
    """

    call: Call
    rows_pointer: str
    start_pointer: str
    figure: Figure
    kept_s: int
    most_rows: int
    done_pointer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The way one account is read.

    Attributes:
        title: The pool's name for people.
        base: Its address.
        reading: The figures of now.
        past: Closed hours or days; None if the pool documents none that can be used.
        between_s: Least time between two requests to this pool, for all accounts together, s.
        basis: How far this can be relied on, in words.
    """

    title: str
    base: str
    reading: Reading
    past: Past | None = None
    between_s: float = 10.0
    basis: str = NOT_TRIED
