"""Figures about where units are, for exporters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.site.identity.whereabouts import Sighting, Standing, Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFigures:
    """What is known of all units' whereabouts.

    Attributes:
        is_watched: Whether units are asked who they are.
        units_by_standing: How many units there are of each standing; empty when nobody is asked.
        away: Units that are not where the ledger expects them.
        unknown: Who answers at an address of the ledger and is none of its units.
        moves: How often a unit was found at another address since this process started.
        checks: How many pages were asked for, by what came of it: ok, no_socket, or the reason of the failure.
    """

    is_watched: bool = False
    units_by_standing: Mapping[Standing, int] = field(default_factory=dict)
    away: tuple[Whereabouts, ...] = ()
    unknown: tuple[Sighting, ...] = ()
    moves: int = 0
    checks: Mapping[str, int] = field(default_factory=dict)
