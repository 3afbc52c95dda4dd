"""Turns at which a unit is asked for its pools besides its slow polls, at a site that judges where work goes.

Every `pools_every` polls; each unit has its own turn, so that the requests of a fleet are spread out. At once if share
counters that the unit tells anyway look like another pool's: they fell, or the shares since have another difficulty.
"""

from typing import Final
from zlib import crc32

import msgspec

from agent.unit.reading import ShareReading

SAME_RATIO: Final = 0.01
"""Mean difficulties that differ by less are one difficulty: counters of a reply may be of two moments."""


class PoolsTurn(msgspec.Struct, gc=False):
    """One unit's memory of it.

    Attributes:
        until: Polls until its turn.
        accepted: Accepted shares, as last heard; None before.
        difficulty_accepted: The sum of their difficulty.
        mean: Mean difficulty of the shares that came last; None before there were any.
        is_odd: The counters last heard look like another pool's, or the unit runs another firmware.
    """

    until: int = 0
    accepted: int | None = None
    difficulty_accepted: float = 0.0
    mean: float | None = None
    is_odd: bool = False

    def hear(self, shares: ShareReading | None) -> None:
        """Note the share counters of the whole unit, which a reader has at every poll."""
        accepted = None if shares is None else shares.accepted
        difficulty = None if shares is None else shares.difficulty_accepted
        if accepted is None or difficulty is None:
            return
        before, before_difficulty = self.accepted, self.difficulty_accepted
        if before is None or (accepted == before and difficulty == before_difficulty):
            self.accepted, self.difficulty_accepted = accepted, difficulty
            return
        self.accepted, self.difficulty_accepted = accepted, difficulty
        if accepted < before or difficulty < before_difficulty:
            self.is_odd, self.mean = True, None
        elif accepted > before:
            mean, last = (difficulty - before_difficulty) / (accepted - before), self.mean
            self.is_odd = self.is_odd or (last is not None and abs(mean - last) > SAME_RATIO * last)
            self.mean = mean

    def is_due(self, pools_every: int, unit_id: str, *, is_new: bool, is_asked: bool) -> bool:
        """Return True if this poll asks for pools, and count it.

        Args:
            pools_every: Polls from one look to the next.
            unit_id: The ledger's name for the unit.
            is_new: The unit is new or restarted.
            is_asked: This poll asks for them anyway.
        """
        if is_asked:
            self.until = crc32(unit_id.encode()) % pools_every if is_new else pools_every - 1
            self.is_odd = False
            return False
        if self.until > 0 and not self.is_odd:
            self.until -= 1
            return False
        self.until, self.is_odd = pools_every - 1, False
        return True
