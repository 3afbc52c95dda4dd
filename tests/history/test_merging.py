"""Two agents' histories put together: every second once, whoever watched it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from history_cases import AT, PH, row, write
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import HistoryError
from agent.history.merging import Merged, merge_histories
from agent.history.minutes import Row, row_from
from agent.history.reader import read_history
from agent.history.state_changes import Change
from agent.history.writer import write_history

PRIMARY = {"operating_hs": 46 * PH}
STANDBY = {"operating_hs": 45 * PH}


def minutes(first: int, last: int, **changes: Any) -> list[Row]:
    """Return whole minutes by number, `last` included."""
    return [row(AT + 60 * number, **changes) for number in range(first, last + 1)]


def merged(tmp_path: Path) -> tuple[Merged, list[Row]]:
    """Merge the files ``first`` and ``second``; return the counts and the rows of the site."""
    into = tmp_path / "whole"
    with (
        closing(read_history(tmp_path / "first")) as first,
        closing(read_history(tmp_path / "second")) as second,
        closing(write_history(into)) as whole,
    ):
        counts = merge_histories(first, second, whole)
        whole.claim(site=first.site, zone=first.zone)
        rows = [row_from(values) for chunk in whole.chunks(0, 1e12) for values in chunk]
    return counts, rows


def test_a_takeover_leaves_no_minute_out_and_none_twice(tmp_path: Path) -> None:
    """The primary dies in minute 4 after 20 s and is back in minute 9; the standby watched the rest."""
    write(tmp_path / "first", [*minutes(0, 3), row(AT + 240, watched_s=20.0), *minutes(9, 12)])
    second = [row(AT + 240, watched_s=25.0, **STANDBY), *minutes(5, 9, **STANDBY)]
    write(tmp_path / "second", second)
    counts, rows = merged(tmp_path)
    assert counts == Merged(first=8, second=4, completed=1, repeated=1)
    assert [each.at for each in rows] == [AT + 60 * number for number in range(13)]
    assert [each.watched_s for each in rows] == [60.0] * 4 + [45.0] + [60.0] * 8
    assert [each.operating_hs for each in rows[5:10]] == [45 * PH] * 4 + [46 * PH]
    assert rows[4].operating_hs == pytest.approx((20 * 46 + 25 * 45) / 45 * PH)


def test_a_partition_counts_once(tmp_path: Path) -> None:
    """Both wrote an hour: the first file's figures are the hour's, to the last digit."""
    write(tmp_path / "first", minutes(0, 59))
    write(tmp_path / "second", minutes(0, 59, **STANDBY))
    counts, rows = merged(tmp_path)
    assert counts == Merged(first=60, second=0, completed=0, repeated=60)
    assert rows == [row_from(each.values()) for each in minutes(0, 59)]


def test_a_copy_adds_nothing(tmp_path: Path) -> None:
    """A backup of the first file merged with it: a half watched minute stays half watched, in containers too."""
    half = row(AT + 240, watched_s=20.0)
    for name in ("first", "second"):
        write(tmp_path / name, [*minutes(0, 3), half])
        with closing(write_history(tmp_path / name)) as file:
            file.write(containers=[("C1", half.values())])
    counts, found = merged(tmp_path)
    assert counts == Merged(first=5, second=0, completed=0, repeated=5)
    assert [each.watched_s for each in found] == [60.0] * 4 + [20.0]
    with closing(read_history(tmp_path / "whole")) as whole:
        (chunk,) = whole.chunks(0, 1e12, "C1")
        assert [row_from(values).watched_s for values in chunk] == [20.0]


def test_a_standby_with_a_clock_ahead_adds_at_most_what_was_missing(tmp_path: Path) -> None:
    """30 s ahead: minutes overlap by half, and no minute has more than its 60 s."""
    write(tmp_path / "first", [*minutes(0, 4), row(AT + 300, watched_s=10.0)])
    write(tmp_path / "second", [row(AT + 300, watched_s=60.0, **STANDBY), *minutes(6, 9, **STANDBY)])
    counts, rows = merged(tmp_path)
    assert counts == Merged(first=5, second=4, completed=1, repeated=0)
    assert all(each.watched_s == 60.0 for each in rows)
    assert rows[5].operating_hs == pytest.approx((10 * 46 + 50 * 45) / 60 * PH)


def test_containers_are_merged_too_and_states_are_the_firsts(tmp_path: Path) -> None:
    """A quarter that the first has made of its minutes takes in the second's; a unit has one state at a time."""
    for name, watched_s, span_s in (("first", 600.0, 900), ("second", 60.0, 60)):
        write(tmp_path / name, minutes(0, 0))
        with closing(write_history(tmp_path / name)) as file:
            one = row(AT, span_s=span_s, watched_s=watched_s).values()
            file.write(
                containers=[("C1", one), ("C2", one)] if name == "second" else [("C1", one)],
                changes=[Change(unit_id="u1", state=name, why="", since=AT + watched_s)],
            )
    merged(tmp_path)
    with closing(read_history(tmp_path / "whole")) as whole:
        for name, expected in (("C1", (900, 660.0)), ("C2", (60, 60.0))):
            (chunk,) = whole.chunks(0, 1e12, name)
            assert [(each.span_s, each.watched_s) for each in map(row_from, chunk)] == [expected]
        assert [change.state for change in whole.changes(0, 1e12)] == ["first"]


