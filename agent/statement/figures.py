"""The figures of a statement: unrounded sums over its parts. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence

import msgspec

from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.statement.parts import Part
from agent.text.numbers import TARGET_RATIO
from agent.unit.limits import HS_PER_THS

REACHED = (UnitState.HASHING, UnitState.STARTING, UnitState.STOPPED, UnitState.CURTAILED)
"""The states of a unit that answers. A unit in maintenance may or may not answer, so it does not count."""


class StatementFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a statement: unrounded sums over its parts.

    Attributes:
        deployed_end_hs, operating_end_hs, units_end: In each site's last row; snapshots, not averages.
        deployed_hs, operating_hs, uplift_hs, lost_hs, losses_hs, units, simulated_units: Means.
        losses_ratio, lost_ratio, uplift_ratio: Ratios to mean deployed.
        operational_efficiency_ratio: Gross: mean operating over mean deployed.
        operational_efficiency_end_ratio: Over deployed at the end instead, as the trade publishes it.
        operational_efficiency_excluding_curtailment_ratio: Over mean deployed less curtailed.
        is_above_target: True if the unrounded gross ratio is above 90 %; None if nothing was deployed.
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
    operating_hs: float
    uplift_hs: float
    lost_hs: float
    losses_hs: dict[Cause, float]
    units: float
    simulated_units: float
    losses_ratio: dict[Cause, float | None]
    lost_ratio: float | None
    uplift_ratio: float | None
    operational_efficiency_ratio: float | None
    operational_efficiency_end_ratio: float | None
    operational_efficiency_excluding_curtailment_ratio: float | None
    is_above_target: bool | None
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


def figures_of(parts: Sequence[Part]) -> StatementFigures:
    """Return all figures that follow from `parts`."""

    def total(value: Callable[[Part], float]) -> float:
        return math.fsum(value(part) for part in parts)

    deployed_hs = total(lambda part: part.mean.deployed_hs)
    operating_hs = total(lambda part: part.mean.operating_hs)
    uplift_hs = total(lambda part: part.mean.uplift_hs)
    deployed_end_hs = total(lambda part: part.last.deployed_hs)
    losses_hs = {cause: total(lambda part, cause=cause: part.mean.losses_hs.get(cause, 0.0)) for cause in Cause}  # type: ignore[misc]
    lost_hs = math.fsum(losses_hs.values())
    ratio = _ratio(operating_hs, deployed_hs)
    # Over all the elapsed time, watched or not.
    deployed = total(lambda part: part.mean.deployed_hs * part.elapsed_s)
    known = total(lambda part: part.mean.known_hs * part.mean.watched_s)
    joules = {
        source: total(lambda part, source=source: part.mean.watts.get(source, 0.0) * part.mean.watched_s)  # type: ignore[misc]
        for source in PowerSource
    }
    efficient_hs = total(lambda part: part.mean.efficient_hs)
    efficient_watts = total(lambda part: part.mean.efficient_watts)
    delivered = [part.mean.delivered_hs for part in parts if part.mean.delivered_hs is not None]
    units = total(lambda part: part.mean.units)
    is_credited = bool(parts) and all(part.credited for part in parts)
    credited_hs = total(_credited_hs) if is_credited else None
    covered = total(lambda part: math.fsum(each.covered_s for each in part.credited))
    covered_ratio = _ratio(covered, total(lambda part: part.elapsed_s * len(part.credited))) if is_credited else None
    diverted = [(part.mean.diverted_hs, part.mean) for part in parts if part.mean.diverted_hs is not None]
    diverted_hs = math.fsum(hs for hs, _ in diverted)

    def share_of_units(states: Iterable[UnitState]) -> float | None:
        return _ratio(total(lambda part: math.fsum(part.mean.units_by_state.get(each, 0.0) for each in states)), units)

    return StatementFigures(
        deployed_end_hs=deployed_end_hs,
        operating_end_hs=total(lambda part: part.last.operating_hs),
        units_end=total(lambda part: part.last.units),
        deployed_hs=deployed_hs,
        operating_hs=operating_hs,
        uplift_hs=uplift_hs,
        lost_hs=lost_hs,
        losses_hs=losses_hs,
        units=units,
        simulated_units=total(lambda part: part.mean.simulated_units),
        losses_ratio={cause: _ratio(loss_hs, deployed_hs) for cause, loss_hs in losses_hs.items()},
        lost_ratio=_ratio(lost_hs, deployed_hs),
        uplift_ratio=_ratio(uplift_hs, deployed_hs),
        operational_efficiency_ratio=ratio,
        operational_efficiency_end_ratio=_ratio(operating_hs, deployed_end_hs),
        operational_efficiency_excluding_curtailment_ratio=_ratio(
            operating_hs, deployed_hs - losses_hs[Cause.CURTAILED]
        ),
        is_above_target=None if ratio is None else ratio > TARGET_RATIO,
        coverage_ratio=_ratio(known, deployed),
        watched_ratio=_ratio(total(lambda part: part.mean.watched_s), total(lambda part: part.elapsed_s)) or 0.0,
        joules=math.fsum(joules.values()),
        joules_by_source=joules,
        energy_efficiency_j_per_th=_ratio(efficient_watts, efficient_hs / HS_PER_THS),
        energy_coverage_ratio=_ratio(total(lambda part: part.mean.efficient_deployed_hs), deployed_hs),
        delivered_hs=math.fsum(delivered) if delivered else None,
        delivered_coverage_ratio=_ratio(
            total(lambda part: part.mean.delivered_deployed_hs * part.mean.watched_s), deployed
        ),
        reach_uptime_ratio=share_of_units(REACHED),
        hashing_uptime_ratio=share_of_units((UnitState.HASHING,)),
        credited_hs=credited_hs,
        credited_covered_ratio=covered_ratio,
        diverted_hs=diverted_hs if diverted else None,
        diverted_ratio=_ratio(diverted_hs, math.fsum(mean.operating_hs for _, mean in diverted)) if diverted else None,
        judged_ratio=_ratio(total(lambda part: part.mean.judged_s), total(lambda part: part.mean.watched_s)) or 0.0,
    )


def _credited_hs(part: Part) -> float:
    """Return what all accounts of a site were credited with, over the time in which any of them is known.

    An account that took another one's place in the middle of the period adds its half, not its mean.
    """
    return math.fsum(each.credited_hs * each.covered_s for each in part.credited) / part.credited_union_s


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
