"""Rows held against the digests in force: both streams in the order of time, so that memory is bounded. Pure."""

import bisect
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from agent.history.chain.findings import Finding, FindingKind, Findings
from agent.history.chain.links import HOUR_S, QUARTER_S, LinkKind
from agent.history.chain.rows import Found

_STEP_S = {"changes": HOUR_S, "credits": HOUR_S}
_ROWS = {
    "site": "the site's rows",
    "containers": "containers' rows",
    "owners": "owners' rows",
    "changes": "states of units that began then",
    "credits": "pools' windows that began then",
}


class Digests(NamedTuple):
    """A link of rows, as the index of times has it.

    Attributes:
        at: Its time.
        seq: Its number.
        kind: Its kind.
        digest, containers: Its digests.
    """

    at: int
    seq: int
    kind: int
    digest: bytes | None
    containers: bytes | None


class Dropped:
    """The rows of one table that were deleted for their age.

    Args:
        links: Numbers and times of its ``dropped`` links, in their order.
    """

    def __init__(self, links: Iterable[tuple[int, int]]) -> None:
        # Only a link with a later time than all behind it says something that they do not.
        steps: list[tuple[int, int]] = []
        for seq, before in links:
            while steps and steps[-1][1] <= before:
                steps.pop()
            steps.append((seq, before))
        self._steps = steps

    def covers(self, seq: int, at: int) -> bool:
        """Return True if rows of a time, written with a link, were deleted after that link."""
        place = bisect.bisect_right(self._steps, (seq, 1 << 62))
        return place < len(self._steps) and self._steps[place][1] > at


class TableCheck:
    """The rows of one table, held against digests that arrive in the order of time.

    Args:
        table: Its name.
        rows: Digests of its rows as they are, in the order of time.
        start, end: Only rows that begin in between are looked at, Unix times, s.
        findings: Gets what differs; neighbours are one finding.

    Attributes:
        checked: How many times had rows or a digest.
    """

    def __init__(self, table: str, rows: Iterator[Found], findings: Findings, *, start: int, end: int) -> None:
        self._table, self._rows, self._findings = table, rows, findings
        self._start, self._end = start, end
        self._next = next(rows, None)
        self._open: Finding | None = None
        self.checked = 0

    def match(self, at: int, digest: bytes | None, span_s: int = 60) -> None:
        """Hold the rows of a time against the digest in force; None for no rows."""
        if not self._start <= at < self._end:
            return
        self._pass(at)
        found = None
        if self._next is not None and self._next.at == at:
            found = self._next.digest
            self._next = next(self._rows, None)
        self.checked += found is not None or digest is not None
        if found == digest:
            return
        kind = FindingKind.EDITED
        if found is None:
            kind = FindingKind.DELETED
        elif digest is None:
            kind = FindingKind.INSERTED
        self._add(kind, at, span_s)

    def finish(self) -> None:
        """Say of all rows that are left that the chain does not know them."""
        self._pass(1 << 62)
        if self._open is not None:
            self._findings.add(self._open)
            self._open = None

    def _pass(self, at: int) -> None:
        while self._next is not None and self._next.at < at:
            self.checked += 1
            self._add(FindingKind.INSERTED, self._next.at, 60)
            self._next = next(self._rows, None)

    def _add(self, kind: FindingKind, at: int, span_s: int) -> None:
        end = at + _STEP_S.get(self._table, span_s)
        before = self._open
        if before is not None and before.kind is kind and before.end == at:
            self._open = before._replace(end=end)
            return
        if before is not None:
            self._findings.add(before)
        self._open = Finding(kind, self._table, at, end, f"{_ROWS[self._table]} {kind}")


# Which table a link of one kind is about, and which of its two digests is that table's.
_ABOUT = {
    LinkKind.MINUTE: (("site", "digest"), ("containers", "containers")),
    LinkKind.COMPACTED: (("containers", "containers"),),
    LinkKind.OWNERS: (("owners", "digest"),),
    LinkKind.CHANGES: (("changes", "digest"),),
    LinkKind.CREDITS: (("credits", "digest"),),
}


class Holding:
    """The rows of all tables, held against the links of rows.

    Args:
        tables: By name.
        dropped: By name; tables without are never deleted without a link of their own.
    """

    def __init__(self, tables: dict[str, TableCheck], dropped: dict[str, Dropped]) -> None:
        self._tables, self._dropped = tables, dropped
        self._quarter, self._compacted = 0, 0

    def hold(self, links: Iterable[Digests]) -> None:
        """Hold them against links in the order of their times, then of their numbers."""
        for at, group in groupby(links, key=lambda link: link.at):
            self._hold_time(at, group)
        for table in self._tables.values():
            table.finish()

    def _hold_time(self, at: int, links: Iterable[Digests]) -> None:
        if at - at % QUARTER_S != self._quarter:
            self._quarter, self._compacted = at - at % QUARTER_S, 0
        in_force: dict[str, tuple[int, bytes | None]] = {}
        for link in links:
            for table, name in _ABOUT.get(LinkKind(link.kind), ()):
                in_force[table] = link.seq, getattr(link, name)
            if link.kind == LinkKind.COMPACTED:
                self._compacted = link.seq
        for table, (seq, digest) in in_force.items():
            is_gone = table in self._dropped and self._dropped[table].covers(seq, at)
            span_s = 60
            if table == "containers" and self._compacted:
                is_gone = is_gone or seq < self._compacted
                span_s = QUARTER_S if seq == self._compacted else span_s
            self._tables[table].match(at, None if is_gone else digest, span_s)
