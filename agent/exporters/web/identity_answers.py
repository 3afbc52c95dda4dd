"""JSON answers about where units are."""

from datetime import UTC, datetime

import msgspec

from agent.site.identity.figures import IdentityFigures
from agent.site.identity.whereabouts import Standing, Whereabouts
from agent.unit.reading import IdentitySource


class WhereaboutsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Address and standing of one unit.

    Attributes:
        standing: Whether it is where the ledger has it, by the MAC address or serial number on its page; whether it is
            the model and bin of its row is in `row_differs`.
        ledger_address: Address of the unit in the ledger.
        address: Address where its own identity was last seen; null if it is at no known address.
        address_changed: True if the two addresses differ.
        answered_by: Id of the ledger's unit that last answered at `ledger_address`.
        seen_at: Time of that sighting.
        row_differs: The model or bin that the unit reports, and its row's; null if they agree, or are not known.
    """

    unit_id: str
    standing: Standing
    ledger_address: str
    address: str | None
    address_changed: bool
    answered_by: str | None
    seen_at: datetime | None
    row_differs: str | None = None


class UnknownUnitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that answers at an address of the ledger and is none of its units.

    Attributes:
        source: Where it told its MAC address and serial number: its web page, or a report.
    """

    address: str
    model: str | None
    mac: str | None
    serial: str | None
    source: IdentitySource
    seen_at: datetime


class IdentityAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Units away from their ledger address, and the machines found there; fields as in `IdentityFigures`."""

    now: datetime
    is_watched: bool
    units_by_standing: dict[Standing, int]
    address_changes: int
    units: list[WhereaboutsAnswer]
    unknown_units: list[UnknownUnitAnswer]


def whereabouts_answer(where: Whereabouts, row_differs: str | None = None) -> WhereaboutsAnswer:
    """Return the answer about one unit; `row_differs` as in the answer."""
    return WhereaboutsAnswer(
        unit_id=where.unit_id,
        standing=where.standing,
        ledger_address=str(where.home),
        address=None if where.place is None else str(where.place),
        address_changed=where.standing is Standing.MOVED,
        answered_by=None if where.occupant is None else where.occupant.unit_id,
        seen_at=None if where.seen is None else datetime.fromtimestamp(where.seen.at, UTC),
        row_differs=row_differs,
    )


def identity_answer(figures: IdentityFigures, now: float) -> IdentityAnswer:
    """Return the answer of `/api/v1/identity`."""
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
                source=sighting.info.source,
                seen_at=datetime.fromtimestamp(sighting.at, UTC),
            )
            for sighting in figures.unknown
        ],
    )
