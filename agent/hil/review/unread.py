"""Rows of a proposal for addresses that answer and were not identified: a unit there is not gone. Pure."""

from collections.abc import Iterable

from agent.hil.review.changes import ADDRESS_ID
from agent.hil.scan.found import Found, Kind, address_order, clean
from agent.hil.scan.proposal import Proposed
from agent.site.ledger.cells import host_cell


def unread_rows(found: Iterable[Found]) -> tuple[Proposed, ...]:
    """Return a row without model and bin for each find that was not identified, with the reason as its note."""
    unread = sorted(
        (each for each in found if each.kind is Kind.UNIDENTIFIED), key=lambda each: address_order(each.endpoint)
    )
    return tuple(
        Proposed(
            unit_id=f"{ADDRESS_ID}{each.host.replace(':', '-').replace('%', '-')}",
            model="",
            hashrate_th="",
            host=host_cell(each.endpoint),
            guessed=("unit_id",),
            note=f"not identified: {_what(each)}",
            source=str(each.endpoint),
        )
        for each in unread
    )


def _what(found: Found) -> str:
    """Return ``this is a Whatsminer``, ``this speaks HTTP``, or why it was not read."""
    speaker = clean(found.looks_like)
    if not speaker:
        return clean(found.error) or "says nothing"
    return f"this is {speaker}" if speaker.startswith(("a ", "an ")) else f"this speaks {speaker}"
