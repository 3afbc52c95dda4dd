"""Closed windows of pools in the history file: kept as first read, merged, salvaged, dropped, and stated."""

from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from history_cases import AT, DAY_S, HOUR_S, PH, hours, row, unix

from agent.history.credits import PoolCredit
from agent.history.keeper import History
from agent.history.merging import merge_histories
from agent.history.reader import read_history
from agent.history.writer import HistoryWriter, write_history
from agent.runtime.pool_archive import PoolArchive
from agent.site.credited.windows import Window
from agent.statement import check
from agent.statement.period import parse_period
from agent.statement.statement import Statement, combine, state
from agent.statement.text import table

LATER = unix("2026-01-01")
OCTOBER = (AT, unix("2025-11-01"))


def credit(
    start: int, credited_hs: float = PH, *, account: str = "main", window_s: int = HOUR_S, fetched: int = 0
) -> PoolCredit:
    """Return one window."""
    return PoolCredit(account, Window(start, window_s, credited_hs), fetched or start + window_s + 700)


def opened(path: Path) -> HistoryWriter:
    """Return a new history of the site."""
    file = write_history(path)
    file.claim(site="alpha", zone="UTC")
    return file


def test_a_window_stays_as_it_was_first_read(tmp_path: Path) -> None:
    """Writing it again changes nothing, whatever the pool says by then; others are added."""
    with closing(opened(tmp_path / "h.sqlite")) as file:
        file.write(pool_credits=[credit(AT), credit(AT, 2 * PH, account="other")])
        file.write(pool_credits=[credit(AT, 9 * PH, fetched=AT + DAY_S), credit(AT + HOUR_S)])
        assert file.pool_credits(AT, AT + DAY_S) == [
            credit(AT),
            credit(AT + HOUR_S),
            credit(AT, 2 * PH, account="other"),
        ]
        assert file.pool_credits(AT + HOUR_S, AT + DAY_S, known_by=AT + HOUR_S) == []
        assert file.pool_credits(AT + 1, AT + 2, known_by=AT + DAY_S) == [
            credit(AT),
            credit(AT, 2 * PH, account="other"),
        ]


def test_two_agents_windows_become_one_file(tmp_path: Path) -> None:
    """Of a window that both kept the first's counts."""
    with (
        closing(opened(tmp_path / "a.sqlite")) as first,
        closing(opened(tmp_path / "b.sqlite")) as second,
        closing(opened(tmp_path / "c.sqlite")) as into,
    ):
        first.write(site=[row().values()], pool_credits=[credit(AT)])
        second.write(site=[row().values()], pool_credits=[credit(AT, 3 * PH), credit(AT + HOUR_S)])
        merge_histories(first, second, into)
        assert into.pool_credits(AT, AT + DAY_S) == [credit(AT), credit(AT + HOUR_S)]


def test_old_windows_are_dropped_and_readable_ones_salvaged(tmp_path: Path) -> None:
    """With the rows of their time, and out of a file that is begun anew."""
    now = AT + 100 * DAY_S
    with closing(opened(tmp_path / "h.sqlite")) as file:
        file.write(
            site=[row(int(now) - 60 * minute).values() for minute in range(1, 7000)],
            pool_credits=[credit(AT), credit(int(now) - HOUR_S)],
        )
        file.tidy(now=now, keep_days=3, max_bytes=1 << 30)
        kept = [credit(int(now) - HOUR_S)]
        assert file.pool_credits(0, now) == kept
    with closing(opened(tmp_path / "new.sqlite")) as again:
        again.salvage(tmp_path / "h.sqlite")
        assert again.pool_credits(0, now) == kept