def merge_files(first: Path, second: Path, into: Path) -> Path:
    """Merge two files into a new one."""
    with (
        closing(read_history(first)) as one,
        closing(read_history(second)) as other,
        closing(write_history(into)) as whole,
    ):
        merge_histories(one, other, whole)
        whole.claim(site=one.site, zone=one.zone)
    return into


def contents(path: Path) -> list[list[Row]]:
    """Return the rows of the site and of container C1."""
    with closing(read_history(path)) as file:
        return [[row_from(values) for chunk in file.chunks(0, 1e12, name) for values in chunk] for name in (None, "C1")]


def watch(path: Path, watched_s: float, operating_hs: float, *more: Row) -> Path:
    """Write a file of one minute, of the site and of C1, and further minutes of C1."""
    one = row(AT, watched_s=watched_s, operating_hs=operating_hs)
    write(path, [one])
    with closing(write_history(path)) as file:
        file.write(containers=[("C1", each.values()) for each in (one, *more)])
    return path


@given(
    seconds=st.lists(st.sampled_from([5.0, 10.0, 15.0, 30.0]), min_size=2, max_size=4),
    steps=st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_a_row_counts_once_however_often_it_is_merged(seconds: list[float], steps: list[tuple[int, bool]]) -> None:
    """Files of a few seconds each, merged with each other and with what was merged before, on either side."""
    with TemporaryDirectory() as folder:
        files = [watch(Path(folder) / f"{n}", s, (40 + n) * PH) for n, s in enumerate(seconds)]
        held = [{n} for n in range(len(files))]
        whole, has = files[0], {0}
        for number, (pick, is_first) in enumerate(steps):
            which = pick % len(files)
            pair = (files[which], whole) if is_first else (whole, files[which])
            whole, has = merge_files(*pair, Path(folder) / f"merged-{number}"), has | held[which]
            files.append(whole)
            held.append(has)
        expected_s = min(60.0, sum(seconds[n] for n in has))
        for rows in contents(whole):
            assert [each.watched_s for each in rows] == [pytest.approx(expected_s)]


def test_minutes_and_a_quarter_of_them_count_once(tmp_path: Path) -> None:
    """One file has made a quarter of an hour of its minutes; whichever comes first, nothing is lost or doubled."""
    minute = {"at": AT + 60, "watched_s": 60.0}
    some = watch(tmp_path / "some", 60.0, 45 * PH, replace(row(AT), **minute))
    quarter = row(AT, span_s=900, watched_s=300.0)
    made = tmp_path / "made"
    write(made, [])
    with closing(write_history(made)) as file:
        file.write(containers=[("C1", quarter.values())])
    for number, pair in enumerate([(some, made), (made, some)]):
        whole = merge_files(*pair, tmp_path / f"whole-{number}")
        assert [(each.span_s, each.watched_s) for each in contents(whole)[1]] == [(900, 420.0)]
        for again in (some, made):
            twice = merge_files(whole, again, tmp_path / f"twice-{number}-{again.name}")
            assert contents(twice)[1] == contents(whole)[1]


@pytest.mark.parametrize(
    "values",
    ["watched_s = 9e999", "watched_s = 'abc'", "watched_s = -5", "watched_s = 61", "at = at + 17", "units = 9e999"],
)
def test_a_row_that_no_agent_writes_is_refused(tmp_path: Path, values: str) -> None:
    """A damaged file adds no infinite, negative or shifted seconds; the message names the file and the row."""
    for name in ("first", "second"):
        write(tmp_path / name, minutes(0, 1))
    with closing(sqlite3.connect(tmp_path / "second")) as damaged:
        damaged.execute(f"UPDATE site SET {values}")  # noqa: S608 - literals of this test
        damaged.commit()
    with pytest.raises(HistoryError, match=r"second: a row that no agent writes: at \d+, span_s 60, watched_s"):
        merged(tmp_path)


def test_another_sites_history_is_refused(tmp_path: Path) -> None:
    """One site at a time."""
    write(tmp_path / "first", minutes(0, 1))
    write(tmp_path / "second", minutes(0, 1), site="beta")
    with pytest.raises(HistoryError, match="the history of site beta, not of alpha"):
        merged(tmp_path)
