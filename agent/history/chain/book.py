"""The writer's side of the chain: every change of a row, made in any way, becomes links in the same transaction.

Temporary triggers on the tables note which minutes and hours a transaction touched; at its end their rows are read
again and hashed. So no way of writing can go around the chain, and what it says is what was committed.
"""

# ruff: noqa: S608 - names in queries are this package's own constants; values are parameters.

import sqlite3
from collections.abc import Iterable

from agent.history.chain.links import (
    CHAIN_FORMAT,
    FIRST_HASH,
    HOUR_S,
    Fact,
    Link,
    LinkKind,
    fact_body,
    next_hash,
)
from agent.history.chain.rows import changes_digest, containers_digest, credits_digest, owners_digest, site_digest
from agent.history.export import FORMAT as ROWS_FORMAT

_MINUTES, _QUARTERS, _CHANGES, _CREDITS, _OWNERS = range(5)
# Table, what is noted of it, and the expression for the moment; `{row}` is NEW or OLD.
_WATCHED = (
    ("site", _MINUTES, "{row}.at"),
    ("containers", _QUARTERS, "{row}.at"),
    ("owners", _OWNERS, "{row}.at"),
    ("changes", _CHANGES, f"CAST({{row}}.since / {HOUR_S} AS INTEGER) * {HOUR_S}"),
    ("pool_credits", _CREDITS, f"{{row}}.start / {HOUR_S} * {HOUR_S}"),
)
_NOTED = {table: what for table, what, _ in _WATCHED}
_ADD = "INSERT INTO chain (seq, kind, at, digest, containers, body) VALUES (?, ?, ?, ?, ?, ?)"
_SET_HASH = "INSERT INTO facts (name, value) VALUES ('chain', ?) ON CONFLICT DO UPDATE SET value = excluded.value"


class ChainBook:
    """Appends links to an open history file.

    Args:
        connection: The history, of the newest schema.

    Attributes:
        seq: Number of the last link; 0 before the first.
        hash: Its hash, in hexadecimal.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.seq, self.hash = 0, FIRST_HASH
        connection.execute("CREATE TEMP TABLE touched (what INTEGER, at INTEGER, PRIMARY KEY (what, at)) WITHOUT ROWID")
        for table, what, moment in _WATCHED:
            for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
                at = moment.format(row=row)
                # Not OR IGNORE: within a trigger, the conflict clause of the statement that fired it counts.
                connection.execute(
                    f"CREATE TEMP TRIGGER touched_{table}_{event} AFTER {event} ON main.{table} BEGIN"
                    f" INSERT INTO touched SELECT {what}, {at}"
                    f" WHERE NOT EXISTS (SELECT 1 FROM touched WHERE what = {what} AND at = {at}); END"
                )
        self.reload()

    def reload(self) -> None:
        """Read the last link again, as after a rollback."""
        found = self._connection.execute("SELECT value FROM facts WHERE name = 'chain'").fetchone()
        (seq,) = self._connection.execute("SELECT COALESCE(MAX(seq), 0) FROM chain").fetchone()
        self.seq, self.hash = int(seq), FIRST_HASH if found is None else str(found[0])

    def begin(self) -> None:
        """Begin the chain, in a transaction: rows that are there already are sealed as they are found."""
        if self.seq:
            return
        (name,) = self._connection.execute("SELECT LOWER(HEX(RANDOMBLOB(16)))").fetchone()
        self._add_fact(Fact("genesis", 0, {"chain": name, "format": CHAIN_FORMAT, "rows_format": ROWS_FORMAT}))
        rows, first, last = self._connection.execute(
            "SELECT COUNT(*), COALESCE(MIN(at), 0), COALESCE(MAX(at + span_s), 0) FROM site"
        ).fetchone()
        if rows:
            self._add_fact(Fact("found", int(last), {"rows": rows, "from": int(first), "until": int(last)}))
        for table, what, moment in _WATCHED:
            expression = moment.format(row=table)
            self._connection.execute(f"INSERT OR IGNORE INTO touched SELECT DISTINCT {what}, {expression} FROM {table}")
        self.seal()

    def seal(self, facts: Iterable[Fact] = ()) -> None:
        """Append links for all that this transaction touched, then for `facts`; call it last in a transaction."""
        touched: dict[int, list[int]] = {}
        for what, at in self._connection.execute("SELECT what, at FROM touched ORDER BY at"):
            touched.setdefault(what, []).append(at)
        if touched:
            self._connection.execute("DELETE FROM touched")
        for at in sorted({*touched.get(_MINUTES, ()), *touched.get(_QUARTERS, ())}):
            digests = site_digest(self._connection, at), containers_digest(self._connection, at)
            self._add(Link(self.seq + 1, LinkKind.MINUTE, at, *digests))
        for at in touched.get(_OWNERS, ()):
            self._add(Link(self.seq + 1, LinkKind.OWNERS, at, owners_digest(self._connection, at)))
        for at in touched.get(_CHANGES, ()):
            self._add(Link(self.seq + 1, LinkKind.CHANGES, at, changes_digest(self._connection, at)))
        for at in touched.get(_CREDITS, ()):
            self._add(Link(self.seq + 1, LinkKind.CREDITS, at, credits_digest(self._connection, at)))
        for fact in facts:
            self._add_fact(fact)
        self._connection.execute(_SET_HASH, (self.hash,))

    def compacted(self, start: int, end: int) -> None:
        """Append the link of containers' means in the place of their rows that begin in [start, end)."""
        self._connection.execute("DELETE FROM touched WHERE what = ? AND at >= ? AND at < ?", (_QUARTERS, start, end))
        means = containers_digest(self._connection, start)
        self._add(Link(self.seq + 1, LinkKind.COMPACTED, start, containers=means))

    def dropped(self, table: str, before: int) -> None:
        """Append the link of a table's rows that were deleted because they began before a Unix time, s."""
        what = _NOTED[table]
        self._connection.execute("DELETE FROM touched WHERE what = ? AND at < ?", (what, before))
        self._add(Link(self.seq + 1, LinkKind.DROPPED, before, body=table))

    def _add_fact(self, fact: Fact) -> None:
        self._add(Link(self.seq + 1, LinkKind.FACT, fact.at, body=fact_body(fact)))

    def _add(self, link: Link) -> None:
        self._connection.execute(_ADD, link)
        self.seq, self.hash = link.seq, next_hash(self.hash, link)
