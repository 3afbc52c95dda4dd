"""Writer of the history file: SQLite in WAL mode, one writer, one transaction for every write.

A write is on the disk when it returns, so SIGKILL or a power cut loses only what was not written yet. The site's rows
and owners' are never changed while they are kept, because statements are computed from them. Container rows older than
`MINUTES_KEPT_DAYS` are compacted to means over a quarter of an hour, the resolution of curtailment.
"""

# ruff: noqa: S608 - names in queries are this package's own constants; values are parameters.

import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.errors import HistoryError
from agent.files.lock import FileLock
from agent.files.sqlite import connect, transaction, used_bytes
from agent.files.sqlite import set_aside as set_file_aside
from agent.history.chain.book import ChainBook
from agent.history.chain.file import containers_in_force, hash_at
from agent.history.chain.heads import SignedHead
from agent.history.chain.links import DAY_S, QUARTER_S, Fact
from agent.history.chain.rows import containers_digest
from agent.history.credits import PoolCredit, all_credits, drop_credits, write_credits
from agent.history.future import SetAside, altered_aside, bring_back, set_aside
from agent.history.minutes import COLUMNS, MINUTE_S, PARTIAL, Values, mean_values, merge
from agent.history.reader import CHUNK, NAMES, HistoryReader, source_name
from agent.history.repairs import all_repairs, drop_repairs, write_repairs
from agent.history.schema import BUSY_S, CHAIN_SINCE, EARLIER_COLUMNS, HISTORY, MIGRATIONS, SOURCES
from agent.history.state_changes import Change
from agent.site.repairs.entries import RepairEntry

MINUTES_KEPT_DAYS = 62
HOURS_KEPT_DAYS = 14
# Nothing is old before so much was watched since.
BELIEVED_S = 3600
# Tidying works in small batches: each costs milliseconds, and every further hour under a wrong clock deletes hours.
TIDY_SPAN_S = 600
TIDY_QUARTERS = 8
TIDY_CHANGES = 2000
TIDY_REPAIRS = 100
ASIDE_KEPT = 3

_PLACES = ", ".join("?" * len(COLUMNS))
_ADD_SITE = f"INSERT INTO site ({NAMES}) VALUES ({_PLACES}) ON CONFLICT DO NOTHING"
_ADD_CONTAINER = f"INSERT INTO containers ({NAMES}, container) VALUES ({_PLACES}, ?) ON CONFLICT DO NOTHING"
_ADD_OWNER = f"INSERT INTO owners ({NAMES}, owner) VALUES ({_PLACES}, ?) ON CONFLICT DO NOTHING"
_ADD_CHANGE = (
    "INSERT INTO changes (since, unit, until, state, why) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET until = excluded.until, state = excluded.state, why = excluded.why"
)
_ADD_HEAD = (
    "INSERT INTO heads (seq, at, body, signature) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
    " SET at = excluded.at, body = excluded.body, signature = excluded.signature"
    " WHERE heads.signature IS NULL"
    ' OR (excluded.signature IS NOT NULL AND heads.body NOT LIKE \'%"kind":"day"%\')'
)
_DROP_HEADS = 'DELETE FROM heads WHERE at < ? AND seq >= (SELECT MIN(seq) FROM chain) AND body LIKE \'%"kind":"hour"%\''
_AGED = ("site", "containers", "owners")
_LAST_DROPPED = "SELECT at FROM chain WHERE body = 'site' AND kind = 5 ORDER BY seq DESC LIMIT 1"
_SET_FACT = "INSERT INTO facts (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"


