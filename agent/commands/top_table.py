"""Rows of cells for `hashsight top`: every line exactly as wide as it may be. No I/O."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.text import Text

NARROW_COLUMNS = 64
"""Below this width, tables leave out columns, so that words stay readable."""


class Column(NamedTuple):
    """A column of a table: its name, its width in cells, and whether it holds numbers."""

    name: str
    width: int
    is_number: bool = False


def header(table: Sequence[Column], columns: int, right: str) -> Text:
    """Return the columns' names, with a remark at the right where there is room for it."""
    names = row(table, tuple(column.name for column in table), columns).plain
    if right and cell_len(names.rstrip()) + cell_len(right) + 2 <= columns:
        names = set_cell_size(names, columns - cell_len(right) - 1) + " " + right
    return Text(set_cell_size(names, columns), "bold")


def row(table: Sequence[Column], cells: Sequence[str], columns: int, style: str = "") -> Text:
    """Return cells in their columns, cut at the terminal's width; a column of width 0 takes what is left."""
    parts, used = [], 0
    for column, cell in zip(table, cells, strict=True):
        width = column.width or max(0, columns - used)
        if column.is_number:
            cell = " " * max(0, width - cell_len(cell)) + cell  # noqa: PLW2901 - aligned to the right
        parts.append(shortened(cell, width) if column.width else shortened(cell, width).rstrip())
        used += width + 1
    return cut(Text(" ".join(parts), style), columns)


def line(text: str, columns: int, style: str = "") -> Text:
    """Return a line of text; one that is wider than the terminal ends in two dots."""
    return Text(shortened(text, min(columns, cell_len(text))), style)


def cut(text: Text, columns: int) -> Text:
    """Return a text without what is beyond the terminal's width."""
    text.truncate(columns, overflow="crop")
    return text


def shortened(text: str, width: int) -> str:
    """Return a text of exactly `width` cells; one that is cut ends in two dots."""
    if cell_len(text) <= width or width < 3:
        return set_cell_size(text, max(0, width))
    return set_cell_size(text, width - 2) + ".."
