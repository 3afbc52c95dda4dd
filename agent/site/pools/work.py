"""Destination of one unit's work, as its status holds it."""

from enum import StrEnum
from typing import Final

import msgspec

from agent.site.pools.destinations import Destination, redacted


class PoolClass(StrEnum):
    """The closed list of what a destination is; every unit has exactly one while pools are judged.

    Attributes:
        LISTED: It is in the site's allow-list.
        TOLERATED: The firmware's own pool, within the time that its fee may take.
        DIVERTED: Work goes there, and it is not listed.
        IDLE: The unit tells its pools, and sends work to none of them.
        UNKNOWN: Not asked yet, or too long ago; or the unit does not tell enough to judge.
    """

    LISTED = "listed"
    TOLERATED = "tolerated"
    DIVERTED = "diverted"
    IDLE = "idle"
    UNKNOWN = "unknown"


class UnitWork(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Destination of one unit's work.

    Attributes:
        pool_class: What that destination is.
        entry: Name of the entry of the allow-list, or of the tolerated fee, that it matches; None without one. Names
            are from the configuration and bounded, so they may be labels.
        destination: Where the work went when that was last known; None while it is not known, or goes nowhere. It is
            never a label, and never logged at info.
        account: The account there, without the worker; None likewise, and as secret.
        since: Unix time from which all of this holds, as far as this process has seen, s.
        known_at: Unix time at which the unit last told its pools, s; None before that.
    """

    pool_class: PoolClass
    entry: str | None = None
    destination: Destination | None = None
    account: str | None = None
    since: float
    known_at: float | None = None

    @property
    def is_diverted(self) -> bool:
        """True if its work goes to a destination that is not the site's."""
        return self.pool_class is PoolClass.DIVERTED

    @property
    def account_head(self) -> str | None:
        """The first characters of the account, for people who may not see all of it."""
        return None if self.account is None else redacted(self.account)


POOL_CLASSES: Final = tuple(PoolClass)
