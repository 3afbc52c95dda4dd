"""History as CSV, one line a row. Pure.

The format is canonical: the same rows give the same bytes, and floats are in the shortest form that reads back equal.
The digest of a statement's inputs is the SHA-256 of what ``hashsight history export`` prints for its period.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from agent.history.minutes import COLUMNS, JUDGED, Values
from agent.history.state_changes import Change

# Version 2 had no diverted hashrate.
_COLUMNS_2 = COLUMNS[:JUDGED]
# Version 1 had the column `watts_reported` and none of measured watts.
_COLUMNS_1 = tuple(
    "watts_reported" if column == "watts_estimated" else column for column in _COLUMNS_2 if column != "watts_measured"
)
_MEASURED = COLUMNS.index("watts_measured")

FORMAT = 3
"""Version of the CSV of rows. A digest can still be computed of `FORMATS`, because statements name it."""

FORMATS = (1, 2, 3)

# Spreadsheets in East Asia also take the wide signs.
_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_FORMULA_WITHIN = re.compile(r'(;"*|(?<=.)[\r\n]+"*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])', re.DOTALL)

HEADER = f"time,{','.join(COLUMNS)}\n"
CONTAINER_HEADER = f"container,{HEADER}"
OWNER_HEADER = f"owner,{HEADER}"
CHANGE_HEADER = "unit,state,why,since,until,seconds\n"


def row_line(values: Values) -> str:
    """Return one row: its start in UTC, then the values in the order of `COLUMNS`. An absent value is empty."""
    at = values[0] or 0
    cells = ["" if value is None else repr(value) for value in values]
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ},{','.join(cells)}\n"


def container_line(container: str, values: Values) -> str:
    """Return one row of a container, its name first."""
    return f"{csv_cell(container)},{row_line(values)}"


def change_line(change: Change) -> str:
    """Return one state of a unit. End and duration are empty while it lasts."""
    until, seconds = ("", "") if change.until is None else (repr(change.until), repr(change.until - change.since))
    cells = (csv_cell(change.unit_id), change.state, csv_cell(change.why), repr(change.since), until, seconds)
    return f"{','.join(cells)}\n"


def csv_cell(text: str) -> str:
    """Return a cell, quoted if needed, that no spreadsheet takes for a formula."""
    text = without_formula(text)
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if any(char in text for char in '",\r\n') else text


def without_formula(text: str) -> str:
    """Return a text in which no spreadsheet finds a formula: an apostrophe, which it does not show, stands before it.

    Where a comma is the decimal mark, spreadsheets split files at semicolons and know no quotes inside a field: there,
    a formula may also begin behind a semicolon or on a new line.
    """
    if ";" in text or "\n" in text or "\r" in text:
        text = _FORMULA_WITHIN.sub(r"\1'", text)
    return f"'{text}" if text.startswith(_FORMULA_BEGINS) else text


class Digest:
    """The SHA-256 of rows as CSV, computed chunk by chunk.

    Args:
        form: Version of the CSV, one of `FORMATS`. Earlier ones are what releases printed for rows of their time.
    """

    def __init__(self, form: int = FORMAT) -> None:
        self._form = form
        columns = {1: _COLUMNS_1, 2: _COLUMNS_2}.get(form, COLUMNS)
        self._sha256 = hashlib.sha256(f"time,{','.join(columns)}\n".encode())

    def add(self, chunk: Iterable[Values]) -> None:
        """Add rows."""
        if self._form == 1:
            chunk = (values[:_MEASURED] + values[_MEASURED + 1 : JUDGED] for values in chunk)
        elif self._form == 2:
            chunk = (values[:JUDGED] for values in chunk)
        self._sha256.update("".join(map(row_line, chunk)).encode())

    def hexdigest(self) -> str:
        """Return the digest in hexadecimal."""
        return self._sha256.hexdigest()


def site_lines(chunks: Iterable[Iterable[Values]]) -> Iterator[str]:
    """Yield the site's rows as a CSV file, piece by piece."""
    yield HEADER
    for chunk in chunks:
        yield "".join(map(row_line, chunk))
