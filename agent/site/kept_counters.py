"""A unit's share counter as it is kept over a restart of this agent: the work it had done, and by which process. Pure.

Stock firmware, Braiins OS and LuxOS sum the difficulty of accepted shares from the start of the miner process on, over
all pools (O21, O178, D340); VNish keeps the same sum by pool, and the reader adds up the owner's. Of other firmware no
counter is kept.
"""

from typing import Annotated

import msgspec

from agent.unit.reading import UnitReading

READERS = frozenset({"antminer", "braiins", "luxos", "vnish"})
"""The readers whose counter is known to be accepted difficulty since the start of the process."""
SLACK_S = 30.0
"""Uptimes are whole seconds, and a reply is a little older than the end of its poll."""


class KeptCounter(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One counter.

    Attributes:
        difficulty: Sum of the difficulty of accepted shares.
        at: When it was read, Unix time, s.
        started_at: When its process started by its uptime, Unix time, s.
        rate_hs: The rate that the unit last reported, H/s; None if it told none.
    """

    difficulty: Annotated[float, msgspec.Meta(ge=0, le=1e18)]
    at: Annotated[float, msgspec.Meta(ge=0, le=1e11)]
    started_at: Annotated[float, msgspec.Meta(ge=-1e11, le=1e11)]
    rate_hs: Annotated[float, msgspec.Meta(ge=0, le=1e17)] | None


def counter_of(reading: UnitReading | None) -> KeptCounter | None:
    """Return the counter of a reading; None if it has none, or one that an earlier process may have counted."""
    if reading is None or reading.uptime_s is None or reading.reader not in READERS:
        return None
    shares = reading.shares
    if shares is None or shares.difficulty_accepted is None:
        return None
    started_at = reading.at - reading.uptime_s
    if shares.at < started_at - SLACK_S:
        return None
    return KeptCounter(shares.difficulty_accepted, shares.at, started_at, reading.rate_hs)
