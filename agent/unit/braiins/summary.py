"""`summary`: rates by window in MH/s, the process's uptime, and the share counters.

Observed (O89): every window is divided by its whole length from the start. So `MHS 1m` is the work of the last minute
over sixty seconds, from the first second on: too low for a unit that has just started, never too high. The windows
after it are too low for as long as they last, and `MHS 5s` scatters by a twentieth (Observed (O180)).
"""

from typing import Final, NamedTuple

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.braiins.reply import accepted, is_braiins
from agent.unit.braiins.reports import SUMMARY_SHAPE
from agent.unit.cgminer import summary as any_summary
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import clean
from agent.unit.limits import HS_PER_MHS
from agent.unit.reading import ShareReading

MINUTE_S: Final = 60.0
FIVE_S: Final = 5.0


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
    report = SUMMARY_SHAPE.strictly(data)
    row = report.SUMMARY[0] if report is not None and report.SUMMARY else None
    if report is None or row is None or row.minute_mhs is None or not report.STATUS:
        # Another unit or window, or a figure that does not fit: the shared report reads any.
        return _in_any_unit(data, at)
    accepted(report, "summary", data, set())
    now_mhs, average_mhs = row.now_mhs, row.average_mhs
    return Summary(
        program=report.STATUS[0].Description,
        uptime_s=row.elapsed_s,
        minute_hs=row.minute_mhs * HS_PER_MHS,
        now_hs=None if now_mhs is None else now_mhs * HS_PER_MHS,
        average_hs=None if average_mhs is None else average_mhs * HS_PER_MHS,
        stand_in=None,
        shares=row.shares(at),
        repairs=(),
    )


def _in_any_unit(data: bytes, at: float) -> Summary:
    found = any_summary.read_summary(data, at=at)
    reply = wire.decode_reply(data, "summary")
    if reply.description and not is_braiins(reply.description):
        raise UnsupportedReplyError(f"summary: {reply.description[:40]!r} is not Braiins OS: {excerpt(data)!r}")
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
