"""The truth of a farm at a moment, to compare an agent's figures with."""

from collections.abc import Sequence
from typing import TypedDict

from simulators.farm.farm import Farm
from simulators.faults.vocabulary import fault_name
from simulators.unit.snapshot import OFFLINE
from simulators.unit.unit import Unit


class ActiveFault(TypedDict):
    """A fault that is active on a unit.

    Attributes:
        id: Number of the injection; -1 for a trouble that the farm started with.
        fault: Name of the fault.
    """

    id: int
    fault: str


class UnitTruth(TypedDict):
    """The truth of one unit.

    Attributes:
        host: Address in the ledger.
        found_here: Id of the unit that answers at that address now.
        build: Its stock firmware build; of a twin the nearest one that the simulators know.
        firmware: Name of the firmware it runs; ``antminer`` is stock, and stands for that of a twin.
        tuning_ratio: Clock over rated clock of its tuning profile.
        like: Name of the capture that it is a twin of; empty for none.
        state: Its phase: off, booting, restarting, enumerating, ramping, hashing, throttled, protected, asleep.
        since: Beginning of this state, Unix seconds.
        cause: The cause that takes most of its nameplate; null without losses.
        hashrate_hs: True hashrate, H/s.
        shown_hashrate_hs: The 5 s rate that its firmware measures, noise included, H/s; null while its API is down.
            Faults in the figures of its replies are not in it.
        power_watts: Power at the wall, W.
        losses_hs: Losses against nameplate by cause, H/s.
        uplift_hs: Hashrate above nameplate, H/s.
        hashes: Done since the farm's start.
        joules: Drawn since the farm's start.
        lost_hashes: Lost since the farm's start, by cause.
        uplift_hashes: Above nameplate since the farm's start.
        faults: Its active faults. Those in its replies leave every figure above as it is.
    """

    unit_id: str
    host: str
    found_here: str
    model: str
    container: str
    rack: str
    slot: int
    owner: str
    serial: str
    mac: str
    build: str
    firmware: str
    tuning_ratio: float
    like: str
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
        units: Number of units.
        units_by_state: Number of units in each state.
        deployed_hs: Sum of the nameplates, H/s.
        hashrate_hs: Sum of the true hashrates, H/s.
        operational_efficiency_ratio: Hashrate over deployed, now.
        power_watts: Power at the wall, W.
        losses_hs: Losses against nameplate by cause, H/s.
        uplift_hs: Hashrate above nameplate, H/s.
        hashes: Done since the farm's start.
        joules: Drawn since the farm's start.
        lost_hashes: Lost since the farm's start, by cause.
        uplift_hashes: Above nameplate since the farm's start.
        mean_hashrate_hs: Mean since the start; null at the start.
        mean_losses_hs: Mean since the start, by cause; empty at the start.
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


class OwnerTruth(TypedDict):
    """The truth of one owner's units at the moment.

    Attributes:
        units: Number of units.
        deployed_hs: Sum of the nameplates, H/s.
        hashrate_hs: Sum of the true hashrates, H/s.
        power_watts: Power at the wall, W.
        losses_hs: Losses against nameplate by cause, H/s.
    """

    units: int
    deployed_hs: float
    hashrate_hs: float
    power_watts: float
    losses_hs: dict[str, float]


class FarmTruth(TypedDict):
    """The truth of a farm at a moment.

    Attributes:
        at: The moment, Unix seconds of simulated time.
        since_start_s: Seconds since the farm's start.
        seed: Random seed.
        site: All units together.
        owners: The units of each owner; the site's own have an empty name. Empty where no unit has an owner.
        units: The requested units, one by one.
    """

    at: float
    since_start_s: float
    seed: int
    site: SiteTruth
    owners: dict[str, OwnerTruth]
    units: list[UnitTruth]


def farm_truth(farm: Farm, t: float, units: Sequence[Unit] | None = None) -> FarmTruth:
    """Return the truth at `t`, ready for JSON.

    Args:
        farm: The farm.
        t: Unix seconds of simulated time.
        units: Units to include one by one, 50 us each; None for all. The site always covers all units.
    """
    return {
        "at": t,
        "since_start_s": t - farm.start,
        "seed": farm.plan.seed,
        "site": site_truth(farm, t),
        "owners": owner_truths(farm, t),
        "units": [unit_truth(unit, t) for unit in (farm.units if units is None else units)],
    }


def site_truth(farm: Farm, t: float) -> SiteTruth:
    """Return the truth of all units together at `t`."""
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


def owner_truths(farm: Farm, t: float) -> dict[str, OwnerTruth]:
    """Return the truth of each owner's units at `t`: 20 us a unit, and nothing where no unit has an owner."""
    if not farm.plan.owners:
        return {}
    owners: dict[str, list[Unit]] = {}
    for unit in farm.units:
        owners.setdefault(unit.identity.owner, []).append(unit)
    return {name: _owner_truth(units, t) for name, units in sorted(owners.items())}


def _owner_truth(units: Sequence[Unit], t: float) -> OwnerTruth:
    losses: dict[str, float] = {}
    for unit in units:
        for cause, lost in unit.losses_hs(t).items():
            losses[str(cause)] = losses.get(str(cause), 0.0) + lost
    return {
        "units": len(units),
        "deployed_hs": sum(unit.identity.model.hashrate_hs for unit in units),
        "hashrate_hs": sum(unit.hashrate_hs(t) for unit in units),
        "power_watts": sum(unit.power_watts(t) for unit in units),
        "losses_hs": losses,
    }


def unit_truth(unit: Unit, t: float) -> UnitTruth:
    """Return the truth of one unit at `t`."""
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
        "owner": identity.owner,
        "serial": identity.serial,
        "mac": identity.mac,
        "build": unit.build,
        "firmware": identity.firmware,
        "tuning_ratio": identity.tuning,
        "like": identity.like,
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
