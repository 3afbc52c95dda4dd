"""The immutable values of identity checks: where a unit is, and which unit was seen at an address."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from agent.address import Endpoint
from agent.site.ledger.entries import LedgerEntry
from agent.unit.reading import SystemInfo


class Standing(StrEnum):
    """Knowledge of a unit's whereabouts; the closed list."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    MOVED = "moved"
    DISPLACED = "displaced"


class Sighting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The unit that answered at an address.

    Attributes:
        endpoint: Address and port of the API.
        info: The identity that the unit told, on its page or in a report.
        unit_id: The unit's id in the ledger in force; None if no unit matches.
        is_unknown: True if it is certainly no unit of the ledger. False without `unit_id`: there is nothing to compare.
        at: Unix time, s.
    """

    endpoint: Endpoint
    info: SystemInfo
    unit_id: str | None
    is_unknown: bool
    at: float


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The place of one unit.

    Attributes:
        unit_id: The unit's id.
        standing: How well its place is known.
        home: The address at which the ledger expects it.
        place: The address at which it was last seen by its identity; None if nowhere.
        seen: The sighting at `place`; None if there is no place.
        occupant: The last sighting at `home`; None if there is none.
    """

    unit_id: str
    standing: Standing
    home: Endpoint
    place: Endpoint | None
    seen: Sighting | None
    occupant: Sighting | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A change of one unit's whereabouts."""

    before: Whereabouts
    now: Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A unit whose page contradicts its MAC or serial in the ledger, as after a repair.

    Attributes:
        entry: The unit's ledger entry.
        sighting: The unit's page.
    """

    entry: LedgerEntry
    sighting: Sighting


Finding = Move | Difference
