"""Sums over units by where their work goes: by class, and by the name of the entry that they match. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from agent.site.pools.work import PoolClass, UnitWork


class PoolFigures(NamedTuple):
    """Units of a site, and their measured hashrate, by where their work goes.

    Attributes:
        units_by_class, hs_by_class: Every class has a key, H/s.
        units_by_entry, hs_by_entry: By the name of the entry of the allow-list, or of the fee, that they match.
    """

    units_by_class: dict[PoolClass, int]
    hs_by_class: dict[PoolClass, float]
    units_by_entry: dict[str, int]
    hs_by_entry: dict[str, float]


_Cell = list[float]
_BY_IDENTITY = {id(pool_class): pool_class for pool_class in PoolClass}


class WorkSums:
    """Sums over units, which may be added in batches; each unit once."""

    def __init__(self) -> None:
        # By the identity of a class: hashing an enum member is a call of Python for each unit.
        self._cells: dict[tuple[int, str | None], _Cell] = {}

    @property
    def is_judged(self) -> bool:
        """True if the work of any unit so far is judged."""
        return bool(self._cells)

    def add(self, works: Iterable[tuple[UnitWork, float | None]]) -> None:
        """Add some units: where the work of each goes, and its measured hashrate, H/s."""
        cells = self._cells
        for work, rate_hs in works:
            key = (id(work.pool_class), work.entry)
            cell = cells.get(key)
            if cell is None:
                cell = cells[key] = [0.0, 0.0]
            cell[0] += 1.0
            if rate_hs is not None:
                cell[1] += rate_hs

    def figures(self) -> PoolFigures | None:
        """Return the sums; None where nothing is judged."""
        if not self._cells:
            return None
        units_by_class, hs_by_class = dict.fromkeys(PoolClass, 0), dict.fromkeys(PoolClass, 0.0)
        units_by_entry: dict[str, int] = {}
        hs_by_entry: dict[str, float] = {}
        for (number, entry), (units, rate_hs) in self._cells.items():
            pool_class = _BY_IDENTITY[number]
            units_by_class[pool_class] += int(units)
            hs_by_class[pool_class] += rate_hs
            if entry is not None:
                units_by_entry[entry] = units_by_entry.get(entry, 0) + int(units)
                hs_by_entry[entry] = hs_by_entry.get(entry, 0.0) + rate_hs
        return PoolFigures(
            units_by_class, hs_by_class, dict(sorted(units_by_entry.items())), dict(sorted(hs_by_entry.items()))
        )
