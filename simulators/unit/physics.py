"""Hashrate, heat, fans and power of a unit: pure functions of simulated time with exact integrals.

Between two events only time changes, so hashrate is a straight line and power a short formula. Both are integrated in
closed form: a month costs as much as a second, and energy is exactly the integral of power.
"""

import math
from dataclasses import dataclass

DAY_S = 86400.0
_OMEGA = 2.0 * math.pi / DAY_S

REFERENCE_CELSIUS = 25.0

# Documented (D62): a T21 gained and lost about 7 % of wall power over a day. Assumed (A48): of some
# 15 degrees.
POWER_PER_CELSIUS = 0.0045

# The control board alone. Assumed (A50): sleep draws 0 to 30 W; no measurement.
STANDBY_WATTS = 18.0

# Share of the squared chip voltage, and so of the energy of a hash, that does not fall with the clock.
# Assumed (A47): a hash at 440 MHz then costs 4 % less than one at 490.
_FIXED_SQUARE = 0.6

# Documented (D55): an independent test saw 490 -> 440 MHz above 40 C and a stop above 47 C of inlet air. Assumed
# (A44): hysteresis, with the way back at 38 and 42 C.
THROTTLE_ABOVE_CELSIUS = 40.0
UNTHROTTLE_BELOW_CELSIUS = 38.0
STOP_ABOVE_CELSIUS = 47.0
RESTART_BELOW_CELSIUS = 42.0
THROTTLE_RATIO = 440.0 / 490.0

MAX_FAN_RPM = 7000
MIN_FAN_RPM = 1800  # Assumed (A46): the slowest that fans of boards with power turn.
FAN_STEP_RPM = 30  # Observed (O33): s19pro-stock-202212, tcp4028-stats (6000, 5880, 5040).


@dataclass(frozen=True, slots=True, kw_only=True)
class Climate:
    """The air (or coolant) around a group of units: a daily sine around a mean.

    Attributes:
        mean_celsius: Mean over a day.
        swing_celsius: Half the distance from the coldest to the warmest moment.
        warmest_s: Second of the UTC day at which it is warmest.
    """

    mean_celsius: float = 22.0
    swing_celsius: float = 5.0
    warmest_s: float = 15 * 3600.0

    def angle(self, t: float) -> float:
        """Return the angle of the daily sine at `t`, in radians."""
        return _OMEGA * (t - self.warmest_s) + math.pi / 2.0

    def ambient_celsius(self, t: float) -> float:
        """Return the temperature at `t`, C."""
        return self.mean_celsius + self.swing_celsius * math.sin(self.angle(t))

    def next_above(self, t: float, celsius: float) -> float:
        """Return the first moment from `t` on that is at least as warm as `celsius`; infinity if there is none."""
        sine = self._sine_of(celsius)
        if sine <= math.sin(self.angle(t)):
            return t
        return math.inf if sine > 1.0 else self._next_angle(t, math.asin(sine))

    def next_below(self, t: float, celsius: float) -> float:
        """Return the first moment from `t` on that is at most as warm as `celsius`; infinity if there is none."""
        sine = self._sine_of(celsius)
        if sine >= math.sin(self.angle(t)):
            return t
        return math.inf if sine < -1.0 else self._next_angle(t, math.pi - math.asin(sine))

    def _sine_of(self, celsius: float) -> float:
        if self.swing_celsius == 0.0:
            return math.copysign(math.inf, celsius - self.mean_celsius)
        return (celsius - self.mean_celsius) / self.swing_celsius

    def _next_angle(self, t: float, wanted: float) -> float:
        return t + (wanted - self.angle(t)) % (2.0 * math.pi) / _OMEGA


@dataclass(frozen=True, slots=True)
class Flow:
    """Hashrate and power of one unit from `start` until something changes.

    Attributes:
        start: Unix seconds.
        rate_hs: Hashrate at `start`, H/s.
        slope_hs_s: Change of the hashrate per second.
        watts: Power at `start`, without the daily part.
        watts_per_s: Linear part of the power.
        watts_per_s2: Quadratic part of the power.
        swing_watts: Amplitude of the daily part; nonzero only with a steady rate.
        angle: Angle of the daily sine at `start`.
    """

    start: float
    rate_hs: float = 0.0
    slope_hs_s: float = 0.0
    watts: float = 0.0
    watts_per_s: float = 0.0
    watts_per_s2: float = 0.0
    swing_watts: float = 0.0
    angle: float = 0.0

    def rate_at(self, t: float) -> float:
        """Return the hashrate at `t`, H/s."""
        return self.rate_hs + self.slope_hs_s * (t - self.start)

    def hashes_until(self, t: float) -> float:
        """Return the hashes done from `start` to `t`."""
        span = t - self.start
        return span * (self.rate_hs + 0.5 * self.slope_hs_s * span)

    def watts_at(self, t: float) -> float:
        """Return the power at the wall at `t`."""
        span = t - self.start
        watts = self.watts + span * (self.watts_per_s + self.watts_per_s2 * span)
        return watts + self.swing_watts * math.sin(self.angle + _OMEGA * span) if self.swing_watts else watts

    def joules_until(self, t: float) -> float:
        """Return the energy drawn from `start` to `t`, J."""
        span = t - self.start
        joules = span * (self.watts + span * (self.watts_per_s / 2.0 + span * self.watts_per_s2 / 3.0))
        if self.swing_watts:
            joules += self.swing_watts / _OMEGA * (math.cos(self.angle) - math.cos(self.angle + _OMEGA * span))
        return joules

    def moved_to(self, t: float) -> "Flow":
        """Return the same flow with `t` as its start."""
        span = t - self.start
        return Flow(
            t,
            self.rate_at(t),
            self.slope_hs_s,
            self.watts + span * (self.watts_per_s + self.watts_per_s2 * span),
            self.watts_per_s + 2.0 * self.watts_per_s2 * span,
            self.watts_per_s2,
            self.swing_watts,
            self.angle + _OMEGA * span,
        )

    def shortfall_until(self, t: float, nameplate_hs: float) -> float:
        """Return the integral of the shortfall against `nameplate_hs`, in hashes; excess does not offset it."""
        return _area_above_zero(nameplate_hs - self.rate_hs, nameplate_hs - self.rate_at(t), t - self.start)

    def excess_until(self, t: float, nameplate_hs: float) -> float:
        """Return the integral of the excess over `nameplate_hs`, in hashes; shortfall does not offset it."""
        return _area_above_zero(self.rate_hs - nameplate_hs, self.rate_at(t) - nameplate_hs, t - self.start)

    def lagged_until(self, t: float, lagged_hs: float, lag_s: float) -> float:
        """Return the exponential average of the rate at `t`, given its value `lagged_hs` at `start`."""
        behind = self.slope_hs_s * lag_s
        return self.rate_at(t) - behind + (lagged_hs - self.rate_hs + behind) * math.exp((self.start - t) / lag_s)


