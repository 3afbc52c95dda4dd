"""Figures by the minute: what each group of units was, on time-weighted average, while it was watched.

Figures hold until the next ones come. Time that passed without figures for longer than `longest_gap_s` is a gap: it is
credited to no minute, so that it can be told from a minute in which nothing hashed.

How much time passed is the monotonic clock's word, where it belongs is the wall clock's. A wall clock that is set
forward leaves a hole, one that is set back comes to minutes it has seen before: no minute is ever credited with more
seconds than it has. A suspended machine's monotonic clock stands still, so its sleep is a hole as well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Any, NamedTuple

from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.site.totals import Figures, SiteFigures

MINUTE_S = 60
# Watched seconds are sums of differences between Unix times, which floats know to 0.2 microseconds.
WATCHED_DIGITS = 6

MEANS = (
    "units",
    "deployed_hs",
    "operating_hs",
    "uplift_hs",
    *(f"loss_{cause}_hs" for cause in Cause),
    "known_hs",
    *(f"watts_{source}" for source in PowerSource),
    "efficient_watts",
    "efficient_hs",
    "efficient_deployed_hs",
    "delivered_deployed_hs",
    *(f"units_{state}" for state in UnitState),
    "simulated_units",
)
"""What is a mean over `watched_s`, by name."""

COLUMNS = ("at", "span_s", "watched_s", *MEANS, "delivered_s", "delivered_hs")
"""A row as it is stored and exported."""

Values = tuple[float | None, ...]
"""A row's values in the order of `COLUMNS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group of units over one span of time; means over the seconds that were watched.

    Attributes:
        at: Unix time at which the span begins, s.
        span_s: How long it is.
        watched_s: For how much of it there were figures; never more than `span_s`.
        units: How many were deployed.
        deployed_hs, operating_hs, uplift_hs, losses_hs, known_hs: As in `Figures`; a cause left out took nothing.
        units_by_state: A state left out had no unit.
        simulated_units: How many of the units were simulated.
        watts: Power by source.
        efficient_watts, efficient_hs, efficient_deployed_hs: Power, measured hashrate and nameplate of the units that
            had both power and hashrate.
        delivered_hs: Hashrate that pools credited over the hour before, a mean over `delivered_s`; None when there was
            no figure. Containers have none.
        delivered_s: For how long there was one.
        delivered_deployed_hs: Nameplate of the units it speaks of.
    """

    at: int
    span_s: int = MINUTE_S
    watched_s: float
    units: float
    deployed_hs: float
    operating_hs: float
    uplift_hs: float = 0.0
    losses_hs: Mapping[Cause, float] = field(default_factory=dict)
    known_hs: float
    units_by_state: Mapping[UnitState, float] = field(default_factory=dict)
    simulated_units: float = 0.0
    watts: Mapping[PowerSource, float] = field(default_factory=dict)
    efficient_watts: float = 0.0
    efficient_hs: float = 0.0
    efficient_deployed_hs: float = 0.0
    delivered_hs: float | None = None
    delivered_s: float = 0.0
    delivered_deployed_hs: float = 0.0

    @property
    def joules(self) -> dict[PowerSource, float]:
        """Energy by source over the seconds that were watched."""
        return {source: watts * self.watched_s for source, watts in self.watts.items()}

    def values(self) -> Values:
        """Give the row in the order of `COLUMNS`."""
        return (
            self.at,
            self.span_s,
            self.watched_s,
            self.units,
            self.deployed_hs,
            self.operating_hs,
            self.uplift_hs,
            *(self.losses_hs.get(cause, 0.0) for cause in Cause),
            self.known_hs,
            *(self.watts.get(source, 0.0) for source in PowerSource),
            self.efficient_watts,
            self.efficient_hs,
            self.efficient_deployed_hs,
            self.delivered_deployed_hs,
            *(self.units_by_state.get(state, 0.0) for state in UnitState),
            self.simulated_units,
            self.delivered_s,
            self.delivered_hs,
        )


def row_from(values: Values) -> Row:
    """Give the row whose `values` these are."""
    named: dict[str, float] = {name: value or 0.0 for name, value in zip(COLUMNS, values, strict=True)}
    return Row(
        at=int(named["at"]),
        span_s=int(named["span_s"]),
        watched_s=named["watched_s"],
        units=named["units"],
        deployed_hs=named["deployed_hs"],
        operating_hs=named["operating_hs"],
        uplift_hs=named["uplift_hs"],
        losses_hs={cause: named[f"loss_{cause}_hs"] for cause in Cause},
        known_hs=named["known_hs"],
        units_by_state={state: named[f"units_{state}"] for state in UnitState},
        simulated_units=named["simulated_units"],
        watts={source: named[f"watts_{source}"] for source in PowerSource},
        efficient_watts=named["efficient_watts"],
        efficient_hs=named["efficient_hs"],
        efficient_deployed_hs=named["efficient_deployed_hs"],
        delivered_hs=values[-1],
        delivered_s=named["delivered_s"],
        delivered_deployed_hs=named["delivered_deployed_hs"],
    )


_FIRST, _LAST = COLUMNS.index(MEANS[0]), COLUMNS.index(MEANS[-1]) + 1


class Totals:
    """Sums over any number of rows, added chunk by chunk; the same rows in the same chunks give the same bits.

    What is summed are differences to the first row, so that a figure that stood still has itself as its mean. Within a
    chunk and over the chunks' sums, addition is exact and rounds once (`math.fsum`).
    """

    def __init__(self) -> None:
        self.rows = 0
        self._first: tuple[float, ...] = ()
        self._chunks: list[tuple[float, ...]] = []

    def add(self, chunk: Sequence[Values]) -> None:
        """Take in some rows, as values."""
        if not chunk:
            return
        self.rows += len(chunk)
        # Any: numbers all of them, but for the last, which may be None.
        columns: list[Any] = list(zip(*chunk, strict=True))
        self._first = self._first or tuple(column[0] for column in columns[_FIRST:_LAST])
        watched_s, delivered_s, delivered_hs = columns[2], columns[-2], columns[-1]
        self._chunks.append(
            (
                math.fsum(watched_s),
                *(
                    math.fsum(map(mul, [value - first for value in column], watched_s))
                    for first, column in zip(self._first, columns[_FIRST:_LAST], strict=True)
                ),
                math.fsum(delivered_s),
                math.fsum(map(mul, [hs or 0.0 for hs in delivered_hs], delivered_s)),
            )
        )

    def values(self, *, at: int, span_s: int) -> Values | None:
        """Give the mean of everything added as one row over the span; None when no second was watched."""
        if not self._chunks:
            return None
        watched_s, *sums, delivered_s, delivered = (math.fsum(sums) for sums in zip(*self._chunks, strict=True))
        if not watched_s:
            return None
        means = [first + total / watched_s for first, total in zip(self._first, sums, strict=True)]
        return (at, span_s, watched_s, *means, delivered_s, delivered / delivered_s if delivered_s else None)


def mean_values(rows: Sequence[Values], *, at: int, span_s: int) -> Values | None:
    """Give the mean of `rows` as one row over the span; None when no second of them was watched."""
    totals = Totals()
    totals.add(rows)
    return totals.values(at=at, span_s=span_s)


def merge(before: Values, new: Values) -> Values:
    """Give one row for what was watched of the same span twice: a restart within a minute, a clock set back.

    What was there stays; the new row adds at most the seconds that were not watched yet.
    """
    left_s = max(0.0, _number(before[1]) - _number(before[2]))
    new_s = _number(new[2])
    if new_s > left_s:
        share = left_s / new_s
        new = (*new[:2], left_s, *new[3:-2], _number(new[-2]) * share, new[-1])
    merged = mean_values([before, new], at=int(_number(before[0])), span_s=int(_number(before[1])))
    return before if merged is None else merged


def _number(value: float | None) -> float:
    return value or 0.0


class Minute(NamedTuple):
    """One minute that is over.

    Attributes:
        site: The site's row.
        containers: A row for each container there was.
    """

    site: Row
    containers: Mapping[str, Row]


class _Open:
    """One group's means in the minute under way."""

    __slots__ = ("delivered_hs", "delivered_s", "means", "watched_s")

    def __init__(self) -> None:
        self.watched_s = 0.0
        self.means: Sequence[float] = ()
        self.delivered_s = 0.0
        self.delivered_hs: float | None = None

    def add(self, means: Sequence[float], delivered_hs: float | None, seconds: float) -> None:
        seconds = min(seconds, MINUTE_S - self.watched_s)
        if not seconds:
            return
        self.watched_s += seconds
        share = seconds / self.watched_s
        # Moved towards the new value, so that a figure that stands still has itself as its mean, to the last bit.
        self.means = [mean + (new - mean) * share for mean, new in zip(self.means or means, means, strict=True)]
        if delivered_hs is not None:
            self.delivered_s += seconds
            before_hs = delivered_hs if self.delivered_hs is None else self.delivered_hs
            self.delivered_hs = before_hs + (delivered_hs - before_hs) * seconds / self.delivered_s

    def row(self, at: int) -> Row:
        watched_s, delivered_s = round(self.watched_s, WATCHED_DIGITS), round(self.delivered_s, WATCHED_DIGITS)
        return row_from((at, MINUTE_S, watched_s, *self.means, delivered_s, self.delivered_hs))


