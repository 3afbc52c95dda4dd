"""Identity figures for the exporters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.site.identity.whereabouts import Sighting, Standing, Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFigures:
    """The whereabouts of all units.

    Attributes:
        is_watched: True while identity checks are on.
        units_by_standing: Number of units of each standing; empty while identity checks are off.
        away: Units that are not where the ledger expects them.
        unknown: AddressMemory at an address of the ledger of units that are not in it.
        moves: How many times a unit was found at another address since this process started.
        checks: Number of pages requested, by result: ok, no_socket, or the reason of the failure.
    """

    is_watched: bool = False
    units_by_standing: Mapping[Standing, int] = field(default_factory=dict)
    away: tuple[Whereabouts, ...] = ()
    unknown: tuple[Sighting, ...] = ()
    moves: int = 0
    checks: Mapping[str, int] = field(default_factory=dict)
