"""The period before, as one sentence beside a statement's figures. Pure.

2025-09: 91.40 % of 48.20 EH/s deployed (floor 91.20 %); 2025-10 is 0.78 points higher, mostly less curtailed
(-0.60 points)

It is computed from the same history, by the same rules. Nothing is compared with a period of which under 95 % was
watched at some site: the sentence says so instead.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from agent.site.status import Cause
from agent.statement.declared import DeployedCourse
from agent.statement.errors import StatementError
from agent.statement.figures import StatementFigures, bounds_of
from agent.statement.gates import PUBLISHED_WATCHED_RATIO, doubts_of
from agent.statement.parts import Inputs, Part, Source, part_of
from agent.statement.period import Period, name_before, parse_period
from agent.text.numbers import hashrate_text, ratio_text

SETTLED_AFTER_S = 120
"""Time after a period's end by which its last minute is on the disk, s."""
_SAME_POINTS = 0.005
_MOST_OF_IT, _WORTH_NAMING = 0.5, 0.5


class PartBefore(msgspec.Struct, frozen=True, kw_only=True):
    """One site's figures of the period before.

    Attributes:
        site: The site's name.
        inputs: The rows it was computed from.
        ledger_digest: SHA-256 of the ledger that says what was deployed in gaps; empty without one.
        watched_s, deployed_s: The time that was watched, and that in which units were deployed, s.
        weight: Share of the period in which the site had units.
        simulated_units, deployed_hs, operating_hs, uplift_hs, losses_hs: Means over the time that was watched.
        whole_hs, floor_hs: Deployed, and operating at its floor, as means over all the time.
        doubts: Names of the doubts that a publisher of that period has to acknowledge.
    """

    site: str
    inputs: Inputs
    ledger_digest: str
    watched_s: float
    deployed_s: float
    weight: float
    simulated_units: float
    deployed_hs: float
    operating_hs: float
    uplift_hs: float
    losses_hs: dict[Cause, float]
    whole_hs: float
    floor_hs: float
    doubts: tuple[str, ...] = ()

    @property
    def watched_share(self) -> float:
        """Share of the time in which units were deployed that was watched."""
        return self.watched_s / self.deployed_s if self.deployed_s else 0.0


_BY_LEDGER = frozenset({"deployed_s", "weight", "whole_hs", "floor_hs"})
"""The fields that the ledger has a say in."""
_UNCHECKED = frozenset({"ledger_digest", "doubts"})


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The period before a statement's.

    Attributes:
        period: ``2025-09``, ``2025-Q2`` or ``2024``.
        parts: One part for each site, by name.
    """

    period: str
    parts: tuple[PartBefore, ...]

    def mean(self, value: Callable[[PartBefore], float]) -> float:
        """Return the sum of a mean over all sites, each by the time in which it had units."""
        return math.fsum(value(part) * part.weight for part in self.parts)

    @property
    def deployed_hs(self) -> float:
        """Mean deployed over the time that was watched, H/s."""
        return self.mean(lambda part: part.deployed_hs)


def before_of(source: Source, period: Period, *, now: float, course: DeployedCourse | None) -> Before | None:
    """Return the period before one, from the same history.

    None if history has no rows of it, or one that cannot be, or if its last minute may not be on the disk yet.
    """
    name = name_before(period.name)
    try:
        earlier = parse_period(name, ZoneInfo(period.zone))
        if now < earlier.end + SETTLED_AFTER_S:
            return None
        return Before(period=name, parts=(_part(source, earlier, course=course),))
    except (StatementError, ValueError):
        # A damaged month must not keep the next one from being stated; there is only nothing to compare it with.
        return None


def _part(source: Source, period: Period, *, course: DeployedCourse | None, **more: Any) -> PartBefore:
    part = part_of(
        source,
        period,
        until=period.end,
        elapsed_s=float(period.seconds),
        is_over=True,
        known_by=0.0,
        recovered_by=0.0,
        course=course,
        **more,
    )
    bounds = bounds_of(part.mean, part.unseen)
    return PartBefore(
        site=part.site,
        inputs=part.inputs,
        ledger_digest=part.unseen.ledger_digest,
        watched_s=part.mean.watched_s,
        deployed_s=part.unseen.deployed_s,
        weight=part.weight,
        simulated_units=part.mean.simulated_units,
        deployed_hs=part.mean.deployed_hs,
        operating_hs=part.mean.operating_hs,
        uplift_hs=part.mean.uplift_hs,
        losses_hs=dict(part.mean.losses_hs),
        whole_hs=bounds.whole_hs,
        floor_hs=bounds.floor_hs,
        doubts=tuple(doubt.name for doubt in doubts_of(part)),
    )


def combined(befores: Iterable[Before | None]) -> Before | None:
    """Return several sites' period before as one; None if one of them has none: the fleets would not be the same."""
    found = list(befores)
    there = [before for before in found if before is not None]
    if not there or len(there) < len(found):
        return None
    parts = sorted((part for before in there for part in before.parts), key=lambda part: part.site)
    return Before(period=there[0].period, parts=tuple(parts))


