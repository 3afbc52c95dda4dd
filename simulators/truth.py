"""What is true of a farm at a moment, for tests and people to hold an agent's figures against."""

from typing import Any

from simulators.conditions import Cause
from simulators.farm import Farm
from simulators.snapshot import OFFLINE
from simulators.unit import Unit


def farm_truth(farm: Farm, t: float) -> dict[str, Any]:
    """Give the truth of the site and of each unit at `t`, ready for JSON; H/s, watts, hashes, joules, seconds.

    Site and unit hold the same identities: deployed - losses + uplift == hashrate, at `t` and integrated since the
    start.
    """
    units = [unit_truth(unit, t) for unit in farm.units]
    losses = dict.fromkeys(Cause, 0.0)
    lost_hashes = dict.fromkeys(Cause, 0.0)
    for unit in units:
        for cause, lost in unit["losses_hs"].items():
            losses[cause] += lost
        for cause, lost in unit["lost_hashes"].items():
            lost_hashes[cause] += lost
    states: dict[str, int] = {}
    for unit in units:
        states[unit["state"]] = states.get(unit["state"], 0) + 1
    deployed_hs = farm.deployed_hs
    operating_hs = sum(unit["hashrate_hs"] for unit in units)
    seconds = t - farm.start
    hashes = sum(unit["hashes"] for unit in units)
    return {
        "at": t,
        "since_start_s": seconds,
        "seed": farm.plan.seed,
        "site": {
            "units": len(units),
            "units_by_state": states,
            "deployed_hs": deployed_hs,
            "hashrate_hs": operating_hs,
            "operational_efficiency_ratio": operating_hs / deployed_hs,
            "power_watts": sum(unit["power_watts"] for unit in units),
            "losses_hs": {cause: lost for cause, lost in losses.items() if lost},
            "uplift_hs": sum(unit["uplift_hs"] for unit in units),
            "hashes": hashes,
            "joules": sum(unit["joules"] for unit in units),
            "lost_hashes": {cause: lost for cause, lost in lost_hashes.items() if lost},
            "uplift_hashes": sum(unit["uplift_hashes"] for unit in units),
            "mean_operational_efficiency_ratio": hashes / (deployed_hs * seconds) if seconds > 0 else None,
        },
        "units": units,
    }


def unit_truth(unit: Unit, t: float) -> dict[str, Any]:
    """Give the truth of one unit at `t`.

    `shown_hashrate_hs` is what its firmware shows as the 5 s rate at `t`, with the noise of measuring; None while
    its API is down.
    """
    identity = unit.identity
    rate_hs = unit.hashrate_hs(t)
    totals = unit.totals(t)
    losses = unit.losses_hs(t)
    return {
        "unit_id": identity.unit_id,
        "host": identity.host,
        "model": identity.model.name,
        "container": identity.container,
        "rack": identity.rack,
        "slot": identity.slot,
        "serial": identity.serial,
        "mac": identity.mac,
        "build": unit.build,
        "nameplate_hs": identity.model.hashrate_hs,
        "state": str(unit.phase),
        "since": unit.since,
        "cause": str(max(losses, key=lambda cause: losses[cause])) if losses else None,
        "hashrate_hs": rate_hs,
        "shown_hashrate_hs": None if unit.phase in OFFLINE else unit.snapshot(t).ghs_5s * 1e9,
        "power_watts": unit.power_watts(t),
        "losses_hs": {str(cause): lost for cause, lost in losses.items()},
        "uplift_hs": max(0.0, rate_hs - identity.model.hashrate_hs),
        "hashes": totals.hashes,
        "joules": totals.joules,
        "lost_hashes": {str(cause): lost for cause, lost in totals.losses.items()},
        "uplift_hashes": totals.uplift,
        "faults": [{"id": number, "fault": type(fault).__name__} for number, fault in unit.faults],
    }
