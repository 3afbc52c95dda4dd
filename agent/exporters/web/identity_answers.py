"""What the JSON API answers of where units are."""

from datetime import UTC, datetime

import msgspec

from agent.site.identity.figures import IdentityFigures
from agent.site.identity.whereabouts import Standing, Whereabouts


class WhereaboutsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where one unit is.

    Attributes:
        ledger_address: Where the ledger expects it.
        address: Where its own identity answered last; null when that was nowhere.
        address_changed: Whether the two differ.
        answered_by: The unit of the ledger that answered at `ledger_address` last.
        seen_at: When its own identity answered last.
    """

    unit_id: str
    standing: Standing
    ledger_address: str
    address: str | None
    address_changed: bool
    answered_by: str | None
    seen_at: datetime | None


class UnknownUnitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who answers at an address of the ledger and is none of its units."""

    address: str
    model: str | None
    mac: str | None
    serial: str | None
    seen_at: datetime


class IdentityAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is not where the ledger says, and who is there instead; fields as in `IdentityFigures`."""

    now: datetime
    is_watched: bool
    units_by_standing: dict[Standing, int]
    address_changes: int
    units: list[WhereaboutsAnswer]
    unknown_units: list[UnknownUnitAnswer]


def whereabouts_answer(where: Whereabouts) -> WhereaboutsAnswer:
    """Give where one unit is."""
    return WhereaboutsAnswer(
        unit_id=where.unit_id,
        standing=where.standing,
        ledger_address=str(where.home),
        address=None if where.place is None else str(where.place),
        address_changed=where.standing is Standing.MOVED,
        answered_by=None if where.occupant is None else where.occupant.unit_id,
        seen_at=None if where.seen is None else datetime.fromtimestamp(where.seen.at, UTC),
    )


def identity_answer(figures: IdentityFigures, now: float) -> IdentityAnswer:
    """Give the answer of `/api/v1/identity`."""
    return IdentityAnswer(
        now=datetime.fromtimestamp(now, UTC),
        is_watched=figures.is_watched,
        units_by_standing=dict(figures.units_by_standing),
        address_changes=figures.moves,
        units=[whereabouts_answer(where) for where in figures.away],
        unknown_units=[
            UnknownUnitAnswer(
                address=str(sighting.endpoint),
                model=sighting.info.model,
                mac=sighting.info.mac,
                serial=sighting.info.serial,
                seen_at=datetime.fromtimestamp(sighting.at, UTC),
            )
            for sighting in figures.unknown
        ],
    )
