"""`hashsight once`: poll every unit once and print the figures."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from agent.address import Endpoint
from agent.app import Agent
from agent.commands.machine_output import write_json_rows
from agent.commands.site_setup import checked_setup
from agent.commands.site_summary import site_fields, site_summary
from agent.commands.terminal import FAILED, err, exit_codes, note, out
from agent.runtime import logs
from agent.site.ledger.cells import API_PORT
from agent.site.ledger.entries import LedgerEntry
from agent.site.reasons import REASONS, Reason
from agent.site.status import UnitState, UnitStatus
from agent.site.totals import SiteFigures
from agent.text.numbers import hashrate_text, ratio_text
from agent.text.places import rack_name
from agent.text.unit_notes import mismatch_text, unit_notes

WORST_SHOWN = 20
WIDE_COLUMNS = 110
"""From this width on, the table has the model, and state and reason in columns of their own."""
_LEAST_WIDTHS = {"address": 9, "place": 8, "state": 10, "reason": 16, "hashrate": 11, "short by": 8}
"""Widths at which words and figures stay whole; the table then fits 80 columns."""


def once(config: Path | None, *, as_json: bool, show_all: bool) -> None:
    """Poll every unit once and print the site's figures."""
    with exit_codes():
        setup = checked_setup(config, "once")
        logs.set_up("error", setup.config.log.format)
        agent, figures = asyncio.run(_sweep(Agent(setup)))
        statuses = sorted(agent.tracker.statuses(), key=badness, reverse=True)
        name = setup.config.title
        if agent.other_process is not None:
            note(f"{_process_text(agent.other_process)} polls this site too; hashsight top shows it without polling")
        if as_json:
            write_json_rows(map(unit_fields, statuses), site_fields(name, figures), name="unit_statuses")
        else:
            shown = statuses if show_all else [status for status in statuses if status.losses][:WORST_SHOWN]
            out.print(_unit_table(shown, of=len(statuses)))
            out.print()
            _print_check_first(shown)
            _print_mismatches(statuses)
            out.print(site_summary(name, figures, agent.loss_lines(figures)))
        if figures.site.units and not any(status.is_fresh for status in statuses):
            err.print("no unit could be read")
            raise typer.Exit(FAILED)


def _process_text(process: int) -> str:
    return f"process {process}" if process else "another process"


async def _sweep(agent: Agent) -> tuple[Agent, SiteFigures]:
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("polling", total=len(agent.tracker))
        agent.on_polled = lambda: progress.advance(task)
        return agent, await agent.sweep()


def _shortfall_ratio(status: UnitStatus) -> float:
    return status.shortfall_hs / status.entry.nameplate.hashrate_hs


def badness(status: UnitStatus) -> tuple[float, float]:
    """Return a key of order by the share that nothing declared explains, then by the whole share."""
    return status.unexplained_hs / status.entry.nameplate.hashrate_hs, _shortfall_ratio(status)


def _unit_table(statuses: Iterable[UnitStatus], of: int) -> Table:
    title = f"units, worst first ({of:,} in all)"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    is_wide = out.width >= WIDE_COLUMNS
    columns = ("unit", "address", "place", *(("model", "state") if is_wide else ()), "reason", "hashrate", "short by")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "unit", min_width=_LEAST_WIDTHS.get(column))
    for status in statuses:
        cells = _cells(status)
        if not is_wide and not cells["reason"].startswith(status.state):
            cells["reason"] = f"{status.state}: {cells['reason']}"
        table.add_row(*(escape(cells[column]) for column in columns))
    return table


def _cells(status: UnitStatus) -> dict[str, str]:
    """Return what the table says of a unit, by column."""
    entry = status.entry
    causes = ", ".join(str(loss.cause).replace("_", " ") for loss in status.losses)
    is_fine = status.state is UnitState.HASHING and status.reason is Reason.HASHING
    return {
        "unit": entry.unit_id,
        "address": address_text(entry),
        "place": " ".join(part for part in (entry.place.container, rack_name(entry.place), entry.place.slot) if part),
        "model": entry.nameplate.model,
        "state": status.state,
        "reason": causes if is_fine and causes else "; ".join([status.why, *(each.why for each in status.also)]),
        "hashrate": hashrate_text(status.hashrate_hs),
        "short by": ratio_text(_shortfall_ratio(status), 1),
    }


def address_text(entry: LedgerEntry) -> str:
    """Return a unit's address, with its port if that is not the usual one."""
    return entry.host if entry.port == API_PORT else str(Endpoint(entry.host, entry.port))


def _print_check_first(statuses: Iterable[UnitStatus]) -> None:
    """Print what to check first, a row for each reason among the units shown, in their order."""
    reasons = dict.fromkeys(status.reason for status in statuses if status.check_first)
    if not reasons:
        return
    table = Table(title="what to check first", title_justify="left", box=None, padding=(0, 1, 0, 0), show_header=False)
    for reason in reasons:
        table.add_row(REASONS[reason].words, REASONS[reason].check_first)
    out.print(table)
    out.print()


def _print_mismatches(statuses: Iterable[UnitStatus]) -> None:
    """Print the units that report another model or bin than their row, the first `WORST_SHOWN` by id."""
    texts = sorted(
        (status.entry.unit_id, mismatch_text(status.entry, status.mismatch)) for status in statuses if status.mismatch
    )
    if not texts:
        return
    out.print(f"units that differ from their row in the ledger: {len(texts):,}", markup=False)
    for unit_id, text in texts[:WORST_SHOWN]:
        out.print(f"  {unit_id} {text}", markup=False, soft_wrap=True)
    out.print("their shortfall is measured against the ledger; `hashsight ledger set` corrects a row")
    out.print()


def unit_fields(status: UnitStatus) -> dict[str, object]:
    """Return the facts of one unit for JSON, in base units."""
    return {
        "unit_id": status.entry.unit_id,
        "host": status.entry.host,
        "port": status.entry.port,
        "container": status.entry.place.container,
        "rack": status.entry.place.rack,
        "slot": status.entry.place.slot,
        "model": status.entry.nameplate.model,
        "state": status.state,
        "reason": status.reason,
        "why": status.why,
        "is_overdue": status.is_overdue,
        "also": [finding.why for finding in status.also],
        "check_first": status.check_first,
        "nameplate_hs": status.entry.nameplate.hashrate_hs,
        "hashrate_hs": status.hashrate_hs,
        "power_watts": status.power.watts if status.power else None,
        "power_source": status.power.source if status.power else None,
        "power_missing_reason": status.power_gap,
        "losses_hs": {loss.cause: loss.hashrate_hs for loss in status.losses},
        "notes": unit_notes(status),
        "error": None if status.error is None else str(status.error),
        "reading": status.reading,
    }