def refuse_strange(before: Before, *, period: str, sites: Iterable[str], file: str) -> None:
    """Refuse a period before that is not the one before `period`, or not that of `sites`, or has impossible figures.

    Raises:
        StatementError: It names the file and what is wrong.
    """
    wrong = []
    if before.period != name_before(period):
        wrong.append(f"the period before {period} is {name_before(period)}, not {before.period}")
    if [part.site for part in before.parts] != list(sites):
        wrong.append(f"the sites of {before.period} are not those of {period}")
    for part in before.parts:
        numbers = (
            *(part.watched_s, part.deployed_s, part.weight, part.deployed_hs, part.operating_hs, part.uplift_hs),
            *(part.whole_hs, part.floor_hs, part.simulated_units, *part.losses_hs.values()),
        )
        if not all(math.isfinite(number) and number >= 0 for number in numbers):
            wrong.append(f"a figure of {part.site} in {before.period} is not a number of 0 or more")
    if wrong:
        raise StatementError(f"{file}: {'; '.join(wrong)}")


def differences(before: Before, source: Source, period: Period, *, course: DeployedCourse | None) -> list[str]:
    """Recompute one site's part of the period before from its history.

    Args:
        before: From a statement.
        source: The history of one of its sites.
        period: The statement's period, in the zone of that site.
        course: Deployed by the site's ledger. Without it, what was taken from a ledger is not checked.

    Returns:
        The differences, in words; empty if there are none, and if history no longer has all the rows.
    """
    stated = next((part for part in before.parts if part.site == source.site), None)
    span = source.span()
    if stated is None or span is None or span[0] > stated.inputs.first_at:
        return []
    try:
        earlier = parse_period(before.period, ZoneInfo(period.zone))
        is_by_ledger = bool(stated.ledger_digest)
        found = _part(
            source,
            earlier,
            course=course if is_by_ledger else None,
            digest_format=stated.inputs.digest_format,
        )
    except (StatementError, ValueError) as error:
        return [f"{before.period}: {error}"]
    is_whole = is_by_ledger == bool(found.ledger_digest)
    unchecked = _UNCHECKED if is_whole else _UNCHECKED | _BY_LEDGER
    wrong = [
        f"{before.period} {name}: stated {_shown(getattr(stated, name))}, history gives {_shown(getattr(found, name))}"
        for name in stated.__struct_fields__
        if name not in unchecked and getattr(stated, name) != getattr(found, name)
    ]
    # Rows of containers are deleted early, and a doubt may go with them; one that was left out is found.
    hidden = sorted(set(found.doubts) - set(stated.doubts)) if is_whole else []
    return [*wrong, *(f"{before.period} doubts: {name} is not stated" for name in hidden)]


def _shown(value: object) -> str:
    if isinstance(value, Inputs):
        return f"{value.rows} rows, sha256 {value.digest}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {each:g}" for key, each in value.items() if each) or "nothing"
    return f"{value:g}" if isinstance(value, float) else str(value)