class HistoryWriter(HistoryReader):
    """An open history file that only this process writes. Open it with `write_history`."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: FileLock, *, version: int = len(MIGRATIONS)
    ) -> None:
        super().__init__(path, connection)
        self._lock = lock
        self._inode = path.stat().st_ino
        self._numbers: dict[str, int] = {}
        self._chain: ChainBook | None = None
        # Minutes whose rows were found to be others than those that were written.
        self.altered = 0
        if version >= CHAIN_SINCE:
            with HISTORY.translated(path):
                self._chain = ChainBook(connection)
            with self._transaction():
                self._chain.begin()

    @property
    def chain_end(self) -> tuple[int, str]:
        """Number of the last link of the chain, and its hash in hexadecimal."""
        return (0, "") if self._chain is None else (self._chain.seq, self._chain.hash)

    @property
    def chain_name(self) -> str:
        """The chain's name."""
        with self._well_formed():
            return "" if self._chain is None else self._chain.name

    def hash_at(self, seq: int) -> str | None:
        """Return the hash of a link; None before the kept chain and behind its end."""
        with self._well_formed():
            return hash_at(self._connection, seq)

    def add_head(self, signed: SignedHead) -> None:
        """Keep a head; one of the same link is replaced, unless it is a day's or only that one is signed."""
        with HISTORY.translated(self.path), transaction(self._connection):
            head = signed.head
            self._connection.execute(_ADD_HEAD, (head.seq, head.at, head.text, signed.signature))

    def cut_chain(self, *, now: float) -> bool:
        """Drop the chain's links of rows that were deleted for their age, up to a signed head; True if it did.

        Heads of hours are dropped after `HOURS_KEPT_DAYS`; those of days stay.
        """
        if self._chain is None:
            return False
        with self._transaction():
            self._connection.execute(_DROP_HEADS, (now - HOURS_KEPT_DAYS * DAY_S,))
        found = self._connection.execute(_LAST_DROPPED).fetchone()
        if found is None:
            return False
        rows = (self._connection.execute(f"SELECT MIN(at) FROM {table}").fetchone()[0] for table in _AGED)
        oldest = min(found[0], *(at - at % QUARTER_S for at in rows if at is not None))
        with self._well_formed(), self._transaction():
            return self._chain.cut(oldest, now=int(now))

    def close(self) -> None:
        """Close the file and release the lock."""
        super().close()
        self._lock.close()

    @property
    def is_in_place(self) -> bool:
        """True if this is still the file at its path; it may have been moved away while open."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def check(self) -> None:
        """Check the whole file over a fresh connection, which sees damage that this one's page cache hides.

        Raises:
            HistoryError: ``damaged`` if the check fails.
        """
        with HISTORY.translated(self.path), closing(connect(self.path, busy_s=BUSY_S, mode="ro")) as fresh:
            HISTORY.refuse_damage(fresh, self.path)

    @property
    def size_bytes(self) -> int:
        """Size of the file and its write-ahead log."""
        log = self.path.with_name(f"{self.path.name}-wal")
        size = 0
        for part in (self.path, log):
            with suppress(FileNotFoundError):
                size += part.stat().st_size
        return size

    def write(
        self,
        *,
        site: Iterable[Values] = (),
        containers: Iterable[tuple[str, Values]] = (),
        owners: Iterable[tuple[str, Values]] = (),
        changes: Iterable[Change] = (),
        repairs: Iterable[RepairEntry] = (),
        pool_credits: Iterable[PoolCredit] = (),
        facts: Iterable[Fact] = (),
    ) -> None:
        """Add rows, changes, entries of the walk list, windows of pools and facts, all or none.

        A minute that exists gains the seconds it lacks. All but the walk list becomes part of the chain.

        Raises:
            HistoryError: If nothing was written.
        """
        with self._transaction(facts):
            for values in site:
                if not self._connection.execute(_ADD_SITE, values).rowcount:
                    self._merge(values, "site", "at = ?", (values[0],))
            for container, values in containers:
                number = self._number(container)
                if not self._connection.execute(_ADD_CONTAINER, (*values, number)).rowcount:
                    self._merge(values, "containers", "at = ? AND container = ?", (values[0], number))
            for owner, values in owners:
                number = self._number(owner)
                if not self._connection.execute(_ADD_OWNER, (*values, number)).rowcount:
                    self._merge(values, "owners", "at = ? AND owner = ?", (values[0], number))
            for each in changes:
                numbers = (self._number(each.unit_id), each.until, self._number(each.state), self._number(each.why))
                self._connection.execute(_ADD_CHANGE, (each.since, *numbers))
            write_repairs(self._connection, repairs, self._number)
            write_credits(self._connection, pool_credits)

    def _merge(self, values: Values, table: str, condition: str, key: tuple[object, ...]) -> None:
        before = self._connection.execute(f"SELECT {NAMES} FROM {table} WHERE {condition}", key).fetchone()
        merged = merge(before, values)
        if merged != before:
            sets = ", ".join(f"{name} = ?" for name in COLUMNS[1:])
            self._connection.execute(f"UPDATE {table} SET {sets} WHERE {condition}", (*merged[1:], *key))

    def write_sources(
        self, container: str | None, sources: Mapping[int, Iterable[str]], *, owner: str | None = None
    ) -> None:
        """Name the rows that went into merged rows, as `sources` returns them.

        Raises:
            HistoryError: If nothing was written.
        """
        if not sources:
            return
        with self._transaction():
            self._connection.execute(SOURCES)
            self._connection.executemany(
                "INSERT OR IGNORE INTO merged_rows (container, at, source) VALUES (?, ?, ?)",
                ((source_name(container, owner), at, name) for at, names in sources.items() for name in sorted(names)),
            )

    def _number(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            self._connection.execute("INSERT INTO names (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
            (number,) = self._connection.execute("SELECT id FROM names WHERE name = ?", (name,)).fetchone()
            self._numbers[name] = number
        return number

    def claim(self, *, site: str, zone: str, now: float = math.inf) -> SetAside:
        """Record the site and its time zone, and end the states that an earlier run left open at its last minute.

        Args:
            site: The site's name.
            zone: The time zone of its calendar months.
            now: Unix time, s; what is from the future is set aside first.

        Raises:
            HistoryError: ``foreign`` if the history is another site's.
        """
        if self.site not in {"", site}:
            raise HistoryError("foreign", f"{self.path}: the history of site {self.site}, not of {site}")
        with self._transaction():
            self._connection.executemany(_SET_FACT, [("site", site), ("zone", zone)])
            aside = set_aside(self._connection, now)
            span = self.span()
            until = 0 if span is None else span[1]
            self._connection.execute("UPDATE changes SET until = MAX(since, ?) WHERE until IS NULL", (until,))
        self.site, self.zone = site, zone
        return aside

    def tidy(self, *, now: float, keep_days: float, max_bytes: int) -> SetAside:
        """Delete old rows and compact old container rows, a small batch at a time. Call it with every write.

        What is from the future is set aside, and comes back when the clock has passed it. Nothing is deleted or
        compacted for its age before an hour of rows is younger, so a clock that is years ahead for a minute deletes
        nothing.

        Args:
            now: Unix time, s.
            keep_days: Maximum age of rows and changes, days.
            max_bytes: Above this size the oldest changes, closed entries of the walk list and container rows are
                deleted early, rows of the site and of owners never.
        """
        oldest = now - keep_days * DAY_S
        with self._transaction():
            if self._chain is not None:
                altered = altered_aside(self._connection, now, keep_s=keep_days * DAY_S)
                for fact in altered:
                    self._chain.add_fact(fact)
                self.altered += len(altered)
            returned = bring_back(self._connection, now, keep_s=keep_days * DAY_S)
            aside = set_aside(self._connection, now)
            if self._is_past(oldest):
                self._drop_rows("site", oldest, TIDY_SPAN_S)
                if self._chain is not None:
                    self._drop_rows("owners", oldest, TIDY_SPAN_S)
                self._drop_rows("containers", oldest, TIDY_SPAN_S)
                self._drop_changes(oldest)
                drop_repairs(self._connection, oldest, at_most=TIDY_CHANGES)
                drop_credits(self._connection, oldest, at_most=TIDY_CHANGES)
            minutes_until = now - MINUTES_KEPT_DAYS * DAY_S
            if self._is_past(minutes_until):
                self._compact(minutes_until)
            if used_bytes(self._connection) > max_bytes:
                self._drop_changes(math.inf)
                drop_repairs(self._connection, now, at_most=TIDY_REPAIRS)
                self._drop_rows("containers", math.inf, 36 * TIDY_SPAN_S)
        return aside._replace(returned=returned)

    def _is_past(self, at: float) -> bool:
        """Return True if rows of the site for an hour are younger than Unix time `at`: only then is it long ago."""
        (younger_s,) = self._connection.execute(
            "SELECT TOTAL(span_s) FROM (SELECT span_s FROM site WHERE at >= ? LIMIT ?)", (at, BELIEVED_S // 60)
        ).fetchone()
        return bool(younger_s >= BELIEVED_S)

    def _drop_rows(self, table: str, before: float, span_s: int) -> None:
        (first,) = self._connection.execute(f"SELECT MIN(at) FROM {table}").fetchone()
        # Never less than a whole step: each is a link of the chain.
        if first is not None and first + span_s <= before:
            until = math.ceil(first + span_s)
            self._connection.execute(f"DELETE FROM {table} WHERE at < ?", (until,))
            if self._chain is not None:
                self._chain.dropped(table, until)

    def _drop_changes(self, before: float) -> None:
        self._connection.execute(
            "DELETE FROM changes WHERE (since, unit) IN"
            " (SELECT since, unit FROM changes WHERE since < ? AND until < ? ORDER BY since LIMIT ?)",
            (before, before, TIDY_CHANGES),
        )

    def _compact(self, before: float) -> None:
        fact = self._connection.execute("SELECT value FROM facts WHERE name = 'compacted_until'").fetchone()
        until = 0 if fact is None else int(fact[0])
        for _ in range(TIDY_QUARTERS):
            oldest = self._connection.execute(
                "SELECT at FROM containers WHERE at >= ? ORDER BY at LIMIT 1", (until,)
            ).fetchone()
            if oldest is None:
                break
            start = oldest[0] - oldest[0] % QUARTER_S
            if start + QUARTER_S > before:
                break
            until = start + QUARTER_S
            self._compact_quarter(start, until)
        self._connection.execute(_SET_FACT, ("compacted_until", str(until)))

    def _note_altered_minutes(self, start: int) -> None:
        """Append a fact if rows of containers of a quarter are not those that were written, before they are gone."""
        if self._chain is None:
            return
        kept = containers_in_force(self._connection, start)
        found = self._connection.execute(
            "SELECT DISTINCT at FROM containers WHERE at >= ? AND at < ?", (start, start + QUARTER_S)
        ).fetchall()
        altered = [
            at
            for at in sorted({*kept, *(at for (at,) in found)})
            if kept.get(at) != containers_digest(self._connection, at)
        ]
        if altered:
            fact = {"table": "containers", "during": "compaction", "minutes": altered}
            self._chain.add_fact(Fact("altered", start, fact))
            self.altered += len(altered)

    def _compact_quarter(self, start: int, end: int) -> None:
        self._note_altered_minutes(start)
        by_container: dict[int, list[Values]] = {}
        for container, *values in self._connection.execute(
            f"SELECT container, {NAMES} FROM containers WHERE at >= ? AND at < ?", (start, end)
        ):
            by_container.setdefault(container, []).append(tuple(values))
        self._connection.execute("DELETE FROM containers WHERE at >= ? AND at < ?", (start, end))
        for container, rows in by_container.items():
            mean = mean_values(rows, at=start, span_s=end - start)
            if mean is not None:
                self._connection.execute(_ADD_CONTAINER, (*mean, container))
        if self._chain is not None:
            self._chain.compacted(start, end)

    def salvage(self, damaged: Path) -> int:
        """Copy the readable rows of a damaged file, from either end up to the damage.

        Returns:
            Number of rows read.
        """
        rows = 0
        has_log = damaged.with_name(f"{damaged.name}-wal").exists()
        # Without a log, open it as immutable, so that SQLite creates no files beside it.
        with closing(connect(damaged, busy_s=BUSY_S, mode="ro", is_immutable=not has_log)) as source:
            # Lets SQLite read a file that is shorter than its header says.
            source.execute("PRAGMA writable_schema = ON")
            names = _names_in(source)
            for query in (
                f"SELECT 'site', NULL, {names} FROM site",
                f"SELECT 'container', container_name, {names} FROM container_rows",
                f"SELECT 'owner', owner_name, {names} FROM owner_rows",
            ):
                for order in ("ASC", "DESC"):
                    try:
                        for chunk in _readable(source, f"{query} ORDER BY at {order}"):
                            rows += self._copy_sound(chunk)
                        break
                    except sqlite3.Error:
                        continue
            self._salvage_repairs(source)
            self._salvage_credits(source)
        return rows

    def _salvage_repairs(self, source: sqlite3.Connection) -> None:
        """Copy the entries of the walk list that can be read; an older or badly damaged file has none."""
        entries: list[RepairEntry] = []
        with suppress(sqlite3.Error):
            for entry in all_repairs(source):
                entries.append(entry)  # noqa: PERF402 - those before the damage are kept.
        self.write(repairs=entries)

    def _salvage_credits(self, source: sqlite3.Connection) -> None:
        """Copy the windows of pools that can be read; an older or badly damaged file has none."""
        credits_: list[PoolCredit] = []
        with suppress(sqlite3.Error):
            for credit in all_credits(source):
                credits_.append(credit)  # noqa: PERF402 - those before the damage are kept.
        self.write(pool_credits=credits_)

    def _copy_sound(self, chunk: Sequence[tuple[Any, ...]]) -> int:
        sound = [(kind, name, tuple(values)) for kind, name, *values in chunk if is_sound(values)]
        self.write(
            site=[values for kind, _, values in sound if kind == "site"],
            containers=[
                (name, values) for kind, name, values in sound if kind == "container" and isinstance(name, str)
            ],
            owners=[(name, values) for kind, name, values in sound if kind == "owner" and isinstance(name, str)],
        )
        return len(sound)

    @contextmanager
    def _transaction(self, facts: Iterable[Fact] = ()) -> Iterator[None]:
        try:
            with HISTORY.translated(self.path), transaction(self._connection):
                yield
                if self._chain is not None:
                    self._chain.seal(facts)
        except BaseException:
            # The rollback also removed names and links that this transaction inserted.
            self._numbers.clear()
            if self._chain is not None:
                with suppress(sqlite3.Error):
                    self._chain.reload()
            raise


def _names_in(source: sqlite3.Connection) -> str:
    """Return `NAMES` as the tables of a damaged file know them; it cannot be migrated."""
    try:
        (version,) = source.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error:
        return NAMES
    earlier = EARLIER_COLUMNS.get(version, {})
    return ", ".join(earlier.get(name, name) for name in COLUMNS)


def _readable(source: sqlite3.Connection, query: str) -> Iterator[list[tuple[Any, ...]]]:
    """Yield rows in chunks. At the first damage, yield the rows before it, then raise its error."""
    chunk: list[tuple[Any, ...]] = []
    try:
        for row in source.execute(query):
            chunk.append(row)
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
    except sqlite3.Error:
        yield chunk
        raise
    yield chunk


def is_sound(values: Sequence[Any]) -> bool:
    """Return True if a row may be an agent's: whole minutes of numbers, and no more watched than there were."""
    optional = [values[place + 1] for place in PARTIAL]
    numbers = [value for place, value in enumerate(values) if place - 1 not in PARTIAL]
    return (
        all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        and isinstance(numbers[0], int)
        and numbers[0] % MINUTE_S == 0
        and 0 < numbers[2] <= numbers[1]
        and all(value is None or (isinstance(value, float) and math.isfinite(value)) for value in optional)
    )


