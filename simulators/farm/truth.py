"""What is true of a farm at a moment, for tests and people to hold an agent's figures against."""

from collections.abc import Sequence
from typing import TypedDict

from simulators.farm.farm import Farm
from simulators.faults.vocabulary import fault_name
from simulators.unit.snapshot import OFFLINE
from simulators.unit.unit import Unit


class ActiveFault(TypedDict):
    """A fault a unit is under.

    Attributes:
        id: The injection; -1 for what was wrong when the farm was built.
        fault: Its name.
    """

    id: int
    fault: str


class UnitTruth(TypedDict):
    """The truth of one unit.

    Attributes:
        host: Its address in the ledger.
        found_here: Unit id of the unit that is found at that address now.
        state: Where it stands: off, booting, restarting, enumerating, ramping, hashing, throttled, protected, asleep.
        since: Since when, Unix seconds.
        cause: What takes most of its nameplate; null when nothing is missing.
        hashrate_hs: True hashrate, H/s.
        shown_hashrate_hs: What its firmware shows as the 5 s rate, noise included; null while its API is down.
        power_watts: At the wall.
        losses_hs: What is missing to the nameplate by cause, H/s.
        uplift_hs: What is above it.
        hashes: Done since the farm's start.
        joules: Drawn since the farm's start.
        lost_hashes: Missing since the farm's start, by cause.
        uplift_hashes: Above the nameplate since the farm's start.
        faults: What is wrong with it.
    """

    unit_id: str
    host: str
    found_here: str
    model: str
    container: str
    rack: str
    slot: int
    serial: str
    mac: str
    build: str
    nameplate_hs: float
    state: str
    since: float
    cause: str | None
    hashrate_hs: float
    shown_hashrate_hs: float | None
    power_watts: float
    losses_hs: dict[str, float]
    uplift_hs: float
    hashes: float
    joules: float
    lost_hashes: dict[str, float]
    uplift_hashes: float
    faults: list[ActiveFault]


class SiteTruth(TypedDict):
    """The truth of all units together; deployed - losses + uplift is the hashrate, at the moment and integrated.

    Attributes:
        units: How many.
        units_by_state: How many stand where.
        deployed_hs: Sum of the nameplates, H/s.
        hashrate_hs: Sum of the true hashrates, H/s.
        operational_efficiency_ratio: Hashrate over deployed, now.
        power_watts: At the wall.
        losses_hs: What is missing to the nameplates by cause, H/s.
        uplift_hs: What is above them.
        hashes: Done since the farm's start.
        joules: Drawn since the farm's start.
        lost_hashes: Missing since the farm's start, by cause.
        uplift_hashes: Above the nameplates since the farm's start.
        mean_hashrate_hs: Mean since the start; null at the start.
        mean_losses_hs: Mean since the start, by cause.
        mean_uplift_hs: Mean since the start; null at the start.
        mean_operational_efficiency_ratio: Mean since the start; null at the start.
    """

    units: int
    units_by_state: dict[str, int]
    deployed_hs: float
    hashrate_hs: float
    operational_efficiency_ratio: float
    power_watts: float
    losses_hs: dict[str, float]
    uplift_hs: float
    hashes: float
    joules: float
    lost_hashes: dict[str, float]
    uplift_hashes: float
    mean_hashrate_hs: float | None
    mean_losses_hs: dict[str, float]
    mean_uplift_hs: float | None
    mean_operational_efficiency_ratio: float | None


class FarmTruth(TypedDict):
    """The truth of a farm at a moment.

    Attributes:
        at: The moment, Unix seconds of simulated time.
        since_start_s: Seconds since the farm's start.
        seed: Seed of everything random.
        site: All units together.
        units: Each unit, as far as asked for.
    """

    at: float
    since_start_s: float
    seed: int
    site: SiteTruth
    units: list[UnitTruth]


def farm_truth(farm: Farm, t: float, units: Sequence[Unit] | None = None) -> FarmTruth:
    """Give the truth at `t`, ready for JSON.

    Args:
        farm: Whose.
        t: Unix seconds of simulated time.
        units: Which units to tell of, 50 us each; all when None. The site is all of them in any case.
    """
    return {
        "at": t,
        "since_start_s": t - farm.start,
        "seed": farm.plan.seed,
        "site": site_truth(farm, t),
        "units": [unit_truth(unit, t) for unit in (farm.units if units is None else units)],
    }


def site_truth(farm: Farm, t: float) -> SiteTruth:
    """Give the truth of all units together at `t`."""
    sums = farm.sums(t)
    seconds = t - farm.start
    has_passed = seconds > 0.0
    return {
        "units": len(farm.units),
        "units_by_state": {str(phase): number for phase, number in sorted(sums.units_by_phase.items())},
        "deployed_hs": farm.deployed_hs,
        "hashrate_hs": sums.hashrate_hs,
        "operational_efficiency_ratio": sums.hashrate_hs / farm.deployed_hs,
        "power_watts": sums.power_watts,
        "losses_hs": {str(cause): lost for cause, lost in sums.losses_hs.items()},
        "uplift_hs": sums.uplift_hs,
        "hashes": sums.hashes,
        "joules": sums.joules,
        "lost_hashes": {str(cause): lost for cause, lost in sums.lost_hashes.items()},
        "uplift_hashes": sums.uplift_hashes,
        "mean_hashrate_hs": sums.hashes / seconds if has_passed else None,
        "mean_losses_hs": {str(cause): lost / seconds for cause, lost in sums.lost_hashes.items()}
        if has_passed
        else {},
        "mean_uplift_hs": sums.uplift_hashes / seconds if has_passed else None,
        "mean_operational_efficiency_ratio": sums.hashes / (farm.deployed_hs * seconds) if has_passed else None,
    }


def unit_truth(unit: Unit, t: float) -> UnitTruth:
    """Give the truth of one unit at `t`."""
    identity = unit.identity
    rate_hs = unit.hashrate_hs(t)
    totals = unit.totals(t)
    losses = unit.losses_hs(t)
    return {
        "unit_id": identity.unit_id,
        "host": str(identity.endpoint),
        "found_here": unit.conditions.answers_as or identity.unit_id,
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
        "faults": [{"id": number, "fault": fault_name(type(fault))} for number, fault in unit.faults],
    }
