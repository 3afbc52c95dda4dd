"""The stretch of time between two events of a unit: its formulas, when it ends, and the phase that follows."""

import math
from typing import NamedTuple

from simulators.unit import chance, physics
from simulators.unit.conditions import Conditions
from simulators.unit.models import Model
from simulators.unit.snapshot import RUNNING, Phase

# Duration of each stage of a start, s. Assumed (A36): 4028 up at 45 s, boards at 75 s, full rate within 2
# to 6 minutes.
BOOT_S = 45.0
ENUMERATE_S = 30.0
RAMP_S = 165.0
WARM_UP_S = BOOT_S + ENUMERATE_S + RAMP_S
STARTING = {Phase.ENUMERATING: ENUMERATE_S, Phase.RAMPING: RAMP_S}

_DRIFT_FLOW_S = 600.0

# Counters of a unit's key, apart from those of `lifecycle` and `observe`.
_KEY_SILICON = 0
_KEY_ENERGY = 1


class Silicon(NamedTuple):
    """Quality of the chips of one unit.

    Attributes:
        rate_ratio: Hashrate over that of the model's chips at the same clock.
        joules_per_hash: Energy of one hash at the rated clock and 25 C.
    """

    rate_ratio: float
    joules_per_hash: float


class Stretch(NamedTuple):
    """The time from one event of a unit to the next, as far as it can be predicted.

    Attributes:
        flow: Hashrate and power.
        until: When it ends by itself, Unix seconds; infinity for never.
        follows: The phase that follows, where the present one allows several.
    """

    flow: physics.Flow
    until: float
    follows: Phase


def draw_silicon(model: Model, key: int) -> Silicon:
    """Return the chip quality of the unit with random key `key`."""
    # Observed (O52): averages sit 0.6 % over the boards' ideal, s21-stock-aml-202407. Documented (D60): Bitmain
    # allows 3 %.
    return Silicon(
        1.004 + 0.004 * chance.normal(key, _KEY_SILICON),
        model.joules_per_hash * (1.0 + 0.015 * chance.normal(key, _KEY_ENERGY)),
    )


def full_rate_hs(model: Model, silicon: Silicon, conditions: Conditions, full_clock: float) -> float:
    """Return the hashrate of all working chips at `full_clock`, the clock over rated clock of mode and profile, H/s."""
    if conditions.is_without_work:
        return 0.0
    chips = sum(conditions.chips_by_board(model))
    rate_hs = chips * model.ghs_per_chip_mhz * model.frequency_mhz * 1e9 * silicon.rate_ratio
    return rate_hs * conditions.rate_ratio * full_clock


def clock_ratio(t: float, phase: Phase, full_clock: float, *, since: float) -> float:
    """Return clock over rated clock at `t` in a phase that began at `since`; 0 while nothing hashes."""
    if phase not in RUNNING:
        return 0.0
    if phase is Phase.THROTTLED:
        return full_clock * physics.THROTTLE_RATIO
    return full_clock * (t - since) / RAMP_S if phase is Phase.RAMPING else full_clock


def has_fans(model: Model, conditions: Conditions) -> bool:
    """Return True if every fan of the model turns."""
    return all(fan >= model.fans for fan in conditions.stopped_fans)


def running_phase(ambient_celsius: float, before: Phase, *, is_cooled: bool) -> Phase:
    """Return the running phase that air and fans allow; leaving heat protection or throttling has hysteresis."""
    stop_above = physics.RESTART_BELOW_CELSIUS if before is Phase.PROTECTED else physics.STOP_ABOVE_CELSIUS
    if not is_cooled or ambient_celsius > stop_above:
        return Phase.PROTECTED
    is_throttled = before is Phase.THROTTLED
    throttle_above = physics.UNTHROTTLE_BELOW_CELSIUS if is_throttled else physics.THROTTLE_ABOVE_CELSIUS
    return Phase.THROTTLED if ambient_celsius > throttle_above else Phase.HASHING