def test_the_archive_knows_what_waits_and_what_is_written(tmp_path: Path) -> None:
    """Before the file exists, while windows wait, and once they are on the disk; each account apart."""
    history = History(tmp_path / "h.sqlite", site="alpha", zone="UTC", wall=lambda: float(AT))
    archive = PoolArchive(history)
    assert archive.known("main", HOUR_S, 0) == set()
    archive.keep("main", [Window(AT, HOUR_S, PH)], AT + 5000.5)
    archive.keep("other", [Window(AT + HOUR_S, HOUR_S, PH)], AT + 5000.5)
    assert archive.known("main", HOUR_S, 0) == {AT}
    assert history.flush()
    assert history.waiting_credits() == ()
    assert archive.known("main", HOUR_S, 0) == {AT}
    assert archive.known("main", HOUR_S, AT + 1) == archive.known("main", DAY_S, 0) == set()
    with closing(read_history(tmp_path / "h.sqlite")) as reader:
        assert [each.fetched for each in reader.pool_credits(0, 1e12)] == [AT + 5000] * 2
    history.close()


# The statement


def stated(path: Path, credits_: list[PoolCredit], *, now: float = LATER) -> Statement:
    """Return the statement of October over a whole month of rows and these windows."""
    with closing(opened(path)) as file:
        file.write(site=[each.values() for each in hours(*OCTOBER)], pool_credits=credits_)
        return state(file, parse_period("2025-10", ZoneInfo("UTC")), now=now)


def test_the_month_by_the_pools_own_word(tmp_path: Path) -> None:
    """The mean over kept hours with the time that they cover, and the difference where both cover enough."""
    month = [credit(start, 45 * PH) for start in range(*OCTOBER, HOUR_S)]
    whole = stated(tmp_path / "a.sqlite", month)
    assert whole.figures.credited_hs == pytest.approx(45 * PH)
    assert whole.figures.credited_covered_ratio == 1.0
    assert "Credited by the pool 45.00 PH/s over 100.00 % of the time; -2.2 % of operating" in " ".join(
        table(whole).split()
    )
    half = stated(tmp_path / "b.sqlite", month[: len(month) // 2])
    assert half.figures.credited_hs == pytest.approx(45 * PH)
    assert half.figures.credited_covered_ratio == pytest.approx(0.5)
    assert "Credited by the pool 45.00 PH/s over 50.00 % of the time Reach" in " ".join(table(half).split())
    none = stated(tmp_path / "c.sqlite", [])
    assert (none.figures.credited_hs, none.figures.credited_covered_ratio) == (None, None)
    assert "Credited by" not in table(none)


def test_an_account_that_took_anothers_place_adds_its_half(tmp_path: Path) -> None:
    """Accounts side by side add up; one after the other they are no sum of means."""
    middle = AT + 15 * DAY_S
    first = [credit(start, 45 * PH) for start in range(AT, middle, HOUR_S)]
    then = [credit(start, 45 * PH, account="b") for start in range(middle, OCTOBER[1], HOUR_S)]
    moved = stated(tmp_path / "a.sqlite", first + then)
    assert moved.figures.credited_hs == pytest.approx(45 * PH)
    beside = [credit(start, 5 * PH, account="c") for start in range(*OCTOBER, HOUR_S)]
    assert stated(tmp_path / "b.sqlite", first + then + beside).figures.credited_hs == pytest.approx(50 * PH)


def test_what_is_read_later_does_not_refute_a_statement(tmp_path: Path) -> None:
    """A statement is held against what was known when it was made; sites without accounts leave no sum."""
    early, late = credit(AT, 45 * PH), credit(AT + HOUR_S, 45 * PH, fetched=LATER + DAY_S)
    made = stated(tmp_path / "a.sqlite", [early])
    period = parse_period("2025-10", ZoneInfo("UTC"))
    with closing(write_history(tmp_path / "a.sqlite")) as file:
        file.write(pool_credits=[late])
        assert check.verify(made, file, period) == []
        file.write(pool_credits=[credit(AT + 2 * HOUR_S, 45 * PH)])
        (difference,) = check.verify(made, file, period)
    assert difference == "credited: stated main 4.5e+16 over 3600 s, history gives main 4.5e+16 over 7200 s"
    with closing(write_history(tmp_path / "b.sqlite")) as file:
        file.claim(site="beta", zone="UTC")
        file.write(site=[each.values() for each in hours(*OCTOBER, operating_hs=45 * PH)])
        other = state(file, period, now=LATER)
    assert combine([made, other], now=LATER).figures.credited_hs is None