def _area_above_zero(first: float, last: float, span: float) -> float:
    """Return the area above zero under a straight line from `first` to `last`."""
    if first >= 0.0 and last >= 0.0:
        return 0.5 * (first + last) * span
    if first <= 0.0 and last <= 0.0:
        return 0.0
    return 0.5 * max(first, last) ** 2 / abs(first - last) * span


def voltage_ratio(clock_ratio: float) -> float:
    """Return voltage over rated voltage for a clock; its square is linear in the clock."""
    return math.sqrt(_FIXED_SQUARE + (1.0 - _FIXED_SQUARE) * clock_ratio)


def idle_flow(start: float, watts: float) -> Flow:
    """Return the flow of a unit that does not hash."""
    return Flow(start, watts=watts)


def steady_flow(
    start: float, *, rate_hs: float, slope_hs_s: float, energy: float, clock_ratio: float, climate: Climate
) -> Flow:
    """Return the flow of a unit that hashes.

    Args:
        start: Unix seconds.
        rate_hs: Hashrate at `start`.
        slope_hs_s: Slow loss or gain; if nonzero, the ambient temperature of `start` holds for the (short) flow.
        energy: Joules of one hash at the rated clock and 25 C.
        clock_ratio: Clock over rated clock.
        climate: The air around the unit.
    """
    per_hash = energy * voltage_ratio(clock_ratio) ** 2
    if slope_hs_s:
        per_hash *= 1.0 + POWER_PER_CELSIUS * (climate.ambient_celsius(start) - REFERENCE_CELSIUS)
        return Flow(start, rate_hs, slope_hs_s, STANDBY_WATTS + per_hash * rate_hs, per_hash * slope_hs_s)
    mean = 1.0 + POWER_PER_CELSIUS * (climate.mean_celsius - REFERENCE_CELSIUS)
    swing = POWER_PER_CELSIUS * climate.swing_celsius
    watts = per_hash * rate_hs
    return Flow(start, rate_hs, 0.0, STANDBY_WATTS + watts * mean, 0.0, 0.0, watts * swing, climate.angle(start))


def ramp_flow(
    start: float, *, full_rate_hs: float, ramp_s: float, energy: float, clock_ratio: float, climate: Climate
) -> Flow:
    """Return the flow of a unit whose clock rises from zero to that of its mode, at the ambient temperature of `start`.

    Args:
        start: Unix seconds.
        full_rate_hs: Hashrate at the end of the ramp.
        ramp_s: Duration of the ramp.
        energy: Joules of one hash at the rated clock and 25 C.
        clock_ratio: Clock over rated clock at the end of the ramp.
        climate: The air around the unit.
    """
    thermal = 1.0 + POWER_PER_CELSIUS * (climate.ambient_celsius(start) - REFERENCE_CELSIUS)
    watts = energy * full_rate_hs * thermal
    return Flow(
        start,
        0.0,
        full_rate_hs / ramp_s,
        STANDBY_WATTS,
        watts * _FIXED_SQUARE / ramp_s,
        watts * (1.0 - _FIXED_SQUARE) * clock_ratio / ramp_s**2,
    )


def fan_rpm(ambient_celsius: float, load: float) -> int:
    """Return the fan speed the controller sets while boards have power; `load` is power over rated power."""
    if load < 0.05:
        return MIN_FAN_RPM
    wanted = 5600.0 + 140.0 * (ambient_celsius - REFERENCE_CELSIUS) + 600.0 * (load - 1.0)
    return min(MAX_FAN_RPM, max(MIN_FAN_RPM, FAN_STEP_RPM * round(wanted / FAN_STEP_RPM)))


def board_celsius(ambient_celsius: float, load: float, rpm: int) -> tuple[float, float]:
    """Return the inlet and outlet sensors of a board, C: about 19 and 33 above 25 C air at full load.

    Observed (O55): s21-stock-aml-202407, http-stats (44, 44, 58, 58 at 7000 rpm, warm room).
    """
    inlet = ambient_celsius + 19.0 * load
    return inlet, inlet + 14.0 * load * 6000.0 / max(rpm, 3000)
