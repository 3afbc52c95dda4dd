"""What a unit does between two of its events: the formulas that hold, until when, and what follows."""

import math
from typing import NamedTuple

from simulators.unit import physics
from simulators.unit.conditions import Conditions
from simulators.unit.models import Model
from simulators.unit.snapshot import RUNNING, Phase
from simulators.unit.work_modes import CLOCK_RATIO

# How long a stage of the start takes, s. Assumed (A36): 4028 up at 45 s, boards at 75 s, full rate within 2
# to 6 minutes.
BOOT_S = 45.0
ENUMERATE_S = 30.0
RAMP_S = 165.0
WARM_UP_S = BOOT_S + ENUMERATE_S + RAMP_S

_DRIFT_FLOW_S = 600.0


class Makeup(NamedTuple):
    """What the chips of one unit are like.

    Attributes:
        silicon: Rate over that of the model's chips at their clock.
        joules_per_hash: At the rated clock and 25 C.
    """

    silicon: float
    joules_per_hash: float


class Stretch(NamedTuple):
    """The time from one event of a unit to the next, as far as it can be foreseen.

    Attributes:
        flow: Its hashrate and power.
        until: When it ends by itself, Unix seconds; infinity for never.
        follows: The phase it then goes to, where the present one does not say that.
    """

    flow: physics.Flow
    until: float
    follows: Phase


def full_rate_hs(model: Model, makeup: Makeup, conditions: Conditions, mode: int) -> float:
    """Give the rate of all working chips at the rated clock of a work mode, H/s."""
    if conditions.is_without_work:
        return 0.0
    chips = sum(conditions.chips_by_board(model))
    rate_hs = chips * model.ghs_per_chip_mhz * model.frequency_mhz * 1e9 * makeup.silicon
    return rate_hs * conditions.rate_ratio * CLOCK_RATIO[mode]


def clock_ratio(t: float, phase: Phase, mode: int, *, since: float) -> float:
    """Give clock over rated clock at `t`, the phase having begun at `since`; 0 while nothing hashes."""
    if phase not in RUNNING:
        return 0.0
    ratio = CLOCK_RATIO[mode]
    if phase is Phase.THROTTLED:
        return ratio * physics.THROTTLE_RATIO
    return ratio * (t - since) / RAMP_S if phase is Phase.RAMPING else ratio


def has_fans(model: Model, conditions: Conditions) -> bool:
    """Say whether every fan that the model has turns."""
    return all(fan >= model.fans for fan in conditions.stopped_fans)


def running_phase(ambient_celsius: float, before: Phase, *, is_cooled: bool) -> Phase:
    """Say what the air and the fans allow; the way back lies lower than the way in."""
    stop_above = physics.RESTART_BELOW_CELSIUS if before is Phase.PROTECTED else physics.STOP_ABOVE_CELSIUS
    if not is_cooled or ambient_celsius > stop_above:
        return Phase.PROTECTED
    is_throttled = before is Phase.THROTTLED
    throttle_above = physics.UNTHROTTLE_BELOW_CELSIUS if is_throttled else physics.THROTTLE_ABOVE_CELSIUS
    return Phase.THROTTLED if ambient_celsius > throttle_above else Phase.HASHING


def idle(
    at: float, phase: Phase, conditions: Conditions, climate: physics.Climate, *, restart_s: float, is_cooled: bool
) -> Stretch:
    """Give a stretch without hashes.

    Args:
        at: When it begins, Unix seconds.
        phase: One that does not hash.
        conditions: What was done to the unit.
        climate: The air it breathes.
        restart_s: How long its miner process takes to start again.
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


def ramping(at: float, climate: physics.Climate, makeup: Makeup, *, rate_hs: float, mode: int) -> Stretch:
    """Give the rise of the clock to a work mode's, at the end of which the unit does `rate_hs`."""
    flow = physics.ramp_flow(
        at,
        full_rate_hs=rate_hs,
        ramp_s=RAMP_S,
        energy=makeup.joules_per_hash,
        clock_ratio=CLOCK_RATIO[mode],
        climate=climate,
    )
    return Stretch(flow, at + RAMP_S, Phase.RAMPING)


def hashing(
    at: float,
    phase: Phase,
    conditions: Conditions,
    climate: physics.Climate,
    makeup: Makeup,
    *,
    rate_hs: float,
    mode: int,
    since: float,
    drift_since: float,
) -> Stretch:
    """Give a hashing stretch: steady until the air asks for another clock or the supply trips, or a piece of drift.

    Args:
        at: When it begins, Unix seconds.
        phase: Hashing or throttled.
        conditions: What was done to the unit.
        climate: The air it breathes.
        makeup: What its chips are like.
        rate_hs: What they do at the full clock of the work mode, without drift.
        mode: The work mode.
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
        # What is left of several faults may trip more often than it has for as long as this phase lasts.
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
        energy=makeup.joules_per_hash,
        clock_ratio=clock_ratio(at, phase, mode, since=since),
        climate=climate,
    )
    return Stretch(flow, until, follows)
