"""The writer's side of the chain: every change of a row, made in any way, becomes links in the same transaction.

Temporary triggers on the tables note which minutes and hours a transaction touched; at its end their rows are read
again and hashed. So no way of writing can go around the chain, and what it says is what was committed.
"""

# ruff: noqa: S608 - names in queries are this package's own constants; values are parameters.

import heapq
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby

from agent.history.chain.file import newest_minute, read_facts, read_heads
from agent.history.chain.links import (
    CHAIN_FORMAT,
    DAY_S,
    FIRST_HASH,
    HOUR_S,
    Fact,
    Link,
    LinkKind,
    fact_body,
    fact_of,
    next_hash,
)
from agent.history.chain.rows import (
    FIRST,
    LAST,
    changes_digest,
    containers_digest,
    credits_digest,
    digests_of_changes,
    digests_of_credits,
    digests_of_groups,
    digests_of_site,
    owners_digest,
    site_digest,
)
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
LASTING = frozenset({"altered", "anchor", "key", "merged", "restored"})
"""Facts that are kept however old they are."""

# The last links of hours with states or windows, up to a link, where none came later and the hour is not empty.
_LEFT = """
    SELECT kind, at, digest FROM (
        SELECT kind, at, digest, MAX(seq) AS seq FROM chain WHERE kind IN (?, ?) GROUP BY kind, at
    ) WHERE digest IS NOT NULL AND seq <= ? ORDER BY seq
"""
_FIRST_KEPT = "SELECT seq FROM chain WHERE at >= ? AND at < ? AND kind <> ? ORDER BY seq LIMIT 1"
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
        self._newest = 0
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
        self._newest = newest_minute(self._connection)

    def begin(self) -> None:
        """Begin the chain, in a transaction: rows that are there already are sealed as they are found."""
        if self.seq:
            return
        (name,) = self._connection.execute("SELECT LOWER(HEX(RANDOMBLOB(16)))").fetchone()
        self.add_fact(Fact("genesis", 0, {"chain": name, "format": CHAIN_FORMAT, "rows_format": ROWS_FORMAT}))
        rows, first, last = self._connection.execute(
            "SELECT COUNT(*), COALESCE(MIN(at), 0), COALESCE(MAX(at + span_s), 0) FROM site"
        ).fetchone()
        if rows:
            self.add_fact(Fact("found", int(last), {"rows": rows, "from": int(first), "until": int(last)}))
        self._add_all(self._links_found())
        self.seal()

    def _links_found(self) -> Iterator[Link]:
        """Yield links of all rows that are there, without numbers; reading in order is faster than one by one."""
        both = heapq.merge(
            ((found.at, found.digest, None) for found in digests_of_site(self._connection, FIRST, LAST)),
            (
                (found.at, None, found.digest)
                for found in digests_of_groups(self._connection, "containers", FIRST, LAST)
            ),
            key=lambda each: each[0],
        )
        for at, group in groupby(both, key=lambda each: each[0]):
            site, containers = None, None
            for _, of_site, of_containers in group:
                site, containers = site or of_site, containers or of_containers
            yield Link(0, LinkKind.MINUTE, at, site, containers, None if at > self._newest else "")
            self._newest = max(self._newest, at)
        for kind, found in (
            (LinkKind.OWNERS, digests_of_groups(self._connection, "owners", FIRST, LAST)),
            (LinkKind.CHANGES, digests_of_changes(self._connection, FIRST, LAST)),
            (LinkKind.CREDITS, digests_of_credits(self._connection, FIRST, LAST)),
        ):
            yield from (Link(0, kind, each.at, each.digest) for each in found)

    def _add_all(self, links: Iterable[Link]) -> None:
        """Append many links, numbered as they come."""

        def numbered() -> Iterator[Link]:
            for link in links:
                own = link._replace(seq=self.seq + 1)
                self.seq, self.hash = own.seq, next_hash(self.hash, own)
                yield own

        self._connection.executemany(_ADD, numbered())

    def seal(self, facts: Iterable[Fact] = ()) -> None:
        """Append links for all that this transaction touched, then for `facts`; call it last in a transaction."""
        touched: dict[int, list[int]] = {}
        for what, at in self._connection.execute("SELECT what, at FROM touched ORDER BY at"):
            touched.setdefault(what, []).append(at)
        if touched:
            self._connection.execute("DELETE FROM touched")
        for at in sorted({*touched.get(_MINUTES, ()), *touched.get(_QUARTERS, ())}):
            digests = site_digest(self._connection, at), containers_digest(self._connection, at)
            self._add(Link(self.seq + 1, LinkKind.MINUTE, at, *digests, None if at > self._newest else ""))
            self._newest = max(self._newest, at)
        for at in touched.get(_OWNERS, ()):
            self._add(Link(self.seq + 1, LinkKind.OWNERS, at, owners_digest(self._connection, at)))
        for at in touched.get(_CHANGES, ()):
            self._add(Link(self.seq + 1, LinkKind.CHANGES, at, changes_digest(self._connection, at)))
        for at in touched.get(_CREDITS, ()):
            self._add(Link(self.seq + 1, LinkKind.CREDITS, at, credits_digest(self._connection, at)))
        for fact in facts:
            self.add_fact(fact)
        self._connection.execute(_SET_HASH, (self.hash,))

    def add_fact(self, fact: Fact) -> None:
        """Append a fact at once, within a transaction, before the links of what that touched."""
        self._add(Link(self.seq + 1, LinkKind.FACT, fact.at, body=fact_body(fact)))

    @property
    def name(self) -> str:
        """The chain's name: the random one of its first fact; empty before that."""
        genesis = next(read_facts(self._connection, "genesis"), None)
        return "" if genesis is None else str(genesis.body.get("chain", ""))

    def cut(self, at: int, *, now: int) -> bool:
        """Drop links of rows that are gone, up to a signed head, which becomes the base; returns True if it did.

        Facts of the dropped part that still say something are appended again, and so are links of states and of pools'
        windows that are still kept. A fact `cut` names the new base.

        Args:
            at: Every row of site, containers and owners begins at this Unix time or later, s.
            now: Unix time, s. A link far ahead of it is one that a wrong clock left; it keeps nothing.
        """
        kept = self._connection.execute(_FIRST_KEPT, (at, now + DAY_S, LinkKind.FACT)).fetchone()
        base, first = self._connection.execute(
            "SELECT (SELECT MAX(seq) FROM heads WHERE signature IS NOT NULL AND seq < ?), (SELECT MIN(seq) FROM chain)",
            kept or (0,),
        ).fetchone()
        if base is None or first is None or base < first:
            return False
        head = next(read_heads(self._connection, base - 1, base))
        for fact in self._facts_to_keep(base):
            self.add_fact(fact)
        for kind, moment, digest in self._connection.execute(
            _LEFT, (LinkKind.CHANGES, LinkKind.CREDITS, base)
        ).fetchall():
            self._add(Link(self.seq + 1, LinkKind(kind), moment, digest))
        (links,) = self._connection.execute("SELECT COUNT(*) FROM chain WHERE seq <= ?", (base,)).fetchone()
        cut = {"seq": head.head.seq, "hash": head.head.hash, "links": links, "before": at}
        self.add_fact(Fact("cut", now, cut))
        self._connection.execute("DELETE FROM chain WHERE seq <= ?", (base,))
        self._connection.execute("DELETE FROM heads WHERE seq < ?", (base,))
        return True

    def _facts_to_keep(self, base: int) -> Iterable[Fact]:
        """Return the facts up to a link that still hold: the latest of each name, and all of `LASTING`."""
        latest: dict[str, Fact] = {}
        lasting = []
        later: set[str] = set()
        query = "SELECT seq, at, body FROM chain WHERE body IS NOT NULL AND kind = ? ORDER BY seq"
        for seq, at, body in self._connection.execute(query, (LinkKind.FACT,)):
            fact = fact_of(at, body)
            if seq > base:
                later.add(fact.kind)
            elif fact.kind in LASTING:
                lasting.append(fact)
            else:
                latest[fact.kind] = fact
        return [*(fact for kind, fact in latest.items() if kind not in later), *lasting]

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

    def _add(self, link: Link) -> None:
        self._connection.execute(_ADD, link)
        self.seq, self.hash = link.seq, next_hash(self.hash, link)
