"""Rows and changes from the future, as a clock that was wrong for a while leaves them: set aside, not deleted.

A wrong clock and the truth look alike from inside, so the clock is believed only against the smaller part. What lies
more than an hour ahead is set aside if a gap of an hour separates it from the rest, and if it has fewer rows than the
rest. A gateway that starts in 1970 therefore sets nothing aside, and one that was in 2036 for a minute does.

What was set aside by mistake comes back when the clock passes it. It is kept for as long as other rows.
"""

# ruff: noqa: S608 - names in queries are this package's own constants; values are parameters.

import sqlite3
from typing import Any, NamedTuple

from agent.history.chain.file import digests_had
from agent.history.chain.links import Fact, digest_of
from agent.history.chain.rows import groups_digest
from agent.history.export import row_line
from agent.history.reader import NAMES
from agent.history.state_changes import AHEAD_S

_CHANGE = "since, unit, until, state, why"
# Table, columns, and the column that is a Unix time, s.
_KINDS = (
    ("site", NAMES, "at"),
    ("containers", f"{NAMES}, container", "at"),
    ("owners", f"{NAMES}, owner", "at"),
    ("changes", _CHANGE, "since"),
)
# Made when first needed: no part of the schema, so that earlier versions go on reading the file. A migration
# that changes columns must change these tables too, where they exist.
_TABLES = tuple(
    f"CREATE TABLE IF NOT EXISTS aside_{table} AS SELECT 0.0 AS aside_at, {names} FROM {table} WHERE FALSE"
    for table, names, _ in _KINDS
)


class SetAside(NamedTuple):
    """Numbers of rows and changes from the future, by what became of them.

    Attributes:
        rows: Rows of the site, of containers and of owners that were set aside.
        changes: Changes of state that were set aside.
        closed: Changes that began before and were closed with the last credible minute.
        returned: Rows and changes that came back, because the clock has passed them.
    """

    rows: int = 0
    changes: int = 0
    closed: int = 0
    returned: int = 0


def credible_end(connection: sqlite3.Connection, now: float) -> float | None:
    """Return the Unix time, s, at which the last credible row of the site ends; None if no row is from the future.

    `now` is the clock. It is not believed if most rows speak against it: then the result is None too.
    """
    limit = now + AHEAD_S
    (first,) = connection.execute("SELECT MIN(at) FROM site WHERE at > ?", (limit,)).fetchone()
    last = connection.execute(
        "SELECT at + span_s FROM site WHERE at <= ? ORDER BY at DESC LIMIT 1", (limit,)
    ).fetchone()
    if first is None or last is None or first - last[0] < AHEAD_S:
        return None
    (ahead,) = connection.execute("SELECT COUNT(*) FROM site WHERE at > ?", (limit,)).fetchone()
    (behind,) = connection.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM site WHERE at <= ? LIMIT ?)", (limit, ahead + 1)
    ).fetchone()
    return float(last[0]) if behind > ahead else None


def set_aside(connection: sqlite3.Connection, now: float) -> SetAside:
    """Set aside what is from the future, and close what began before with the last credible minute.

    Args:
        connection: The history, in a transaction.
        now: Unix time, s.
    """
    end = credible_end(connection, now)
    if end is None:
        return SetAside()
    for statement in _TABLES:
        connection.execute(statement)
    limit = now + AHEAD_S
    # A state that lasts at the end of those rows ends with them.
    (latest,) = connection.execute("SELECT MAX(at + span_s) FROM site").fetchone()
    connection.execute("UPDATE changes SET until = MAX(since, ?) WHERE since > ? AND until IS NULL", (latest, limit))
    moved = {}
    for table, names, key in _KINDS:
        query = f"INSERT INTO aside_{table} (aside_at, {names}) SELECT ?, {names} FROM {table} WHERE {key} > ?"
        moved[table] = connection.execute(query, (now, limit)).rowcount
        connection.execute(f"DELETE FROM {table} WHERE {key} > ?", (limit,))
    closed = connection.execute("UPDATE changes SET until = MAX(since, ?) WHERE until > ?", (end, limit)).rowcount
    rows = sum(moved[table] for table, _, key in _KINDS if key == "at")
    return SetAside(rows=rows, changes=moved["changes"], closed=closed)


def is_some_aside(connection: sqlite3.Connection) -> bool:
    """Return True if something was ever set aside."""
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'aside_changes'").fetchone() is not None


def altered_aside(connection: sqlite3.Connection, now: float, *, keep_s: float) -> list[Fact]:
    """Return facts of rows that are about to come back and are not those that were set aside.

    A minute's rows are compared with all digests that the minute ever had. States are not: those that were set aside
    were ended in the same moment, so that no digest is of what is kept of them.

    Args:
        connection: The history, in a transaction.
        now: Unix time, s.
        keep_s: As of `bring_back`, which is called afterwards.
    """
    if not is_some_aside(connection):
        return []
    passed = "at <= ? AND at < aside_at + ?"
    by_minute: dict[tuple[float, int], list[list[Any]]] = {}
    query = f"SELECT name, aside_at, {NAMES} FROM aside_containers CROSS JOIN names ON id = container WHERE {passed}"
    for name, aside_at, *values in connection.execute(query, (now, keep_s)):
        by_minute.setdefault((aside_at, values[0]), []).append([name, *values])
    found = [("containers", at, groups_digest(rows)) for (_, at), rows in sorted(by_minute.items())]
    rows_of_site = connection.execute(f"SELECT {NAMES} FROM aside_site WHERE {passed} ORDER BY at", (now, keep_s))
    found += [("site", values[0], digest_of([row_line(values)])) for values in rows_of_site]
    altered = []
    for table, at, digest in found:
        had = digests_had(connection, at, table)
        # A file that was older than the chain when they were set aside has none.
        if had and digest not in had:
            altered.append(Fact("altered", at, {"table": table, "during": "return", "minutes": [at]}))
    return altered


def bring_back(connection: sqlite3.Connection, now: float, *, keep_s: float) -> int:
    """Put back what the clock has passed meanwhile, where nothing else was recorded; returns how much.

    Args:
        connection: The history, in a transaction.
        now: Unix time, s.
        keep_s: For as long something is kept aside, s; longer ago the clock was wrong, and the present is another.
    """
    if not is_some_aside(connection):
        return 0
    # An earlier version made no table for owners.
    for statement in _TABLES:
        connection.execute(statement)
    returned = 0
    for table, names, key in _KINDS:
        passed = f"FROM aside_{table} WHERE {key} <= ? AND {key} < aside_at + ?"
        found = connection.execute(f"INSERT OR IGNORE INTO {table} ({names}) SELECT {names} {passed}", (now, keep_s))
        returned += found.rowcount
        connection.execute(f"DELETE {passed}", (now, keep_s))
        connection.execute(f"DELETE FROM aside_{table} WHERE aside_at < ? AND {key} > ?", (now - keep_s, now))
    return returned
