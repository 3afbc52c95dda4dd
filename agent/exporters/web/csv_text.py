"""CSV for spreadsheets: text that no spreadsheet takes for a formula."""

import csv
import io
from collections.abc import Iterable

from agent.history.export import without_formula


def csv_bytes(heads: Iterable[str], rows: Iterable[Iterable[str | float | int | None]]) -> bytes:
    """Return a table as CSV (RFC 4180) in UTF-8.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, which spreadsheets do not show.
    Numbers stay numbers; None is an empty cell.

    Args:
        heads: Names of the columns.
        rows: Rows; computed while they are written.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(heads)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: str | float | None) -> str | float | None:
    return without_formula(value) if isinstance(value, str) else value
