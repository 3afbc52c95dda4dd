"""Links of the chain: each names the digest of what was written, and is hashed with the link before it. Pure.

    hash = SHA-256(hash before, in hexadecimal + newline + text of the link)

The text of a link is its fields, joined by ``|``: ``seq|kind|at|digest|containers|body``; digests in
hexadecimal, absent ones empty. The hash before the first link is 64 zeros. The latest link of a minute, an hour or a
quarter is in force; an absent digest means that no row is there any more.

| Kind | at | digest | containers | body |
|---|---|---|---|---|
| `minute` | the minute | of the site's row | of all containers' rows of that minute | |
| `owners` | the minute | of all owners' rows of that minute | | |
| `changes` | the hour | of all states that began within the hour | | |
| `credits` | the hour | of all windows of pools that began within the hour | | |
| `compacted` | the quarter of an hour | | of the means that took the place of its containers' rows | |
| `dropped` | rows that begin before are deleted | | | which rows |
| `fact` | when it held | | | its JSON |

A digest is the first 14 bytes of a SHA-256: what a second row with the same digest would cost is out of reach, and
history is 36 bytes a minute smaller.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec

CHAIN_FORMAT = 1
FIRST_HASH = "0" * 64
DIGEST_BYTES = 14
DAY_S = 86_400
HOUR_S = 3600
MALFORMED = "malformed"
"""The kind of a fact whose link has no fact's body; none is written."""
QUARTER_S = 900


class LinkKind(IntEnum):
    """Kinds of links, as the file has them."""

    MINUTE = 0
    FACT = 1
    CHANGES = 2
    CREDITS = 3
    COMPACTED = 4
    DROPPED = 5
    OWNERS = 6


class Link(NamedTuple):
    """One link.

    Attributes:
        seq: Its number, from 1.
        kind: Its kind.
        at: Unix time, s; its meaning is the kind's.
        digest, containers: Digests of rows; None where there are none.
        body: The JSON of a fact, or the name of the deleted rows. None for other kinds, or empty for a minute that is
            not later than all before it: the index of facts has such ones as well, so that every minute is found fast.
    """

    seq: int
    kind: LinkKind
    at: int
    digest: bytes | None = None
    containers: bytes | None = None
    body: str | None = None

    @property
    def text(self) -> str:
        """The text that is hashed."""
        digests = ("" if each is None else each.hex() for each in (self.digest, self.containers))
        return "|".join((str(self.seq), self.kind.name.lower(), str(self.at), *digests, self.body or ""))


class Fact(NamedTuple):
    """Something that held at a moment and is no row: a ledger in force, a start, a gap.

    Attributes:
        kind: Its name.
        at: Unix time, s.
        body: Its fields, JSON's types only.
    """

    kind: str
    at: int
    body: Mapping[str, Any]


def next_hash(before: str, link: Link) -> str:
    """Return the hash of a link in hexadecimal, from that of the link before it."""
    return hashlib.sha256(f"{before}\n{link.text}".encode()).hexdigest()


def digest_of(lines: Iterable[str]) -> bytes | None:
    """Return the digest of rows, each as its line of CSV in UTF-8; None without rows."""
    text = "".join(lines)
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES] if text else None


def canonical(content: object) -> str:
    """Return the one canonical form of JSON: keys in order, no space, no escapes but needed ones, Python's numbers.

    Args:
        content: Dicts with text keys, lists, texts, numbers, bools and None.

    Raises:
        ValueError: For a number that is not finite.
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fact_body(fact: Fact) -> str:
    """Return the body of a fact's link."""
    return canonical({"fact": fact.kind, **fact.body})


def fact_of(at: int, body: str) -> Fact:
    """Return the fact of a link's body.

    Raises:
        ValueError: The body is no fact's.
    """
    try:
        content = msgspec.json.decode(body)
        kind = content.pop("fact")
    except (msgspec.DecodeError, AttributeError, KeyError, RecursionError, TypeError) as error:
        raise ValueError(f"not a fact: {body[:80]!r}") from error
    if not isinstance(kind, str):
        raise ValueError(f"not a fact: {body[:80]!r}")  # noqa: TRY004 - callers expect one error for any other body
    return Fact(kind, at, content)
