"""A table of ledger rows to import, complete or not: cells by column, with their lines.

Pure. The values of the cells are not checked here. A table may come from a spreadsheet: with semicolons or tabs, with
columns that a ledger does not have, with empty cells beyond the last column.
"""

import csv
import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from agent.config.mistakes import SHOWN_CHARACTERS, SHOWN_MISTAKES, Mistakes
from agent.errors import ConfigError
from agent.site.ledger.reader import COLUMNS, UnknownColumnError
from agent.site.ledger.sheet import BOM

TableRow = tuple[int, dict[str, str]]

_SEPARATORS: Final = ",;\t"
# The only column of numbers with a fraction. Where semicolons separate cells, a comma stands before the fraction.
_FRACTION: Final = "hashrate_th"
# `slots` and `slot` share 0.89 of their letters, `state` and `status` 0.73; `remark` and `rack` 0.6.
_MISSPELT_RATIO: Final = 0.7
_IDENTITY: Final = ("mac", "serial")


class Table(NamedTuple):
    """A table that was read.

    Attributes:
        rows: The cells of each row, by column, with the number of its line.
        left_out: Columns of the table that a ledger does not have.
    """

    rows: tuple[TableRow, ...]
    left_out: tuple[str, ...]


def header_of(text: str, *, extra: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of a table's columns; none without a header.

    Args:
        text: As `read_table` takes it.
        extra: Columns that are spelt as here, as are those of a ledger.
    """
    separator = _separator(text)
    cells = next((cells for _, cells in _split(text, separator, Mistakes(""))), [])
    return tuple(_folded(name, extra) for name in cells)


def read_table(text: str, file: str, *, extra: Collection[str] = ()) -> Table:
    """Return the rows of a table.

    Args:
        text: CSV with a header of ledger columns, in any case; ``unit_id`` is required; ``#`` before a comment. Cells
            are separated by commas, semicolons or tabs, whichever the header has most of.
        file: Its name in messages.
        extra: Columns to keep besides those of a ledger.

    Raises:
        ConfigError: With every malformed row, and every column that looks like a misspelt one of a ledger.
    """
    mistakes = Mistakes(file)
    rows: list[TableRow] = []
    columns: list[str] = []
    separator = _separator(text)
    kept = {*COLUMNS, *extra}
    for number, cells in _split(text, separator, mistakes):
        if not columns:
            columns = [_folded(name, extra) for name in _without_tail(cells, 0)]
            for name, fault in _header_faults(columns, extra):
                mistakes.add(f"line {number}", name, fault.__str__)
            continue
        full = _without_tail(cells, len(columns))
        if len(full) != len(columns):
            reason = f"{len(columns)} cells are expected, as in the header; here are {len(full)}"
            mistakes.add(f"line {number}", "", reason)
            continue
        row = {column: cell for column, cell in zip(columns, full, strict=True) if column in kept}
        if separator != "," and _FRACTION in row:
            row[_FRACTION] = row[_FRACTION].replace(",", ".")
        if not row.get("unit_id"):
            mistakes.add(f"line {number}", "", "a unit_id is expected")
        rows.append((number, row))
    if not rows and not mistakes.count:
        mistakes.add("line 1", "", "no rows: there is nothing to import")
    raise_all(mistakes)
    return Table(tuple(rows), tuple(name for name in columns if name and name not in kept))


def raise_all(mistakes: Mistakes) -> None:
    """Raise the mistakes of a file, as many as fit a report; no effect without any.

    Raises:
        ConfigError: With `mistakes`.
    """
    if mistakes.count:
        raise ConfigError(mistakes.listed())


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield every line but comments, with its number."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix(BOM)), start=1):
        if not line.lstrip('" \t').startswith("#"):
            yield number, line


def _separator(text: str) -> str:
    header = next((line for _, line in _lines(text) if line.strip(' ,;\t"')), "")
    return max(_SEPARATORS, key=header.count)


def _split(text: str, separator: str, mistakes: Mistakes) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and cells of every line that has any."""
    for number, line in _lines(text):
        if "\0" in line:
            mistakes.add(f"line {number}", "", "a NUL byte; save the file as UTF-8 text")
            continue
        try:
            cells = next(csv.reader((line,), delimiter=separator, strict=True, skipinitialspace=True), [])
        except csv.Error:
            reason = "a quote is opened and not closed, or followed by more than a comma"
            mistakes.add(f"line {number}", line, reason)
            continue
        if any(cell.strip(" \t") for cell in cells):
            yield number, [cell.strip(" \t") for cell in cells]


def _without_tail(cells: list[str], width: int) -> list[str]:
    """Return cells without the empty ones beyond `width`, which spreadsheets add."""
    end = len(cells)
    while end > width and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _folded(name: str, extra: Collection[str]) -> str:
    """Return the ledger's spelling of a column such as ``Unit ID``; a name that neither it nor `extra` has stays."""
    folded = re.sub(r"[ _-]+", "_", name.lower())
    return folded if folded in COLUMNS or folded in extra else name


def _header_faults(columns: Sequence[str], extra: Collection[str]) -> Iterator[tuple[str, object]]:
    seen: set[str] = set()
    unknown = 0
    for name in columns:
        if name in COLUMNS:
            if name in seen:
                yield name, "this column is there twice"
        elif name and name not in extra:
            unknown += 1
            # So many columns of other names are not a table of units; comparing all of them would take long.
            if unknown > SHOWN_MISTAKES or _is_misspelt(name):
                yield name, UnknownColumnError(name)
        seen.add(name)
    if "unit_id" not in seen:
        yield "", "a column unit_id is expected"


def _is_misspelt(name: str) -> bool:
    """Return True for a name that is most likely meant for one of a ledger's columns.

    A column of remarks or of sites is a person's own: left out, and said to be.
    """
    folded = name[:SHOWN_CHARACTERS].casefold()
    if difflib.get_close_matches(folded, COLUMNS, n=1, cutoff=_MISSPELT_RATIO):
        return True
    # An identity that goes missing without a refusal would be missed late.
    return folded.startswith(_IDENTITY)
