"""A table of ledger rows to import, complete or not: cells by column, with their lines.

Pure. The values of the cells are not checked here.
"""

import csv
import re
from collections.abc import Iterator, Sequence

from agent.config.mistakes import Mistakes
from agent.errors import ConfigError
from agent.site.ledger.reader import COLUMNS, UnknownColumnError
from agent.site.ledger.sheet import BOM

TableRow = tuple[int, dict[str, str]]


def read_table(text: str, file: str) -> list[TableRow]:
    """Return the cells of each row, by column, with the number of its line.

    Args:
        text: CSV with a header of ledger columns; ``unit_id`` is required; ``#`` before a comment.
        file: Its name in messages.

    Raises:
        ConfigError: With every malformed row, and every column that the ledger does not have.
    """
    mistakes = Mistakes(file)
    rows: list[TableRow] = []
    columns: list[str] = []
    for number, cells in _split(text, mistakes):
        if not columns:
            columns = cells
            for name, fault in _header_faults(columns):
                mistakes.add(f"line {number}", name, fault.__str__)
        elif len(cells) != len(columns):
            reason = f"{len(columns)} cells are expected, as in the header; here are {len(cells)}"
            mistakes.add(f"line {number}", "", reason)
        else:
            row = dict(zip(columns, cells, strict=True))
            if not row.get("unit_id"):
                mistakes.add(f"line {number}", "", "a unit_id is expected")
            rows.append((number, row))
    if not rows and not mistakes.count:
        mistakes.add("line 1", "", "no rows: there is nothing to import")
    raise_all(mistakes)
    return rows


def raise_all(mistakes: Mistakes) -> None:
    """Raise the mistakes of a file, as many as fit a report; no effect without any.

    Raises:
        ConfigError: With `mistakes`.
    """
    if mistakes.count:
        raise ConfigError(mistakes.listed())


def _split(text: str, mistakes: Mistakes) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and cells of every line that has any."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix(BOM)), start=1):
        if "\0" in line:
            mistakes.add(f"line {number}", "", "a NUL byte; save the file as UTF-8 text")
        elif not line.lstrip('" \t').startswith("#"):
            try:
                cells = next(csv.reader((line,), strict=True, skipinitialspace=True), [])
            except csv.Error:
                reason = "a quote is opened and not closed, or followed by more than a comma"
                mistakes.add(f"line {number}", line, reason)
                continue
            if any(cell.strip(" \t") for cell in cells):
                yield number, [cell.strip(" \t") for cell in cells]


def _header_faults(columns: Sequence[str]) -> Iterator[tuple[str, object]]:
    seen: set[str] = set()
    for name in columns:
        if name not in COLUMNS:
            yield name, UnknownColumnError(name)
        elif name in seen:
            yield name, "this column is there twice"
        seen.add(name)
    if "unit_id" not in seen:
        yield "", "a column unit_id is expected"