class _Change(NamedTuple):
    """A loss or the uplift, with its effect on the ratio.

    Attributes:
        more, less: How it is named if there is more of it, and if there is less.
        grown: By how much it grew as a share of deployed.
        effect: By how much that moved the ratio.
    """

    more: str
    less: str
    grown: float
    effect: float

    @property
    def words(self) -> str:
        """``less curtailed (-0.60 points)``."""
        return f"{self.more if self.grown > 0 else self.less} ({100 * self.grown:+.2f} points)"


_FEWER = {Cause.MISSING_BOARDS: "fewer missing boards", Cause.MISSING_CHIPS: "fewer missing chips"}


def sentence(before: Before, figures: StatementFigures, parts: Iterable[Part], *, period: str) -> str:
    """Return the sentence: the period before, how far this one differs, and the main cause.

    Args:
        before: The period before.
        figures: The figures of this period.
        parts: Its parts.
        period: Its name.
    """
    short = [part for part in before.parts if part.watched_share < PUBLISHED_WATCHED_RATIO]
    if short:
        least = min(short, key=lambda part: part.watched_share)
        whose = f" of {least.site}" if len(before.parts) > 1 else ""
        return (
            f"{before.period}: history shows only {ratio_text(least.watched_share)} of the time{whose},"
            " too little to compare with."
        )
    return f"{_was(before)}; {_now(before, figures, list(parts), period)}."


def _was(before: Before) -> str:
    ratio = _ratio(before.mean(lambda part: part.operating_hs), before.deployed_hs)
    floor = _ratio(before.mean(lambda part: part.floor_hs), before.mean(lambda part: part.whole_hs))
    doubts = sorted({doubt for part in before.parts for doubt in part.doubts})
    remarks = [
        f"floor {ratio_text(floor)}",
        *(["with simulated units"] if any(part.simulated_units for part in before.parts) else []),
        *([f"in doubt: {', '.join(doubts)}"] if doubts else []),
    ]
    return (
        f"{before.period}: {ratio_text(ratio)} of {hashrate_text(before.deployed_hs)} deployed ({', '.join(remarks)})"
    )


def _now(before: Before, figures: StatementFigures, parts: list[Part], period: str) -> str:
    was = _ratio(before.mean(lambda part: part.operating_hs), before.deployed_hs)
    now = figures.operational_efficiency_ratio
    if was is None or now is None:
        return f"nothing was deployed in {before.period if was is None else period}"
    if any(part.watched_share < PUBLISHED_WATCHED_RATIO for part in parts):
        return f"too little of {period} was watched to compare them"
    name = period if all(part.is_over for part in parts) else f"{period} so far"
    points = 100 * (now - was)
    if abs(points) < _SAME_POINTS:
        return f"{name} is the same to 0.01 points"
    return f"{name} is {abs(points):.2f} points {'higher' if points > 0 else 'lower'}{_why(before, figures, now - was)}"


def _why(before: Before, figures: StatementFigures, moved: float) -> str:
    """Return the loss that moved the ratio most, and a large one that moved it the other way."""
    changes = list(_changes(before, figures))
    sign = math.copysign(1.0, moved)
    main = max(changes, key=lambda change: sign * change.effect)
    other = min(changes, key=lambda change: sign * change.effect)
    how = "mostly" if sign * main.effect >= _MOST_OF_IT * abs(moved) else "in part"
    against = f", against {other.words}" if -sign * other.effect >= _WORTH_NAMING * sign * main.effect else ""
    return f", {how} {main.words}{against}"


def _changes(before: Before, figures: StatementFigures) -> Iterable[_Change]:
    for cause in Cause:
        was = _ratio(before.mean(lambda part, cause=cause: part.losses_hs.get(cause, 0.0)), before.deployed_hs)  # type: ignore[misc]
        grown = (figures.losses_ratio[cause] or 0.0) - (was or 0.0)
        word = cause.replace("_", " ")
        yield _Change(f"more {word}", _FEWER.get(cause, f"less {word}"), grown, -grown)
    grown = (figures.uplift_ratio or 0.0) - (
        _ratio(before.mean(lambda part: part.uplift_hs), before.deployed_hs) or 0.0
    )
    yield _Change("more uplift", "less uplift", grown, grown)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
