"""Reading the history file, while the agent writes it or without one."""

# ruff: noqa: S608 - names in queries are this package's own constants; values are parameters.

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from agent.errors import HistoryError
from agent.files.sqlite import connect
from agent.history.minutes import COLUMNS, MEANS, Row, Values, row_from
from agent.history.schema import BUSY_S, HISTORY, MIGRATIONS
from agent.history.state_changes import Change

CHUNK = 4096
NAMES = ", ".join(COLUMNS)
_MEANS = ", ".join(f"SUM({name} * watched_s) / SUM(watched_s)" for name in MEANS)


class HistoryReader:
    """An open history file.

    Args:
        path: Where it is.
        connection: To it.

    Attributes:
        site, zone: Whose it is, and the zone of its calendar months; empty when nobody said yet.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        facts = dict(connection.execute("SELECT name, value FROM facts"))
        self.site: str = facts.get("site", "")
        self.zone: str = facts.get("zone", "")

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def span(self) -> tuple[int, int] | None:
        """Give the Unix times at which the site's rows begin and end; None when there are none."""
        with HISTORY.translated(self.path):
            (first,) = self._connection.execute("SELECT MIN(at) FROM site").fetchone()
            if first is None:
                return None
            at, span_s = self._connection.execute("SELECT at, span_s FROM site ORDER BY at DESC LIMIT 1").fetchone()
        return first, at + span_s

    def containers(self) -> tuple[str, ...]:
        """Give the names of all containers that have rows."""
        query = "SELECT name FROM names WHERE id IN (SELECT DISTINCT container FROM containers) ORDER BY name"
        with HISTORY.translated(self.path):
            return tuple(name for (name,) in self._connection.execute(query))

    def chunks(self, start: float, end: float, container: str | None = None) -> Iterator[list[Values]]:
        """Give the rows that begin in [start, end), oldest first, `CHUNK` at a time; one snapshot of the file.

        Args:
            start: Unix time, s.
            end: Unix time, s.
            container: Its rows; None for the site's.
        """
        table, number = self._table(container)
        query = f"SELECT {NAMES} FROM {table} AND at >= ? AND at < ? ORDER BY at"
        with HISTORY.translated(self.path), closing(self._connection.execute(query, (*number, start, end))) as cursor:
            while chunk := cursor.fetchmany(CHUNK):
                yield chunk

    def rows(self, start: int, end: int, step: int, container: str | None = None) -> list[Row]:
        """Give means over steps of `step` seconds from `start` on; a step of which nothing was watched is not there.

        A row that spans more than a step, as a container's old ones do, stands where it begins.
        """
        table, number = self._table(container)
        query = (
            f"SELECT ? + (at - ?) / ? * ? AS step_at, MAX(MAX(span_s), ?), SUM(watched_s), {_MEANS}, SUM(delivered_s),"
            " SUM(delivered_hs * delivered_s) / NULLIF(SUM(delivered_s), 0)"
            f" FROM {table} AND at >= ? AND at < ? AND watched_s > 0 GROUP BY step_at ORDER BY step_at"
        )
        with HISTORY.translated(self.path):
            found = self._connection.execute(query, (start, start, step, step, step, *number, start, end))
            return [row_from(values) for values in found]

    def _table(self, container: str | None) -> tuple[str, tuple[int, ...]]:
        """Give a table with the condition for its rows, and the condition's parameter."""
        if container is None:
            return "site WHERE TRUE", ()
        with HISTORY.translated(self.path):
            found = self._connection.execute("SELECT id FROM names WHERE name = ?", (container,)).fetchone()
        return "containers WHERE container = ?", (-1 if found is None else found[0],)

    def changes(self, start: float, end: float, unit_id: str | None = None) -> Iterator[Change]:
        """Give the states that units were in at any time of [start, end), by their beginning.

        Args:
            start: Unix time, s.
            end: Unix time, s.
            unit_id: One unit's; None for all.
        """
        query = (
            "SELECT unit, state, why, since, until FROM unit_changes WHERE since < ? AND (until IS NULL OR until > ?)"
            " AND (? IS NULL OR unit = ?) ORDER BY since, unit"
        )
        with (
            HISTORY.translated(self.path),
            closing(self._connection.execute(query, (end, start, unit_id, unit_id))) as found,
        ):
            for unit, state, why, since, until in found:
                yield Change(unit_id=unit, state=state, why=why, since=since, until=until)

    def interrupt_after(self, seconds: float) -> None:
        """Let whatever is read end with an error, ``slow``, once so much time has passed."""
        deadline = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)


def read_history(path: Path) -> HistoryReader:
    """Open a history file to read it.

    Raises:
        HistoryError: ``absent`` when there is none; ``older`` when the agent must bring it up to date first.
    """
    if not path.exists():
        raise HistoryError("absent", f"{path}: there is no history yet; `hashsight run` writes it")
    with HISTORY.translated(path):
        connection = connect(path, busy_s=BUSY_S, mode="ro")
        try:
            try:
                version = HISTORY.check_identity(connection, path)
            except sqlite3.OperationalError:
                # Nobody may write a log beside it; without one there, the file alone is whole.
                log = path.with_name(f"{path.name}-wal")
                if log.exists() and log.stat().st_size:
                    raise
                connection.close()
                connection = connect(path, busy_s=BUSY_S, mode="ro", is_immutable=True)
                version = HISTORY.check_identity(connection, path)
            _refuse_older(path, version)
            return HistoryReader(path, connection)
        except BaseException:
            connection.close()
            raise


def _refuse_older(path: Path, version: int) -> None:
    newest = len(MIGRATIONS)
    if version < newest:
        raise HistoryError(
            "older",
            f"{path}: of an older version of hashsight (schema {version}, here {newest});"
            " this version's agent brings it up to date when it starts",
        )
