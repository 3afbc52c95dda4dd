"""The figures of a statement: unrounded sums over its parts. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from agent.history.minutes import Row
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.statement.parts import Part
from agent.statement.unseen import Unseen
from agent.text.numbers import TARGET_RATIO
from agent.unit.limits import HS_PER_THS

MOST_UNKNOWN_RATIO = 0.05
"""Beyond this share of unknown units, the floor is the figure that may be published."""

REACHED = (UnitState.HASHING, UnitState.STARTING, UnitState.STOPPED, UnitState.CURTAILED)
"""The states of a unit that answers. A unit in maintenance may or may not answer, so it does not count."""


class StatementFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a statement: unrounded sums over its parts.

    Attributes:
        deployed_end_hs, operating_end_hs, units_end: In each site's last row; snapshots, not averages.
        deployed_hs, operating_hs, uplift_hs, lost_hs, losses_hs, units, simulated_units: Means over the time that was
            watched. A site that had no units before a day of the period counts with nothing before it.
        deployed_whole_hs: Mean deployed over the whole time, watched or not: by the ledger in gaps.
        losses_ratio, lost_ratio, uplift_ratio: Ratios to mean deployed.
        operational_efficiency_ratio: Gross: mean operating over mean deployed, both over the time that was watched.
            What units deliver above their nameplates is in it.
        operating_floor_hs, operating_ceiling_hs: Means over the whole time, if unwatched time and units in unknown
            states count as nothing, and as full nameplate.
        operational_efficiency_floor_ratio, operational_efficiency_ceiling_ratio: These over `deployed_whole_hs`.
        operational_efficiency_capped_ratio, operational_efficiency_capped_floor_ratio: The gross ratio and its floor if
            no unit counts with more than its nameplate.
        operational_efficiency_own_ratio, operational_efficiency_own_floor_ratio: The gross ratio and its floor over
            what units say of their own nameplates; None where no row differs from that.
        operational_efficiency_end_ratio: Over deployed at the end instead, as the trade publishes it.
        operational_efficiency_excluding_curtailment_ratio: Over mean deployed less curtailed.
        recovered_hs: Work that units' counters prove of gaps, as a mean over the whole time; None if nothing was asked.
        operating_floor_recovered_hs, operational_efficiency_floor_recovered_ratio: The floor with that work. They
            decide nothing.
        is_above_target: True if the unrounded floor is above 90 %; None if nothing was deployed.
        is_lower_bound: True if so many units were in unknown states that only the floor may be published.
        unknown_ratio: Share of the deployed nameplate that was in unknown states while it was watched.
        ledger_off_ratio: How far the ledger of today is from deployed as history kept it, of that; 0 without a ledger.
        coverage_ratio: Coverage of the whole period, or of its elapsed part.
        watched_ratio: Share of the period for which there are figures.
        joules, joules_by_source: Energy over the time that was watched, J.
        energy_efficiency_j_per_th, energy_coverage_ratio: Over units with both power and hashrate, and their share of
            deployed.
        delivered_hs, delivered_coverage_ratio: Hashrate delivered by units' own counters, and the share of deployed
            behind it.
        reach_uptime_ratio, hashing_uptime_ratio: Shares of unit time.
        diverted_hs: Hashrate that worked for a destination that is not the site's, mean over the time in which that was
            judged; None where it was never judged.
        diverted_ratio: Its share of the mean operating hashrate of the sites that judged it.
        judged_ratio: Share of the watched time in which it was judged.
        credited_hs: What pools say that they credited, all accounts together, over the time in which any of them is
            known; None where no account was read, and if one of several sites has none.
        credited_covered_ratio: Share of the period, over all accounts, that is covered.
    """

    deployed_end_hs: float
    operating_end_hs: float
    units_end: float
    deployed_hs: float
    deployed_whole_hs: float
    operating_hs: float
    operating_floor_hs: float
    operating_ceiling_hs: float
    uplift_hs: float
    lost_hs: float
    losses_hs: dict[Cause, float]
    units: float
    simulated_units: float
    losses_ratio: dict[Cause, float | None]
    lost_ratio: float | None
    uplift_ratio: float | None
    operational_efficiency_ratio: float | None
    operational_efficiency_floor_ratio: float | None
    operational_efficiency_ceiling_ratio: float | None
    operational_efficiency_capped_ratio: float | None
    operational_efficiency_capped_floor_ratio: float | None
    operational_efficiency_end_ratio: float | None
    operational_efficiency_excluding_curtailment_ratio: float | None
    is_above_target: bool | None
    is_lower_bound: bool
    unknown_ratio: float
    ledger_off_ratio: float
    coverage_ratio: float | None
    watched_ratio: float
    joules: float
    joules_by_source: dict[PowerSource, float]
    energy_efficiency_j_per_th: float | None
    energy_coverage_ratio: float | None
    delivered_hs: float | None
    delivered_coverage_ratio: float | None
    reach_uptime_ratio: float | None
    hashing_uptime_ratio: float | None
    diverted_hs: float | None
    diverted_ratio: float | None
    judged_ratio: float
    credited_hs: float | None
    credited_covered_ratio: float | None
    operational_efficiency_own_ratio: float | None = None
    operational_efficiency_own_floor_ratio: float | None = None
    recovered_hs: float | None = None
    operating_floor_recovered_hs: float | None = None
    operational_efficiency_floor_recovered_ratio: float | None = None


