"""The `summary` report: rates over several windows, uptime, and share counters."""

from typing import NamedTuple

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.rows import Row, first_row
from agent.unit.limits import HS_PER_GHS, MAX_DIFFICULTY, MAX_HASHRATE_HS, MAX_UPTIME_S
from agent.unit.reading import ShareReading


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
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The report is missing from the reply.
    """
    reply = wire.accept(wire.decode_reply(data, "summary"))
    repairs = set(reply.repairs)
    row = Row(first_row(reply, "SUMMARY"), repairs)
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
