"""Changes to a ledger: a unit's current row ends at a moment and another begins there; all of it, or nothing.

Pure. Nothing is taken for granted of what comes out: the whole text is read again as a ledger, and a change that makes
it contradict itself is refused with every contradiction in it.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from agent.address import Network
from agent.config.mistakes import clip, near_match
from agent.errors import ConfigError, Mistake
from agent.site.ledger.cells import cell_parsers
from agent.site.ledger.entries import Ledger
from agent.site.ledger.reader import OPTIONAL_COLUMNS, read_ledger
from agent.site.ledger.sheet import Row, Sheet
from agent.site.ledger.table import raise_all, read_table
from agent.unit.nameplate import Catalogue

# What two units can exchange: where they answer, and where they stand.
_ADDRESS = ("host", "web_port")
_PLACE = ("container", "rack", "slot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a site's ledger is read by.

    Attributes:
        catalogue: The models there are.
        zone: The zone of dates and times without an offset.
        networks: Where units may be.
    """

    catalogue: Catalogue
    zone: ZoneInfo
    networks: tuple[Network, ...]

    def read(self, text: str, file: str) -> Ledger:
        """Read a ledger; arguments and errors as `read_ledger`."""
        return read_ledger(text, file, catalogue=self.catalogue, zone=self.zone, networks=self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row before and after, as cells by column; None where it was not, or is no longer."""

    unit_id: str
    before: Mapping[str, str] | None
    after: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A ledger that was changed and found sound.

    Attributes:
        text: The file as it is to be.
        ledger: What it says.
        changes: Row by row, in file order; empty when nothing changed.
        notes: What whoever made the change may want to know.
    """

    text: str
    ledger: Ledger
    changes: tuple[RowChange, ...]
    notes: tuple[str, ...]


class Draft:
    """A ledger being changed.

    Args:
        text: The ledger as it is.
        file: What to call it in messages.
        rules: What it is read by.

    Raises:
        ConfigError: It is no sound ledger to begin with.
    """

    def __init__(self, text: str, file: str, rules: Rules) -> None:
        rules.read(text, file)
        self._file = file
        self._rules = rules
        self._sheet = Sheet(text)
        self._parsers = cell_parsers(catalogue=rules.catalogue, zone=rules.zone, networks=rules.networks)
        self._notes: list[str] = []
        self._by_unit: dict[str, list[Row]] = {}
        for row in self._sheet.rows():
            self._by_unit.setdefault(row.cell("unit_id"), []).append(row)

    # --- one change ---

    def set_cells(self, unit_id: str, cells: Mapping[str, str], at: str, *, is_exchange: bool = False) -> None:
        """Have a unit's cells be others from a moment on.

        Its current row ends there and a new one begins; a row that begins at that very moment is changed itself. A unit
        that is not deployed at that moment comes back when its status is among the cells.

        Args:
            unit_id: Of a unit that the ledger knows.
            cells: By column.
            at: The moment, as in the ledger.
            is_exchange: Whoever has the address or the place that the unit gets has the unit's own from then on.

        Raises:
            ConfigError: Bad cells, or no such unit, or one that is not deployed then.
        """
        values = self._parse(cells, source="set")
        moment = self._moment(at)
        rows = self._rows(unit_id)
        if not rows:
            raise self._refuse("unit_id", unit_id, f"no such unit{near_match(unit_id, self._by_unit)}")
        row = self._row_at(rows, moment)
        if row is None:
            if "status" not in cells:
                raise self._refuse("at", at, f"{unit_id} is not deployed then; with a status it comes back")
            self._bring_back(rows, cells, at, moment)
            return
        if is_exchange:
            self._exchange(row, values, at, moment)
        self._change(row, cells, at, moment)

    def remove(self, unit_id: str, at: str) -> None:
        """End a unit's deployment at a moment.

        Raises:
            ConfigError: No such unit, not deployed then, or to be deployed again later.
        """
        moment = self._moment(at)
        rows = self._rows(unit_id)
        if not rows:
            raise self._refuse("unit_id", unit_id, f"no such unit{near_match(unit_id, self._by_unit)}")
        row = self._row_at(rows, moment)
        if row is None:
            raise self._refuse("at", at, f"{unit_id} is not deployed then")
        later = [other for other in rows if self._start(other) > moment]
        if later:
            starts = ", ".join(other.cell("deployed_from") for other in later)
            raise self._refuse("at", at, f"{unit_id} has rows that begin later ({starts}); change those first")
        if self._start(row) == moment:
            row.is_removed = True
        else:
            row.change({"deployed_to": at})

    def add(self, unit_id: str, cells: Mapping[str, str], at: str) -> None:
        """Deploy a unit that the ledger does not know.

        Raises:
            ConfigError: Bad cells, or a unit that it does know.
        """
        self._parse(cells, source="set")
        self._moment(at)
        if self._rows(unit_id):
            raise self._refuse("unit_id", unit_id, "the ledger has this unit already")
        self._append(unit_id, {"deployed_from": at, **cells})

    # --- many changes ---

    def merge(self, text: str, file: str, at: str) -> None:
        """Take in rows of another table: new units are added, known ones changed.

        A row without `deployed_from` counts from `at` on, or is what the unit's row already says. One with it changes
        the row that begins then, or begins one there. Columns that are not there and empty cells change nothing.

        Args:
            text: CSV with a header of ledger columns, of which ``unit_id`` has to be there.
            file: What to call it in messages.
            at: The moment for rows without one, as in the ledger.

        Raises:
            ConfigError: With every mistake in the table.
        """
        default = self._moment(at)
        rows: list[tuple[float, Mapping[str, str]]] = []
        mistakes: list[Mistake] = []
        for line, cells in read_table(text, file):
            try:
                start = self._parse(cells, source=file, line=line).get("deployed_from")
            except ConfigError as error:
                mistakes.extend(error.mistakes)
            else:
                rows.append((default if start is None else start, cells))
        raise_all(mistakes, file)
        for moment, row in sorted(rows, key=lambda row: row[0]):
            self._merge_row(row["unit_id"], row, at, moment)

    def _merge_row(self, unit_id: str, given: Mapping[str, str], at: str, moment: float) -> None:
        cells = {column: value for column, value in given.items() if value and column != "unit_id"}
        rows = self._rows(unit_id)
        same = next((row for row in rows if row.cell("deployed_from") and self._start(row) == moment), None)
        row = same or self._row_at(rows, moment)
        if row is not None:
            begins = cells.pop("deployed_from", at)
            self._change(row, cells, begins, moment)
        elif rows:
            new = max(rows, key=self._start).copy()
            self._have_columns(cells)
            forgotten = {column: "" for column in new.cells if column not in _LASTING}
            new.change({**forgotten, "status": "deployed", "deployed_from": at, **cells})
            self._insert_after(max(rows, key=self._start), new)
        else:
            self._append(unit_id, {"deployed_from": at, **cells})

    # --- the result ---

    def finish(self) -> Edited:
        """Give the changed ledger.

        Raises:
            ConfigError: It would contradict itself; with every mistake, and the lines as they would read.
        """
        text = self._sheet.text
        name = f"{self._file} as it would be"
        lines = dict(self._sheet.numbered_rows())
        try:
            ledger = self._rules.read(text, name)
        except ConfigError as error:
            raise ConfigError([_with_line(mistake, lines) for mistake in error.mistakes]) from error
        if len(ledger.entries) != len(lines):
            # A first cell that begins with # would turn its row into a comment.
            raise self._refuse("row", "", "a row would read as a comment; no cell may begin with #")
        changes = tuple(
            RowChange(
                unit_id=row.cell("unit_id"), before=row.original, after=None if row.is_removed else dict(row.cells)
            )
            for row in self._sheet.changed_rows()
            if not (row.original is None and row.is_removed)
        )
        return Edited(text=text, ledger=ledger, changes=changes, notes=tuple(self._notes))

    # --- rows ---

    def _change(self, row: Row, cells: Mapping[str, str], at: str, moment: float) -> None:
        """Change a row from a moment on; cells that mean what is there are left as they are written."""
        unit_id = row.cell("unit_id")
        changed = {column: value for column, value in cells.items() if not self._means(row, column, value)}
        if not changed:
            return
        self._have_columns(changed)
        end = changed.get("deployed_to")
        if self._start(row) == moment or set(changed) <= {"deployed_to"}:
            row.change(changed)
        else:
            new = row.copy()
            new.change({**changed, "deployed_from": at})
            row.change({"deployed_to": at})
            self._insert_after(row, new)
        later = [other for other in self._rows(unit_id) if self._start(other) > moment]
        if later and end is None:
            starts = ", ".join(other.cell("deployed_from") for other in later)
            self._notes.append(f"{unit_id} has rows that begin later ({starts}); they stay as they are")

    def _exchange(self, row: Row, values: Mapping[str, Any], at: str, moment: float) -> None:
        """Give the address and the place that a unit has to whoever has those that it gets."""
        others = [other for other in self._sheet.rows() if self._is_in_force(other, moment) and other is not row]
        if "host" in values:
            for other in others:
                if self._value(other, "host") == values["host"]:
                    self._change(other, {column: row.cell(column) for column in _ADDRESS}, at, moment)
        place = {column: values.get(column, row.cell(column)) for column in _PLACE}
        if place["slot"] and any(column in values for column in _PLACE):
            for other in others:
                if {column: other.cell(column) for column in _PLACE} == place:
                    self._change(other, {column: row.cell(column) for column in _PLACE}, at, moment)

    def _bring_back(self, rows: list[Row], cells: Mapping[str, str], at: str, moment: float) -> None:
        before = [row for row in rows if self._end(row) <= moment]
        after = [row for row in rows if self._start(row) > moment]
        model = max(before, key=self._end) if before else min(after, key=self._start)
        end = min(after, key=self._start).cell("deployed_from") if after else ""
        self._have_columns(cells)
        new = model.copy()
        new.change({**cells, "deployed_from": at, "deployed_to": end})
        self._insert_after(model, new)

    def _insert_after(self, row: Row, new: Row) -> None:
        self._sheet.insert_after(row, new)
        self._by_unit[row.cell("unit_id")].append(new)

    def _append(self, unit_id: str, cells: Mapping[str, str]) -> None:
        self._have_columns(cells)
        new = self._sheet.append({"unit_id": unit_id, "status": "deployed", **cells})
        self._by_unit.setdefault(unit_id, []).append(new)

    def _have_columns(self, cells: Mapping[str, str]) -> None:
        missing = [name for name in OPTIONAL_COLUMNS if cells.get(name) and name not in self._sheet.columns]
        if missing:
            self._sheet.add_columns(missing)

    def _rows(self, unit_id: str) -> list[Row]:
        return [row for row in self._by_unit.get(unit_id, ()) if not row.is_removed]

    def _row_at(self, rows: Iterable[Row], moment: float) -> Row | None:
        return next((row for row in rows if self._is_in_force(row, moment)), None)

    def _is_in_force(self, row: Row, moment: float) -> bool:
        return self._start(row) <= moment < self._end(row)

    def _start(self, row: Row) -> float:
        start = self._parsers["deployed_from"](row.cell("deployed_from"))
        return -math.inf if start is None else start

    def _end(self, row: Row) -> float:
        end = self._parsers["deployed_to"](row.cell("deployed_to"))
        return math.inf if end is None else end

    # --- cells ---

    def _value(self, row: Row, column: str) -> object:
        return self._parsers[column](row.cell(column)) if column in self._sheet.columns else None

    def _means(self, row: Row, column: str, cell: str) -> bool:
        """Say whether a row says in a column what a cell would say, if in other letters."""
        if column not in self._sheet.columns:
            return not cell
        return bool(self._value(row, column) == self._parsers[column](cell))

    def _parse(self, cells: Mapping[str, str], *, source: str, line: int | None = None) -> dict[str, Any]:
        """Give the values of cells that are not empty.

        Raises:
            ConfigError: With every mistake in them.
        """
        values: dict[str, Any] = {}
        mistakes = []
        for column, cell in cells.items():
            try:
                if cell or line is None:
                    values[column] = self._parsers[column](cell)
            except ValueError as error:
                where = column if line is None else f"line {line}, column {column}"
                mistakes.append(Mistake(file=source, where=where, value=clip(cell), reason=str(error)))
        if mistakes:
            raise ConfigError(mistakes)
        return values

    def _moment(self, at: str) -> float:
        try:
            moment: float | None = self._parsers["deployed_from"](at)
        except ValueError as error:
            raise self._refuse("at", at, str(error)) from None
        if moment is None:
            raise self._refuse("at", at, "a date or a time is expected")
        return moment

    def _refuse(self, where: str, value: str, reason: str) -> ConfigError:
        return ConfigError([Mistake(file=self._file, where=where, value=clip(value), reason=reason)])


# What a unit that comes back has kept, wherever it comes back to.
_LASTING = ("unit_id", "model", "hashrate_th", "serial", "mac", "simulated")


def _with_line(mistake: Mistake, rows: Mapping[int, Row]) -> Mistake:
    """Give a mistake in a file that nobody can look at, with the row it is in."""
    told = re.match(r"line (\d+)", mistake.where)
    row = rows.get(int(told[1])) if told else None
    if row is None:
        return mistake
    return Mistake(
        file=mistake.file, where=mistake.where, value=mistake.value, reason=f"{mistake.reason}; the row: {row.line}"
    )
