"""Where units are and who was seen where: the immutable values of the site's identity check."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from agent.address import Endpoint
from agent.site.ledger.entries import LedgerEntry
from agent.unit.reading import SystemInfo


class Standing(StrEnum):
    """What is known of a unit's whereabouts; the closed list."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    MOVED = "moved"
    DISPLACED = "displaced"


class Sighting(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who answered at an address.

    Attributes:
        endpoint: Address and port of the API.
        info: What it said of itself.
        unit_id: Which unit that is by the ledger in force; None when it is none of them.
        is_unknown: True when it certainly is none of them; False with no `unit_id` when there is nothing to compare.
        at: Unix time, s.
    """

    endpoint: Endpoint
    info: SystemInfo
    unit_id: str | None
    is_unknown: bool
    at: float


class Whereabouts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where one unit is.

    Attributes:
        unit_id: Whose.
        standing: What is known.
        home: Where the ledger expects it.
        place: Where it was last seen by its identity; None when nowhere.
        seen: What it said there.
        occupant: Who was last seen at its home.
    """

    unit_id: str
    standing: Standing
    home: Endpoint
    place: Endpoint | None
    seen: Sighting | None
    occupant: Sighting | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One unit's whereabouts are others than before."""

    before: Whereabouts
    now: Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A unit answers for whom something of its identity in the ledger is no longer true, as after a repair.

    Attributes:
        entry: What the ledger says.
        sighting: What the unit says.
    """

    entry: LedgerEntry
    sighting: Sighting


Finding = Move | Difference
