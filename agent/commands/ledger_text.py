"""Ledger rows and their changes as text and JSON, for `hashsight ledger`."""

from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from agent.commands.machine_output import write_csv, write_json_rows, write_lines
from agent.commands.options.ledger import Form
from agent.site.ledger.compare import Contrast, cells_of, differing
from agent.site.ledger.edit import RowChange
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.reader import COLUMNS


def print_entries(entries: Sequence[LedgerEntry], zone: ZoneInfo, form: Form) -> None:
    """Print rows in the form asked for."""
    rows = (cells_of(entry, zone) for entry in entries)
    if form is Form.JSON:
        write_json_rows(rows)
    elif form is Form.CSV:
        write_csv(COLUMNS, rows)
    else:
        write_lines(_aligned(list(rows)))


def counted(number: int, name: str) -> str:
    """Return a count with its noun, such as ``1 unit`` or ``1,200 units``."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def change_text(change: RowChange) -> str:
    """Return one row's change as a line: ``+`` added, ``-`` deleted, ``~`` changed."""
    if change.before is None or change.after is None:
        cells = change.after or change.before or {}
        shown = " ".join(f"{column}={value}" for column, value in cells.items() if value and column != "unit_id")
        return f"{'+' if change.before is None else '-'} {change.unit_id}: {shown}"
    differences = (
        f"{column} {change.before.get(column, '') or '(empty)'} -> {value or '(empty)'}"
        for column, value in change.after.items()
        if value != change.before.get(column, "")
    )
    start = change.after.get("deployed_from") or "no start date"
    return f"~ {change.unit_id} ({start}): {', '.join(differences)}"


def contrast_text(contrast: Contrast, zone: ZoneInfo, *, has_dates: bool) -> str:
    """Return a difference between two ledgers as a line; without `has_dates` the rows' dates are left out."""
    if contrast.before is None or contrast.after is None:
        entry = contrast.before or contrast.after
        sign = "+" if contrast.before is None else "-"
        cells = {} if entry is None else cells_of(entry, zone)
        shown = " ".join(
            f"{column}={value}"
            for column, value in cells.items()
            if value and column != "unit_id" and (has_dates or not column.startswith("deployed_"))
        )
        return f"{sign} {contrast.unit_id}: {shown}"
    columns = differing(contrast.before, contrast.after, zone=zone, has_dates=has_dates)
    shown = ", ".join(f"{name} {one or '(empty)'} -> {other or '(empty)'}" for name, (one, other) in columns.items())
    return f"~ {contrast.unit_id}: {shown}"


def contrast_json(contrast: Contrast, zone: ZoneInfo) -> dict[str, object]:
    """Return a difference between two ledgers for JSON; a row missing on one side is None there."""
    return {
        "unit_id": contrast.unit_id,
        "before": None if contrast.before is None else cells_of(contrast.before, zone),
        "after": None if contrast.after is None else cells_of(contrast.after, zone),
    }


def _aligned(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Yield a header and the rows with aligned columns; columns that are empty in every row are left out."""
    columns = [column for column in COLUMNS if any(row[column] for row in rows)]
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in columns}
    for row in ({column: column for column in columns}, *rows):
        yield "  ".join(row[column].ljust(widths[column]) for column in columns).rstrip()
