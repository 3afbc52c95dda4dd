"""Figures by the minute: time-weighted means of each group of units over the seconds that were watched.

Figures hold until the next ones arrive. If that takes longer than `longest_gap_s`, the time between is a gap. A gap is
credited to no minute, so that it differs from a minute in which nothing hashed.

The monotonic clock says how much time passed; the wall clock says which minute it belongs to. A wall clock set forward
leaves a gap. One set back reaches minutes it has already seen, but no minute is credited with more than 60 seconds.
While a machine is suspended its monotonic clock stands still, so its sleep is a gap as well.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from types import MappingProxyType
from typing import Any, NamedTuple

from agent.site.delivered import NOTHING_DELIVERED
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.site.totals import Figures, SiteFigures

MINUTE_S = 60
# Watched seconds are sums of differences between Unix times; a float resolves those to 0.2 microseconds.
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
"""The columns that are means over `watched_s`."""

COLUMNS = ("at", "span_s", "watched_s", *MEANS, "delivered_s", "delivered_hs", "judged_s", "diverted_hs")
"""The columns of a row, as stored and exported. Each of the last two pairs is a time and a mean over it, or None."""

Values = tuple[float | None, ...]
"""A row's values in the order of `COLUMNS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One group of units over one span of time, as means over the seconds that were watched.

    Attributes:
        at: Unix time at which the span begins, s.
        span_s: Length of the span, s.
        watched_s: Seconds of the span with figures; never more than `span_s`.
        units: Units deployed.
        deployed_hs, operating_hs, uplift_hs, losses_hs, known_hs: As in `Figures`, H/s; a missing cause means no loss.
        units_by_state: Units in each state; a missing state means no unit.
        simulated_units: Simulated units among them.
        watts: Power by source, W.
        efficient_watts, efficient_hs, efficient_deployed_hs: Power, measured hashrate and nameplate of the units that
            had both power and hashrate.
        delivered_hs: Hashrate that pools credited over the preceding hour, averaged over `delivered_s`; None when
            there was no figure. Always None for a container.
        delivered_s: Seconds with a delivered figure.
        delivered_deployed_hs: Nameplate of the units behind `delivered_hs`.
        diverted_hs: Measured hashrate of units whose work goes to a destination that is not the site's, averaged over
            `judged_s`; None when that was not judged. It is part of `operating_hs`.
        judged_s: Seconds in which it was judged.
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
    diverted_hs: float | None = None
    judged_s: float = 0.0

    @property
    def joules(self) -> dict[PowerSource, float]:
        """Energy by source over the seconds that were watched, J."""
        return {source: watts * self.watched_s for source, watts in self.watts.items()}

    @property
    def operational_efficiency_ratio(self) -> float | None:
        """Mean operating over mean deployed; None if nothing was deployed, or units answered and none could be read."""
        is_unknown = not (self.known_hs or self.operating_hs) and self.units_by_state.get(UnitState.UNREADABLE, 0) > 0
        return self.operating_hs / self.deployed_hs if self.deployed_hs and not is_unknown else None

    def values(self) -> Values:
        """Return the row in the order of `COLUMNS`."""
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
            self.judged_s,
            self.diverted_hs,
        )


def row_from(values: Values) -> Row:
    """Return the row with these `values`."""
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
        delivered_hs=values[DELIVERED + 1],
        delivered_s=named["delivered_s"],
        delivered_deployed_hs=named["delivered_deployed_hs"],
        diverted_hs=values[JUDGED + 1],
        judged_s=named["judged_s"],
    )


_FIRST, _LAST = COLUMNS.index(MEANS[0]), COLUMNS.index(MEANS[-1]) + 1
DELIVERED, JUDGED = COLUMNS.index("delivered_s"), COLUMNS.index("judged_s")
"""Places of the two times; the mean over each comes after it."""
PARTIAL = (DELIVERED, JUDGED)


