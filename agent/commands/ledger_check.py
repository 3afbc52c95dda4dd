"""`hashsight ledger check`: rows beside what their units say of themselves, with the row that would hold."""

import shlex
from collections.abc import Iterator
from contextlib import closing
from typing import Any, NamedTuple

import typer

from agent.commands.ledger_site import LedgerSite
from agent.commands.ledger_text import counted
from agent.commands.machine_output import write_json_rows, write_lines
from agent.commands.terminal import FAILED, err, out
from agent.history.reader import read_history
from agent.site.ledger.cells import moment_cell
from agent.site.ledger.entries import LedgerEntry
from agent.site.nameplates import Group, Nameplates, WordSource
from agent.statement.nameplates import latest_nameplates
from agent.text.nameplates import nameplate_text
from agent.text.numbers import hashrate_text
from agent.unit.limits import HS_PER_THS


class _Proposed(NamedTuple):
    """A row that differs from what its unit says.

    Attributes:
        entry: The row.
        group: What the unit says.
        command: What to type to correct it; empty if the unit does not tell its bin.
    """

    entry: LedgerEntry
    group: Group
    command: str

    def json(self) -> dict[str, Any]:
        """Return it for programs."""
        group = self.group
        return {
            "unit_id": self.entry.unit_id,
            "model": group.model,
            "hashrate_th": group.row_hs / HS_PER_THS,
            "own_model": group.own_model,
            "own_hashrate_th": group.own_hs / HS_PER_THS,
            "source": group.source,
            "is_listed": group.is_listed,
            "command": self.command or None,
        }


def print_check(site: LedgerSite, option: str, *, as_json: bool) -> None:
    """Print rows that their units contradict.

    Args:
        site: The ledger's.
        option: What a command to type needs to find it again; empty if nothing.
        as_json: True for a JSON list of them.

    Raises:
        typer.Exit: A row differs, or nothing was checked yet.
    """
    with closing(read_history(site.history)) as reader:
        latest = latest_nameplates(reader)
    if latest is None:
        message = f"{site.history}: nothing was checked yet; the agent does so once it has asked every unit"
        err.print(message, markup=False, soft_wrap=True)
        raise typer.Exit(FAILED)
    at, found = latest
    rows = list(_proposed(site, found, option))
    if as_json:
        write_json_rows(row.json() for row in rows)
    else:
        write_lines(_text(row) for row in rows)
        changed = sum(len(group.named) for group in found.groups) - len(rows)
        out.print(_summary(found, moment_cell(float(at), site.zone), changed), markup=False, soft_wrap=True)
    if rows:
        raise typer.Exit(FAILED)


def _proposed(site: LedgerSite, found: Nameplates, option: str) -> Iterator[_Proposed]:
    """Yield the rows in force that are still as they were when their units were looked at."""
    rows = {entry.unit_id: entry for entry in site.read(site.file) if entry.is_deployed_at(site.now)}
    for group in found.groups:
        for unit_id in group.named:
            entry = rows.get(unit_id)
            if entry is None or (entry.nameplate.model, entry.nameplate.hashrate_hs) != (group.model, group.row_hs):
                continue
            yield _Proposed(entry, group, _command(unit_id, group, option))


def _command(unit_id: str, group: Group, option: str) -> str:
    if group.source is WordSource.MODEL:
        return ""
    model = "" if group.own_model is None else f" --model {shlex.quote(group.own_model)}"
    th = f"{group.own_hs / HS_PER_THS:.6g}"
    return f"hashsight ledger set {shlex.quote(unit_id)}{option}{model} --hashrate-th {th}"


def _text(row: _Proposed) -> str:
    mend = row.command or "look at its label: it does not tell its bin"
    return f"{row.entry.unit_id}: {nameplate_text(row.group)} -> {mend}"


def _summary(found: Nameplates, at: str, changed: int) -> str:
    """Return the sums of the latest look, and how many of its rows the ledger has changed since then."""
    differing = sum(group.units for group in found.groups) + found.other_units
    since = f"; the ledger has changed {counted(changed, 'such row')} since, the agent looks hourly" if changed else ""
    return (
        f"{differing:,} of {counted(found.units, 'unit')} differ from their rows,"
        f" {found.units_differing:,} by more than 3 %; {found.units_unknown:,} say nothing, at {at};"
        f" deployed {hashrate_text(found.row_hs)} by the rows,"
        f" {hashrate_text(found.own_hs)} by the units' own word{since}"
    )
