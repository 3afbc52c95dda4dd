"""`hashsight ledger`: the dated list of what is deployed, shown, compared and changed without altering the past."""

import shlex
import time
from collections.abc import Iterable
from pathlib import Path

from agent.commands.ledger_changes import change, print_journal
from agent.commands.ledger_check import print_check
from agent.commands.ledger_export import write_export
from agent.commands.ledger_journal import verify_journal
from agent.commands.ledger_proposal import diff_proposal, import_proposal, is_proposal_file
from agent.commands.ledger_site import LedgerSite
from agent.commands.ledger_text import contrast_json, contrast_text, counted, print_entries
from agent.commands.machine_output import write_json_rows, write_lines
from agent.commands.options.ledger import ExportForm, Form
from agent.commands.place_rules import placed_cells, rules_of
from agent.commands.terminal import exit_codes, out, usage_error
from agent.config.mistakes import near_match
from agent.files.workbook import read_table
from agent.hil.review.kinds import Kind
from agent.hil.review.reading import is_proposal
from agent.site.ledger.cells import moment_cell
from agent.site.ledger.compare import compare, same_row, same_unit
from agent.site.ledger.edit import Draft
from agent.site.ledger.entries import LedgerEntry
from agent.site.ledger.file import MAX_LEDGER_BYTES
from agent.text.numbers import hashrate_text


def show(unit: str | None, *, config: Path | None, at: str | None, form: Form, as_json: bool) -> None:
    """Print ledger rows."""
    with exit_codes():
        form = Form.JSON if as_json else form
        site = LedgerSite(config, time.time())
        entries = site.read(site.file)
        if unit is not None:
            entries = _rows_of(unit, entries)
        if unit is None or at is not None:
            moment = site.moment(at, "--at")
            entries = tuple(entry for entry in entries if entry.is_deployed_at(moment))
        print_entries(entries, site.zone, form)
        if form is not Form.TABLE:
            return
        if unit is None:
            out.print(
                f"{_total_text(entries, ' deployed')}, at {moment_cell(site.moment(at, '--at'), site.zone)}",
                soft_wrap=True,
            )
        else:
            print_journal(unit, site.file)


def verify(*, config: Path | None, as_json: bool) -> None:
    """Check the journal of a ledger."""
    with exit_codes():
        site = LedgerSite(config, time.time())
        verify_journal(site, as_json=as_json)


def export(file: Path, *, config: Path | None, form: ExportForm | None, at: str | None, role: str) -> None:
    """Write the ledger for another program."""
    with exit_codes():
        site = LedgerSite(config, time.time())
        write_export(site, file, form=form, moment=None if at is None else site.moment(at, "--at"), role=role)


def diff(files: list[Path] | None, *, config: Path | None, start: str | None, end: str | None, as_json: bool) -> None:
    """Print the differences between two ledgers or moments."""
    with exit_codes():
        site = LedgerSite(config, time.time())
        files = files or []
        is_by_row = start is None and end is None
        if len(files) > 2 or (not files and is_by_row):
            reason = "two files at most are expected, or --from for two moments of the ledger"
            raise usage_error("ledger diff", "FILES", "", reason)
        if len(files) == 1 and is_proposal_file(files[0]):
            if not is_by_row:
                reason = "a proposal is compared with the ledger of now"
                raise usage_error("ledger diff", "--from", start or end or "", reason)
            diff_proposal(site, files[0], as_json=as_json)
            return
        paths = [*files, site.file, site.file][:2]
        before, after = (site.read(path) for path in paths)
        if not is_by_row:
            begin, over = site.moment(start, "--from"), site.moment(end, "--to")
            before = tuple(entry for entry in before if entry.is_deployed_at(begin))
            after = tuple(entry for entry in after if entry.is_deployed_at(over))
        contrasts = compare(before, after, same=same_row if is_by_row else same_unit, zone=site.zone)
        if as_json:
            write_json_rows(contrast_json(contrast, site.zone) for contrast in contrasts)
            return
        write_lines(contrast_text(contrast, site.zone, has_dates=is_by_row) for contrast in contrasts)
        summary = f"differences: {len(contrasts):,}"
        if not is_by_row:
            summary = f"{_total_text(before)} -> {_total_text(after)}; {summary}"
        out.print(summary, soft_wrap=True)


def check(*, config: Path | None, as_json: bool) -> None:
    """Print rows that their units contradict."""
    with exit_codes():
        option = "" if config is None else f" --config {shlex.quote(str(config))}"
        print_check(LedgerSite(config, time.time()), option, as_json=as_json)