class Totals:
    """Means over any number of rows, added chunk by chunk. The same rows in the same chunks give the same bits.

    The sums are of differences from the first row, so that a constant figure is exactly its own mean. Within a chunk
    and over the chunks' sums, addition is exact and rounds once (`math.fsum`).
    """

    def __init__(self) -> None:
        self.rows = 0
        self._first: tuple[float, ...] = ()
        self._chunks: list[tuple[float, ...]] = []

    def add(self, chunk: Sequence[Values]) -> None:
        """Add rows, as values."""
        if not chunk:
            return
        self.rows += len(chunk)
        # Any: every column holds numbers, but some may hold None.
        columns: list[Any] = list(zip(*chunk, strict=True))
        self._first = self._first or tuple(column[0] for column in columns[_FIRST:_LAST])
        watched_s = columns[2]
        self._chunks.append(
            (
                math.fsum(watched_s),
                *(
                    math.fsum(map(mul, [value - first for value in column], watched_s))
                    for first, column in zip(self._first, columns[_FIRST:_LAST], strict=True)
                ),
                *(math.fsum(columns[place]) for place in PARTIAL),
                *(math.fsum(map(mul, [hs or 0.0 for hs in columns[place + 1]], columns[place])) for place in PARTIAL),
            )
        )

    def values(self, *, at: int, span_s: int) -> Values | None:
        """Return the mean of all added rows as one row over the span; None if no second was watched."""
        if not self._chunks:
            return None
        watched_s, *sums, delivered_s, judged_s, delivered, diverted = (
            math.fsum(sums) for sums in zip(*self._chunks, strict=True)
        )
        if not watched_s:
            return None
        means = [first + total / watched_s for first, total in zip(self._first, sums, strict=True)]
        delivered_hs = delivered / delivered_s if delivered_s else None
        diverted_hs = diverted / judged_s if judged_s else None
        return (at, span_s, watched_s, *means, delivered_s, delivered_hs, judged_s, diverted_hs)


def mean_values(rows: Sequence[Values], *, at: int, span_s: int) -> Values | None:
    """Return the mean of `rows` as one row over the span; None if no second of them was watched."""
    totals = Totals()
    totals.add(rows)
    return totals.values(at=at, span_s=span_s)


def merge(before: Values, new: Values) -> Values:
    """Return one row from two of the same span, as after a restart within a minute or a clock set back.

    The earlier row stays whole; the new one adds at most the seconds that were not watched yet.
    """
    left_s = max(0.0, _number(before[1]) - _number(before[2]))
    new_s = _number(new[2])
    if new_s > left_s:
        share = left_s / new_s
        delivered_s, judged_s = _number(new[DELIVERED]) * share, _number(new[JUDGED]) * share
        new = (*new[:2], left_s, *new[3:DELIVERED], delivered_s, new[DELIVERED + 1], judged_s, new[JUDGED + 1])
    merged = mean_values([before, new], at=int(_number(before[0])), span_s=int(_number(before[1])))
    return before if merged is None else merged


def _number(value: float | None) -> float:
    return value or 0.0


class Minute(NamedTuple):
    """One minute that is over.

    Attributes:
        site: The site's row.
        containers: A row for each container.
        owners: A row for each owner; empty where the ledger names none.
    """

    site: Row
    containers: Mapping[str, Row]
    owners: Mapping[str, Row] = MappingProxyType({})


