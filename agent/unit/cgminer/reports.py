"""The replies asked less often than `stats`: `version`, `summary` and `pools`, always in the legacy dialect."""

from typing import Any, NamedTuple

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import clean, number, shared
from agent.unit.limits import HS_PER_GHS, MAX_COUNT, MAX_DIFFICULTY, MAX_HASHRATE_HS, MAX_UPTIME_S
from agent.unit.reading import Identity, PoolReading, ShareReading


def read_version(data: bytes) -> tuple[Identity, tuple[str, ...]]:
    """Read a `version` reply: who the unit says it is, and the repairs that took.

    Raises:
        MalformedReplyError, RefusedError, UnsupportedReplyError: As `read_stats`.
    """
    reply = wire.accept(wire.decode_reply(data, "version"))
    row = _first_row(reply, "VERSION")
    identity = Identity(
        model=shared(row.get("Type")),
        firmware=shared(row.get("CompileTime")),
        api=shared(row.get("API")),
        miner=shared(row.get("Miner")),
    )
    return identity, reply.repairs


class SummaryReading(NamedTuple):
    """A `summary` reply: rates in H/s, uptime in s, and the share counters."""

    uptime_s: float | None
    hashrate_5s_hs: float | None
    hashrate_30m_hs: float | None
    hashrate_avg_hs: float | None
    shares: ShareReading
    repairs: tuple[str, ...]


def read_summary(data: bytes, *, at: float) -> SummaryReading:
    """Read a legacy `summary` reply.

    Raises:
        MalformedReplyError, RefusedError, UnsupportedReplyError: As `read_stats`.
    """
    reply = wire.accept(wire.decode_reply(data, "summary"))
    repairs = set(reply.repairs)
    row = _Row(_first_row(reply, "SUMMARY"), repairs)
    if not row.has("GHS 5s", "Elapsed"):
        raise UnsupportedReplyError(f"summary: neither GHS 5s nor Elapsed: {excerpt(data)!r}")
    return SummaryReading(
        uptime_s=row.number("Elapsed", MAX_UPTIME_S),
        hashrate_5s_hs=row.number("GHS 5s", MAX_HASHRATE_HS, HS_PER_GHS),
        hashrate_30m_hs=row.number("GHS 30m", MAX_HASHRATE_HS, HS_PER_GHS),
        hashrate_avg_hs=row.number("GHS av", MAX_HASHRATE_HS, HS_PER_GHS),
        shares=ShareReading(
            at=at,
            accepted=row.whole("Accepted"),
            rejected=row.whole("Rejected"),
            stale=row.whole("Stale"),
            difficulty_accepted=row.number("Difficulty Accepted", MAX_DIFFICULTY),
            difficulty_rejected=row.number("Difficulty Rejected", MAX_DIFFICULTY),
            difficulty_stale=row.number("Difficulty Stale", MAX_DIFFICULTY),
            hw_errors=row.whole("Hardware Errors"),
            best_share=row.number("Best Share", MAX_DIFFICULTY),
        ),
        repairs=tuple(sorted(repairs)),
    )


def read_pools(data: bytes) -> tuple[tuple[PoolReading, ...], tuple[str, ...]]:
    """Read a legacy `pools` reply: the pools in the unit's order, and the repairs that took.

    Raises:
        MalformedReplyError, RefusedError, UnsupportedReplyError: As `read_stats`.
    """
    reply = wire.accept(wire.decode_reply(data, "pools"))
    rows = reply.body.get("POOLS")
    if not isinstance(rows, list):
        raise UnsupportedReplyError(f"pools: no POOLS: {excerpt(data)!r}")
    repairs = set(reply.repairs)
    pools = []
    for position, item in enumerate(rows[:16]):
        if not isinstance(item, dict):
            repairs.add("wrong_type")
            continue
        row = _Row(item, repairs)
        index = row.whole("POOL")
        is_active = item.get("Stratum Active")
        pools.append(
            PoolReading(
                index=position if index is None else index,
                status=shared(item.get("Status")),
                is_active=is_active if isinstance(is_active, bool) else None,
                url=shared(item.get("URL")),
                user=clean(item.get("User")),
                accepted=row.whole("Accepted"),
                rejected=row.whole("Rejected"),
                stale=row.whole("Stale"),
                difficulty_accepted=row.number("Difficulty Accepted", MAX_DIFFICULTY),
                difficulty_rejected=row.number("Difficulty Rejected", MAX_DIFFICULTY),
                difficulty_stale=row.number("Difficulty Stale", MAX_DIFFICULTY),
            )
        )
    return tuple(pools), tuple(sorted(repairs))


class _Row:
    """One JSON object's numbers, each scaled, bounded and finite, or None."""

    def __init__(self, row: dict[str, Any], repairs: set[str]) -> None:
        self._row, self._repairs = row, repairs

    def has(self, *keys: str) -> bool:
        return any(key in self._row for key in keys)

    def number(self, key: str, high: float, factor: float = 1) -> float | None:
        value = number(self._row.get(key), self._repairs)
        if value is None:
            return None
        scaled = value * factor
        if not 0 <= scaled <= high:
            self._repairs.add("implausible")
            return None
        return scaled

    def whole(self, key: str) -> int | None:
        value = self.number(key, MAX_COUNT)
        return None if value is None else int(value)


def _first_row(reply: wire.Reply, key: str) -> dict[str, Any]:
    rows = reply.body.get(key)
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        raise UnsupportedReplyError(f"{reply.command}: no element in {key}")
    row: dict[str, Any] = rows[0]
    return row
