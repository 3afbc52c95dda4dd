"""Tables in spreadsheet workbooks (.xlsx), from and to CSV text, through openpyxl.

A workbook is a ZIP archive of XML, so a small file may unpack to gigabytes: the sizes that its directory states are
summed before anything is unpacked, and the cells are read row by row. Nothing in it is executed. A formula is read as
the value that the spreadsheet stored with it; one without a stored value is refused, because its cell would be empty.
"""

import csv
import io
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from agent.errors import ConfigError, Mistake
from agent.files.regular import open_regular
from agent.files.text import read_text

MAGIC = b"PK\x03\x04"
MAX_UNPACKED_BYTES = 512 << 20
MAX_COLUMNS = 256
MAX_WIDTH = 40
_MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\s[^>]*?\bref=["']([A-Z0-9:]+)["']""")
_HIDDEN = re.compile(rb"""<(?:\w+:)?row\s(?=[^>]*?\bhidden=["'](?:1|true)["'])[^>]*?\br=["']([0-9]+)["']""")
_PIECE_BYTES, _LONGEST_TAG = 1 << 20, 200


def read_table(path: Path, *, max_bytes: int, column: str = "") -> str:
    """Return a table as CSV text: that of a UTF-8 file as it is, or one sheet of a workbook.

    Args:
        path: The file; a workbook is told by its content, not by its name.
        max_bytes: Limit of the file's size, and of the text's.
        column: The sheet of a workbook with this column in its first row is read; two such are refused, because one
            of them would be left out. Without it, or if no sheet has it, the first visible sheet is read.

    Raises:
        ConfigError: If it cannot be read, or is neither; it names the sheet and cell of a mistake in a workbook.
    """
    try:
        with open_regular(path) as file:
            is_archive = file.read(len(MAGIC)) == MAGIC
    except OSError:
        # `read_text` has the words for it.
        is_archive = False
    return _workbook_text(path, max_bytes, column) if is_archive else read_text(path, max_bytes=max_bytes)


def _workbook_text(path: Path, max_bytes: int, column: str) -> str:
    def refusal(reason: str, where: str = "file", value: str = "") -> ConfigError:
        return ConfigError([Mistake(file=str(path), where=where, value=value, reason=reason)])

    with open_regular(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise refusal(f"longer than {max_bytes >> 20} MiB")
    try:
        _refuse_huge(data)
        stored, formulas = (
            openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=is_stored, keep_links=False)
            for is_stored in (True, False)
        )
        try:
            place = _sheet_place(stored, column, refusal)
            sheets: tuple[Any, Any] = (stored.worksheets[place], formulas.worksheets[place])
            # openpyxl's reader of rows does not tell merged cells nor hidden rows.
            if merged := _first(_MERGED, data, sheets[0]._worksheet_path):  # noqa: SLF001
                raise refusal(
                    "merged cells: only the first of them has the value; unmerge them and fill in each",
                    f"{sheets[0].title}!{merged}",
                )
            if hidden := _first(_HIDDEN, data, sheets[0]._worksheet_path):  # noqa: SLF001
                raise refusal(
                    "a hidden row, as a filter leaves it: show all rows, and delete those that are not meant",
                    f"{sheets[0].title} row {hidden}",
                )
            return "".join(_csv_lines(*sheets, max_bytes, refusal))
        finally:
            stored.close()
            formulas.close()
    except _HugeError as error:
        raise refusal(str(error)) from None
    except ConfigError:
        raise
    except Exception as error:
        # openpyxl raises what its parts raise: KeyError, ValueError, BadZipFile, XML errors and others.
        reason = f"not a workbook that can be read: {type(error).__name__}: {error}; save it as .xlsx or as CSV UTF-8"
        raise refusal(reason) from error


class _HugeError(Exception):
    """A workbook that unpacks to more than is read."""


def _refuse_huge(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > MAX_UNPACKED_BYTES:
        raise _HugeError(f"it unpacks to {unpacked >> 20:,} MiB; {MAX_UNPACKED_BYTES >> 20} are the most")


def _sheet_place(book: Any, column: str, refusal: Any) -> int:
    """Return the place of the sheet to read."""
    visible = [place for place, sheet in enumerate(book.worksheets) if sheet.sheet_state == "visible"]
    if not visible:
        raise refusal("the workbook has no sheet")
    having = [place for place in visible if column in _header(book.worksheets[place])] if column else []
    if len(having) > 1:
        titles = ", ".join(book.worksheets[place].title for place in having)
        raise refusal(
            f"{len(having)} sheets have a column {column}; put their rows into one, or delete others", value=titles
        )
    return (having or visible)[0]


def _header(sheet: Any) -> set[str]:
    sheet.reset_dimensions()
    row = next(sheet.iter_rows(max_row=1, max_col=MAX_COLUMNS, values_only=True), ())
    return {str(value).strip().casefold() for value in row}


def _first(wanted: re.Pattern[bytes], data: bytes, part: str) -> str:
    """Return the reference of a sheet's first tag of a kind; empty if there is none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(part) as file:
        tail = b""
        while piece := file.read(_PIECE_BYTES):
            if found := wanted.search(tail + piece):
                return found[1].decode()
            tail = piece[-_LONGEST_TAG:]
    return ""


def _csv_lines(stored: Any, formulas: Any, max_bytes: int, refusal: Any) -> Iterator[str]:
    sheets = stored, formulas
    title = stored.title
    for sheet in sheets:
        # The size that the file states may be wrong, and then cells would be left out.
        sheet.reset_dimensions()
    size = width = 0
    for number, (values, texts) in enumerate(zip(*(sheet.iter_rows() for sheet in sheets), strict=True), start=1):
        if len(values) > MAX_COLUMNS:
            raise refusal(f"{len(values):,} columns; {MAX_COLUMNS} are the most", f"{title} row {number}")
        row = []
        for place, (cell, formula) in enumerate(zip(values, texts, strict=True), start=1):
            try:
                row.append(_text(cell.value, is_formula=formula.data_type == "f", is_error=cell.data_type == "e"))
            except ValueError as error:
                raise refusal(str(error), f"{title}!{get_column_letter(place)}{number}", str(formula.value)) from None
        while row and not row[-1]:
            row.pop()
        # A workbook leaves out empty cells at a row's end, and a ledger wants as many as its header has.
        width = width or len(row)
        row += [""] * (width - len(row))
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(row)
        size += len(line.getvalue())
        if size > max_bytes:
            raise refusal(f"its sheet {title} has more than {max_bytes >> 20} MiB of text")
        yield line.getvalue()


def _text(value: object, *, is_formula: bool, is_error: bool) -> str:
    if is_error:
        raise ValueError("the cell shows an error")
    if value is None:
        if is_formula:
            raise ValueError("a formula without a stored value: open and save the workbook in the spreadsheet")
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        is_day = value.time() == time()
        return value.date().isoformat() if is_day else value.isoformat(sep="T", timespec="auto")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        # Spreadsheets keep every number as a float.
        return str(int(value))
    if isinstance(value, int | float | str):
        text = str(value)
        if "\n" in text or "\r" in text:
            raise ValueError("a line break inside a cell; a row of a ledger is one line")
        return text
    raise ValueError(f"{type(value).__name__} is neither text, number nor date")


def workbook(
    title: str, columns: Sequence[str], rows: Iterable[Mapping[str, str]], *, numeric: Collection[str] = ()
) -> bytes:
    """Return a workbook of one sheet: a bold header that stays in view, then the rows.

    Args:
        title: The sheet's name.
        columns: The header.
        rows: Cells by column.
        numeric: Columns whose cells are numbers; all others are text, also where they look like a formula or a number.
    """
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    taken = [[row[column] for column in columns] for row in rows]
    for place, column in enumerate(columns):
        width = max([len(column), *(len(row[place]) for row in taken)])
        sheet.column_dimensions[get_column_letter(place + 1)].width = min(width, MAX_WIDTH) + 2
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{len(taken) + 1}"
    header = [WriteOnlyCell(sheet, column) for column in columns]
    for cell in header:
        cell.font = Font(bold=True)
    sheet.append(header)
    for row in taken:
        sheet.append([_cell(sheet, text, column in numeric) for column, text in zip(columns, row, strict=True)])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _cell(sheet: Any, text: str, is_number: bool) -> Any:  # noqa: FBT001  a column's kind
    if not text:
        return None
    if is_number:
        return float(text)
    cell = WriteOnlyCell(sheet, text)
    # Otherwise a text that begins with "=" becomes a formula.
    cell.data_type = "s"
    return cell
