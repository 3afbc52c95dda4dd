"""`summary`: the unit's rates, uptime and share counters.

`GHS 5s` is honest. Observed (O177): a window longer than the run is about the run's average, but `GHS 24h` is not: it
is far below. So a window counts once the run fills it, and `24h` never. Documented (D245): the run is that of the
boards, which may have started long after the process whose `Elapsed` is reported.
"""

from typing import Final, NamedTuple

from agent.errors import UnsupportedReplyError
from agent.unit.cgminer import wire
from agent.unit.cgminer.firmware import is_luxos
from agent.unit.cgminer.rates import THIRTY_MIN_S
from agent.unit.cgminer.rates import Rates as AnyRates
from agent.unit.cgminer.summary import read_summary
from agent.unit.limits import HS_PER_GHS
from agent.unit.luxos.reports import SUMMARY_SHAPE, SummaryRow
from agent.unit.reading import ShareReading

_DAY_S: Final = 86_400.0


class Rates(NamedTuple):
    """The unit's own rates.

    Attributes:
        now_hs, average_hs: Over 5 s, and since the boards started, H/s.
        thirty_min_hs: Over 30 min, H/s; None until the boards have run so long.
        stand_in_hs, stand_in_window_s: A longer rate that stands in for `now_hs`, H/s and s; None if that is known.
    """

    now_hs: float | None
    thirty_min_hs: float | None
    average_hs: float | None
    stand_in_hs: float | None = None
    stand_in_window_s: float | None = None


class Summary(NamedTuple):
    """A `summary` reply.

    Attributes:
        uptime_s: Time since the miner process started, s.
        program: Program and version, as in ``LUXminer 2025.7.10.152155-6e13fb74``; None if the reply names none.
        windows: The rates over all windows that were read.
        shares: The share counters. Observed (O178): they are those of the owner's pools alone; the firmware's fee shows
            in no report.
        repairs: Names of the repairs that reading it took.
    """

    uptime_s: float | None
    program: str | None
    windows: AnyRates
    shares: ShareReading
    repairs: tuple[str, ...] = ()

    def rates(self, run_s: float | None) -> Rates:
        """Return the rates of a unit whose boards have run for this long, s; None if that is not known."""
        windows = self.windows
        thirty_hs = windows.thirty_min_hs if run_s is not None and run_s >= THIRTY_MIN_S else None
        if windows.five_s_hs is not None:
            return Rates(windows.five_s_hs, thirty_hs, windows.average_hs)
        others = tuple([(window_s, hs) for window_s, hs in windows.others if window_s < _DAY_S])
        stand_in = windows._replace(others=others).stand_in(run_s)
        return Rates(None, thirty_hs, windows.average_hs, *(stand_in or (None, None)))


def read(data: bytes, *, at: float) -> Summary:
    """Read a `summary` reply.

    Args:
        data: The reply as received.
        at: When it was complete, Unix s.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The report is missing, has neither a rate nor an uptime, or is another firmware's.
    """
    report = SUMMARY_SHAPE.strictly(data)
    row = report.SUMMARY[0] if report is not None and report.SUMMARY else None
    if report is None or row is None or row.ghs_5s is None or not report.STATUS or report.STATUS[0].STATUS != "S":
        return _in_any_unit(data, at)
    program = report.STATUS[0].Description
    _refuse_others(program)
    return Summary(row.elapsed_s, program, _windows(row), row.shares(at))


def _windows(row: SummaryRow) -> AnyRates:
    now, thirty, average = row.ghs_5s, row.ghs_30m, row.ghs_av
    return AnyRates(
        None if now is None else now * HS_PER_GHS,
        None if thirty is None else thirty * HS_PER_GHS,
        None if average is None else average * HS_PER_GHS,
    )


def _in_any_unit(data: bytes, at: float) -> Summary:
    """Return a reply that the declared shape does not take, by the report that reads rates in any unit."""
    found = read_summary(data, at=at)
    program = wire.decode_reply(data, "summary").description or None
    _refuse_others(program)
    return Summary(found.uptime_s, program, found.rates, found.shares, found.repairs)


def _refuse_others(program: str | None) -> None:
    if program is not None and not is_luxos(program):
        raise UnsupportedReplyError(f"summary: from {program[:40]!r}, not LuxOS")
