"""Changes to a ledger: a unit's current row ends at a moment and another begins there; all of it, or nothing.

Pure. The changed text is read again as a ledger before it counts. A change that makes the ledger contradict itself is
refused with every contradiction in it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from agent.address import Network
from agent.config.mistakes import Mistakes, clip, near_match
from agent.errors import ConfigError, Mistake
from agent.site.ledger.cells import cell_parsers
from agent.site.ledger.dated_rows import DatedRows
from agent.site.ledger.entries import Ledger
from agent.site.ledger.reader import COLUMNS, read_ledger
from agent.site.ledger.sheet import Row, Sheet
from agent.site.ledger.table import raise_all, read_table
from agent.unit.nameplate import Catalogue

# The two things units can exchange: where they answer, and where they stand.
_ADDRESS = ("host", "web_port")
_PLACE = ("container", "rack", "slot")
HEADER_LINE = f"{','.join(COLUMNS)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules by which a site's ledger is read.

    Attributes:
        catalogue: The known models.
        zone: The zone of dates and times without an offset.
        networks: The networks in which units may be.
    """

    catalogue: Catalogue
    zone: ZoneInfo
    networks: tuple[Network, ...]

    def read(self, text: str, file: str, *, may_be_empty: bool = False) -> Ledger:
        """Read a ledger; arguments and errors as `read_ledger`."""
        return read_ledger(
            text,
            file,
            catalogue=self.catalogue,
            zone=self.zone,
            networks=self.networks,
            may_be_empty=may_be_empty,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChange:
    """One row before and after, as cells by column; None before it was added, or after it was removed."""

    unit_id: str
    before: Mapping[str, str] | None
    after: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A ledger that was changed and found sound.

    Attributes:
        text: The new text of the file.
        ledger: The ledger read from it.
        changes: Row by row, in file order; empty if nothing changed.
        notes: Remarks for the person who made the change.
    """

    text: str
    ledger: Ledger
    changes: tuple[RowChange, ...]
    notes: tuple[str, ...]


class Draft:
    """A ledger being changed.

    Args:
        text: The ledger as it is; it may have no units yet, and an empty text gets a header.
        file: Its name in messages.
        rules: How it is read.

    Raises:
        ConfigError: It is no sound ledger to begin with.
    """

    def __init__(self, text: str, file: str, rules: Rules) -> None:
        if not text.strip():
            text = HEADER_LINE
        rules.read(text, file, may_be_empty=True)
        self._file = file
        self._rules = rules
        self._sheet = Sheet(text)
        self._parsers = cell_parsers(zone=rules.zone, networks=rules.networks)
        self._rows = DatedRows(self._sheet, self._parsers)
        self._notes: list[str] = []

    def set_cells(self, unit_id: str, cells: Mapping[str, str], at: str, *, is_exchange: bool = False) -> None:
        """Change cells of a unit from a moment on.

        Its current row ends there and a new one begins. A row that begins at that very moment is changed itself. A unit
        that is not deployed at that moment comes back if its status is among the cells.

        Args:
            unit_id: A unit the ledger knows.
            cells: By column.
            at: The moment, as in the ledger.
            is_exchange: The unit whose address or place this one gets receives this unit's own from then on.

        Raises:
            ConfigError: Bad cells, no such unit, or a unit that is not deployed then.
        """
        values = self._parse(cells)
        moment = self._moment(at)
        rows = self._known(unit_id)
        row = self._rows.row_at(rows, moment)
        if row is None:
            if "status" not in cells:
                raise self._refuse("at", at, f"{unit_id} is not deployed then; with a status it comes back")
            self._rows.bring_back(rows, cells, at, moment)
            return
        if is_exchange:
            self._exchange(row, values, at, moment)
        self._change(row, cells, at, moment)

    def deploy(self, unit_id: str, cells: Mapping[str, str], at: str) -> None:
        """Deploy a unit that is not deployed at a moment: a new one, or one that comes back, to the place in `cells`.

        Raises:
            ConfigError: Bad cells, or a unit that is deployed then.
        """
        rows = self._rows.of(unit_id)
        if not rows:
            self.add(unit_id, cells, at)
            return
        self._parse(cells)
        if self._rows.row_at(rows, self._moment(at)) is not None:
            raise self._refuse("unit_id", unit_id, "the ledger has this unit then")
        self._rows.bring_back_elsewhere(rows, cells, at)

    def remove(self, unit_id: str, at: str) -> None:
        """End a unit's deployment at a moment.

        Raises:
            ConfigError: No such unit, one that is not deployed then, or one that is deployed again later.
        """
        moment = self._moment(at)
        row = self._rows.row_at(self._known(unit_id), moment)
        if row is None:
            raise self._refuse("at", at, f"{unit_id} is not deployed then")
        later = self._rows.later(unit_id, moment)
        if later:
            raise self._refuse("at", at, f"{unit_id} has rows that begin later ({_starts(later)}); change those first")
        if self._rows.start(row) == moment:
            row.is_removed = True
        else:
            row.change({"deployed_to": at})

    def add(self, unit_id: str, cells: Mapping[str, str], at: str) -> None:
        """Deploy a unit the ledger does not know.

        Raises:
            ConfigError: Bad cells, or a unit that it does know.
        """
        self._parse(cells)
        self._moment(at)
        if self._rows.of(unit_id):
            raise self._refuse("unit_id", unit_id, "the ledger has this unit already")
        self._rows.append(unit_id, {"deployed_from": at, **cells})

    def fill(self, unit_id: str, cells: Mapping[str, str], at: str) -> None:
        """Write into empty cells of the row in force at a moment; the row keeps its dates.

        Raises:
            ConfigError: Bad cells, no such unit, one that is not deployed then, or a cell that has another value.
        """
        self._parse(cells)
        row = self._rows.row_at(self._known(unit_id), self._moment(at))
        if row is None:
            raise self._refuse("at", at, f"{unit_id} is not deployed then")
        for column, cell in cells.items():
            if row.cell(column) and not self._rows.means(row, column, cell):
                raise self._refuse(column, cell, f"{unit_id} has {row.cell(column)} there")
        self._rows.change(row, {column: cell for column, cell in cells.items() if not row.cell(column)})

    def merge(
        self, text: str, file: str, at: str, *, complete: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    ) -> None:
        """Import rows of another table: new units are added, known ones changed.

        A row without `deployed_from` counts from `at` on, unless the unit's row already has its cells. A row with a
        date changes the row that begins then, or begins one there. Missing columns and empty cells change nothing.

        Args:
            text: CSV with a header of ledger columns; ``unit_id`` is required.
            file: Its name in messages.
            at: The moment for rows without one, as in the ledger.
            complete: Returns a row's cells, perhaps with more of them.

        Raises:
            ConfigError: With every mistake in the table.
        """
        default = self._moment(at)
        rows: list[tuple[float, Mapping[str, str]]] = []
        mistakes = Mistakes(file)
        table = read_table(text, file)
        if table.left_out:
            self._notes.append(f"{file}: columns that a ledger does not have are left out: {', '.join(table.left_out)}")
        for line, given in table.rows:
            cells = complete(given)
            before = mistakes.count
            start = self._values(cells, mistakes, line=line).get("deployed_from")
            if mistakes.count == before:
                rows.append((default if start is None else start, cells))
        raise_all(mistakes)
        for moment, row in sorted(rows, key=lambda row: row[0]):
            self._merge_row(row["unit_id"], row, at, moment)

    def _merge_row(self, unit_id: str, given: Mapping[str, str], at: str, moment: float) -> None:
        cells = {column: value for column, value in given.items() if value and column != "unit_id"}
        rows = self._rows.of(unit_id)
        same = next((row for row in rows if row.cell("deployed_from") and self._rows.start(row) == moment), None)
        row = same or self._rows.row_at(rows, moment)
        if row is not None:
            begins = cells.pop("deployed_from", at)
            self._change(row, cells, begins, moment)
        elif rows:
            self._rows.bring_back_elsewhere(rows, cells, at)
        else:
            self._rows.append(unit_id, {"deployed_from": at, **cells})

    def finish(self) -> Edited:
        """Return the changed ledger.

        Raises:
            ConfigError: The ledger would contradict itself; with every mistake, and the lines as they would read.
        """
        text = self._sheet.text
        name = f"{self._file} as it would be"
        lines = dict(self._sheet.numbered_rows())
        is_unchanged = not any(True for _ in self._sheet.changed_rows())
        try:
            ledger = self._rules.read(text, name, may_be_empty=is_unchanged)
        except ConfigError as error:
            raise ConfigError([_with_line(mistake, lines) for mistake in error.mistakes]) from error
        if len(ledger.entries) != len(lines):
            # A first cell that begins with # would turn its row into a comment.
            raise self._refuse("row", "", "a row would read as a comment; no cell may begin with #")
        return Edited(text=text, ledger=ledger, changes=_changes_of(self._sheet), notes=tuple(self._notes))

    def _change(self, row: Row, cells: Mapping[str, str], at: str, moment: float) -> None:
        """Change a row from a moment on; a cell that already has the value stays as it is spelled."""
        unit_id = row.cell("unit_id")
        changed = {column: value for column, value in cells.items() if not self._rows.means(row, column, value)}
        if not changed:
            return
        if self._rows.start(row) == moment or set(changed) <= {"deployed_to"}:
            self._rows.change(row, changed)
        else:
            self._rows.split(row, changed, at)
        later = self._rows.later(unit_id, moment)
        if later and changed.get("deployed_to") is None:
            self._notes.append(f"{unit_id} has rows that begin later ({_starts(later)}); they stay as they are")

    def _exchange(self, row: Row, values: Mapping[str, Any], at: str, moment: float) -> None:
        """Pass a unit's address and place to the unit whose address or place it gets."""
        others = self._rows.others_at(row, moment)
        if "host" in values:
            for other in others:
                if self._rows.value(other, "host") == values["host"]:
                    self._change(other, {column: row.cell(column) for column in _ADDRESS}, at, moment)
        place = {column: values.get(column, row.cell(column)) for column in _PLACE}
        if place["slot"] and any(column in values for column in _PLACE):
            for other in others:
                if {column: other.cell(column) for column in _PLACE} == place:
                    self._change(other, {column: row.cell(column) for column in _PLACE}, at, moment)

    def _known(self, unit_id: str) -> list[Row]:
        """Return a unit's rows.

        Raises:
            ConfigError: It has none.
        """
        rows = self._rows.of(unit_id)
        if not rows:
            raise self._refuse("unit_id", unit_id, f"no such unit{near_match(unit_id, self._rows.unit_ids)}")
        return rows

    def _parse(self, cells: Mapping[str, str]) -> dict[str, Any]:
        """Return the values of the cells of a command.

        Raises:
            ConfigError: With every mistake in them.
        """
        mistakes = Mistakes("set")
        values = self._values(cells, mistakes, line=None)
        raise_all(mistakes)
        return values

    def _values(self, cells: Mapping[str, str], mistakes: Mistakes, *, line: int | None) -> dict[str, Any]:
        """Return the values of sound cells, of a file's line without the empty ones; add the others to `mistakes`."""
        values: dict[str, Any] = {}
        for column, cell in cells.items():
            try:
                if cell or line is None:
                    values[column] = self._parsers[column](cell)
            except ValueError as error:
                where = column if line is None else f"line {line}, column {column}"
                mistakes.add(where, cell, error.__str__)
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


def _changes_of(sheet: Sheet) -> tuple[RowChange, ...]:
    return tuple(
        RowChange(unit_id=row.cell("unit_id"), before=row.original, after=None if row.is_removed else dict(row.cells))
        for row in sheet.changed_rows()
        if not (row.original is None and row.is_removed)
    )


def _starts(rows: Iterable[Row]) -> str:
    return ", ".join(row.cell("deployed_from") for row in rows)


def _with_line(mistake: Mistake, rows: Mapping[int, Row]) -> Mistake:
    """Add the row to a mistake in a file that was never written."""
    numbered = re.match(r"line (\d+)", mistake.where)
    row = rows.get(int(numbered[1])) if numbered else None
    if row is None:
        return mistake
    return Mistake(
        file=mistake.file, where=mistake.where, value=mistake.value, reason=f"{mistake.reason}; the row: {row.line}"
    )
