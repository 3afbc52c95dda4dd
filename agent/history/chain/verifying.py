"""A history held against its chain, and the chain against heads kept elsewhere. Reads one snapshot of the file.

Years of history take as much memory as a day's: links are walked in their order, then links and rows are read side by
side in the order of time.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from agent.files.signing import PublicKey
from agent.history.chain.comparing import Digests, Dropped, Holding, TableCheck
from agent.history.chain.file import Base, read_base, read_facts, read_heads, read_links
from agent.history.chain.findings import Finding, FindingKind, Verdict
from agent.history.chain.heads import SignedHead
from agent.history.chain.links import DAY_S, HOUR_S, QUARTER_S, LinkKind
from agent.history.chain.rows import (
    FIRST,
    LAST,
    Found,
    digests_of_changes,
    digests_of_credits,
    digests_of_groups,
    digests_of_site,
)
from agent.history.chain.walk import Walk

_TABLES = ("site", "containers", "owners", "changes", "pool_credits", "names", "facts", "chain", "heads")
_AGED = ("site", "containers", "owners")
_DIGESTS = (
    "SELECT at, seq, kind, digest, containers FROM chain"
    " WHERE at >= ? AND at < ? AND kind NOT IN (?, ?) ORDER BY at, seq"
)


def verify(
    connection: sqlite3.Connection,
    *,
    site: str,
    zone: str,
    keys: Sequence[PublicKey] = (),
    known: Iterable[tuple[str, SignedHead]] = (),
    witnesses: Iterable[tuple[int, int]] = (),
    start: int | None = None,
    end: int | None = None,
) -> Verdict:
    """Verify a history.

    Args:
        connection: The history.
        site: The site's name, as the file says.
        zone: The time zone of its days, as the file says.
        keys: Public keys that may sign; empty to take those that the chain names.
        known: Heads that were kept elsewhere, each with the words for where.
        witnesses: Numbers of links and the first 52 bits of their hashes.
        start: Only rows from this Unix time on are held against the chain, s; None for all.
        end: Only rows before this one, s.

    Raises:
        ValueError: A link or head is none that an agent writes.
        sqlite3.Error: The file cannot be read.
    """
    verdict = Verdict(site=site, zone=zone)
    with _snapshot(connection):
        _check_file(connection, verdict)
        base = read_base(connection)
        genesis = next(read_facts(connection, "genesis"), None)
        verdict.chain = "" if genesis is None else str(genesis.body.get("chain"))
        walk = Walk(verdict, base, keys=keys, known=known, witnesses=witnesses)
        walk.walk(read_links(connection, base.seq), read_heads(connection, base.seq - 1))
        _check_end(connection, verdict, base)
        _check_rows(connection, verdict, start, end)
    return verdict


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _check_file(connection: sqlite3.Connection, verdict: Verdict) -> None:
    """Check the file's pages and indexes, and that its tables are tables: a view could show other rows here."""
    for (words,) in connection.execute("PRAGMA integrity_check(10)").fetchall():
        if words != "ok":
            verdict.findings.add(Finding(FindingKind.FILE, "", words=f"damaged: {words}"))
    kinds = dict(connection.execute("SELECT name, type FROM sqlite_master"))
    for name in _TABLES:
        if kinds.get(name) != "table":
            verdict.findings.add(Finding(FindingKind.FILE, "", words=f"{name} is no table: the file was changed"))
    for name, kind in kinds.items():
        if kind == "trigger":
            verdict.findings.add(Finding(FindingKind.FILE, "", words=f"a trigger {name!r}: the file was changed"))


def _check_end(connection: sqlite3.Connection, verdict: Verdict, base: Base) -> None:
    found = connection.execute("SELECT value FROM facts WHERE name = 'chain'").fetchone()
    said = base.hash if found is None else found[0]
    is_told = any(finding.kind is FindingKind.LINKS for finding in verdict.findings)
    if said != verdict.hash and not is_told:
        words = f"the last hash is said to be {str(said)[:16]}, and the links lead to {verdict.hash[:16]}"
        start = None if verdict.signed is None else verdict.signed.at
        verdict.findings.add(Finding(FindingKind.LINKS, "chain", start, None, words))
    if verdict.signed is None:
        return
    for what, here, signed in (
        ("site", verdict.site, verdict.signed.site),
        ("zone", verdict.zone, verdict.signed.zone),
    ):
        if here != signed:
            words = f"the file says {what} {here[:80]!r}; the last signed head says {signed[:80]!r}"
            verdict.findings.add(Finding(FindingKind.SITE, "", words=words))


def _check_rows(connection: sqlite3.Connection, verdict: Verdict, start: int | None, end: int | None) -> None:
    begin = FIRST if start is None else start - start % QUARTER_S
    until = LAST if end is None else end
    spans = {
        "site": (begin, until),
        "containers": (begin, until),
        "owners": (begin, until),
        "changes": (_first_state(connection, start), until),
        "credits": (begin if start is None else begin - DAY_S, until),
    }
    reading: dict[str, Callable[[int, int], Iterator[Found]]] = {
        "site": lambda low, high: digests_of_site(connection, low, high),
        "containers": lambda low, high: digests_of_groups(connection, "containers", low, high),
        "owners": lambda low, high: digests_of_groups(connection, "owners", low, high),
        "changes": lambda low, high: digests_of_changes(connection, low, high),
        "credits": lambda low, high: digests_of_credits(connection, low, high),
    }
    tables = {
        name: TableCheck(name, reading[name](*span), verdict.findings, start=span[0], end=span[1])
        for name, span in spans.items()
    }
    dropped = {
        table: Dropped(
            connection.execute(
                "SELECT seq, at FROM chain WHERE body = ? AND kind = ? ORDER BY seq", (table, LinkKind.DROPPED)
            )
        )
        for table in _AGED
    }
    low = min(span[0] for span in spans.values())
    low -= low % HOUR_S
    links = connection.execute(_DIGESTS, (low, until, LinkKind.FACT, LinkKind.DROPPED))
    Holding(tables, dropped).hold(Digests(*link) for link in links)
    verdict.rows = sum(table.checked for table in tables.values())


def _first_state(connection: sqlite3.Connection, start: int | None) -> int:
    """Return the hour in which the oldest state began that reaches into a period, Unix time, s."""
    if start is None:
        return FIRST
    (since,) = connection.execute(
        "SELECT MIN(since) FROM changes WHERE until IS NULL OR until > ?", (start,)
    ).fetchone()
    first = start if since is None else min(start, int(since))
    return first - first % HOUR_S
