"""What to know of a document beside the notes on its figures. Pure.

Remarks follow from the document alone: reading it computes them again. They rest on its contents, and on those of the
documents that it combines.
"""

from collections.abc import Iterable, Iterator, Sequence

from agent.statement.contents import ChainEvent, Contents
from agent.statement.notes import SIMULATED
from agent.statement.parts import Part
from agent.statement.period import utc_text
from agent.statement.restating import Restates

SHOWN = 5
NOT_SIGNED = "NOT SIGNED"
"""How the remark on a document without a signature begins."""
RESTATED = "RESTATED"
"""How the remark on a document that replaces another one begins."""
_EVENTS = {
    "found": "rows from before the chain were sealed as they were found",
    "anchor": "the chain was anchored",
    "restored": "the history was restored from a backup",
    "rolled_back": "the history was rolled back",
    "forked": "the history was continued twice: two copies of it were written",
    "other_key": "another agent's key signed for this site",
    "salvaged": "rows of a damaged file were taken over as they were found",
    "merged": "the history was merged with another agent's",
    "altered": "THE HISTORY WAS ALTERED: rows no longer were as the chain has them",
}


def remarks_of(
    contents: Sequence[Contents],
    parts: Sequence[Part],
    combined: Iterable[str],
    *,
    restates: Restates | None,
    is_signed: bool,
) -> Iterator[str]:
    """Yield the remarks, the most important first.

    Args:
        contents: The document's own contents.
        parts: Its parts.
        combined: Remarks of the documents that it combines.
        restates: The document that it replaces.
        is_signed: False if nobody signed it.
    """
    combined = list(dict.fromkeys(combined))
    for each in contents:
        yield from _simulated(each)
    yield from (remark for remark in combined if remark.startswith(SIMULATED))
    if not is_signed:
        yield f"{NOT_SIGNED}: nothing but these bytes themselves says who made this document."
    if restates is not None:
        figures = len(restates.differences)
        yield (
            f"{RESTATED}: it replaces a document computed {utc_text(restates.computed_at)}, sha256 {restates.digest};"
            f" {figures} figures differ."
        )
    for each, part in zip(contents, parts, strict=False):
        yield from _of_history(each, part)
    yield from (remark for remark in combined if not remark.startswith(SIMULATED))


def _simulated(contents: Contents) -> Iterator[str]:
    simulated = contents.simulated
    if simulated is not None and simulated.units:
        shown = ", ".join(simulated.ids[:SHOWN]) + (" and more" if simulated.units > SHOWN else "")
        yield (
            f"{SIMULATED}: {contents.site}: {simulated.units:,} of {simulated.of_units:,} units of the ledger are"
            f" simulated, by mark, loopback address or serial number: {shown}."
        )


def _of_history(contents: Contents, part: Part) -> Iterator[str]:
    site = contents.site
    if contents.facts_since is None:
        yield f"{site}: clock, versions, ledgers in force and curtailments are not kept by this history."
    elif contents.facts_since > part.start:
        since = utc_text(contents.facts_since)
        yield f"{site}: clock, versions, ledgers in force and curtailments are kept from {since} on."
    in_force = contents.ledgers
    ours = part.unseen.ledger_digest
    last = [*(each.digest for each in in_force or ()), *(each.digest for each in contents.ledger_changes or ())]
    if ours and last and ours not in last:
        yield f"{site}: the ledger that this rests on was never in force at the agent: sha256 {ours}."
    late = [each for each in contents.ledger_changes or () if each.at >= part.end]
    if late:
        yield f"{site}: the ledger was changed {len(late)} times after the period, last {utc_text(late[-1].at)}."
    clock = contents.clock
    if clock is not None and clock.unsynchronized:
        yield f"{site}: the clock was not known to be synchronized at {clock.unsynchronized} of {clock.looks} looks."
    for kind in dict.fromkeys(each.kind for each in contents.chain_events):
        yield from _chain_event(site, [each for each in contents.chain_events if each.kind == kind])
    if contents.malformed:
        yield f"{site}: {len(contents.malformed)} facts could not be read, the first: {contents.malformed[0]}."
    if contents.unknown_facts:
        names = ", ".join(sorted(contents.unknown_facts))
        yield f"{site}: facts that this version does not know are left out: {names}."


def _chain_event(site: str, events: Sequence[ChainEvent]) -> Iterator[str]:
    times = "" if len(events) == 1 else f", {len(events)} times, last"
    yield f"{site}: {_EVENTS[events[0].kind]}{times} {utc_text(events[-1].at)}."
