"""A document against a site's history, or against what was exported of it. Pure.

With a history everything is computed again. From exported rows come means, bounds, energy and digest, and gaps but for
their reasons; from an exported chain, row by row and link by link, what history's facts say. What neither can tell is
named, never passed over.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

import msgspec

from agent.history.chain.links import Link, canonical
from agent.statement.chained import WalkedChain
from agent.statement.check import verify
from agent.statement.contents import BY_FACTS, BY_LEDGER, Contents, Declared, FactSource, contents_of
from agent.statement.declared import DeployedCourse
from agent.statement.document import Document
from agent.statement.errors import StatementError
from agent.statement.exported import ExportedChain, ExportedRows
from agent.statement.parts import Part, Source
from agent.statement.period import Period, parse_period

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


class ChainedSource(FactSource, Source, Protocol):
    """A source of rows and of the chain over them: an open history."""

    def links(self) -> Iterable[Link]:
        """Return all links, in their order."""


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
    document: Document, source: ChainedSource, period: Period, *, declared: Declared | None
) -> Verified:
    """Compute a site's part again from its history, with its contents and its chain.

    Args:
        document: The document.
        source: The open history of one of its sites.
        period: Its period in the zone of that site.
        declared: What the site's ledger says of the period; None without one.

    Raises:
        StatementError: If the site is not in the document, or history no longer has rows for the period.
    """
    found = list(_contents_of(document, source.site))
    # Without its ledger, the document says itself what was deployed in gaps.
    course = _stated_course(found) if declared is None else declared.course
    differences = verify(document.statement, source, period, course=course)
    unchecked: list[str] = []
    for contents, part in found:
        if contents.units is not None and declared is None:
            unchecked.append("the ledger")
        differences += _content_differences(contents, part, source, declared)
        if contents.chain is not None:
            differences += _chain_differences(contents, part, source.links(), source)
    return Verified(differences, unchecked)


def verify_with_exports(document: Document, site: str, rows: tuple[str, str], chain: tuple[str, str] | None) -> Verified:
    """Compute a site's part again from exported rows, and hold both against an exported chain.

    Args:
        document: The document.
        site: One of its sites.
        rows: The CSV of `history export` for the period, and its name in errors.
        chain: The lines of `history export --what chain`, and their name; None without.

    Raises:
        StatementError: If the site is not in the document, or a file is not what it should be.
    """
    whole = document_of_site(document, site)
    (stated,) = (part for part in whole.statement.parts if part.site == site)
    source = ExportedRows(*rows, stated)
    period = parse_period(document.statement.period, ZoneInfo(stated.zone))
    found = list(_contents_of(document, site))
    differences = verify(whole.statement, source, period, course=_stated_course(found), is_exported=True)
    unchecked = [*NOT_IN_ROWS, *(["the ledger"] if stated.unseen.ledger_digest else [])]
    if chain is None:
        return Verified(differences, [*unchecked, *(["the chain and its facts"] if found else [])])
    links = ExportedChain(*chain)
    for contents, part in found:
        differences += _content_differences(contents, part, links, None)
        if contents.chain is not None:
            differences += _chain_differences(contents, part, links.links(), source)
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


def _chain_differences(contents: Contents, part: Part, links: Iterable[Link], source: Source) -> Iterator[str]:
    if contents.chain is None:
        return
    chain = WalkedChain(links, contents.chain)
    yield from chain.wrong
    if not chain.wrong:
        until = part.end if part.is_over else min(part.inputs.last_at, part.end)
        yield from chain.row_mistakes(source.chunks(part.start, until), part.start, until)


def _content_differences(
    stated: Contents, part: Part, source: FactSource, declared: Declared | None
) -> Iterator[str]:
    end = (0, "") if stated.chain is None else (stated.chain.seq, stated.chain.hash)
    found = contents_of(source, part, declared, end=end)
    names = [*BY_FACTS, "chain", "chain_events", "malformed", "unknown_facts"]
    names += BY_LEDGER if declared is not None and stated.units is not None else ()
    for name in names:
        one, other = (canonical(msgspec.to_builtins(getattr(each, name))) for each in (stated, found))
        if one != other:
            whose = "the ledger" if name in BY_LEDGER else "the chain"
            yield f"{name}: stated {_clipped(one)}, {whose} gives {_clipped(other)}"


def _clipped(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
