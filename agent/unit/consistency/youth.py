"""The rate of a process so young that it cannot have measured one: it belongs to the process before the restart."""

from typing import Protocol

import msgspec

from agent.unit.reading import Mode, UnitReading

CARRIED_S = 10.0
"""A process reports no rate of its own before this uptime.

Assumed (A82): boards are powered and enumerated first, which takes half a minute (A36)."""


STUCK_S = 60.0
"""An uptime below `CARRIED_S` that stays the same for longer is none: no clock stands still."""


class YoungUptime(Protocol):
    """The memory of one unit that the rule keeps.

    Attributes:
        young_uptime: Unix time, s, at which the unit first reported its present uptime below `CARRIED_S`, and that
            uptime, s; None while it is older.
    """

    young_uptime: tuple[float, float] | None


def is_carried_over(reading: UnitReading) -> bool:
    """Return True if a unit that is awake reports a rate within `CARRIED_S` of its start."""
    uptime_s = reading.uptime_s
    return uptime_s is not None and uptime_s < CARRIED_S and bool(reading.rate_hs) and reading.mode is not Mode.SLEEP


def without_carried(reading: UnitReading, memory: YoungUptime) -> UnitReading:
    """Return the reading without a rate that is carried over; the same object if it has none.

    Of a unit whose uptime stands still, the uptime is dropped and not the rate.
    """
    uptime_s, before = reading.uptime_s, memory.young_uptime
    if uptime_s is None or not is_carried_over(reading):
        memory.young_uptime = None
        return reading
    if before is None or before[1] != uptime_s or reading.at < before[0]:
        memory.young_uptime = before = reading.at, uptime_s
    if reading.at - before[0] > STUCK_S:
        return msgspec.structs.replace(
            reading, uptime_s=None, repairs=tuple(sorted({*reading.repairs, "uptime_refuted"}))
        )
    return msgspec.structs.replace(
        reading,
        hashrate_5s_hs=None,
        stand_in_hs=None,
        stand_in_window_s=None,
        repairs=tuple(sorted({*reading.repairs, "carried_over"})),
    )