def idle(
    at: float, phase: Phase, conditions: Conditions, climate: physics.Climate, *, restart_s: float, is_cooled: bool
) -> Stretch:
    """Return a stretch without hashes.

    Args:
        at: When it begins, Unix seconds.
        phase: A phase that does not hash.
        conditions: The sum of the unit's active faults.
        climate: The air around the unit.
        restart_s: How long its miner process takes to restart.
        is_cooled: All its fans turn.
    """
    until = math.inf
    if phase is Phase.OFF and conditions.is_powered and conditions.trip_off_s:
        until = at + conditions.trip_off_s
    elif phase is Phase.BOOTING:
        until = at + BOOT_S
    elif phase is Phase.RESTARTING:
        until = at + restart_s
    elif phase is Phase.ENUMERATING:
        until = at + ENUMERATE_S
    elif phase is Phase.PROTECTED and is_cooled:
        until = climate.next_below(at, physics.RESTART_BELOW_CELSIUS)
    return Stretch(physics.idle_flow(at, 0.0 if phase is Phase.OFF else physics.STANDBY_WATTS), until, phase)


def ramping(at: float, climate: physics.Climate, silicon: Silicon, *, rate_hs: float, full_clock: float) -> Stretch:
    """Return the ramp of the clock to `full_clock`, at the end of which the unit does `rate_hs`."""
    flow = physics.ramp_flow(
        at,
        full_rate_hs=rate_hs,
        ramp_s=RAMP_S,
        energy=silicon.joules_per_hash,
        clock_ratio=full_clock,
        climate=climate,
    )
    return Stretch(flow, at + RAMP_S, Phase.RAMPING)


def hashing(
    at: float,
    phase: Phase,
    conditions: Conditions,
    climate: physics.Climate,
    silicon: Silicon,
    *,
    rate_hs: float,
    full_clock: float,
    since: float,
    drift_since: float,
) -> Stretch:
    """Return a hashing stretch: a piece of drift, or steady until the air changes the clock or the supply trips.

    Args:
        at: When it begins, Unix seconds.
        phase: Hashing or throttled.
        conditions: The sum of the unit's active faults.
        climate: The air around the unit.
        silicon: Quality of its chips.
        rate_hs: Hashrate at the full clock, without drift.
        full_clock: Clock over rated clock of its work mode and tuning profile.
        since: When the phase began.
        drift_since: When the drift began.
    """
    if phase is Phase.THROTTLED:
        rate_hs *= physics.THROTTLE_RATIO
        too_hot = climate.next_above(at, physics.STOP_ABOVE_CELSIUS)
        cool = climate.next_below(at, physics.UNTHROTTLE_BELOW_CELSIUS)
        until, follows = min((too_hot, Phase.PROTECTED), (cool, Phase.HASHING))
    else:
        until, follows = climate.next_above(at, physics.THROTTLE_ABOVE_CELSIUS), Phase.THROTTLED
    if conditions.trip_every_s:
        # After one of several trip faults is cleared, the shorter interval of another may have passed already.
        trip = max(at, since + conditions.trip_every_s)
        if trip < until:
            until, follows = trip, Phase.OFF
    slope_hs_s = 0.0
    if conditions.drift_per_hour:
        per_s, floor = conditions.drift_per_hour / 3600.0, conditions.drift_floor
        lost = per_s * (at - drift_since)
        if lost < 1.0 - floor - 1e-9:
            slope_hs_s = -per_s * rate_hs
            end = at + min(_DRIFT_FLOW_S, (1.0 - floor - lost) / per_s)
            if end < until:
                until, follows = end, phase
        rate_hs *= max(floor, 1.0 - lost)
    flow = physics.steady_flow(
        at,
        rate_hs=rate_hs,
        slope_hs_s=slope_hs_s,
        energy=silicon.joules_per_hash,
        clock_ratio=clock_ratio(at, phase, full_clock, since=since),
        climate=climate,
    )
    return Stretch(flow, until, follows)
