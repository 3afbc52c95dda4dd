"""Digests of the rows of one moment, as they are in the file. Pure but for the connection it is given."""

# ruff: noqa: S608 - names in queries are this package's own constants; values are parameters.

import sqlite3

from agent.history.chain.links import HOUR_S, digest_of
from agent.history.export import change_line, container_line, row_line
from agent.history.minutes import COLUMNS
from agent.history.state_changes import Change

_NAMES = ", ".join(COLUMNS)


def site_digest(connection: sqlite3.Connection, at: int) -> bytes | None:
    """Return the digest of the site's row of a minute; None if there is none."""
    return digest_of(map(row_line, connection.execute(f"SELECT {_NAMES} FROM site WHERE at = ?", (at,))))


def containers_digest(connection: sqlite3.Connection, at: int) -> bytes | None:
    """Return the digest of all containers' rows that begin at a Unix time, by name."""
    return _groups_digest(connection, "container", at)


def owners_digest(connection: sqlite3.Connection, at: int) -> bytes | None:
    """Return the digest of all owners' rows that begin at a Unix time, by name."""
    return _groups_digest(connection, "owner", at)


def _groups_digest(connection: sqlite3.Connection, group: str, at: int) -> bytes | None:
    found = connection.execute(
        f"SELECT {group}_name, {_NAMES} FROM {group}_rows WHERE at = ? ORDER BY {group}_name", (at,)
    )
    return digest_of(container_line(name, values) for name, *values in found)


def changes_digest(connection: sqlite3.Connection, hour: int) -> bytes | None:
    """Return the digest of all states that began within an hour, by their beginning and unit."""
    found = connection.execute(
        "SELECT unit, state, why, since, until FROM unit_changes WHERE since >= ? AND since < ? ORDER BY since, unit",
        (hour, hour + HOUR_S),
    )
    return digest_of(
        change_line(Change(unit_id=unit, state=state, why=why, since=since, until=until))
        for unit, state, why, since, until in found
    )


def credits_digest(connection: sqlite3.Connection, hour: int) -> bytes | None:
    """Return the digest of all windows of pools that began within an hour, by account, beginning and length."""
    found = connection.execute(
        "SELECT account, start, window_s, credited_hs, fetched FROM pool_credits WHERE start >= ? AND start < ?"
        " ORDER BY account, start, window_s",
        (hour, hour + HOUR_S),
    )
    return digest_of(f"{','.join(map(repr, row))}\n" for row in found)
