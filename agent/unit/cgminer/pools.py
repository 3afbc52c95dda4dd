"""The `pools` report: the configured pools, their state and share counters."""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import interned, pool_text
from agent.unit.cgminer.pools_shape import bounded, fast_pools
from agent.unit.cgminer.rows import SHARE_KEYS, Row
from agent.unit.limits import MAX_DIFFICULTY
from agent.unit.reading import PoolReading


class PoolKeys(NamedTuple):
    """Keys of a pool besides its share counters."""

    place: str = "POOL"
    status: str = "Status"
    is_active: str = "Stratum Active"
    url: str = "URL"
    user: str = "User"


_KEYS: Final = PoolKeys()
KEYS_READ: Final = frozenset((*_KEYS, *SHARE_KEYS))
"""Every key of an element of POOLS that is read."""


def _is_active(item: Any) -> bool:
    return isinstance(item, dict) and item.get(_KEYS.is_active) is True


def read_pools(
    data: bytes, *, is_fee: Callable[[Mapping[str, Any]], bool] | None = None
) -> tuple[tuple[PoolReading, ...], tuple[str, ...]]:
    """Return the pools of a legacy `pools` reply in the unit's order, and the repairs that reading it took.

    Args:
        data: The reply as received.
        is_fee: Returns True for a row that is the firmware's own pool; None if the firmware has none.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The report is missing from the reply.
    """
    fast = fast_pools(data, is_fee)
    if fast is not None:
        return fast, ()
    return pools_in(wire.decode_reply(data, "pools"), data, is_fee=is_fee)


def pools_in(
    reply: wire.Reply, data: bytes, *, is_fee: Callable[[Mapping[str, Any]], bool] | None = None
) -> tuple[tuple[PoolReading, ...], tuple[str, ...]]:
    """Return the same for a decoded reply; `data` is the whole of it as received, for an excerpt, `is_fee` as there.

    Raises:
        RefusedError, UnsupportedReplyError: As for `read_pools`.
    """
    wire.accept(reply)
    rows = reply.body.get("POOLS")
    if not isinstance(rows, list):
        raise UnsupportedReplyError(f"pools: no POOLS: {excerpt(data)!r}")
    repairs = set(reply.repairs)
    pools = []
    for position, item in bounded(rows, _is_active):
        if not isinstance(item, dict):
            repairs.add("wrong_type")
            continue
        row = Row(item, repairs)
        index = row.whole(_KEYS.place)
        is_active = item.get(_KEYS.is_active)
        pools.append(
            PoolReading(
                index=position if index is None else index,
                status=interned(item.get(_KEYS.status)),
                is_active=is_active if isinstance(is_active, bool) else None,
                url=pool_text(item.get(_KEYS.url)),
                user=pool_text(item.get(_KEYS.user)),
                accepted=row.whole(SHARE_KEYS.accepted),
                rejected=row.whole(SHARE_KEYS.rejected),
                stale=row.whole(SHARE_KEYS.stale),
                difficulty_accepted=row.number(SHARE_KEYS.difficulty_accepted, MAX_DIFFICULTY),
                difficulty_rejected=row.number(SHARE_KEYS.difficulty_rejected, MAX_DIFFICULTY),
                difficulty_stale=row.number(SHARE_KEYS.difficulty_stale, MAX_DIFFICULTY),
                is_fee=is_fee is not None and is_fee(item),
            )
        )
    return tuple(pools), tuple(sorted(repairs))
