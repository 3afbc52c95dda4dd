"""Rows of a proposal, put in their places by rules. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agent.address import parse_endpoint, parse_mac
from agent.hil.places.rules import Rule, Subject, place_of
from agent.hil.scan.proposal import Proposed
from agent.site.ledger.entries import Place


class Placing(NamedTuple):
    """Rows with their places.

    Attributes:
        rows: As they came, with the places that rules gave.
        unplaced: Addresses of rows that no rule fits and that had no place before.
        clashes: Places that several rows would have, in words. None of these rows gets the place.
    """

    rows: tuple[Proposed, ...]
    unplaced: tuple[str, ...]
    clashes: tuple[str, ...]


def place_rows(
    rows: Sequence[Proposed], rules: Sequence[Rule], workers: Mapping[str, Sequence[str]] | None = None
) -> Placing:
    """Return a proposal's rows in the places that rules give them; a rule's place replaces the row's own.

    Args:
        rows: The proposal.
        rules: The first that fits a row counts.
        workers: The user names at its pools, the one in use first, by a row's `source`; None if they are not known.
    """
    known = workers or {}
    places = [place_of(_subject(row, known.get(row.source, ())), rules) for row in rows]
    by_slot: defaultdict[Place, list[Proposed]] = defaultdict(list)
    for row, place in zip(rows, places, strict=True):
        if place is not None and place.slot:
            by_slot[place].append(row)
    shared = {place: together for place, together in by_slot.items() if len(together) > 1}
    return Placing(
        rows=tuple(
            row if place is None or place in shared else _put(row, place)
            for row, place in zip(rows, places, strict=True)
        ),
        unplaced=tuple(row.host for row, place in zip(rows, places, strict=True) if place is None and not _has(row)),
        clashes=tuple(_clash(place, together) for place, together in shared.items()),
    )


def _subject(row: Proposed, workers: Iterable[str]) -> Subject:
    try:
        host = str(parse_endpoint(row.host, default_port=4028)[0])
    except ValueError:
        host = ""
    try:
        mac = parse_mac(row.mac) if row.mac else None
    except ValueError:
        mac = None
    return Subject(host, mac, tuple(workers))


def _put(row: Proposed, place: Place) -> Proposed:
    return row._replace(container=place.container, rack=place.rack, slot=place.slot)


def _has(row: Proposed) -> bool:
    return bool(row.container or row.rack or row.slot)


def _clash(place: Place, rows: Sequence[Proposed]) -> str:
    shown = ", ".join(row.host for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
    parts = (("container", place.container), ("rack", place.rack), ("slot", place.slot))
    words = ", ".join(f"{part} {name}" for part, name in parts if name)
    return f"{len(rows)} units would stand in {words}: {shown}"
