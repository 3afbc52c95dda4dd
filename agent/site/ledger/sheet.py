"""A ledger as lines that can be changed one cell at a time; everything that is not changed stays byte for byte.

Pure. A sheet does not check whether a ledger is sound: `reader` reads the text before a sheet is made from it, and
again after it was changed.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping

BOM = "\ufeff"
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|$)")


class Row:
    """One row of a sheet.

    Attributes:
        original: The cells as they were read; None for a row that was added.
        is_removed: True once the row is removed.
        below: Rows inserted directly below it.
    """

    __slots__ = ("_beyond", "_columns", "_raw", "below", "ending", "is_removed", "original")

    def __init__(self, columns: tuple[str, ...], raw: list[str], ending: str, *, is_new: bool) -> None:
        self._columns = columns
        # Spreadsheets end every line with the commas of the widest one.
        self._raw, self._beyond = raw[: len(columns)], raw[len(columns) :]
        self.ending = ending
        self.original: Mapping[str, str] | None = None if is_new else self.cells
        self.is_removed = False
        self.below: list[Row] = []

    @property
    def cells(self) -> dict[str, str]:
        """The cells by column, without white space around them."""
        return {column: _value(raw) for column, raw in zip(self._columns, self._raw, strict=True)}

    @property
    def line(self) -> str:
        """The row as it is written to the file, without its line end."""
        return ",".join(self._raw + self._beyond)

    @property
    def is_changed(self) -> bool:
        """True if the row differs from what was read."""
        return self.is_removed or self.original != self.cells

    def cell(self, column: str) -> str:
        """Return one cell; empty if there is no such column."""
        return _value(self._raw[self._columns.index(column)]) if column in self._columns else ""

    def change(self, cells: Mapping[str, str]) -> None:
        """Set cells; blanks before a cell stay, so that columns stay aligned."""
        for column, value in cells.items():
            if column in self._columns and self.cell(column) != value:
                place = self._columns.index(column)
                raw = self._raw[place]
                self._raw[place] = raw[: len(raw) - len(raw.lstrip(" \t"))] + _quoted(value)

    def copy(self) -> "Row":
        """Return a new row with the same cells."""
        return Row(self._columns, list(self._raw), self.ending, is_new=True)

    def widen(self, columns: tuple[str, ...]) -> None:
        """Add empty cells for a header with more columns at its end."""
        more = columns[len(self._columns) :]
        self._raw += [""] * len(more)
        self._columns = columns
        if self.original is not None:
            self.original = {**self.original, **dict.fromkeys(more, "")}


class Sheet:
    """The lines of a ledger.

    Args:
        text: A ledger that was read without a mistake.
    """

    def __init__(self, text: str) -> None:
        self._bom = BOM if text.startswith(BOM) else ""
        self._lines: list[str | Row] = []
        self._header_place = -1
        self.columns: tuple[str, ...] = ()
        self._header: list[str] = []
        self._ending = "\n"
        for line, ending in _LINE.findall(text.removeprefix(BOM)):
            if not line and not ending:
                continue
            self._ending = ending or self._ending
            self._lines.append(self._read(line, ending))

    def _read(self, line: str, ending: str) -> "str | Row":
        if line.lstrip('" \t').startswith("#") or not any(_value(raw) for raw in split_raw(line)):
            return line + ending
        if not self.columns:
            self._header = split_raw(line)
            while not _value(self._header[-1]):
                self._header.pop()
            self.columns = tuple(_value(raw) for raw in self._header)
            self._header_place = len(self._lines)
            return line + ending
        return Row(self.columns, split_raw(line), ending, is_new=False)

    def _all(self) -> Iterator["str | Row"]:
        """Yield every line in order, removed rows included."""
        for line in self._lines:
            waiting = [line]
            while waiting:
                first = waiting.pop()
                yield first
                if isinstance(first, Row):
                    waiting.extend(reversed(first.below))

    def rows(self) -> Iterator[Row]:
        """Return every row that is not removed, in order."""
        return (line for line in self._all() if isinstance(line, Row) and not line.is_removed)

    def changed_rows(self) -> Iterator[Row]:
        """Return every row that is changed, new or removed."""
        return (line for line in self._all() if isinstance(line, Row) and line.is_changed)

    def numbered_rows(self) -> Iterator[tuple[int, Row]]:
        """Return every row with the number of its line in `text`."""
        lines = (line for line in self._all() if not (isinstance(line, Row) and line.is_removed))
        return ((number, line) for number, line in enumerate(lines, start=1) if isinstance(line, Row))

    def insert_after(self, row: Row, new: Row) -> None:
        """Insert a new row below another."""
        row.below.insert(0, new)

    def append(self, cells: Mapping[str, str]) -> Row:
        """Add a new row at the end."""
        row = Row(self.columns, [""] * len(self.columns), self._ending, is_new=True)
        row.change(cells)
        self._lines.append(row)
        return row

    def add_columns(self, columns: list[str]) -> None:
        """Add columns at the right of the header, empty in every row."""
        self.columns += tuple(columns)
        self._header += columns
        ending = _LINE.findall(str(self._lines[self._header_place]))[0][1]
        self._lines[self._header_place] = ",".join(self._header) + ending
        for row in self._all():
            if isinstance(row, Row):
                row.widen(self.columns)

    @property
    def text(self) -> str:
        """The new text of the file."""
        lines = [line for line in self._all() if not (isinstance(line, Row) and line.is_removed)]
        pieces = []
        for place, line in enumerate(lines):
            is_last = place == len(lines) - 1
            content = line.line + line.ending if isinstance(line, Row) else line
            # A last line without a line end gets one if another line follows.
            pieces.append(content if is_last or content.endswith(("\n", "\r")) else content + self._ending)
        return self._bom + "".join(pieces)


def split_raw(line: str) -> list[str]:
    """Split a line into raw cells, with their quotes and blanks, at the same commas as `reader` does."""
    cells, start, is_quoted = [], 0, False
    for place, character in enumerate(line):
        if character == '"' and (is_quoted or not line[start:place].strip(" ") or _is_open(line[start:place])):
            is_quoted = not is_quoted
        elif character == "," and not is_quoted:
            cells.append(line[start:place])
            start = place + 1
    return [*cells, line[start:]]


def _is_open(before: str) -> bool:
    """Return True if a cell began with a quote, so that a later quote belongs to the quoting."""
    return before.lstrip(" ").startswith('"')


def _value(raw: str) -> str:
    if '"' not in raw:
        return raw.strip(" \t")
    return next(csv.reader((raw,), strict=True, skipinitialspace=True))[0].strip(" \t")


def _quoted(value: str) -> str:
    if not re.search(r'[,"]', value):
        return value
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([value])
    return text.getvalue()
