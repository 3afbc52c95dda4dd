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
from agent.unit.cgminer.summary import SummaryReading, read_summary
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
        repairs: Names of the repairs that reading it took.
        row: As decoded; None if the strict decode did not take it.
        slow: As read key by key; None if the strict decode took it.
    """

    uptime_s: float | None
    program: str | None
    repairs: tuple[str, ...]
    row: SummaryRow | None
    slow: SummaryReading | None

    def rates(self, run_s: float | None) -> Rates:
        """Return the rates of a unit whose boards have run for this long, s; None if that is not known."""
        if self.row is not None:
            now, thirty, average = self.row.ghs_5s, self.row.ghs_30m, self.row.ghs_av
            is_full = thirty is not None and run_s is not None and run_s >= THIRTY_MIN_S
            return Rates(
                None if now is None else now * HS_PER_GHS,
                thirty * HS_PER_GHS if is_full and thirty is not None else None,
                None if average is None else average * HS_PER_GHS,
            )
        return self._slow_rates(run_s)

    def _slow_rates(self, run_s: float | None) -> Rates:
        assert self.slow is not None  # noqa: S101 - One of the two is there.
        rates = self.slow.rates
        is_full = run_s is not None and run_s >= THIRTY_MIN_S
        thirty_hs = rates.thirty_min_hs if is_full else None
        stand_in = None
        if rates.five_s_hs is None:
            others = tuple([(window_s, hs) for window_s, hs in rates.others if window_s < _DAY_S])
            stand_in = rates._replace(others=others).stand_in(run_s)
        return Rates(rates.five_s_hs, thirty_hs, rates.average_hs, *(stand_in or (None, None)))

    def shares(self, at: float) -> ShareReading:
        """Return the share counters, read at Unix time `at`.

        Observed (O178): they are those of the owner's pools alone; the firmware's fee shows in no report.
        """
        row = self.row
        if row is None:
            assert self.slow is not None  # noqa: S101 - As above.
            return self.slow.shares
        return ShareReading(
            at=at,
            accepted=_whole(row.accepted),
            rejected=_whole(row.rejected),
            stale=_whole(row.stale),
            difficulty_accepted=row.difficulty_accepted,
            difficulty_rejected=row.difficulty_rejected,
            difficulty_stale=row.difficulty_stale,
            hw_errors=_whole(row.hw_errors),
            best_share=row.best_share,
        )


def read(data: bytes, *, at: float) -> Summary:
    """Read a `summary` reply.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The report is missing, has neither a rate nor an uptime, or is another firmware's.
    """
    strict = SUMMARY_SHAPE.strictly(data)
    if strict is not None and strict.SUMMARY and strict.SUMMARY[0].ghs_5s is not None and strict.STATUS:
        row, status = strict.SUMMARY[0], strict.STATUS[0]
        if status.STATUS == "S" and is_luxos(status.Description):
            return Summary(row.elapsed_s, status.Description, (), row, None)
    slow = read_summary(data, at=at)
    program = _program(data)
    if program is not None and not is_luxos(program):
        raise UnsupportedReplyError(f"summary: from {program[:40]!r}, not LuxOS")
    return Summary(slow.uptime_s, program, slow.repairs, None, slow)


def _program(data: bytes) -> str | None:
    return wire.decode_reply(data, "summary").description or None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
