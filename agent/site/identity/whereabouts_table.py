"""The whereabouts of all units in force, counted by standing."""

from collections import Counter
from collections.abc import Mapping

from agent.site.identity.whereabouts import Standing, Whereabouts

_ASTRAY = frozenset({Standing.MOVED, Standing.DISPLACED})


class WhereaboutsTable:
    """The whereabouts of all units in force.

    Units astray and counts are kept up to date: gathering them from all units at every scrape would take milliseconds.

    Attributes:
        astray: Ids of the units that are moved or displaced.
    """

    def __init__(self) -> None:
        self._whereabouts: dict[str, Whereabouts] = {}
        self._counts: Counter[Standing] = Counter()
        self.astray: set[str] = set()

    def __contains__(self, unit_id: object) -> bool:
        return unit_id in self._whereabouts

    def __getitem__(self, unit_id: str) -> Whereabouts:
        return self._whereabouts[unit_id]

    def get(self, unit_id: str) -> Whereabouts | None:
        """Return where a unit is; None for one that is not in force."""
        return self._whereabouts.get(unit_id)

    def put(self, where: Whereabouts) -> None:
        """Record where a unit is."""
        self._uncount(where.unit_id)
        self._whereabouts[where.unit_id] = where
        self._counts[where.standing] += 1
        if where.standing in _ASTRAY:
            self.astray.add(where.unit_id)

    def drop(self, unit_id: str) -> None:
        """Forget a unit that left the ledger."""
        self._uncount(unit_id)
        self._whereabouts.pop(unit_id, None)

    def _uncount(self, unit_id: str) -> None:
        before = self._whereabouts.get(unit_id)
        if before is not None:
            self._counts[before.standing] -= 1
        self.astray.discard(unit_id)

    def counts(self) -> Mapping[Standing, int]:
        """Return how many units have each standing."""
        return {standing: self._counts[standing] for standing in Standing}
