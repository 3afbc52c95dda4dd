"""Rows behind a statement: what cannot be is refused, with the row's time."""

import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from history_cases import AT, HOUR_S, PH, hour, row, write
from statement_cases import LATER, OCTOBER, Kept, nameplates_fact, stated

from agent.history.reader import read_history
from agent.history.writer import write_history
from agent.site.status import Cause, UnitState
from agent.statement.check import verify
from agent.statement.errors import StatementError
from agent.statement.period import parse_period
from agent.statement.statement import state

PERIOD = parse_period("2025-10", ZoneInfo("UTC"))
SECOND = "2025-10-01T00:01:00Z"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"operating_hs": 50 * PH, "losses_hs": {Cause.STOPPED: 4 * PH}},
            "is 4.6e+16, operating_hs is 5e+16",
        ),
        ({"operating_hs": 100 * PH, "losses_hs": {Cause.STOPPED: 4 * PH}}, "operating_hs is 1e+17"),
        ({"known_hs": 545 * PH}, "known_hs is 5.45e+17, more than the 5e+16 deployed"),
        ({"efficient_hs": 47 * PH}, "efficient_hs is 4.7e+16, more than the 4.6e+16 operating"),
        ({"operating_hs": math.inf}, "operating_hs is inf, a finite number is expected"),
        ({"watts": {}, "efficient_watts": math.nan}, "efficient_watts is nan, a finite number is expected"),
        ({"delivered_hs": -math.inf, "delivered_s": 60.0}, "delivered_hs is -inf, a finite number is expected"),
        ({"watched_s": 61.0}, "watched_s is 61, 0 to 60 is expected"),
        ({"watched_s": -1.0}, "watched_s is -1, 0 to 60 is expected"),
        ({"judged_s": 61.0}, "judged_s is 61, 0 to the 60 s watched"),
        ({"span_s": 59}, "it covers 59 s from 1759276860 on, whole minutes are expected"),
        ({"span_s": 0}, "it covers 0 s"),
        ({"at": AT + 61}, "whole minutes are expected"),
        ({"at": AT}, "it begins before the row before it ends, at 2025-10-01T00:01:00Z"),
        ({"uplift_hs": -PH, "losses_hs": {Cause.STOPPED: 3 * PH}}, "uplift_hs is -1e+15, nothing below 0"),
        ({"units_by_state": {UnitState.HASHING: 251.0}}, "251 units are in some state, units is 250"),
        ({"simulated_units": 300.0}, "simulated_units is 300, more than the 250 units"),
    ],
)
def test_a_row_that_cannot_be(changes: dict[str, Any], reason: str) -> None:
    """A statement is refused for the first row that cannot be, and verifying refuses it too; both name its time."""
    good = [row(AT + 60 * number) for number in range(3)]
    bad = [good[0], row(**{"at": AT + 60} | changes), good[2]]
    with pytest.raises(StatementError, match="a row that cannot be: 2025-10-01T00:0") as refused:
        stated(bad)
    assert reason in str(refused.value)
    if "at" not in changes:
        assert SECOND in str(refused.value)
    with pytest.raises(StatementError, match="a row that cannot be"):
        verify(stated(good), Kept(bad), PERIOD)


def _edit(path: Path, edit: str, at: int) -> None:
    """Change a row of the site with SQLite's own means."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE site SET {edit} WHERE at = {at}")  # noqa: S608 - a test's own words


def test_edited_in_sqlite(tmp_path: Path) -> None:
    """What an editor of the file itself can leave there, text and infinity included, is refused with the row's time."""
    for number, edit in enumerate(
        (
            "operating_hs = deployed_hs",
            "operating_hs = 2 * operating_hs, deployed_hs = 2 * deployed_hs",
            "operating_hs = 9e999",
            "units = 'many'",
            "uplift_hs = ''",
            "known_hs = 10.9 * known_hs",
        )
    ):
        path = write(tmp_path / f"{number}.sqlite", [row(AT + 60 * minute) for minute in range(3)])
        _edit(path, edit, AT + 60)
        with (
            closing(read_history(path)) as reader,
            pytest.raises(StatementError, match="a row that cannot be: 2025-10-01T00:01:00Z"),
        ):
            state(reader, PERIOD, now=LATER)


def test_rounding_is_no_edit() -> None:
    """Means over a minute add up but for rounding; a part in ten million is let through."""
    losses_hs = {Cause.STOPPED: 4 * PH * (1 + 1e-8)}
    assert stated([row(losses_hs=losses_hs)]).figures.lost_hs == losses_hs[Cause.STOPPED]


def _sites(*shares: float) -> list[dict[str, Any]]:
    return [
        {name: value * PH * share for name, value in (("deployed_hs", 50), ("operating_hs", 46), ("known_hs", 50))}
        for share in shares
    ]


def test_containers_add_up(tmp_path: Path) -> None:
    """Containers that add up, compacted or not, say nothing; an hour in which they do not is named, not published."""
    month = [hour(at) for at in range(*OCTOBER, HOUR_S)]
    halves = [[hour(each.at, **changes) for each in month] for changes in _sites(0.4, 0.6)]
    path, at = tmp_path / "h.sqlite", AT + 5 * HOUR_S
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(
            site=[each.values() for each in month],
            containers=[(f"C{number}", each.values()) for number, rows in enumerate(halves) for each in rows],
            facts=[nameplates_fact(AT)],
        )
        statement = state(file, PERIOD, now=LATER, is_draft=False)
        assert (statement.notes, statement.parts[0].apart_hours) == ((), ())
    _edit(path, "operating_hs = operating_hs + 1e15, loss_unreachable_hs = loss_unreachable_hs - 1e15", at)
    with closing(read_history(path)) as reader:
        (note,) = state(reader, PERIOD, now=LATER).notes
        assert note.startswith("alpha: containers do not add up to the site in 1 of its hours, the first from 2025-10-")
        with pytest.raises(StatementError, match="alpha: containers do not add up to the site in 1 of its hours"):
            state(reader, PERIOD, now=LATER, is_draft=False)
        wrong = verify(statement, reader, PERIOD)
    assert "hours in which containers do not add up: stated none, history gives 2025-10-01T05:00:00Z" in wrong


def test_container_rows_that_were_deleted_early(tmp_path: Path) -> None:
    """A full file loses its oldest container rows ten minutes at a time; the hour that is cut says nothing."""
    minutes = [row(AT + 60 * number) for number in range(180)]
    path = tmp_path / "h.sqlite"
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(
            site=[each.values() for each in minutes], containers=[("C1", each.values()) for each in minutes[70:]]
        )
        assert state(file, PERIOD, now=AT + 180 * 60).parts[0].apart_hours == ()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"DELETE FROM containers WHERE at = {AT + 150 * 60}")  # noqa: S608 - a test's own words
    with closing(read_history(path)) as reader:
        assert state(reader, PERIOD, now=AT + 180 * 60).parts[0].apart_hours == (AT + 2 * HOUR_S,)
