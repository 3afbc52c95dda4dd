"""The chain as an open history file has it: where it begins, its links and heads, checked for form."""

# ruff: noqa: S608 - conditions in queries are this module's own constants; values are parameters.

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from agent.history.chain.heads import SignedHead, head_of_text
from agent.history.chain.links import DIGEST_BYTES, FIRST_HASH, QUARTER_S, Fact, Link, LinkKind, fact_of, next_hash

_KINDS = frozenset(LinkKind)
# A minute that was later than all before it.
_IN_ORDER = "kind = 0 AND body IS NULL"


class Base(NamedTuple):
    """The link before the first one that is read.

    Attributes:
        seq: Its number; 0 before the very first.
        hash: Its hash, in hexadecimal.
    """

    seq: int = 0
    hash: str = FIRST_HASH


def read_links(connection: sqlite3.Connection, after: int = 0) -> Iterator[Link]:
    """Yield the links behind number `after`, in their order.

    Raises:
        ValueError: A row is no link.
    """
    query = "SELECT seq, kind, at, digest, containers, body FROM chain WHERE seq > ? ORDER BY seq"
    for seq, kind, at, digest, containers, body in connection.execute(query, (after,)):
        if (
            kind not in _KINDS
            or not isinstance(at, int)
            or not all(_is_digest(each) for each in (digest, containers))
            or not (body is None or isinstance(body, str))
        ):
            raise ValueError(f"link {seq} of the chain is none that an agent writes")
        yield Link(seq, LinkKind(kind), at, digest, containers, body)


def _is_digest(value: Any) -> bool:
    return value is None or (isinstance(value, bytes) and len(value) == DIGEST_BYTES)


def read_heads(connection: sqlite3.Connection, after: int = -1, until: int | None = None) -> Iterator[SignedHead]:
    """Yield the heads behind link `after` up to link `until`, in their order.

    Raises:
        ValueError: A row is no head.
    """
    query = "SELECT seq, at, body, signature FROM heads WHERE seq > ? AND (? IS NULL OR seq <= ?) ORDER BY seq"
    for seq, at, body, signature in connection.execute(query, (after, until, until)):
        if not isinstance(body, str) or not (signature is None or isinstance(signature, str)):
            raise ValueError(f"the head at link {seq} of the chain is none that an agent writes")
        try:
            head = head_of_text(body)
        except ValueError as error:
            raise ValueError(f"the head at link {seq} of the chain: {error}") from error
        if (head.seq, head.at) != (seq, at):
            raise ValueError(f"the head at link {seq} of the chain names link {head.seq} and another time")
        yield SignedHead(head, signature)


def read_base(connection: sqlite3.Connection, start: float | None = None) -> Base:
    """Return where the kept chain begins: at its very first link, or at the head up to which links were dropped.

    Args:
        connection: The history.
        start: Unix time, s: a later head is returned if every link of rows from then on is behind it.

    Raises:
        ValueError: There is no head where one has to be.
    """
    (first,) = connection.execute("SELECT MIN(seq) FROM chain").fetchone()
    if first is None:
        return Base()
    base = Base()
    if first > 1:
        head = next(read_heads(connection, first - 2, first - 1), None)
        if head is None:
            raise ValueError(f"the chain begins with link {first}, and no head says the hash before it")
        base = Base(head.head.seq, head.head.hash)
    if start is None:
        return base
    (touched,) = connection.execute("SELECT MIN(seq) FROM chain WHERE at >= ?", (start,)).fetchone()
    query = "SELECT MAX(seq) FROM heads WHERE signature IS NOT NULL AND (? IS NULL OR seq < ?) AND seq >= ?"
    (seq,) = connection.execute(query, (touched, touched, base.seq)).fetchone()
    head = None if seq is None else next(read_heads(connection, seq - 1, seq))
    return base if head is None else Base(head.head.seq, head.head.hash)


