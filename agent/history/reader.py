"""Reader of the history file, also while the agent is writing it."""

# ruff: noqa: S608 - names in queries are this package's own constants; values are parameters.

import math
import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from agent.errors import HistoryError
from agent.files.signing import PublicKey
from agent.files.sqlite import connect
from agent.history.chain.file import Base, read_base, read_facts, read_heads, read_links
from agent.history.chain.findings import Verdict
from agent.history.chain.heads import HeadKind, SignedHead
from agent.history.chain.links import MALFORMED, Fact, Link, LinkKind, fact_of
from agent.history.chain.verifying import verify
from agent.history.credits import PoolCredit, read_credits
from agent.history.minutes import COLUMNS, MEANS, PARTIAL, Row, Values, row_from
from agent.history.repairs import read_repairs
from agent.history.schema import BUSY_S, HISTORY, MIGRATIONS, OWNER_SOURCE
from agent.history.state_changes import Change
from agent.site.repairs.entries import RepairEntry

CHUNK = 4096
NAMES = ", ".join(COLUMNS)
_MEANS = ", ".join(f"SUM({name} * watched_s) / SUM(watched_s)" for name in MEANS)
_PARTIAL_MEANS = ", ".join(
    f"SUM({COLUMNS[place]}), SUM({COLUMNS[place + 1]} * {COLUMNS[place]}) / NULLIF(SUM({COLUMNS[place]}), 0)"
    for place in PARTIAL
)


