"""Gaps of a statement: listed with their reason, as far as history tells; a late start on top."""

from contextlib import closing
from pathlib import Path

import pytest
from history_cases import AT, DAY_S, HOUR_S, PH, hours, row, write
from statement_cases import OCTOBER, OCTOBER_PERIOD, published, stated

from agent.history.reader import read_history
from agent.history.writer import write_history
from agent.site.status import Cause
from agent.statement import text as statement_text
from agent.statement.statement import state
from agent.statement.unseen import GapReason


def test_a_late_start_and_gaps_are_listed() -> None:
    """An agent installed 1.5 days into the month says so on top; gaps of 3 % are listed, those of 5 minutes are not."""
    begin = AT + 36 * HOUR_S
    minutes = [row(at) for at in range(begin, begin + 20 * 60, 60)]
    rest = hours(begin + 2 * HOUR_S, OCTOBER[1])
    statement = stated([*minutes[:5], *minutes[10:], *rest])
    assert statement.notes[0] == (
        "alpha: LATE START: this agent's history begins 2025-10-02T12:00:00Z, 36.0 hours into the period;"
        " nothing is known of before."
    )
    assert "alpha: gaps over 5 minutes: 1 crash (100 minutes)." in statement.notes
    gaps = [(gap.start - begin, gap.end - begin, gap.reason) for gap in statement.parts[0].unseen.gaps]
    assert gaps == [(-36 * HOUR_S, 0, "late start"), (20 * 60, 2 * HOUR_S, "crash")]
    assert "nothing is known of before" in statement_text.table(statement).splitlines()[1]


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({}, {}, "crash"),
        ({"watched_s": 31.0}, {}, "planned stop"),
        ({"watched_s": 31.0, "operating_hs": 20 * PH}, {}, "power"),
        ({}, {"operating_hs": 20 * PH}, "power"),
        ({}, {"operating_hs": 20 * PH, "losses_hs": {Cause.CURTAILED: 30 * PH}}, "crash"),
        ({}, {"operating_hs": 40 * PH}, "crash"),
    ],
)
def test_reasons_of_a_gap(before: dict[str, float], after: dict[str, float], reason: str) -> None:
    """A minute that was written is a planned stop, one that was lost a crash; a mass loss beside it is power."""
    begin, end = AT + 10 * 60, AT + 30 * 60
    early = [row(at) for at in range(AT, begin - 60, 60)]
    rows = [*early, row(begin - 60, **before), row(end, **after)]
    (gap,) = stated(rows, now=end + 60).parts[0].unseen.gaps
    written_s = before.get("watched_s", 60.0)
    assert (gap.start, gap.end, gap.reason) == (begin - (60.0 - written_s), end, reason)


def test_the_minutes_at_its_edges_belong_to_a_gap() -> None:
    """A stop of 5 minutes and 40 seconds, of which 40 seconds are in minutes that were watched in part, is listed."""
    rows = [row(AT), row(AT + 60, watched_s=40.0), row(AT + 6 * 60 + 60, watched_s=40.0), row(AT + 8 * 60)]
    (gap,) = stated(rows, now=AT + 9 * 60).parts[0].unseen.gaps
    assert (gap.start, gap.end, gap.reason) == (AT + 100, AT + 440, "planned stop")
    less = [row(AT), row(AT + 60, watched_s=40.0), row(AT + 6 * 60, watched_s=40.0), row(AT + 7 * 60)]
    assert stated(less, now=AT + 8 * 60).parts[0].unseen.gaps == ()


def test_a_wrong_clock_is_a_gaps_reason(tmp_path: Path) -> None:
    """Rows that a clock dated a year ahead were set aside when it was right again: so it was the clock."""
    back = AT + 50 * 60
    path = write(tmp_path / "h.sqlite", [row(AT + 60 * number) for number in range(30)])
    with closing(write_history(path)) as file:
        file.write(site=[row(AT + 365 * DAY_S).values()])
        file.tidy(now=float(back), keep_days=400, max_bytes=1 << 30)
        file.write(site=[row(back + 60 * number).values() for number in range(10)])
    with closing(read_history(path)) as reader:
        statement = state(reader, OCTOBER_PERIOD, now=back + 600)
    assert [(gap.start, gap.end, gap.reason) for gap in statement.parts[0].unseen.gaps] == [
        (AT + 1800, back, GapReason.CLOCK)
    ]


def test_a_gap_that_began_before_the_month() -> None:
    """With rows of the month before, it is no late start, and its reason is not known."""
    rows = [*hours(AT - DAY_S, AT - HOUR_S), *hours(AT + HOUR_S, OCTOBER[1])]
    (gap,) = stated(rows).parts[0].unseen.gaps
    assert (gap.start, gap.end, gap.reason) == (AT, AT + HOUR_S, "not known")


def test_a_deleted_day_is_a_gap() -> None:
    """A bad day that is deleted lowers the floor by as much as a day of nothing, and is listed."""
    bad = AT + 9 * DAY_S
    rows = [each for each in hours(*OCTOBER) if not bad <= each.at < bad + DAY_S]
    statement = published(rows)
    assert "alpha: gaps over 5 minutes: 1 crash (24.0 hours)." in statement.notes
    assert statement.figures.operational_efficiency_floor_ratio == pytest.approx(0.92 * 30 / 31)


def test_an_agent_five_minutes_old_says_what_it_has() -> None:
    """Month to date is what was watched of what has passed, not how late in the month it is."""
    now = AT + 28 * DAY_S
    statement = stated([row(now - 300 + 60 * number) for number in range(5)], now=now + 30)
    assert statement.notes[-1] == (
        "alpha: the period is not over; history has 5 minutes of the 28.0 days that have passed of its 31.0 days."
    )
    assert statement.notes[0].startswith("alpha: LATE START: this agent's history begins 2025-10-28T23:55:00Z")
    assert statement.figures.operational_efficiency_floor_ratio == pytest.approx(0.92 * 300 / (28 * DAY_S))


def test_the_minute_that_is_open_is_no_gap() -> None:
    """A month to date ends with its last row, so that its floor is the figure while the agent runs."""
    figures = stated(hours(AT, AT + DAY_S), now=AT + DAY_S + 100).figures
    assert figures.operational_efficiency_floor_ratio == figures.operational_efficiency_ratio == 0.92
    stopped = stated(hours(AT, AT + DAY_S), now=AT + DAY_S + 3600)
    assert [gap.seconds for gap in stopped.parts[0].unseen.gaps] == [3600]
