"""Figures of reports as types with their bounds, and the share counters that forks of CGMiner spell alike.

A declared shape (`shapes`) is made of them. A figure that is absent, or does not fit its bounds, is None.
"""

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from agent.unit.limits import (
    HS_PER_GHS,
    HS_PER_MHS,
    HZ_PER_MHZ,
    MAX_BOARDS,
    MAX_CELSIUS,
    MAX_CHIPS,
    MAX_COUNT,
    MAX_DIFFICULTY,
    MAX_FREQUENCY_HZ,
    MAX_HASHRATE_HS,
    MAX_RPM,
    MAX_UPTIME_S,
    MAX_WATTS,
    MIN_CELSIUS,
)
from agent.unit.reading import ShareReading

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_UPTIME_S)] | None
Ghs: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_HASHRATE_HS / HS_PER_GHS)] | None
Mhs: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_HASHRATE_HS / HS_PER_MHS)] | None
Mhz: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_FREQUENCY_HZ / HZ_PER_MHZ)] | None
Hz: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_FREQUENCY_HZ)] | None
Count: TypeAlias = Annotated[int, Meta(ge=0, le=int(MAX_COUNT))] | None
FloatCount: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_COUNT)] | None
"""A count that firmware may write as 5.0."""
Chips: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_CHIPS)] | None
Difficulty: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_DIFFICULTY)] | None
Slot: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_BOARDS - 1, multiple_of=1)] | None
"""A place for a board. 2.0 is 2, and 1.5 is none: cut off, it would be another board's."""
Celsius: TypeAlias = Annotated[float, Meta(ge=MIN_CELSIUS, le=MAX_CELSIUS)] | None
Rpm: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_RPM)] | None
PowerWatts: TypeAlias = Annotated[float, Meta(ge=0, le=MAX_WATTS)] | None


class ShareRow(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={
        "accepted": "Accepted",
        "best_share": "Best Share",
        "difficulty_accepted": "Difficulty Accepted",
        "difficulty_rejected": "Difficulty Rejected",
        "difficulty_stale": "Difficulty Stale",
        "elapsed_s": "Elapsed",
        "hw_errors": "Hardware Errors",
        "rejected": "Rejected",
        "stale": "Stale",
    },
):
    """The counters of a `summary` and how long they have counted; a firmware's row adds its rates."""

    accepted: FloatCount = None
    best_share: Difficulty = None
    difficulty_accepted: Difficulty = None
    difficulty_rejected: Difficulty = None
    difficulty_stale: Difficulty = None
    elapsed_s: Seconds = None
    hw_errors: FloatCount = None
    rejected: FloatCount = None
    stale: FloatCount = None

    def shares(self, at: float) -> ShareReading:
        """Return the counters as a reading.

        Args:
            at: When the reply was complete, Unix s.
        """
        return ShareReading(
            at=at,
            accepted=_whole(self.accepted),
            rejected=_whole(self.rejected),
            stale=_whole(self.stale),
            difficulty_accepted=self.difficulty_accepted,
            difficulty_rejected=self.difficulty_rejected,
            difficulty_stale=self.difficulty_stale,
            hw_errors=_whole(self.hw_errors),
            best_share=self.best_share,
        )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
