"""Entries of the walk list in the history file: kept, brought up to date, bounded, salvaged and merged."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from history_cases import AT, DAY_S, hour, row, write

from agent.history.keeper import History
from agent.history.merging import merge_histories
from agent.history.reader import read_history
from agent.history.schema import MIGRATIONS
from agent.history.writer import TIDY_REPAIRS, write_history
from agent.site.ledger.entries import Place
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.symptoms import Closing, Symptom

OPEN = RepairEntry(
    id=AT * 1000,
    symptom=Symptom.FAN_STOPPED,
    unit_id="u1",
    place=Place(container="C3", rack="R05", slot="12"),
    words="fan 2 at 0 rpm",
    since=AT + 0.5,
    opened_at=AT + 300.25,
    lost_hashes=1e18 / 3,
    before=2,
    note=Said("ana", AT + 400.0, "fan ordered; <b>'--"),
    seen=Said("ben", AT + 350.0),
)
CLOSED = msgspec.structs.replace(
    OPEN, id=OPEN.id - 1, until=AT + 600.0, closing=Closing.RECOVERED, note=None, seen=None, unit_id="", place=Place()
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a path for a new history."""
    return tmp_path / "site.history.sqlite"


def kept(path: Path, **bounds: float) -> list[RepairEntry]:
    """Return the entries in a file."""
    with closing(read_history(path)) as reader:
        return reader.repairs(**bounds)


def test_entries_come_back_as_they_were(path: Path) -> None:
    """Every field of an open and a closed entry reads back, the open ones first."""
    with closing(write_history(path)) as file:
        file.write(repairs=[CLOSED, OPEN])
    assert kept(path) == [OPEN, CLOSED]
    assert kept(path, closed_from=AT + 601) == [OPEN]


def test_an_entry_is_written_in_place_of_itself(path: Path) -> None:
    """What waits of one entry is its latest state, and a later write replaces an earlier one."""
    history = History(path, site="alpha", zone="UTC", wall=lambda: AT + DAY_S)
    history.record_repairs([OPEN])
    history.record_repairs([msgspec.structs.replace(OPEN, lost_hashes=2e18)])
    assert history.flush()
    assert history.health.written == 1
    later = msgspec.structs.replace(OPEN, lost_hashes=3e18, until=AT + 900.0, closing=Closing.LEFT_LEDGER)
    history.record_repairs([later])
    assert history.flush()
    history.close()
    assert kept(path) == [later]


def test_what_cannot_be_written_waits(path: Path) -> None:
    """A failed write loses no entry."""
    history = History(path, site="alpha", zone="UTC", wall=lambda: AT + DAY_S)
    with closing(write_history(path)):
        history.record_repairs([OPEN])
        assert not history.flush()
    assert history.flush()
    history.close()
    assert kept(path) == [OPEN]


def test_a_file_without_a_walk_list_gets_one(path: Path) -> None:
    """A file of the schema before keeps its rows, and takes entries from then on."""
    write_history(path, migrations=MIGRATIONS[:2]).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    write(path, [row()])
    with closing(write_history(path)) as file:
        assert list(file.chunks(0, 1e12)) == [[row().values()]]
        assert file.repairs() == []
        file.write(repairs=[OPEN])
    assert kept(path) == [OPEN]


def test_closed_entries_are_kept_as_long_as_changes_and_open_ones_for_good(path: Path) -> None:
    """Entries older than `keep_days` go, and the oldest closed ones when the file is too large."""
    many = [
        msgspec.structs.replace(CLOSED, id=number, until=AT + float(number)) for number in range(1, TIDY_REPAIRS + 11)
    ]
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(site=[hour(AT + 40 * DAY_S).values(), hour(AT + 40 * DAY_S + 3600).values()], repairs=[*many, OPEN])
        file.tidy(now=AT + 41 * DAY_S, keep_days=400, max_bytes=1)
        assert [each.id for each in file.repairs()] == [OPEN.id, *(each.id for each in many[TIDY_REPAIRS:])]
        file.tidy(now=AT + 41 * DAY_S, keep_days=30, max_bytes=1 << 40)
        assert file.repairs() == [OPEN]


def test_a_row_that_no_agent_writes_is_left_out(path: Path) -> None:
    """A symptom of a later version, or a row that somebody edited, hides no other entry."""
    with closing(write_history(path)) as file:
        file.write(repairs=[OPEN, CLOSED])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE repairs SET lost_hashes = 9e999 WHERE id = ?", (CLOSED.id,))
        connection.commit()
    assert kept(path) == [OPEN]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE names SET name = 'struck_by_lightning' WHERE name = 'fan_stopped'")
        connection.commit()
    assert kept(path) == []


def test_a_damaged_file_gives_its_entries_to_the_next(path: Path, tmp_path: Path) -> None:
    """What is readable of a damaged file's walk list is taken over."""
    with closing(write_history(path)) as file:
        file.write(site=[row().values()], repairs=[OPEN, CLOSED])
    with closing(write_history(tmp_path / "next.sqlite")) as after:
        after.salvage(path)
        assert after.repairs() == [OPEN, CLOSED]


def test_a_merge_keeps_the_first_agents_list(path: Path, tmp_path: Path) -> None:
    """The walk list of a merged history is the primary's, as are its changes."""
    second = write(tmp_path / "second.sqlite", [row(AT + 60)])
    write(path, [row()])
    with closing(write_history(path)) as file:
        file.write(repairs=[OPEN])
    with (
        closing(read_history(path)) as ours,
        closing(read_history(second)) as theirs,
        closing(write_history(tmp_path / "both.sqlite")) as both,
    ):
        both.claim(site="alpha", zone="UTC")
        merge_histories(ours, theirs, both)
        assert both.repairs() == [OPEN]
