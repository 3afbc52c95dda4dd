"""A document against a site's history, or against what was exported of it. Pure.

With a history everything is computed again. From exported rows come means, bounds, energy and digest, and gaps but for
their reasons; from an exported chain, row by row and link by link, what history's facts say. What neither can tell is
named, never passed over.
"""

import base64
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

import msgspec

from agent.files.signing import PublicKey
from agent.history.chain.file import Base
from agent.history.chain.links import Link, canonical, next_hash
from agent.statement.chained import WalkedChain
from agent.statement.check import verify
from agent.statement.contents import Contents
from agent.statement.declared import DeployedCourse
from agent.statement.document import Document
from agent.statement.errors import StatementError
from agent.statement.exported import ExportedChain, ExportedRows
from agent.statement.gathering import BY_FACTS, BY_LEDGER, Declared, FactSource, contents_of, is_of_owner
from agent.statement.omitted import early_end, omissions
from agent.statement.parts import Part, Source
from agent.statement.period import Period, parse_period, utc_text

_SHOWN = 60
NOT_IN_ROWS = ("credited hashrate", "sums of containers", "reasons of gaps")


class Verified(NamedTuple):
    """The outcome.

    Attributes:
        differences: In what the document differs, in words; empty if it holds.
        unchecked: What could not be checked, in words.
    """

    differences: list[str]
    unchecked: list[str]


class Chained(FactSource, Protocol):
    """A source of the chain: an open history, or an exported one."""

    def chain_base(self) -> Base:
        """Return the link before the first that is kept."""

    def links(self, after: int) -> Iterable[Link]:
        """Return the links behind a number, in their order."""


class ChainedSource(Chained, Source, Protocol):
    """A source of rows and of the chain over them: an open history."""


def document_of_site(document: Document, site: str) -> Document:
    """Return the document that states a site itself: this one, or one of those that it combines.

    Raises:
        StatementError: None does.
    """
    for each in document.documents:
        if any(part.site == site for part in each.statement.parts):
            return document_of_site(each, site)
    if any(part.site == site for part in document.statement.parts):
        return document
    covered = ", ".join(part.site for part in document.statement.parts)
    raise StatementError(f"{site} is not in this statement, which covers {covered}")


def verify_with_history(
    document: Document, source: ChainedSource, period: Period, *, declared: Declared | None, rows: Source | None = None
) -> Verified:
    """Compute a site's part again from its history, with its contents and its chain.

    Args:
        document: The document.
        source: The open history of one of its sites.
        period: Its period in the zone of that site.
        declared: What the site's ledger says of the period; None without one.
        rows: The rows of the owner in that history whose statement it is; None for the site's.

    Raises:
        StatementError: If the site is not in the document, or history no longer has rows for the period.
    """
    found = list(_contents_of(document, source.site))
    # Without its ledger, the document says itself what was deployed in gaps.
    course = _stated_course(found) if declared is None else declared.course
    differences = verify(document.statement, rows or source, period, course=course)
    unchecked: list[str] = []
    for contents, part in found:
        if contents.units is not None and declared is None:
            unchecked.append("the ledger")
        if contents.units is None and declared is not None:
            unchecked.append("the ledger, on which it does not rest")
        whole = document_of_site(document, source.site).statement
        known = None if declared is None else declared.course
        differences += omissions(whole, contents, part, rows or source, facts=source, period=period, course=known)
        differences += _chained_differences(contents, part, source, source, declared, unchecked=unchecked)
    return Verified(differences, unchecked)


def verify_with_exports(
    document: Document,
    site: str,
    rows: tuple[str, str],
    chain: tuple[str, str] | None,
    *,
    key: PublicKey | None = None,
) -> Verified:
    """Compute a site's part again from exported rows, and hold both against an exported chain.

    Args:
        document: The document.
        site: One of its sites.
        rows: The CSV of `history export` for the period, and its name in errors.
        chain: The lines of `history export --what chain`, and their name; None without.
        key: The public key that signs the document; None if it is not known. With it, heads of the chain are held
            against it and the keys that the document names as the agent's.

    Raises:
        StatementError: If the site is not in the document, or a file is not what it should be.
    """
    whole = document_of_site(document, site)
    (stated,) = (part for part in whole.statement.parts if part.site == site)
    exported = None if chain is None else ExportedChain(*chain)
    source = ExportedRows(*rows, stated, exported)
    period = parse_period(document.statement.period, ZoneInfo(stated.zone))
    found = list(_contents_of(document, site))
    differences = verify(
        whole.statement, source, period, course=_stated_course(found), is_exported=True, has_facts=exported is not None
    )
    unchecked = [*NOT_IN_ROWS, *(["the ledger"] if stated.unseen.ledger_digest else [])]
    if document.statement.before is not None:
        unchecked.append("the period before")
    if exported is None:
        return Verified(differences, [*unchecked, *(["the chain and its facts"] if found else [])])
    differences += _site_differences(exported, stated)
    for contents, part in found:
        differences += omissions(whole.statement, contents, part, source, facts=exported, period=period, course=None)
        differences += early_end(whole.statement, contents, exported.heads)
        differences += _chained_differences(contents, part, source, exported, None, unchecked=unchecked)
    if key is None:
        unchecked.append("signatures of the chain's heads")
    else:
        for contents, _ in found:
            differences += _head_differences(exported, key, contents)
    return Verified(differences, unchecked)


