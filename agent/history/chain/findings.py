"""Findings of a verification: what does not hold, where, and when. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from agent.history.chain.heads import Head
from agent.history.chain.links import Fact

MOST_KEPT = 1000
_DATE_CHARS = len("2025-10-07")


class FindingKind(StrEnum):
    """What can be wrong."""

    EDITED = "edited"
    INSERTED = "inserted"
    DELETED = "deleted"
    ALTERED = "altered"
    LINKS = "links"
    HEAD = "head"
    ELSEWHERE = "elsewhere"
    BEGINNING = "beginning"
    UNSIGNED = "unsigned"
    SITE = "site"
    FILE = "file"


class Finding(NamedTuple):
    """One thing that does not hold.

    Attributes:
        kind: What it is.
        table: The rows it is about: ``site``, ``containers``, ``owners``, ``changes``, ``credits``; ``chain`` or
            ``heads`` for links and heads; empty for the file as a whole.
        start, end: Unix times between which the rows begin, or the links were written, s; None if that is not known.
        words: The rest, for people.
    """

    kind: FindingKind
    table: str
    start: int | None = None
    end: int | None = None
    words: str = ""

    def text(self, zone: ZoneInfo) -> str:
        """Return the finding in words, its times in a zone."""
        if self.start is None:
            return self.words
        begin = moment_text(self.start, zone)
        if self.end is None:
            return f"{begin}: {self.words}"
        end = moment_text(self.end, zone)
        until = end.removeprefix(f"{begin[:_DATE_CHARS]} ")
        return f"{begin} to {until}: {self.words}"


def moment_text(at: int, zone: ZoneInfo) -> str:
    """Return a Unix time as local date and time; one that no calendar has, as in an edited file, as its number."""
    try:
        return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M}"
    except (ValueError, OSError, OverflowError):
        return f"Unix time {at}"


class Findings:
    """Findings, at most `MOST_KEPT` of them; the rest is counted.

    Attributes:
        kept: The first ones.
        number: How many there are in all.
    """

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.number = 0

    def add(self, finding: Finding) -> None:
        """Add one."""
        self.number += 1
        if len(self.kept) < MOST_KEPT:
            self.kept.append(finding)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.kept)

    def __len__(self) -> int:
        return self.number


class Told(NamedTuple):
    """A fact of the chain that a reader has to know.

    Attributes:
        seq: Its link.
        fact: The fact.
    """

    seq: int
    fact: Fact


@dataclass(slots=True, kw_only=True)
class Verdict:
    """The result of a verification.

    Attributes:
        site, zone: The site's name and the time zone of its days.
        chain: The chain's name.
        base: Number of the link before the first one that was checked; 0 for the whole chain.
        seq, hash: Number of the last link and its hash.
        findings: What does not hold.
        signed: The last head whose signature holds; None if there is none.
        heads: How many heads were checked.
        unsigned_heads: How many of them carry no signature.
        tail_links: Links behind the last signed head.
        tail_from: When the first minute among them begins, Unix time, s.
        told: Facts to know: rows found at a migration, anchors, restored and merged histories, keys.
        is_key_given: False if signatures were checked with the key that the chain itself names.
        too_old: How many heads and witnesses of other places are older than the base, so that they say nothing here.
        rows: How many minutes, quarters and hours of rows were held against their digests.
    """

    site: str
    zone: str
    chain: str = ""
    base: int = 0
    seq: int = 0
    hash: str = ""
    findings: Findings = field(default_factory=Findings)
    signed: Head | None = None
    heads: int = 0
    unsigned_heads: int = 0
    tail_links: int = 0
    tail_from: int | None = None
    told: list[Told] = field(default_factory=list)
    is_key_given: bool = True
    too_old: int = 0
    rows: int = 0

    @property
    def holds(self) -> bool:
        """True if nothing was found."""
        return not self.findings.number

    def facts(self, kind: str) -> list[Fact]:
        """Return the facts to know of one name."""
        return [told.fact for told in self.told if told.fact.kind == kind]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {
            "site": self.site,
            "chain": self.chain,
            "holds": self.holds,
            "base": self.base,
            "seq": self.seq,
            "hash": self.hash,
            "rows": self.rows,
            "signed_until": None if self.signed is None else self.signed.fields,
            "is_key_given": self.is_key_given,
            "heads": self.heads,
            "unsigned_heads": self.unsigned_heads,
            "open_links": self.tail_links,
            "open_from": self.tail_from,
            "too_old": self.too_old,
            "findings": [{**finding._asdict(), "kind": str(finding.kind)} for finding in self.findings],
            "findings_number": self.findings.number,
            "facts": [
                {"seq": told.seq, "at": told.fact.at, "fact": told.fact.kind, **told.fact.body} for told in self.told
            ],
        }