def hash_at(connection: sqlite3.Connection, seq: int) -> str | None:
    """Return the hash of a link, computed from the head before it; None before the base and behind the end.

    Raises:
        ValueError: The links or heads before it are none that an agent writes.
    """
    base = read_base(connection)
    (last,) = connection.execute("SELECT COALESCE(MAX(seq), 0) FROM chain").fetchone()
    if not base.seq <= seq <= last:
        return None
    (nearest,) = connection.execute("SELECT MAX(seq) FROM heads WHERE seq <= ?", (seq,)).fetchone()
    head = None if nearest is None or nearest < base.seq else next(read_heads(connection, nearest - 1, nearest))
    found, number = base[::-1] if head is None else (head.head.hash, head.head.seq)
    for link in read_links(connection, number):
        if link.seq > seq:
            break
        found = next_hash(found, link)
    return found


def read_facts(connection: sqlite3.Connection, *kinds: str) -> Iterator[Fact]:
    """Yield the chain's facts of some kinds, or all, in the order of their links.

    Raises:
        ValueError: A link is no fact.
    """
    query = "SELECT at, body FROM chain WHERE body IS NOT NULL AND kind = ? ORDER BY seq"
    for at, body in connection.execute(query, (LinkKind.FACT,)):
        # Most facts are of other kinds, so that a look at the text saves decoding them.
        if not kinds or any(f'"fact":"{kind}"' in body for kind in kinds):
            fact = fact_of(at, body)
            if not kinds or fact.kind in kinds:
                yield fact


MinuteLink = tuple[int, int, bytes | None, bytes | None]
"""Number and time of a minute's link, then the digests of the site's row and of the containers' rows."""


def newest_minute(connection: sqlite3.Connection) -> int:
    """Return the latest minute that has a link, Unix time, s; 0 without one."""
    found = connection.execute(f"SELECT at FROM chain WHERE {_IN_ORDER} ORDER BY seq DESC LIMIT 1").fetchone()
    return 0 if found is None else int(found[0])


def minutes_linked(connection: sqlite3.Connection, start: int, end: int) -> Iterator[MinuteLink]:
    """Yield the links of minutes of [start, end) in the order of their numbers.

    Links of minutes that came later than all before are found by halving, the others in the index of facts.
    """
    low, high = connection.execute("SELECT COALESCE(MIN(seq), 1), COALESCE(MAX(seq), 0) + 1 FROM chain").fetchone()
    query = f"SELECT seq, at, digest, containers FROM chain WHERE {_IN_ORDER} AND seq >= ? ORDER BY seq"
    while low < high:
        middle = (low + high) // 2
        found = connection.execute(f"{query} LIMIT 1", (middle,)).fetchone()
        if found is not None and found[1] < start:
            low = found[0] + 1
        else:
            high = middle
    links = []
    for link in connection.execute(query, (low,)):
        if link[1] >= end:
            break
        links.append(link)
    links += connection.execute(
        "SELECT seq, at, digest, containers FROM chain WHERE body IS NOT NULL AND kind = ? AND at >= ? AND at < ?",
        (LinkKind.MINUTE, start, end),
    )
    yield from sorted(links)


def containers_in_force(connection: sqlite3.Connection, start: int) -> dict[int, bytes]:
    """Return, by minute, the digests in force of the containers' rows of a quarter of an hour that was not compacted.

    Args:
        connection: The history.
        start: When the quarter begins, Unix time, s.
    """
    latest = {at: (seq, digest) for seq, at, _, digest in minutes_linked(connection, start, start + QUARTER_S)}
    return {
        at: digest
        for at, (seq, digest) in latest.items()
        if digest is not None and not _is_dropped(connection, seq, at)
    }


def _is_dropped(connection: sqlite3.Connection, seq: int, at: int) -> bool:
    query = "SELECT 1 FROM chain WHERE body = 'containers' AND kind = ? AND at > ? AND seq > ? LIMIT 1"
    return connection.execute(query, (LinkKind.DROPPED, at, seq)).fetchone() is not None


def digests_had(connection: sqlite3.Connection, at: int, table: str) -> set[bytes]:
    """Return all digests that a minute's row of the site ever had, or its rows of containers.

    Args:
        connection: The history.
        at: The minute, Unix time, s.
        table: ``site`` or ``containers``.
    """
    links = minutes_linked(connection, at, at + 1)
    digests = (site if table == "site" else containers for _, _, site, containers in links)
    return {digest for digest in digests if digest is not None}