def _contents_of(document: Document, site: str) -> Iterator[tuple[Contents, Part]]:
    whole = document_of_site(document, site)
    for contents in whole.contents:
        yield contents, next(part for part in whole.statement.parts if part.site == site)


def _stated_course(found: Iterable[tuple[Contents, Part]]) -> DeployedCourse | None:
    """Return deployed as the document has it of the ledger; None if it rests on none."""
    for contents, part in found:
        if contents.deployed_steps is not None:
            return DeployedCourse.of_steps(contents.deployed_steps, digest=part.unseen.ledger_digest)
    return None


def _chained_differences(
    contents: Contents,
    part: Part,
    rows: Source,
    chain: Chained,
    declared: Declared | None,
    *,
    unchecked: list[str],
) -> Iterator[str]:
    """Yield in what the contents differ from what the chain says, and the rows from their links."""
    base = chain.chain_base()
    if base.seq:
        unchecked.append(f"facts of links up to {base.seq:,}, which are no longer there")
    yield from _content_differences(contents, part, chain, declared, is_whole=not base.seq)
    if contents.chain is None:
        return
    walked = WalkedChain(chain.links(base.seq), contents.chain, base)
    yield from walked.wrong
    # The link of a minute has the digest of all owners' rows together: the whole history is held against it.
    if not is_of_owner(part) and not walked.wrong:
        until = part.end if part.is_over else min(part.inputs.last_at, part.end)
        yield from walked.row_mistakes(rows.chunks(part.start, until), part.start, until)


def _site_differences(chain: ExportedChain, stated: Part) -> Iterator[str]:
    """Yield that the chain is of another site than the one stated: rows do not say whose they are."""
    for signed in chain.heads[-1:]:
        if signed.head.site != stated.site:
            yield f"site: stated {stated.site}, the heads of the chain are of {signed.head.site}"


def _head_differences(chain: ExportedChain, key: PublicKey, contents: Contents) -> Iterator[str]:
    """Yield the heads that name another hash than the links before them give, or that no known key signed.

    Known are the key that signs the document and the agent's own, as the document and facts up to its last link name
    them: an office may sign a site's document, and an agent's lost key has a successor. A head behind that link may be
    of a later key.
    """
    end = 0 if contents.chain is None else contents.chain.seq
    texts = [each.public_key for each in contents.keys or ()]
    texts += [str(fact.body.get("public", "")) for fact in chain.facts(kinds=("key",), last=end)]
    named = list(_public_keys(dict.fromkeys(texts)))
    hashes = dict([chain.chain_base()])
    for link in chain.links():
        if link.seq - 1 in hashes:
            hashes[link.seq] = next_hash(hashes[link.seq - 1], link)
    for signed in chain.heads:
        head = signed.head
        if hashes.get(head.seq) != head.hash:
            yield f"head of {utc_text(head.at)}: its hash is not that of link {head.seq}"
        elif signed.signature is not None and not any(map(signed.is_signed_by, (key, *named))) and head.seq <= end:
            ids = dict.fromkeys((key.id, *(each.id for each in named)))
            yield f"head of {utc_text(head.at)}: it is not signed by key {' or '.join(ids)}"


def _public_keys(texts: Iterable[str]) -> Iterator[PublicKey]:
    """Yield keys in Base64; a text that is none signs nothing."""
    for text in texts:
        with suppress(ValueError):
            yield PublicKey(base64.b64decode(text, validate=True))


def _content_differences(
    stated: Contents, part: Part, source: FactSource, declared: Declared | None, *, is_whole: bool
) -> Iterator[str]:
    end = (0, "") if stated.chain is None else (stated.chain.seq, stated.chain.hash)
    found = contents_of(source, part, declared, end=end)
    names = [*BY_FACTS, "chain", "chain_events", "malformed", "unknown_facts"] if is_whole else []
    names += BY_LEDGER if declared is not None and stated.units is not None else ()
    for name in names:
        one, other = (canonical(msgspec.to_builtins(getattr(each, name))) for each in (stated, found))
        if one != other:
            whose = "the ledger" if name in BY_LEDGER else "the chain"
            yield f"{name}: stated {_clipped(one)}, {whose} gives {_clipped(other)}"


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
