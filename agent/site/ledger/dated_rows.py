"""A sheet's rows by unit, with the values of their cells and the span of time each one covers.

Pure.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from agent.site.ledger.cells import CellParser
from agent.site.ledger.machines import MACHINE_COLUMNS
from agent.site.ledger.reader import OPTIONAL_COLUMNS
from agent.site.ledger.sheet import Row, Sheet

# The cells a unit keeps when it comes back to another place.
_LASTING = ("unit_id", "model", "hashrate_th", "serial", "mac", "simulated", *MACHINE_COLUMNS)


class DatedRows:
    """The rows of a ledger that is being changed.

    Args:
        sheet: The ledger's lines.
        parsers: From a cell to its value, by column.
    """

    def __init__(self, sheet: Sheet, parsers: Mapping[str, CellParser]) -> None:
        self._sheet = sheet
        self._parsers = parsers
        self._by_unit: dict[str, list[Row]] = {}
        for row in sheet.rows():
            self._by_unit.setdefault(row.cell("unit_id"), []).append(row)

    @property
    def unit_ids(self) -> Iterable[str]:
        """Every unit that ever had a row, removed rows included."""
        return self._by_unit

    def of(self, unit_id: str) -> list[Row]:
        """Return a unit's rows, without those that were removed."""
        return [row for row in self._by_unit.get(unit_id, ()) if not row.is_removed]

    def row_at(self, rows: Iterable[Row], moment: float) -> Row | None:
        """Return the first of `rows` that is in force at Unix time `moment`, or None."""
        return next((row for row in rows if self._is_in_force(row, moment)), None)

    def others_at(self, row: Row, moment: float) -> list[Row]:
        """Return every row in force at Unix time `moment` but `row`."""
        return [other for other in self._sheet.rows() if self._is_in_force(other, moment) and other is not row]

    def later(self, unit_id: str, moment: float) -> list[Row]:
        """Return a unit's rows that begin after Unix time `moment`."""
        return [row for row in self.of(unit_id) if self.start(row) > moment]

    def _is_in_force(self, row: Row, moment: float) -> bool:
        return self.start(row) <= moment < self.end(row)

    def start(self, row: Row) -> float:
        """Return when a row begins, Unix time, s; minus infinity without a date."""
        start = self._parsers["deployed_from"](row.cell("deployed_from"))
        return -math.inf if start is None else start

    def end(self, row: Row) -> float:
        """Return when a row ends, Unix time, s; infinity without a date."""
        end = self._parsers["deployed_to"](row.cell("deployed_to"))
        return math.inf if end is None else end

    def value(self, row: Row, column: str) -> Any:
        """Return the value of a cell; None if the ledger has no such column."""
        return self._parsers[column](row.cell(column)) if column in self._sheet.columns else None

    def means(self, row: Row, column: str, cell: str) -> bool:
        """Return True if a row already has the value of `cell`, however it is spelled."""
        if column not in self._sheet.columns:
            return not cell
        return bool(self.value(row, column) == self._parsers[column](cell))

    def change(self, row: Row, cells: Mapping[str, str]) -> None:
        """Change cells of a row, whatever its dates."""
        self._add_columns(cells)
        row.change(cells)

    def split(self, row: Row, cells: Mapping[str, str], at: str) -> None:
        """End a row at the moment `at` and begin another there, with the same cells but for `cells`."""
        self._add_columns(cells)
        new = row.copy()
        new.change({**cells, "deployed_from": at})
        row.change({"deployed_to": at})
        self._insert_after(row, new)

    def bring_back(self, rows: list[Row], cells: Mapping[str, str], at: str, moment: float) -> None:
        """Deploy a unit again, with the cells of the row before `moment`, until its next row begins."""
        before = [row for row in rows if self.end(row) <= moment]
        after = [row for row in rows if self.start(row) > moment]
        model = max(before, key=self.end) if before else min(after, key=self.start)
        end = min(after, key=self.start).cell("deployed_from") if after else ""
        self._add_columns(cells)
        new = model.copy()
        new.change({**cells, "deployed_from": at, "deployed_to": end})
        self._insert_after(model, new)

    def bring_back_elsewhere(self, rows: list[Row], cells: Mapping[str, str], at: str) -> None:
        """Deploy a unit again as the machine it was, but at no place and address other than those in `cells`."""
        last = max(rows, key=self.start)
        self._add_columns(cells)
        new = last.copy()
        forgotten = {column: "" for column in new.cells if column not in _LASTING}
        new.change({**forgotten, "status": "deployed", "deployed_from": at, **cells})
        self._insert_after(last, new)

    def append(self, unit_id: str, cells: Mapping[str, str]) -> None:
        """Deploy a unit the ledger does not know."""
        self._add_columns(cells)
        new = self._sheet.append({"unit_id": unit_id, "status": "deployed", **cells})
        self._by_unit.setdefault(unit_id, []).append(new)

    def _insert_after(self, row: Row, new: Row) -> None:
        self._sheet.insert_after(row, new)
        self._by_unit[row.cell("unit_id")].append(new)

    def _add_columns(self, cells: Mapping[str, str]) -> None:
        missing = [name for name in OPTIONAL_COLUMNS if cells.get(name) and name not in self._sheet.columns]
        if missing:
            self._sheet.add_columns(missing)