def figures_of(parts: Sequence[Part]) -> StatementFigures:
    """Return all figures that follow from `parts`."""

    def total(value: Callable[[Part], float]) -> float:
        return math.fsum(value(part) for part in parts)

    def mean(value: Callable[[Row], float]) -> float:
        return total(lambda part: value(part.mean) * part.weight)

    deployed_hs = mean(lambda row: row.deployed_hs)
    operating_hs = mean(lambda row: row.operating_hs)
    uplift_hs = mean(lambda row: row.uplift_hs)
    deployed_end_hs = total(lambda part: part.last.deployed_hs)
    losses_hs = {cause: mean(lambda row, cause=cause: row.losses_hs.get(cause, 0.0)) for cause in Cause}  # type: ignore[misc]
    lost_hs = math.fsum(losses_hs.values())
    bounds = _bounds(parts)
    # Over all the elapsed time, watched or not.
    deployed = total(lambda part: part.whole_hs * part.weight * part.elapsed_s)
    unknown = total(lambda part: (part.mean.deployed_hs - part.mean.known_hs) * part.mean.watched_s)
    unknown_ratio = max(0.0, _ratio(unknown, deployed) or 0.0)
    watched = total(lambda part: part.mean.deployed_hs * part.mean.watched_s)
    floor = _ratio(bounds.floor_hs, bounds.whole_hs)
    known = total(lambda part: part.mean.known_hs * part.mean.watched_s)
    recovered_hs = total(_recovered_hs) if any(part.recovered.facts for part in parts) else None
    with_recovered_hs = None if recovered_hs is None else bounds.floor_hs + recovered_hs
    joules = {
        source: total(lambda part, source=source: part.mean.watts.get(source, 0.0) * part.mean.watched_s)  # type: ignore[misc]
        for source in PowerSource
    }
    efficient_hs = mean(lambda row: row.efficient_hs)
    efficient_watts = mean(lambda row: row.efficient_watts)
    delivered = [part.mean.delivered_hs * part.weight for part in parts if part.mean.delivered_hs is not None]
    units = mean(lambda row: row.units)
    is_off = any(_own_factor(part) != 1.0 for part in parts)
    is_credited = bool(parts) and all(part.credited for part in parts)
    credited_hs = total(_credited_hs) if is_credited else None
    covered = total(lambda part: math.fsum(each.covered_s for each in part.credited))
    covered_ratio = _ratio(covered, total(lambda part: part.elapsed_s * len(part.credited))) if is_credited else None
    diverted = [
        (part.mean.diverted_hs * part.weight, part.mean.operating_hs * part.weight)
        for part in parts
        if part.mean.diverted_hs is not None
    ]
    diverted_hs = math.fsum(hs for hs, _ in diverted)

    def share_of_units(states: Iterable[UnitState]) -> float | None:
        return _ratio(mean(lambda row: math.fsum(row.units_by_state.get(each, 0.0) for each in states)), units)

    return StatementFigures(
        deployed_end_hs=deployed_end_hs,
        operating_end_hs=total(lambda part: part.last.operating_hs),
        units_end=total(lambda part: part.last.units),
        deployed_hs=deployed_hs,
        deployed_whole_hs=bounds.whole_hs,
        operating_hs=operating_hs,
        operating_floor_hs=bounds.floor_hs,
        operating_ceiling_hs=bounds.ceiling_hs,
        uplift_hs=uplift_hs,
        lost_hs=lost_hs,
        losses_hs=losses_hs,
        units=units,
        simulated_units=mean(lambda row: row.simulated_units),
        losses_ratio={cause: _ratio(loss_hs, deployed_hs) for cause, loss_hs in losses_hs.items()},
        lost_ratio=_ratio(lost_hs, deployed_hs),
        uplift_ratio=_ratio(uplift_hs, deployed_hs),
        operational_efficiency_ratio=_ratio(operating_hs, deployed_hs),
        operational_efficiency_floor_ratio=floor,
        operational_efficiency_ceiling_ratio=_ratio(bounds.ceiling_hs, bounds.whole_hs),
        operational_efficiency_capped_ratio=_ratio(operating_hs - uplift_hs, deployed_hs),
        operational_efficiency_capped_floor_ratio=_ratio(bounds.capped_floor_hs, bounds.whole_hs),
        operational_efficiency_end_ratio=_ratio(operating_hs, deployed_end_hs),
        operational_efficiency_excluding_curtailment_ratio=_ratio(
            operating_hs, deployed_hs - losses_hs[Cause.CURTAILED]
        ),
        is_above_target=None if floor is None else floor > TARGET_RATIO,
        is_lower_bound=unknown_ratio > MOST_UNKNOWN_RATIO,
        unknown_ratio=unknown_ratio,
        ledger_off_ratio=_ratio(total(lambda part: abs(part.unseen.ledger_off)), watched) or 0.0,
        coverage_ratio=_ratio(known, deployed),
        watched_ratio=_ratio(total(lambda part: part.mean.watched_s), total(lambda part: part.unseen.deployed_s))
        or 0.0,
        joules=math.fsum(joules.values()),
        joules_by_source=joules,
        energy_efficiency_j_per_th=_ratio(efficient_watts, efficient_hs / HS_PER_THS),
        energy_coverage_ratio=_ratio(mean(lambda row: row.efficient_deployed_hs), deployed_hs),
        delivered_hs=math.fsum(delivered) if delivered else None,
        delivered_coverage_ratio=_ratio(
            total(lambda part: part.mean.delivered_deployed_hs * part.mean.watched_s), deployed
        ),
        reach_uptime_ratio=share_of_units(REACHED),
        hashing_uptime_ratio=share_of_units((UnitState.HASHING,)),
        credited_hs=credited_hs,
        credited_covered_ratio=covered_ratio,
        operational_efficiency_own_ratio=_ratio(
            operating_hs, total(lambda part: part.mean.deployed_hs * part.weight * _own_factor(part))
        )
        if is_off
        else None,
        operational_efficiency_own_floor_ratio=_ratio(
            bounds.floor_hs, total(lambda part: part.whole_hs * part.weight * _own_factor(part))
        )
        if is_off
        else None,
        recovered_hs=recovered_hs,
        operating_floor_recovered_hs=with_recovered_hs,
        operational_efficiency_floor_recovered_ratio=(
            None if with_recovered_hs is None else _ratio(with_recovered_hs, bounds.whole_hs)
        ),
        diverted_hs=diverted_hs if diverted else None,
        diverted_ratio=_ratio(diverted_hs, math.fsum(hs for _, hs in diverted)) if diverted else None,
        judged_ratio=_ratio(total(lambda part: part.mean.judged_s), total(lambda part: part.mean.watched_s)) or 0.0,
    )


