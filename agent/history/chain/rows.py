"""Digests of the rows of one moment, as they are in the file. Pure but for the connection it is given.

The tables are read, not the views for people: a view that was changed cannot hide a row from its digest.
"""

# ruff: noqa: S608 - names in queries are this package's own constants; values are parameters.

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from itertools import groupby
from typing import Any, NamedTuple

from agent.history.chain.links import DIGEST_BYTES, HOUR_S, digest_of
from agent.history.export import change_line, container_line, row_line
from agent.history.minutes import COLUMNS
from agent.history.state_changes import Change

FIRST, LAST = -(1 << 40), 1 << 40
"""Unix times between which all rows begin, s."""

Rows = Iterable[Sequence[Any]]
NO_AGENTS = bytes(DIGEST_BYTES)
"""The digest of rows that no agent could have written."""

_NAMES = ", ".join(COLUMNS)


class Found(NamedTuple):
    """The digest of rows of one time, as they are in the file.

    Attributes:
        at: Unix time of the minute, the quarter or the hour, s.
        digest: Of its rows.
    """

    at: int
    digest: bytes | None


# Joined in this order, so that rows come in the order of their key.
_GROUPS = {
    "containers": f"SELECT name, {_NAMES} FROM containers CROSS JOIN names ON id = container WHERE {{}}",
    "owners": f"SELECT name, {_NAMES} FROM owners CROSS JOIN names ON id = owner WHERE {{}}",
}
_CHANGES = (
    "SELECT units.name, states.name, whys.name, since, until FROM changes"
    " CROSS JOIN names AS units ON units.id = unit CROSS JOIN names AS states ON states.id = state"
    " CROSS JOIN names AS whys ON whys.id = why WHERE {}"
)
_CREDITS = "SELECT account, start, window_s, credited_hs, fetched FROM pool_credits WHERE {}"


def site_digest(connection: sqlite3.Connection, at: int) -> bytes | None:
    """Return the digest of the site's row of a minute; None if there is none."""
    return rows_digest(connection.execute(f"SELECT {_NAMES} FROM site WHERE at = ?", (at,)))


def containers_digest(connection: sqlite3.Connection, at: int) -> bytes | None:
    """Return the digest of all containers' rows that begin at a Unix time, by name."""
    return groups_digest(connection.execute(_GROUPS["containers"].format("at = ?"), (at,)))


def owners_digest(connection: sqlite3.Connection, at: int) -> bytes | None:
    """Return the digest of all owners' rows that begin at a Unix time, by name."""
    return groups_digest(connection.execute(_GROUPS["owners"].format("at = ?"), (at,)))


def changes_digest(connection: sqlite3.Connection, hour: int) -> bytes | None:
    """Return the digest of all states that began within an hour, by their beginning and unit."""
    return states_digest(connection.execute(_CHANGES.format("since >= ? AND since < ?"), (hour, hour + HOUR_S)))


def credits_digest(connection: sqlite3.Connection, hour: int) -> bytes | None:
    """Return the digest of all windows of pools that began within an hour, by account, beginning and length."""
    return windows_digest(connection.execute(_CREDITS.format("start >= ? AND start < ?"), (hour, hour + HOUR_S)))


def _whatever_they_hold(digest: Callable[[Rows], bytes | None]) -> Callable[[Rows], bytes | None]:
    """Return a digest that is `NO_AGENTS` where an edited or damaged file holds what no row can."""

    @wraps(digest)
    def careful(rows: Rows) -> bytes | None:
        try:
            return digest(rows)
        except (ValueError, TypeError, AttributeError, OverflowError, OSError):
            # A text where a number belongs, or a time that no calendar has.
            return NO_AGENTS

    return careful


@_whatever_they_hold
def rows_digest(rows: Rows) -> bytes | None:
    """Return the digest of rows of the site."""
    return digest_of(row_line(tuple(row)) for row in rows)


@_whatever_they_hold
def groups_digest(rows: Rows) -> bytes | None:
    """Return the digest of rows of containers or owners of one time; each is its name and the values."""
    by_name = sorted(rows, key=lambda row: row[0].encode())
    return digest_of(container_line(row[0], tuple(row[1:])) for row in by_name)


@_whatever_they_hold
def states_digest(rows: Rows) -> bytes | None:
    """Return the digest of states; each is its unit, state, reason, beginning and end."""
    by_beginning = sorted(rows, key=lambda row: (row[3], row[0].encode()))
    return digest_of(
        change_line(Change(unit_id=unit, state=state, why=why, since=since, until=until))
        for unit, state, why, since, until in by_beginning
    )


@_whatever_they_hold
def windows_digest(rows: Rows) -> bytes | None:
    """Return the digest of windows of pools; each is its account, beginning, length, credit and time of reading."""
    by_account = sorted(rows, key=lambda row: (row[0].encode(), *row[1:3]))
    return digest_of(f"{','.join(map(repr, row))}\n" for row in by_account)


def digests_of_site(connection: sqlite3.Connection, start: int, end: int) -> Iterator[Found]:
    """Yield the site's minutes of [start, end), oldest first, each with the digest of its row."""
    rows = connection.execute(f"SELECT {_NAMES} FROM site WHERE at >= ? AND at < ? ORDER BY at", (start, end))
    yield from _grouped(rows, 0, rows_digest)


def digests_of_groups(connection: sqlite3.Connection, table: str, start: int, end: int) -> Iterator[Found]:
    """Yield the times of [start, end) of `containers` or `owners`, oldest first, each with the digest of its rows."""
    query = f"{_GROUPS[table].format('at >= ? AND at < ?')} ORDER BY at"
    yield from _grouped(connection.execute(query, (start, end)), 1, groups_digest)


def digests_of_changes(connection: sqlite3.Connection, start: int, end: int) -> Iterator[Found]:
    """Yield the hours of [start, end) in which states began, oldest first, each with their digest."""
    rows = connection.execute(f"{_CHANGES.format('since >= ? AND since < ?')} ORDER BY since", (start, end))
    yield from _grouped(rows, 3, states_digest, step=HOUR_S)


def digests_of_credits(connection: sqlite3.Connection, start: int, end: int) -> Iterator[Found]:
    """Yield the hours of [start, end) in which windows of pools began, oldest first, each with their digest."""
    rows = connection.execute(f"{_CREDITS.format('start >= ? AND start < ?')} ORDER BY start", (start, end))
    yield from _grouped(rows, 1, windows_digest, step=HOUR_S)


def _grouped(rows: Rows, place: int, digest: Callable[[Rows], bytes | None], step: int = 1) -> Iterator[Found]:
    """Yield the digest of rows of the same time, which is in a column, rounded down to steps."""
    for at, group in groupby(rows, key=lambda row: int(row[place] // step) * step):
        yield Found(at, digest(group))
