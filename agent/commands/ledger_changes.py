"""Changes to the ledger file: made or only tried, and printed row by row."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.commands.ledger_site import LedgerSite
from agent.commands.ledger_text import change_text, counted
from agent.commands.machine_output import write_json_rows, write_lines
from agent.commands.terminal import err, out
from agent.site.ledger.cells import parse_moment
from agent.site.ledger.edit import Draft, Edited, RowChange
from agent.site.ledger.file import held, journal_path, ledger_text, read_journal

JOURNAL_LINES_SHOWN = 20
# Covers clock skew, and the time between two commands of one correction.
NOT_LONG_AGO_S = 120.0


def change(
    site: LedgerSite, edit: Callable[[Draft], None], command: Sequence[str], *, is_dry: bool, as_json: bool
) -> None:
    """Change the ledger and print what changed.

    Args:
        site: The ledger.
        edit: Makes the change on a draft.
        command: The command's words, for the journal.
        is_dry: Only print what would change.
        as_json: Print the changed rows as JSON.
    """
    if is_dry:
        draft = Draft(ledger_text(site.file), str(site.file), site.rules)
        edit(draft)
        edited = draft.finish()
    else:
        with held(site.file) as file:
            draft = Draft(file.text, str(site.file), site.rules)
            edit(draft)
            edited = draft.finish()
            if edited.changes:
                file.commit(edited, command=command, at=site.now)
    _print_changes(edited, site, is_dry=is_dry, as_json=as_json)


def print_journal(unit_id: str, file: Path) -> None:
    """Print the latest changes of one unit's rows in the ledger `file`."""
    lines = list(_journal_lines(unit_id, file))
    if not lines:
        return
    out.print(f"\nchanges in {journal_path(file)}, latest last", markup=False, soft_wrap=True)
    write_lines(lines[-JOURNAL_LINES_SHOWN:])


def _journal_lines(unit_id: str, file: Path) -> Iterator[str]:
    for entry in read_journal(file):
        for row in entry.rows:
            if row.unit_id == unit_id:
                # Anyone may have edited the journal: control characters in it must not reach the terminal.
                yield "".join(letter if letter.isprintable() else "?" for letter in f"{entry.at}  {change_text(row)}")


def _print_changes(edited: Edited, site: LedgerSite, *, is_dry: bool, as_json: bool) -> None:
    if as_json:
        rows = ({"unit_id": each.unit_id, "before": each.before, "after": each.after} for each in edited.changes)
        write_json_rows(
            rows, {"ledger": str(site.file), "is_written": bool(edited.changes) and not is_dry}, name="rows"
        )
    else:
        write_lines(map(change_text, edited.changes))
    for note in (*edited.notes, *_past_note(edited, site)):
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    if as_json:
        return
    if not edited.changes:
        out.print("nothing changes: the ledger already says so")
    elif is_dry:
        out.print(f"{counted(len(edited.changes), 'row')} would change; nothing was written")
    else:
        out.print(
            f"{counted(len(edited.changes), 'row')} changed in {site.file}; a running agent reloads it on SIGHUP",
            markup=False,
            soft_wrap=True,
        )


def _past_note(edited: Edited, site: LedgerSite) -> Iterator[str]:
    """Yield a note if a change reaches into the past: recorded history does not change with it."""
    moment = min((_effective_from(row, site.zone) for row in edited.changes), default=math.inf)
    if site.history.exists() and moment < site.now - NOT_LONG_AGO_S:
        yield "history, and the statements made from it, keep what the ledger said at the time"


def _effective_from(row: RowChange, zone: ZoneInfo) -> float:
    """Return the Unix time from which a row's change makes a difference."""
    before, after = row.before or {}, row.after or {}
    columns = {column for column in before.keys() | after.keys() if before.get(column, "") != after.get(column, "")}
    if columns == {"deployed_to"}:
        ends = (parse_moment(cells.get("deployed_to", ""), zone=zone) for cells in (before, after))
        return min(math.inf if end is None else end for end in ends)
    starts = (parse_moment(cells.get("deployed_from", ""), zone=zone) for cells in (before, after) if cells)
    return min(-math.inf if start is None else start for start in starts)