class HistoryReader:
    """An open history file.

    Args:
        path: The file.
        connection: A connection to it.

    Attributes:
        site, zone: The site's name, and the time zone of its calendar months; empty before the first `claim`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        facts = dict(connection.execute("SELECT name, value FROM facts"))
        self.site: str = facts.get("site", "")
        self.zone: str = facts.get("zone", "")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def span(self) -> tuple[int, int] | None:
        """Return the Unix times at which the site's rows begin and end, s; None if there are no rows."""
        with HISTORY.translated(self.path):
            (first,) = self._connection.execute("SELECT MIN(at) FROM site").fetchone()
            if first is None:
                return None
            at, span_s = self._connection.execute("SELECT at, span_s FROM site ORDER BY at DESC LIMIT 1").fetchone()
        return first, at + span_s

    def containers(self) -> tuple[str, ...]:
        """Return the names of all containers that have rows."""
        query = "SELECT name FROM names WHERE id IN (SELECT DISTINCT container FROM containers) ORDER BY name"
        with HISTORY.translated(self.path):
            return tuple(name for (name,) in self._connection.execute(query))

    def owners(self) -> tuple[str, ...]:
        """Return the names of all owners that have rows, `NO_OWNER` among them."""
        query = "SELECT name FROM names WHERE id IN (SELECT DISTINCT owner FROM owners) ORDER BY name"
        with HISTORY.translated(self.path):
            return tuple(name for (name,) in self._connection.execute(query))

    def owners_begin(self) -> int | None:
        """Return the Unix time at which the first row of an owner begins, s; None without any."""
        with HISTORY.translated(self.path):
            (first,) = self._connection.execute("SELECT MIN(at) FROM owners").fetchone()
        return None if first is None else int(first)

    def owner_sums(self, start: float, end: float) -> Generator[tuple[int, float, float, float], None, None]:
        """Yield, for each minute of [start, end) with rows of owners, their sums, oldest first.

        Each is the minute's Unix time, s, the seconds that were watched, and all owners' deployed and operating, each
        times its seconds, hashes.
        """
        query = (
            "SELECT at, MAX(watched_s), TOTAL(deployed_hs * watched_s), TOTAL(operating_hs * watched_s) FROM owners"
            " WHERE at >= ? AND at < ? GROUP BY at ORDER BY at"
        )
        with HISTORY.translated(self.path), closing(self._connection.execute(query, (start, end))) as found:
            yield from found

    def chunks(
        self, start: float, end: float, container: str | None = None, *, owner: str | None = None
    ) -> Generator[list[Values], None, None]:
        """Yield the rows that begin in [start, end), oldest first, `CHUNK` at a time, from one snapshot of the file.

        Args:
            start: Unix time, s.
            end: Unix time, s.
            container: The container; None for the site's rows.
            owner: The owner; None for the site's rows.
        """
        table, number = self._table(container, owner)
        query = f"SELECT {NAMES} FROM {table} AND at >= ? AND at < ? ORDER BY at"
        with HISTORY.translated(self.path), closing(self._connection.execute(query, (*number, start, end))) as cursor:
            while chunk := cursor.fetchmany(CHUNK):
                yield chunk

    def container_sums(self, start: int, end: int) -> list[tuple[int, float, float]]:
        """Return, for each hour from `start` on with rows of containers, its number and their deployed and operating.

        Both are hashrate times watched time, hashes, over all rows of containers that begin in [start, end). An hour
        within which the file's container rows begin is left out: those before may have been deleted.
        """
        query = (
            "SELECT (at - ?) / 3600 AS hour, TOTAL(deployed_hs * watched_s), TOTAL(operating_hs * watched_s)"
            " FROM containers WHERE at >= ? AND at < ? GROUP BY hour ORDER BY hour"
        )
        with HISTORY.translated(self.path):
            (first,) = self._connection.execute("SELECT MIN(at) FROM containers").fetchone()
            begin = start if first is None or first <= start else start - (start - first) // 3600 * 3600
            return self._connection.execute(query, (start, begin, end)).fetchall()

    def set_aside_times(self) -> tuple[float, ...]:
        """Return the Unix times, s, at which rows that a wrong clock dated ahead were set aside."""
        with HISTORY.translated(self.path):
            if self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'aside_site'").fetchone() is None:
                return ()
            found = self._connection.execute("SELECT DISTINCT aside_at FROM aside_site ORDER BY aside_at")
            return tuple(float(at) for (at,) in found)

    def sources(self, container: str | None = None, *, owner: str | None = None) -> dict[int, frozenset[str]]:
        """Return, by the Unix time of a merged row, the names of the rows that went into it; of others, nothing.

        Args:
            container: The container; None for the site's rows.
            owner: The owner; None for the site's rows.
        """
        found: dict[int, set[str]] = {}
        with HISTORY.translated(self.path):
            if self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'merged_rows'").fetchone() is None:
                return {}
            query = "SELECT at, source FROM merged_rows WHERE container = ?"
            for at, name in self._connection.execute(query, (source_name(container, owner),)):
                found.setdefault(at, set()).add(name)
        return {at: frozenset(names) for at, names in found.items()}

    def rows(
        self, start: int, end: int, step: int, container: str | None = None, *, owner: str | None = None
    ) -> list[Row]:
        """Return means over steps of `step` seconds from `start` on, without steps in which nothing was watched.

        A row that is longer than a step, such as a container's compacted one, counts in the step in which it begins.
        """
        table, number = self._table(container, owner)
        query = (
            f"SELECT ? + (at - ?) / ? * ? AS step_at, MAX(MAX(span_s), ?), SUM(watched_s), {_MEANS}, {_PARTIAL_MEANS}"
            f" FROM {table} AND at >= ? AND at < ? AND watched_s > 0 GROUP BY step_at ORDER BY step_at"
        )
        with HISTORY.translated(self.path):
            found = self._connection.execute(query, (start, start, step, step, step, *number, start, end))
            return [row_from(values) for values in found]

    def _table(self, container: str | None, owner: str | None) -> tuple[str, tuple[int, ...]]:
        """Return a table with the condition for its rows, and the condition's parameters."""
        name = container if owner is None else owner
        if name is None:
            return "site WHERE TRUE", ()
        with HISTORY.translated(self.path):
            found = self._connection.execute("SELECT id FROM names WHERE name = ?", (name,)).fetchone()
        table = "containers WHERE container = ?" if owner is None else "owners WHERE owner = ?"
        return table, (-1 if found is None else found[0],)

    def changes(self, start: float, end: float, unit_id: str | None = None) -> Iterator[Change]:
        """Yield the states that units were in at any time of [start, end), ordered by their start.

        Args:
            start: Unix time, s.
            end: Unix time, s.
            unit_id: The unit; None for all units.
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

    def repairs(self, *, closed_from: float = -math.inf) -> list[RepairEntry]:
        """Return the walk list's entries that are open, or were closed from a Unix time on, s; the open ones first."""
        with HISTORY.translated(self.path):
            return list(read_repairs(self._connection, closed_from=closed_from))

    def pool_credits(self, start: float, end: float, *, known_by: float = math.inf) -> list[PoolCredit]:
        """Return the windows of pools that touch [start, end), by account and beginning.

        Args:
            start: Unix time, s.
            end: Unix time, s.
            known_by: Those that were fetched later are left out; Unix time, s.
        """
        with HISTORY.translated(self.path):
            return list(read_credits(self._connection, start, end, known_by=known_by))

    def latest_changes(self, unit_id: str, start: float, limit: int) -> list[Change]:
        """Return the states that a unit entered since `start`, and the one it is in, latest first.

        Args:
            unit_id: The unit.
            start: Unix time, s.
            limit: At most so many.
        """
        query = (
            "WITH wanted (id) AS (SELECT id FROM names WHERE name = ?)"
            " SELECT states.name, whys.name, since, until FROM changes"
            " JOIN names AS states ON states.id = state JOIN names AS whys ON whys.id = why"
            " WHERE unit = (SELECT id FROM wanted) AND since >= ?"
            " UNION SELECT states.name, whys.name, since, until FROM changes"
            " JOIN names AS states ON states.id = state JOIN names AS whys ON whys.id = why"
            " WHERE unit = (SELECT id FROM wanted) AND until IS NULL"
            " ORDER BY since DESC LIMIT ?"
        )
        with HISTORY.translated(self.path):
            found = self._connection.execute(query, (unit_id, start, limit)).fetchall()
        return [
            Change(unit_id=unit_id, state=state, why=why, since=since, until=until)
            for state, why, since, until in found
        ]

    def facts(
        self,
        start: float = -math.inf,
        end: float = math.inf,
        *,
        kinds: Collection[str] = (),
        last: float = math.inf,
    ) -> Iterator[Fact]:
        """Yield the chain's facts of [start, end), by their Unix times, s.

        Args:
            start: Unix time, s.
            end: Unix time, s.
            kinds: Only these; empty for all, and a `MALFORMED` one for each that cannot be read.
            last: Only those of links up to this number.
        """
        query = (
            "SELECT at, body FROM chain WHERE body IS NOT NULL AND kind = ? AND at >= ? AND at < ? AND seq <= ?"
            " ORDER BY at, seq"
        )
        with (
            HISTORY.translated(self.path),
            closing(self._connection.execute(query, (LinkKind.FACT, start, end, last))) as found,
        ):
            for at, body in found:
                try:
                    fact = fact_of(at, body)
                except ValueError as error:
                    # One that was edited hides none of the others.
                    fact = Fact(MALFORMED, at, {"reason": str(error)})
                if not kinds or fact.kind in kinds:
                    yield fact

    def links(self, after: int = 0) -> Iterator[Link]:
        """Yield the chain's links behind number `after`, in their order."""
        with self._well_formed():
            yield from read_links(self._connection, after)

    def heads(self, after: int = -1) -> Iterator[SignedHead]:
        """Yield the chain's heads behind link `after`, in their order."""
        with self._well_formed():
            yield from read_heads(self._connection, after)

    def chain_base(self, start: float | None = None) -> Base:
        """Return where the kept chain begins, as `agent.history.chain.file.read_base`."""
        with self._well_formed():
            return read_base(self._connection, start)

    @property
    def chain_end(self) -> tuple[int, str]:
        """Number of the last link of the chain, and its hash in hexadecimal as the file says."""
        with HISTORY.translated(self.path):
            (seq,) = self._connection.execute("SELECT COALESCE(MAX(seq), 0) FROM chain").fetchone()
            found = self._connection.execute("SELECT value FROM facts WHERE name = 'chain'").fetchone()
        return int(seq), "" if found is None else str(found[0])

    def verify(
        self,
        *,
        keys: Sequence[PublicKey] = (),
        known: Iterable[tuple[str, SignedHead]] = (),
        witnesses: Iterable[tuple[int, int]] = (),
        start: int | None = None,
        end: int | None = None,
    ) -> Verdict:
        """Hold the rows of a period, or all, against the chain, and the whole chain against its heads.

        Args:
            keys: Public keys that may sign; empty to take those that the chain itself names, which proves less.
            known: Heads that were kept elsewhere, each with the words for where.
            witnesses: Numbers of links and the first 52 bits of their hashes.
            start: When the period begins, Unix time, s.
            end: When it ends, Unix time, s.

        Raises:
            HistoryError: The file cannot be read, or holds what no agent writes.
        """
        with self._well_formed():
            return verify(
                self._connection,
                site=self.site,
                zone=self.zone,
                keys=keys,
                known=known,
                witnesses=witnesses,
                start=start,
                end=end,
            )

    def last_head(self, *, is_signed: bool = False, kind: HeadKind | None = None) -> SignedHead | None:
        """Return the latest head; None before the first.

        Args:
            is_signed: True for the latest that carries a signature.
            kind: Only of this kind; None for any.
        """
        query = "SELECT MAX(seq) FROM heads WHERE (signature IS NOT NULL OR NOT ?) AND body LIKE ?"
        wanted = "%" if kind is None else f'%"kind":"{kind}"%'
        with self._well_formed():
            (seq,) = self._connection.execute(query, (is_signed, wanted)).fetchone()
            return None if seq is None else next(read_heads(self._connection, seq - 1))

    def chain_facts(self, *kinds: str) -> Iterator[Fact]:
        """Yield the chain's facts of some kinds, or all, in the order of their links."""
        with self._well_formed():
            yield from read_facts(self._connection, *kinds)

    @contextmanager
    def _well_formed(self) -> Iterator[None]:
        """Turn what is no link and no head into errors of the file."""
        with HISTORY.translated(self.path):
            try:
                yield
            except ValueError as error:
                raise HistoryError("damaged", f"{self.path}: {error}") from error

    def interrupt_after(self, seconds: float, *, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Set a deadline: reads after it, or once `is_wanted` returns False, fail with `HistoryError` ``slow``."""
        deadline = time.monotonic() + seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > deadline or not is_wanted(), 10_000)


def source_name(container: str | None, owner: str | None) -> str:
    """Return the name of a group of rows among those of merged rows; empty for the site's."""
    return container or "" if owner is None else OWNER_SOURCE + owner


def read_history(path: Path) -> HistoryReader:
    """Open a history file for reading.

    Raises:
        HistoryError: ``absent`` if there is no file; ``older`` if the agent must upgrade it first.
    """
    if not path.exists():
        raise HistoryError("absent", f"{path}: there is no history yet; `hashsight run` writes it")
    with HISTORY.translated(path):
        connection = connect(path, busy_s=BUSY_S, mode="ro")
        try:
            try:
                version = HISTORY.check_identity(connection, path)
            except sqlite3.OperationalError:
                # The folder is read-only, so SQLite cannot create a log. If there is none, the file alone is complete.
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
            f"{path}: written by an older version of hashsight (schema {version}, here {newest});"
            " this version's agent upgrades it when it starts",
        )
