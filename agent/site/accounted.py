"""The hashrate that alerts go by, and containers that went dark, as the shipped recording rules have them. Pure."""

from agent.site.status import Cause
from agent.site.totals import Figures

DARK_BELOW_RATIO = 0.1
"""A container is dark below this share of its deployed nameplate; `grafana.levels` has the same."""

LEAST_UNITS = 4
"""A container with fewer units is never called dark: its units are listed one by one."""


def accounted_hs(sums: Figures, *, is_restoring: bool) -> float:
    """Return the hashrate that is operating, or that a declared curtailment explains, H/s.

    Args:
        sums: The figures of the site or of a container.
        is_restoring: True while a curtailment is in force or just ended: units that start are then explained by it.
    """
    starting_hs = sums.losses_hs[Cause.STARTING] if is_restoring else 0.0
    return sums.operating_hs + sums.losses_hs[Cause.CURTAILED] + starting_hs


def accounted_ratio(sums: Figures, *, is_restoring: bool) -> float | None:
    """Return accounted over deployed; None while nothing is deployed, or while that is not known."""
    if sums.operational_efficiency_ratio is None:
        return None
    return accounted_hs(sums, is_restoring=is_restoring) / sums.deployed_hs


def is_dark(sums: Figures, *, is_restoring: bool) -> bool:
    """Return True if next to nothing of a container hashes, and neither a curtailment nor maintenance explains it."""
    if not sums.deployed_hs or sums.units < LEAST_UNITS or sums.is_unknown:
        return False
    explained_hs = accounted_hs(sums, is_restoring=is_restoring) + sums.losses_hs[Cause.MAINTENANCE]
    return explained_hs < DARK_BELOW_RATIO * sums.deployed_hs