def write_history(path: Path, *, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> HistoryWriter:
    """Open a history file as its only writer. The file is created or upgraded if needed.

    Raises:
        HistoryError: With the reason; the file is unchanged.
    """
    kind = replace(HISTORY, newest=len(migrations))
    with kind.opened_to_write(path, busy_s=BUSY_S) as (connection, lock):
        version = kind.check_identity(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        # At one commit a minute, waiting for the disk costs nothing, and a power cut loses no more than a kill.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {4 << 20}")
        kind.refuse_damage(connection, path)
        for number, statements in enumerate(migrations[version:], start=version + 1):
            with transaction(connection):
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
        return HistoryWriter(path, connection, lock, version=len(migrations))


def move_aside(path: Path, *, now: float) -> Path:
    """Rename a damaged file and its log, so that a new one can begin.

    Returns:
        The new name.

    Raises:
        HistoryError: ``damaged`` if `ASIDE_KEPT` such files exist already; an operator has to look at them first.
    """
    with HISTORY.translated(path):
        kept = [other for other in path.parent.glob(f"{path.name}.damaged-*") if other.name[-1].isdigit()]
        if len(kept) >= ASIDE_KEPT:
            raise HistoryError("damaged", f"{path}: damaged, and {len(kept)} damaged files are already kept beside it")
        aside = path.with_name(f"{path.name}.damaged-{int(now)}")
        if aside.exists():
            raise HistoryError("damaged", f"{path}: damaged twice in one second")
        set_file_aside(path, aside)
        return aside
