"""The latest states of one unit, read from history."""

from contextlib import closing
from pathlib import Path

import pytest
from history_cases import row, write

from agent.history.reader import HistoryReader, read_history
from agent.history.state_changes import Change
from agent.history.writer import write_history

OLD = Change(unit_id="u1", state="stopped", why="asleep", since=1000.0, until=2000.0)
RECENT = Change(unit_id="u1", state="unreachable", why="no answer", since=8000.0, until=9000.0)
OPEN = Change(unit_id="u1", state="hashing", why="hashing", since=9000.0)
OTHER = Change(unit_id="u2", state="stopped", why="asleep", since=8500.0)
LASTING = Change(unit_id="u3", state="stopped", why="asleep", since=500.0)


@pytest.fixture(name="reader")
def open_reader(tmp_path: Path) -> HistoryReader:
    """Return a reader of a file with these changes."""
    path = write(tmp_path / "history.sqlite", [row()])
    with closing(write_history(path)) as file:
        file.write(changes=[OLD, RECENT, OPEN, OTHER, LASTING])
    return read_history(path)


def test_the_latest_come_first(reader: HistoryReader) -> None:
    """States that began since a moment, latest first; another unit's are left out."""
    with closing(reader):
        assert reader.latest_changes("u1", 5000.0, 50) == [OPEN, RECENT]
        assert reader.latest_changes("u1", 0.0, 50) == [OPEN, RECENT, OLD]
        assert reader.latest_changes("u1", 0.0, 2) == [OPEN, RECENT]
        assert reader.latest_changes("none", 0.0, 50) == []


def test_the_state_that_lasts_is_there_however_old(reader: HistoryReader) -> None:
    """A unit that has been in one state for long shows that one."""
    with closing(reader):
        assert reader.latest_changes("u3", 5000.0, 50) == [LASTING]