def set_unit(
    unit: str,
    *,
    config: Path | None,
    at: str | None,
    host: str | None,
    web_port: str | None,
    reader: str | None,
    container: str | None,
    rack: str | None,
    slot: str | None,
    status: str | None,
    model: str | None,
    hashrate_th: str | None,
    serial: str | None,
    mac: str | None,
    simulated: str | None,
    make: str | None,
    power_w: str | None,
    boards: str | None,
    chips_per_board: str | None,
    owner: str | None,
    is_new: bool,
    is_removed: bool,
    is_swap: bool,
    is_dry: bool,
    as_json: bool,
) -> None:
    """Change one unit."""
    with exit_codes():
        given = {
            "model": model,
            "hashrate_th": hashrate_th,
            "host": host,
            "container": container,
            "rack": rack,
            "slot": slot,
            "status": status,
            "serial": serial,
            "mac": mac,
            "simulated": simulated,
            "web_port": web_port,
            "reader": reader,
            "make": make,
            "power_w": power_w,
            "boards": boards,
            "chips_per_board": chips_per_board,
            "owner": owner,
        }
        cells = {column: cell for column, cell in given.items() if cell is not None}
        has_change = is_new or bool(cells)
        if is_removed == has_change:  # Both or neither.
            reason = "what to change is expected: column options, --new with column options, or --removed alone"
            raise usage_error("ledger set", "options", "", reason)
        site = LedgerSite(config, time.time())
        moment = site.cell(at)

        def edit(draft: Draft) -> None:
            if is_removed:
                draft.remove(unit, moment)
            elif is_new:
                draft.add(unit, cells, moment)
            else:
                draft.set_cells(unit, cells, moment, is_exchange=is_swap)

        options = [f"--{column.replace('_', '-')}={value}" for column, value in cells.items()]
        flags = {"--removed": is_removed, "--new": is_new, "--swap": is_swap}
        command = ["set", unit, *options, *(flag for flag, is_given in flags.items() if is_given), f"--at={moment}"]
        change(site, edit, command, is_dry=is_dry, as_json=as_json)


def import_table(
    file: Path,
    *,
    config: Path | None,
    at: str | None,
    kind: list[Kind] | None,
    place: list[str] | None,
    with_guesses: bool,
    is_dry: bool,
    as_json: bool,
) -> None:
    """Import rows of another table, or chosen differences from a proposal."""
    with exit_codes():
        site = LedgerSite(config, time.time())
        rules = rules_of(place, "ledger import")
        moment = site.cell(at)
        text = read_table(file, max_bytes=MAX_LEDGER_BYTES, column="unit_id")
        if Kind.UNREADABLE in (kind or ()):
            reason = (
                "such a unit reports nothing to import; fill in model and hashrate_th of its row, then import it as new"
            )
            raise usage_error("ledger import", "--kind", Kind.UNREADABLE.value, reason)
        command = [
            "import",
            str(file),
            *(f"--kind={each}" for each in kind or ()),
            *(f"--place={each}" for each in place or ()),
            *(["--guessed"] if with_guesses else []),
            f"--at={moment}",
        ]
        if is_proposal(text):
            import_proposal(
                site,
                file,
                text=text,
                kinds=kind,
                rules=rules,
                moment=moment,
                command=command,
                with_guesses=with_guesses,
                is_dry=is_dry,
                as_json=as_json,
            )
            return
        if kind:
            reason = f"{file} is a table of rows; only a proposal of `hashsight scan` has kinds of differences"
            raise usage_error("ledger import", "--kind", kind[0].value, reason)
        change(
            site,
            lambda draft: draft.merge(text, str(file), moment, complete=lambda cells: placed_cells(cells, rules)),
            command,
            is_dry=is_dry,
            as_json=as_json,
        )


def _rows_of(unit_id: str, entries: Iterable[LedgerEntry]) -> tuple[LedgerEntry, ...]:
    """Return one unit's rows in order of time."""
    entries = tuple(entries)
    rows = [entry for entry in entries if entry.unit_id == unit_id]
    if not rows:
        reason = f"no such unit in the ledger{near_match(unit_id, {entry.unit_id for entry in entries})}"
        raise usage_error("ledger show", "UNIT", unit_id, reason)
    return tuple(sorted(rows, key=lambda entry: entry.deployed_from or float("-inf")))


def _total_text(entries: Iterable[LedgerEntry], words: str = "") -> str:
    """Return count and nameplate of ledger rows, such as ``2 units, 390.00 TH/s``."""
    entries = tuple(entries)
    deployed_hs = sum(entry.nameplate.hashrate_hs for entry in entries)
    return f"{counted(len(entries), 'unit')}{words}, {hashrate_text(deployed_hs)}"
