"""The rate of a process so young that it cannot have measured one: it belongs to the process before the restart."""

import msgspec

from agent.unit.reading import Mode, UnitReading

CARRIED_S = 10.0
"""A process reports no rate of its own before this uptime.

Assumed (A82): boards are powered and enumerated first, which takes half a minute (A36)."""


def is_carried_over(reading: UnitReading) -> bool:
    """Return True if a unit that is awake reports a rate within `CARRIED_S` of its start."""
    uptime_s = reading.uptime_s
    return uptime_s is not None and uptime_s < CARRIED_S and bool(reading.rate_hs) and reading.mode is not Mode.SLEEP


def without_carried(reading: UnitReading) -> UnitReading:
    """Return the reading without a rate that is carried over; the same object if it has none."""
    if not is_carried_over(reading):
        return reading
    return msgspec.structs.replace(
        reading,
        hashrate_5s_hs=None,
        stand_in_hs=None,
        stand_in_window_s=None,
        repairs=tuple(sorted({*reading.repairs, "carried_over"})),
    )
