"""The `pools` report: the configured pools, their state and share counters."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import clean, interned
from agent.unit.cgminer.rows import Row
from agent.unit.limits import MAX_DIFFICULTY
from agent.unit.reading import PoolReading

MAX_POOLS: Final = 16


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
    for position, item in enumerate(rows[:MAX_POOLS]):
        if not isinstance(item, dict):
            repairs.add("wrong_type")
            continue
        row = Row(item, repairs)
        index = row.whole("POOL")
        is_active = item.get("Stratum Active")
        pools.append(
            PoolReading(
                index=position if index is None else index,
                status=interned(item.get("Status")),
                is_active=is_active if isinstance(is_active, bool) else None,
                url=interned(item.get("URL")),
                user=clean(item.get("User")),
                accepted=row.whole("Accepted"),
                rejected=row.whole("Rejected"),
                stale=row.whole("Stale"),
                difficulty_accepted=row.number("Difficulty Accepted", MAX_DIFFICULTY),
                difficulty_rejected=row.number("Difficulty Rejected", MAX_DIFFICULTY),
                difficulty_stale=row.number("Difficulty Stale", MAX_DIFFICULTY),
                is_fee=is_fee is not None and is_fee(item),
            )
        )
    return tuple(pools), tuple(sorted(repairs))
