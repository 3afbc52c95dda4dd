"""Closed windows of credited hashrate in the history file: a pool forgets them, and a statement is computed from them.

A window that is kept stays as it was first read. So a statement goes on being what it was: `fetched` says from when on
a window was known.
"""

import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple

from agent.site.credited.windows import Window

_ADD = (
    "INSERT INTO pool_credits (account, start, window_s, credited_hs, fetched) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_READ = "SELECT account, start, window_s, credited_hs, fetched FROM pool_credits"


class PoolCredit(NamedTuple):
    """One window of one account.

    Attributes:
        account: The account's name in the configuration.
        window: The window.
        fetched: Unix time at which it was read, s.
    """

    account: str
    window: Window
    fetched: int


def write_credits(connection: sqlite3.Connection, credits_: Iterable[PoolCredit]) -> None:
    """Add windows, in a transaction; those that are there stay as they are."""
    rows = ((each.account, *each.window, each.fetched) for each in credits_)
    connection.executemany(_ADD, rows)


def read_credits(connection: sqlite3.Connection, start: float, end: float, *, known_by: float) -> Iterator[PoolCredit]:
    """Yield the windows that touch [start, end) and were fetched by Unix time `known_by`, by account and beginning."""
    query = f"{_READ} WHERE start < ? AND start + window_s > ? AND fetched <= ? ORDER BY account, start, window_s"
    with closing(connection.execute(query, (end, start, known_by))) as rows:
        for row in rows:
            credit = _credit(row)
            if credit is not None:
                yield credit


def all_credits(connection: sqlite3.Connection) -> Iterator[PoolCredit]:
    """Yield every window, up to the first damage.

    Raises:
        sqlite3.Error: At the first damage.
    """
    return read_credits(connection, -math.inf, math.inf, known_by=math.inf)


def drop_credits(connection: sqlite3.Connection, before: float, *, at_most: int) -> None:
    """Delete the oldest windows that began before a Unix time, s, in a transaction."""
    connection.execute(
        "DELETE FROM pool_credits WHERE (account, start, window_s) IN"
        " (SELECT account, start, window_s FROM pool_credits WHERE start < ? ORDER BY start LIMIT ?)",
        (before, at_most),
    )


def _credit(row: tuple[object, ...]) -> PoolCredit | None:
    """Return a row; None for one that no agent writes."""
    account, start, window_s, credited_hs, fetched = row
    if (
        isinstance(account, str)
        and isinstance(start, int)
        and isinstance(window_s, int)
        and window_s > 0
        and isinstance(credited_hs, float)
        and math.isfinite(credited_hs)
        and credited_hs >= 0
        and isinstance(fetched, int)
    ):
        return PoolCredit(account, Window(start, window_s, credited_hs), fetched)
    return None
