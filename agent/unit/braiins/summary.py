"""`summary`: rates by window in MH/s, the process's uptime, and the share counters.

Observed (O89): every window is divided by its whole length from the start. So `MHS 1m` is the work of the last minute
over sixty seconds, from the first second on: too low for a unit that has just started, never too high. The windows
after it are too low for as long as they last, and `MHS 5s` scatters by a twentieth (Observed (O180)).
"""

from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from agent.unit.braiins.reply import HS_PER_MHS, Count, Mhs, Statuses, accepted, regular
from agent.unit.cgminer import summary as any_summary
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import clean
from agent.unit.limits import MAX_DIFFICULTY, MAX_UPTIME_S
from agent.unit.reading import ShareReading

MINUTE_S: Final = 60.0
FIVE_S: Final = 5.0

_Difficulty = Annotated[float, Meta(ge=0, le=MAX_DIFFICULTY)] | None


class Summary(NamedTuple):
    """A `summary` reply.

    Attributes:
        program: Name and version of the program, as in ``BOSer boser-openwrt 0.1.0-fc9fe388``; None if it is not told.
        uptime_s: Of the process, s.
        minute_hs, now_hs, average_hs: Rates over 60 s, 5 s and since the start, H/s.
        stand_in: Rate and window, H/s and s, of the shortest full window but 5 s; for a reply without `MHS 1m`.
        shares: The share counters.
        repairs: What reading it took.
    """

    program: str | None
    uptime_s: float | None
    minute_hs: float | None
    now_hs: float | None
    average_hs: float | None
    stand_in: tuple[float, float | None] | None
    shares: ShareReading
    repairs: tuple[str, ...]


_KEYS: Final = {
    "best_share": "Best Share",
    "difficulty_accepted": "Difficulty Accepted",
    "difficulty_rejected": "Difficulty Rejected",
    "difficulty_stale": "Difficulty Stale",
    "hw_errors": "Hardware Errors",
    "quarter_mhs": "MHS 15m",
    "minute_mhs": "MHS 1m",
    "day_mhs": "MHS 24h",
    "five_minutes_mhs": "MHS 5m",
    "now_mhs": "MHS 5s",
    "average_mhs": "MHS av",
}


class _Row(msgspec.Struct, frozen=True, gc=False, rename=_KEYS):
    Accepted: Count = None
    best_share: _Difficulty = None
    difficulty_accepted: _Difficulty = None
    difficulty_rejected: _Difficulty = None
    difficulty_stale: _Difficulty = None
    Elapsed: Annotated[float, Meta(ge=0, le=MAX_UPTIME_S)] | None = None
    hw_errors: Count = None
    quarter_mhs: Mhs = None
    minute_mhs: Mhs = None
    day_mhs: Mhs = None
    five_minutes_mhs: Mhs = None
    now_mhs: Mhs = None
    average_mhs: Mhs = None
    Rejected: Count = None
    Stale: Count = None


class _Reply(msgspec.Struct, frozen=True, gc=False):
    STATUS: Statuses
    SUMMARY: Annotated[tuple[_Row, ...], Meta(min_length=1, max_length=1)]


_decode: Final = msgspec.json.Decoder(_Reply).decode


def read_summary(data: bytes, *, at: float) -> Summary:
    """Read a `summary` reply.

    Args:
        data: The reply as received.
        at: When it was complete, Unix s.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, the report is missing, or it has neither a rate nor `Elapsed`.
    """
    reply = regular(data, _decode)
    if reply is None or reply.SUMMARY[0].minute_mhs is None:
        return _field_by_field(data, at)
    row = reply.SUMMARY[0]
    minute_mhs, now_mhs, average_mhs = row.minute_mhs, row.now_mhs, row.average_mhs
    return Summary(
        program=reply.STATUS[0].Description,
        uptime_s=row.Elapsed,
        minute_hs=None if minute_mhs is None else minute_mhs * HS_PER_MHS,
        now_hs=None if now_mhs is None else now_mhs * HS_PER_MHS,
        average_hs=None if average_mhs is None else average_mhs * HS_PER_MHS,
        stand_in=None,
        shares=ShareReading(
            at=at,
            accepted=row.Accepted,
            rejected=row.Rejected,
            stale=row.Stale,
            difficulty_accepted=row.difficulty_accepted,
            difficulty_rejected=row.difficulty_rejected,
            difficulty_stale=row.difficulty_stale,
            hw_errors=row.hw_errors,
            best_share=row.best_share,
        ),
        repairs=(),
    )


def _field_by_field(data: bytes, at: float) -> Summary:
    reply = accepted(wire.decode_reply(data, "summary"), data)
    found = any_summary.read_summary(data, at=at)
    rates = found.rates
    minute_hs = dict(rates.others).get(MINUTE_S)
    return Summary(
        program=clean(reply.description),
        uptime_s=found.uptime_s,
        minute_hs=minute_hs,
        now_hs=rates.five_s_hs,
        average_hs=rates.average_hs,
        stand_in=rates.stand_in(found.uptime_s) if minute_hs is None else None,
        shares=found.shares,
        repairs=found.repairs,
    )
