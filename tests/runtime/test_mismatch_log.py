"""Log lines about units in the wrong row: once for each change, and bounded."""

from exporter_cases import entry, gone_silent, reading, status
from msgspec import structs
from structlog.testing import capture_logs
from structlog.typing import EventDict

from agent.runtime.mismatch_log import MOST_A_UNIT, MismatchLog
from agent.runtime.naming import LINES_AN_INTERVAL, WINDOW_S
from agent.site.mismatch import BinSource, Mismatch, ReportedBin
from agent.site.status import UnitStatus

OTHER_MODEL = Mismatch("S21 Pro", None)
OTHER_BIN = Mismatch(None, ReportedBin(188e12, BinSource.RATE_IDEAL))


def differing(mismatch: Mismatch | None, unit_id: str = "u1") -> UnitStatus:
    """Return a unit that was read and differs from its row, or does not."""
    return structs.replace(status(entry(unit_id), reading(unit_id)), mismatch=mismatch)


def logged(log: MismatchLog, *statuses: UnitStatus) -> list[EventDict]:
    """Return the lines that these statuses make."""
    with capture_logs() as lines:
        for one in statuses:
            log.add(one)
    return lines


def test_change_is_logged_once() -> None:
    """A line has what the unit reports and what the ledger says; the same again makes no line, and a change does."""
    log = MismatchLog()
    assert logged(log, differing(OTHER_BIN), differing(OTHER_BIN)) == [
        {
            "event": "model differs from the ledger",
            "log_level": "warning",
            "unit": "u1",
            "host": "127.0.0.2",
            "ledger_model": "S21",
            "ledger_th": 200.0,
            "model": None,
            "reported_th": 188.0,
            "reported_by": "rate_ideal",
            "remark": "reports an ideal rate of 188 TH/s (rate_ideal); the ledger says S21 of 200 TH/s",
        }
    ]
    (line,) = logged(log, differing(OTHER_MODEL), differing(OTHER_MODEL))
    assert (line["model"], line["reported_th"], line["reported_by"]) == ("S21 Pro", None, None)
    (line,) = logged(log, differing(None), differing(None))
    assert (line["event"], line["log_level"]) == ("model as in the ledger again", "info")


def test_unit_that_is_right_or_never_answered_makes_no_line() -> None:
    """Silence and agreement are not logged."""
    assert logged(MismatchLog(), differing(None), structs.replace(gone_silent("u2"), reading=None)) == []


def test_unit_that_leaves_starts_over() -> None:
    """A unit that left the ledger and comes back is logged again."""
    log = MismatchLog()
    assert len(logged(log, differing(OTHER_MODEL))) == 1
    log.forget("u1")
    log.forget("u1")
    assert len(logged(log, differing(OTHER_MODEL))) == 1


def test_lines_of_an_interval_are_bounded() -> None:
    """If a whole site differs, some units are named, the rest is counted, and the next interval names again."""
    log = MismatchLog()
    statuses = [differing(OTHER_MODEL, f"u{number}") for number in range(LINES_AN_INTERVAL + 7)]
    assert len(logged(log, *statuses)) == LINES_AN_INTERVAL
    with capture_logs() as lines:
        log.close_interval()
        log.close_interval()
    assert [(line["event"], line["units"]) for line in lines] == [("models of more units changed", 7)]
    assert logged(log, *statuses) == []
    assert len(logged(log, differing(OTHER_MODEL, "another"))) == 1


def test_unit_that_claims_something_else_each_time_is_named_a_few_times() -> None:
    """It takes no more of an interval's lines. Its others are counted, and ten minutes later it is named again."""
    log = MismatchLog()

    def claims(first: int, after_s: float) -> int:
        named = 0
        for number in range(first, first + 50):
            one = differing(Mismatch(f"S{number}", None))
            assert one.reading is not None
            one = structs.replace(one, reading=structs.replace(one.reading, at=one.reading.at + after_s + number / 10))
            named += len(logged(log, one))
            with capture_logs():
                log.close_interval()
        return named

    assert claims(0, 0.0) == MOST_A_UNIT
    assert claims(50, 0.0) == 0
    assert len(logged(log, differing(OTHER_MODEL, "sound"))) == 1
    assert claims(100, WINDOW_S) == MOST_A_UNIT
