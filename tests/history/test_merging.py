"""Two agents' histories put together: every second once, whoever watched it."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from history_cases import AT, PH, row, write

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


def test_another_sites_history_is_refused(tmp_path: Path) -> None:
    """One site at a time."""
    write(tmp_path / "first", minutes(0, 1))
    write(tmp_path / "second", minutes(0, 1), site="beta")
    with pytest.raises(HistoryError, match="the history of site beta, not of alpha"):
        merged(tmp_path)
