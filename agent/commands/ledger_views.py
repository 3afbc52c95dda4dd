"""`hashsight ledger`: look at the dated list of what is deployed, and change it so that the past stays as it was."""

import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.commands.terminal import err, exit_codes, out
from agent.config.file import Config, load_config
from agent.config.mistakes import near_match
from agent.errors import ConfigError, Mistake
from agent.files.text import read_text
from agent.runtime.setup import load_catalogue
from agent.site.ledger.cells import moment_cell, parse_moment
from agent.site.ledger.compare import Contrast, cells_of, compare, differing, same_row, same_unit
from agent.site.ledger.edit import Draft, Edited, RowChange, Rules
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.file import MAX_LEDGER_BYTES, held, journal_path, read_journal
from agent.site.ledger.reader import COLUMNS
from agent.text.numbers import hashrate_text

JOURNAL_LINES_SHOWN = 20
# Between two commands of one correction, and what a clock may be off.
NOT_LONG_AGO_S = 120.0


class Form(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class _Site:
    """What a site's configuration says of its ledger."""

    def __init__(self, path: Path, now: float) -> None:
        self.config: Config = load_config(path)
        self.zone = self.config.site.zone
        self.file = self.config.ledger.file
        self.history = self.config.history.path(path)
        self.rules = Rules(catalogue=load_catalogue(self.config), zone=self.zone, networks=self.config.ledger.networks)
        self.now = now

    def read(self, path: Path) -> tuple[LedgerEntry, ...]:
        """Read a ledger by this site's rules."""
        return self.rules.read(read_text(path, max_bytes=MAX_LEDGER_BYTES), str(path)).entries

    def moment(self, text: str | None, option: str) -> float:
        """Give the Unix time of an option; now when it was left out."""
        try:
            moment = None if text is None else parse_moment(text, zone=self.zone)
        except ValueError as error:
            raise ConfigError([Mistake(file="ledger", where=option, value=text or "", reason=str(error))]) from error
        return self.now if moment is None else moment

    def cell(self, text: str | None) -> str:
        """Give the cell for a moment: as it was written, or now to the second."""
        return moment_cell(float(int(self.now)), self.zone) if text is None else text


def show(config: Path, *, unit_id: str | None, at: str | None, form: Form, now: float) -> None:
    """Print who is deployed at a moment, or all that the ledger says of one unit.

    Args:
        config: The site's configuration.
        unit_id: Of which unit to print every row, and every change made with these commands; None for all units.
        at: The moment, as in the ledger; now when None.
        form: How.
        now: Unix time, s.
    """
    with exit_codes():
        site = _Site(config, now)
        entries = site.read(site.file)
        if unit_id is not None:
            entries = _rows_of(unit_id, entries)
        if unit_id is None or at is not None:
            moment = site.moment(at, "--at")
            entries = tuple(entry for entry in entries if entry.is_deployed_at(moment))
        _print_entries(entries, site, form)
        if form is not Form.TABLE:
            return
        if unit_id is None:
            deployed_hs = sum(entry.nameplate.hashrate_hs for entry in entries)
            out.print(
                f"{_count(len(entries), 'unit')} deployed, {hashrate_text(deployed_hs)}, "
                f"at {moment_cell(site.moment(at, '--at'), site.zone)}",
                soft_wrap=True,
            )
        else:
            _print_journal(unit_id, site)


def diff(config: Path, files: Sequence[Path], *, start: str | None, end: str | None, is_json: bool, now: float) -> None:
    """Print what differs between two ledgers, or between two moments of one.

    Args:
        config: The site's configuration, by which files are read.
        files: The one and the other; one file is compared with the site's ledger, none is the ledger alone.
        start: The moment at which to look at the first; without `start` and `end` files are compared row by row.
        end: The moment at which to look at the second; now when only `start` is told.
        is_json: Print JSON.
        now: Unix time, s.
    """
    with exit_codes():
        site = _Site(config, now)
        paths = [*files, site.file, site.file][:2]
        if len(files) > 2 or (not files and start is None and end is None):
            reason = "two files at most are expected, or --from for two moments of the ledger"
            raise ConfigError([Mistake(file="ledger diff", where="FILES", value="", reason=reason)])
        before, after = (site.read(path) for path in paths)
        is_dated = start is None and end is None
        if not is_dated:
            begin, over = site.moment(start, "--from"), site.moment(end, "--to")
            before = tuple(entry for entry in before if entry.is_deployed_at(begin))
            after = tuple(entry for entry in after if entry.is_deployed_at(over))
        contrasts = compare(before, after, same=same_row if is_dated else same_unit, zone=site.zone)
        if is_json:
            out.print_json(json.dumps([_contrast_json(contrast, site) for contrast in contrasts]))
            return
        for contrast in contrasts:
            out.print(_contrast_text(contrast, site, has_dates=is_dated), markup=False, soft_wrap=True)
        if is_dated:
            out.print(f"differences: {len(contrasts):,}")
            return
        totals = [sum(entry.nameplate.hashrate_hs for entry in entries) for entries in (before, after)]
        out.print(
            f"{_count(len(before), 'unit')}, {hashrate_text(totals[0])} -> "
            f"{_count(len(after), 'unit')}, {hashrate_text(totals[1])}; differences: {len(contrasts):,}",
            soft_wrap=True,
        )


def set_unit(
    config: Path,
    unit_id: str,
    cells: Mapping[str, str],
    *,
    at: str | None,
    is_removed: bool,
    is_new: bool,
    is_swap: bool,
    is_dry: bool,
    now: float,
) -> None:
    """Have a unit's row end and another begin at a moment.

    Args:
        config: The site's configuration.
        unit_id: Of which unit.
        cells: What is different from then on, by column.
        at: The moment, as in the ledger; now when None.
        is_removed: The unit leaves.
        is_new: The unit enters.
        is_swap: Whoever has what the unit gets, an address or a place, gets the unit's.
        is_dry: Only say what would change.
        now: Unix time, s.
    """
    with exit_codes():
        if is_removed + is_new + bool(cells) == 0 or (is_removed and (cells or is_new)):
            reason = "what is to change is expected: options of columns, --new with them, or --removed alone"
            raise ConfigError([Mistake(file="ledger set", where="options", value="", reason=reason)])
        site = _Site(config, now)
        moment = site.cell(at)

        def edit(draft: Draft) -> None:
            if is_removed:
                draft.remove(unit_id, moment)
            elif is_new:
                draft.add(unit_id, cells, moment)
            else:
                draft.set_cells(unit_id, cells, moment, is_exchange=is_swap)

        options = [f"--{column.replace('_', '-')}={value}" for column, value in cells.items()]
        flags = {"--removed": is_removed, "--new": is_new, "--swap": is_swap}
        command = ["set", unit_id, *options, *(flag for flag, is_given in flags.items() if is_given), f"--at={moment}"]
        _change(site, edit, command, is_dry=is_dry)


def take_in(config: Path, file: Path, *, at: str | None, is_dry: bool, now: float) -> None:
    """Take in rows of another CSV file.

    Args:
        config: The site's configuration.
        file: A header with ledger columns, unit_id among them; what is not there or empty changes nothing.
        at: The moment for rows without ``deployed_from``, as in the ledger; now when None.
        is_dry: Only say what would change.
        now: Unix time, s.
    """
    with exit_codes():
        site = _Site(config, now)
        moment = site.cell(at)
        text = read_text(file, max_bytes=MAX_LEDGER_BYTES)
        command = ["import", str(file), f"--at={moment}"]
        _change(site, lambda draft: draft.merge(text, str(file), moment), command, is_dry=is_dry)


def _change(site: _Site, edit: Callable[[Draft], None], command: Sequence[str], *, is_dry: bool) -> None:
    """Make a change, or only say what it would be."""
    if is_dry:
        draft = Draft(read_text(site.file, max_bytes=MAX_LEDGER_BYTES), str(site.file), site.rules)
        edit(draft)
        edited = draft.finish()
    else:
        with held(site.file) as file:
            draft = Draft(file.text, str(site.file), site.rules)
            edit(draft)
            edited = draft.finish()
            if edited.changes:
                file.commit(edited, command=command, at=site.now)
    _print_changes(edited, site, is_dry=is_dry)


def _print_changes(edited: Edited, site: _Site, *, is_dry: bool) -> None:
    for change in edited.changes:
        out.print(_change_text(change), markup=False, soft_wrap=True)
    for note in (*edited.notes, *_past_note(edited, site)):
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    if not edited.changes:
        out.print("nothing changes: the ledger says so already")
    elif is_dry:
        out.print(f"{_count(len(edited.changes), 'row')} would change; nothing was written")
    else:
        out.print(
            f"{_count(len(edited.changes), 'row')} changed in {site.file}; a running agent takes it over at SIGHUP",
            markup=False,
            soft_wrap=True,
        )


def _past_note(edited: Edited, site: _Site) -> Iterator[str]:
    """Say of a change of the past what it does not change: history tells what was known at the time."""
    moment = min((_from_when(change, site.zone) for change in edited.changes), default=math.inf)
    if site.history.exists() and moment < site.now - NOT_LONG_AGO_S:
        yield "history, and the statements made from it, keep what the ledger said at the time"


def _from_when(change: RowChange, zone: ZoneInfo) -> float:
    """Give the Unix time from which on a change of a row makes a difference."""
    before, after = change.before or {}, change.after or {}
    columns = {column for column in before.keys() | after.keys() if before.get(column, "") != after.get(column, "")}
    if columns == {"deployed_to"}:
        ends = (parse_moment(cells.get("deployed_to", ""), zone=zone) for cells in (before, after))
        return min(math.inf if end is None else end for end in ends)
    starts = (parse_moment(cells.get("deployed_from", ""), zone=zone) for cells in (before, after) if cells)
    return min(-math.inf if start is None else start for start in starts)


def _change_text(change: RowChange) -> str:
    """Give one row's change on a line: ``+`` a new row, ``-`` one that goes, ``~`` what is different in one."""
    if change.before is None or change.after is None:
        cells = change.after or change.before or {}
        told = " ".join(f"{column}={value}" for column, value in cells.items() if value and column != "unit_id")
        return f"{'+' if change.before is None else '-'} {change.unit_id}: {told}"
    differences = (
        f"{column} {change.before.get(column, '') or '(empty)'} -> {value or '(empty)'}"
        for column, value in change.after.items()
        if value != change.before.get(column, "")
    )
    start = change.after.get("deployed_from") or "since ever"
    return f"~ {change.unit_id} ({start}): {', '.join(differences)}"


def _contrast_text(contrast: Contrast, site: _Site, *, has_dates: bool) -> str:
    if contrast.before is None or contrast.after is None:
        entry = contrast.before or contrast.after
        sign = "+" if contrast.before is None else "-"
        cells = {} if entry is None else cells_of(entry, site.zone)
        told = " ".join(
            f"{column}={value}"
            for column, value in cells.items()
            if value and column != "unit_id" and (has_dates or not column.startswith("deployed_"))
        )
        return f"{sign} {contrast.unit_id}: {told}"
    columns = differing(contrast.before, contrast.after, zone=site.zone, has_dates=has_dates)
    told = ", ".join(f"{name} {one or '(empty)'} -> {other or '(empty)'}" for name, (one, other) in columns.items())
    return f"~ {contrast.unit_id}: {told}"


def _contrast_json(contrast: Contrast, site: _Site) -> dict[str, object]:
    return {
        "unit_id": contrast.unit_id,
        "before": None if contrast.before is None else cells_of(contrast.before, site.zone),
        "after": None if contrast.after is None else cells_of(contrast.after, site.zone),
    }


def _rows_of(unit_id: str, entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Give one unit's rows, by time."""
    entries = tuple(entries)
    rows = [entry for entry in entries if entry.unit_id == unit_id]
    if not rows:
        reason = f"no such unit in the ledger{near_match(unit_id, {entry.unit_id for entry in entries})}"
        raise ConfigError([Mistake(file="ledger show", where="UNIT", value=unit_id, reason=reason)])
    return tuple(sorted(rows, key=lambda entry: entry.deployed_from or float("-inf")))


def _print_entries(entries: Sequence[LedgerEntry], site: _Site, form: Form) -> None:
    rows = [cells_of(entry, site.zone) for entry in entries]
    if form is Form.JSON:
        out.print_json(json.dumps(rows))
    elif form is Form.CSV:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    else:
        for line in _aligned(rows):
            out.print(line, markup=False, soft_wrap=True)


def _aligned(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """Give rows as lines with their cells below each other; columns in which nobody has anything are left out."""
    columns = [column for column in COLUMNS if any(row[column] for row in rows)]
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in columns}
    for row in ({column: column for column in columns}, *rows):
        yield "  ".join(row[column].ljust(widths[column]) for column in columns).rstrip()


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _print_journal(unit_id: str, site: _Site) -> None:
    """Print the latest changes of one unit's rows."""
    lines = list(_journal_lines(unit_id, site.file))
    if not lines:
        return
    out.print(f"\nchanges in {journal_path(site.file)}, latest last", markup=False, soft_wrap=True)
    for line in lines[-JOURNAL_LINES_SHOWN:]:
        out.print(line, markup=False, soft_wrap=True)


def _journal_lines(unit_id: str, file: Path) -> Iterator[str]:
    for entry in read_journal(file):
        for row in entry.rows:
            if row.unit_id == unit_id:
                # Nothing in a file that anybody may have edited steers the terminal.
                yield "".join(letter if letter.isprintable() else "?" for letter in f"{entry.at}  {_change_text(row)}")
