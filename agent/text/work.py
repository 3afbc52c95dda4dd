"""Where units' work goes, in words. Pure."""

from collections.abc import Mapping

from agent.site.pools.work import PoolClass, UnitWork
from agent.text.losses import units_text
from agent.text.numbers import hashrate_text

CLASS_WORDS: Mapping[PoolClass, str] = {
    PoolClass.LISTED: "an address of the site's",
    PoolClass.TOLERATED: "the fee of its firmware",
    PoolClass.DIVERTED: "an address that is not yours",
    PoolClass.IDLE: "none: it sends no work",
    PoolClass.UNKNOWN: "not known",
}
"""Words for each class of destination, after "works for" or as the value of a fact."""


def diverted_text(units: int, hashrate_hs: float, addresses: int | None = None) -> str:
    """Return ``0.60 EH/s of 61 units works for 2 addresses that are not yours``.

    Args:
        units: Units whose work is diverted.
        hashrate_hs: Their measured hashrate, H/s.
        addresses: The number of different destinations; None if it was not counted.
    """
    many = "" if addresses is None else f"{addresses:,} "
    where = f"{many}addresses that are not yours"
    if 1 in {units, addresses}:
        where = "an address that is not yours"
    return f"{hashrate_text(hashrate_hs)} of {units_text(units)} works for {where}"


def destination_text(work: UnitWork, *, is_whole: bool) -> str:
    """Return where a unit's work goes: the whole destination with its account, or the host and the account's head.

    Args:
        work: Where it goes.
        is_whole: True for a reader who may see all of it.
    """
    if work.destination is None:
        return ""
    place = str(work.destination) if is_whole else work.destination.host
    account = work.account if is_whole else work.account_head
    return f"{place}, account {account}" if account else place