class _PartialMean:
    """A mean over the seconds in which there is a figure."""

    __slots__ = ("mean", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.mean: float | None = None

    def add(self, value: float | None, seconds: float) -> None:
        if value is not None:
            self.seconds += seconds
            before = value if self.mean is None else self.mean
            self.mean = before + (value - before) * seconds / self.seconds

    def values(self) -> tuple[float, float | None]:
        return round(self.seconds, WATCHED_DIGITS), self.mean


class _RunningMeans:
    """One group's means in the current minute."""

    __slots__ = ("delivered", "diverted", "means", "watched_s")

    def __init__(self) -> None:
        self.watched_s = 0.0
        self.means: Sequence[float] = ()
        self.delivered, self.diverted = _PartialMean(), _PartialMean()

    def add(self, held: "_HeldGroup", seconds: float) -> None:
        seconds = min(seconds, MINUTE_S - self.watched_s)
        if not seconds:
            return
        self.watched_s += seconds
        share = seconds / self.watched_s
        # Moved towards the new value, so that a constant figure is its own mean to the last bit.
        before = self.means or held.means
        self.means = [mean + (new - mean) * share for mean, new in zip(before, held.means, strict=True)]
        self.delivered.add(held.delivered_hs, seconds)
        self.diverted.add(held.diverted_hs, seconds)

    def row(self, at: int) -> Row:
        watched_s = round(self.watched_s, WATCHED_DIGITS)
        return row_from((at, MINUTE_S, watched_s, *self.means, *self.delivered.values(), *self.diverted.values()))


class _HeldGroup(NamedTuple):
    """One group's figures: the columns of `MEANS`, and those that may be absent."""

    means: Sequence[float]
    delivered_hs: float | None
    diverted_hs: float | None


_NO_UNITS = _HeldGroup([0.0] * len(MEANS), None, None)
_NO_UNITS_JUDGED = _HeldGroup([0.0] * len(MEANS), None, 0.0)


class _Held(NamedTuple):
    """Figures that have held since `clock_s`, by group. The site's key is None."""

    clock_s: float
    groups: Mapping[str | None, _HeldGroup]
    owners: Mapping[str, _HeldGroup]


class _OpenOwners:
    """The owners' means in the current minute.

    All have the seconds in which owners were known: one with units for a part of them has none for the rest. So owners
    add up to the site in every row, however units change hands.
    """

    def __init__(self) -> None:
        self._known_s = self._judged_s = 0.0
        self._means: dict[str, _RunningMeans] = {}

    def add(self, owners: Mapping[str, _HeldGroup], seconds: float, *, is_judged: bool) -> None:
        if not owners:
            return
        self._known_s += seconds
        self._judged_s += seconds * is_judged
        for name, held in owners.items():
            self._means.setdefault(name, _RunningMeans()).add(held, seconds)

    def rows(self, at: int) -> dict[str, Row]:
        known_s = min(self._known_s, float(MINUTE_S))
        for means in self._means.values():
            judged_s = max(0.0, min(self._judged_s, known_s) - means.diverted.seconds)
            rest_s = known_s - means.watched_s
            means.add(_NO_UNITS_JUDGED, min(judged_s, rest_s))
            means.add(_NO_UNITS, rest_s - min(judged_s, rest_s))
        return {name: means.row(at) for name, means in self._means.items() if means.means}


class MinuteBook:
    """Turns figures into minutes.

    Args:
        longest_gap_s: If figures are further apart than this, the time between is a gap.
    """

    def __init__(self, *, longest_gap_s: float) -> None:
        self.longest_gap_s = longest_gap_s
        self._held: _Held | None = None
        self._open_at = 0
        self._open: dict[str | None, _RunningMeans] = {}
        self._owners = _OpenOwners()

    def pause(self) -> None:
        """Begin a gap, which lasts until the next figures: those before it hold no longer."""
        self._held = None

    def advance(
        self,
        figures: SiteFigures,
        *,
        simulated_units: int,
        simulated_by_owner: Mapping[str, int] = MappingProxyType({}),
        clock_s: float,
    ) -> list[Minute]:
        """Add the current figures.

        Args:
            figures: The figures, with their Unix time.
            simulated_units: Simulated units at the site.
            simulated_by_owner: Those of each owner that has any.
            clock_s: Monotonic clock, s.

        Returns:
            The minutes that are over, oldest first.
        """
        before = self._held
        site = figures.site
        site_means = _means(site, figures.delivered_1h_deployed_hs, simulated_units)
        groups: dict[str | None, _HeldGroup] = {
            None: _HeldGroup(site_means, figures.delivered_1h_hs, site.diverted_hs),
            **{
                name: _HeldGroup(_means(sums, 0.0, 0), None, sums.diverted_hs)
                for name, sums in figures.by_container.items()
            },
        }
        owners = {
            name: _held_owner(figures, name, sums, simulated_by_owner.get(name, 0))
            for name, sums in figures.by_owner.items()
        }
        self._held = _Held(clock_s, groups, owners)
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
            for name, held in before.groups.items():
                self._open.setdefault(name, _RunningMeans()).add(held, until - at)
            is_judged = before.groups[None].diverted_hs is not None
            self._owners.add(before.owners, until - at, is_judged=is_judged)
            at = until
        return closed

    def close(self) -> list[Minute]:
        """Return the watched part of the current minute, if any, as a list. Its rest becomes another `Minute`."""
        rows = {name: each.row(self._open_at) for name, each in self._open.items() if each.means}
        owners = self._owners.rows(self._open_at)
        self._open, self._owners = {}, _OpenOwners()
        site = rows.pop(None, None)
        if site is None:
            return []
        return [Minute(site, {name: row for name, row in rows.items() if name is not None}, owners)]


def _held_owner(figures: SiteFigures, name: str, sums: Figures, simulated_units: int) -> _HeldGroup:
    delivered = figures.delivered_by_owner.get(name, NOTHING_DELIVERED)
    means = _means(sums, delivered.hour_deployed_hs, simulated_units)
    return _HeldGroup(means, delivered.hour_hs, sums.diverted_hs)


def _means(figures: Figures, delivered_deployed_hs: float, simulated_units: int) -> tuple[float, ...]:
    """Return one group's figures in the order of `MEANS`."""
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