class _Held(NamedTuple):
    """Figures that hold since `clock_s`, by group; the site's name is None."""

    clock_s: float
    groups: Mapping[str | None, tuple[Sequence[float], float | None]]


class MinuteBook:
    """Makes minutes of figures.

    Args:
        longest_gap_s: Figures further apart than this hold for no second.
    """

    def __init__(self, *, longest_gap_s: float) -> None:
        self.longest_gap_s = longest_gap_s
        self._held: _Held | None = None
        self._open_at = 0
        self._open: dict[str | None, _Open] = {}

    def advance(self, figures: SiteFigures, *, simulated_units: int, clock_s: float) -> list[Minute]:
        """Take in the figures of this moment.

        Args:
            figures: With the Unix time they are of.
            simulated_units: How many of the site's units are simulated.
            clock_s: The monotonic clock, s.

        Returns:
            The minutes that are over, oldest first.
        """
        before = self._held
        groups: dict[str | None, tuple[Sequence[float], float | None]] = {
            None: (
                _means(figures.site, figures.delivered_1h_deployed_hs, simulated_units),
                figures.delivered_1h_hs,
            )
        }
        groups.update((name, (_means(sums, 0.0, 0), None)) for name, sums in figures.by_container.items())
        self._held = _Held(clock_s, groups)
        if before is None:
            return []
        passed_s = clock_s - before.clock_s
        if not 0 < passed_s <= self.longest_gap_s:
            return []
        closed = []
        at, end = figures.at - passed_s, figures.at
        while at < end:
            minute = math.floor(at / MINUTE_S) * MINUTE_S
            until = min(end, minute + MINUTE_S)
            if minute != self._open_at:
                closed += self.close()
                self._open_at = minute
            for name, (means, delivered_hs) in before.groups.items():
                self._open.setdefault(name, _Open()).add(means, delivered_hs, until - at)
            at = until
        return closed

    def close(self) -> list[Minute]:
        """Give what was watched of the minute under way, as one minute or none; the rest of it becomes another."""
        rows = {name: each.row(self._open_at) for name, each in self._open.items() if each.means}
        self._open = {}
        site = rows.pop(None, None)
        if site is None:
            return []
        return [Minute(site, {name: row for name, row in rows.items() if name is not None})]


def _means(figures: Figures, delivered_deployed_hs: float, simulated_units: int) -> tuple[float, ...]:
    """Give one group's figures in the order of `MEANS`."""
    return (
        figures.units,
        figures.deployed_hs,
        figures.operating_hs,
        figures.uplift_hs,
        *(figures.losses_hs[cause] for cause in Cause),
        figures.known_hs,
        *(figures.watts_by_source[source] for source in PowerSource),
        figures.efficient_watts,
        figures.efficient_hs,
        figures.efficient_deployed_hs,
        delivered_deployed_hs,
        *(figures.units_by_state[state] for state in UnitState),
        simulated_units,
    )