class Bounds(NamedTuple):
    """Means over the whole time, H/s: deployed, and operating at its floor, with capped units, and at its ceiling."""

    whole_hs: float
    floor_hs: float
    capped_floor_hs: float
    ceiling_hs: float


def bounds_of(mean: Row, unseen: Unseen) -> Bounds:
    """Return the bounds of a span of time from its means and what they do not show.

    Without anything unseen, floor and ceiling are the figure itself, to the last bit.
    """
    share = unseen.watched_share(mean.watched_s)
    seen_hs = mean.operating_hs * share
    uplift_hs = mean.uplift_hs * share
    floor_hs = ceiling_hs = seen_hs
    if unseen.deployed_s:
        floor_hs = max(0.0, seen_hs - unseen.unsure / unseen.deployed_s)
        ceiling_hs = seen_hs + (unseen.unwatched + unseen.unknown) / unseen.deployed_s
    whole_hs = unseen.whole_hs(mean.deployed_hs, mean.watched_s)
    return Bounds(whole_hs, floor_hs, max(0.0, floor_hs - uplift_hs), ceiling_hs)


def _bounds(parts: Sequence[Part]) -> Bounds:
    weighed = [[hs * part.weight for hs in bounds_of(part.mean, part.unseen)] for part in parts]
    return Bounds(*map(math.fsum, zip(Bounds(0.0, 0.0, 0.0, 0.0), *weighed, strict=True)))


def _own_factor(part: Part) -> float:
    """Return what deployed would be by the units' own word, of deployed by their rows."""
    return 1.0 if part.nameplates is None else part.nameplates.factor


def _recovered_hs(part: Part) -> float:
    """Return what was recovered at a site as a mean over its whole time; never more than was unwatched."""
    unseen = part.unseen
    recovered = min(part.recovered.hashes, unseen.unwatched)
    return recovered / unseen.deployed_s * part.weight if unseen.deployed_s else 0.0


def _credited_hs(part: Part) -> float:
    """Return what all accounts of a site were credited with, over the time in which any of them is known.

    An account that took another one's place in the middle of the period adds its half, not its mean.
    """
    return math.fsum(each.credited_hs * each.covered_s for each in part.credited) / part.credited_union_s


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
