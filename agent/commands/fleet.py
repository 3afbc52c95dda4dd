"""`hashsight fleet`: many sites under one address, their figures once, or a check of the file."""

import asyncio
import os
import time
from pathlib import Path

import typer
from rich.markup import escape
from rich.table import Table

from agent.commands.machine_output import visible, write_json
from agent.commands.terminal import FAILED, err, exit_codes, out, usage_error
from agent.fleet.answers import fleet_answer
from agent.fleet.figures import FleetFigures, SiteView, Standing, fleet_figures
from agent.fleet.service import FleetService
from agent.fleet.setup import FleetSetup, load_fleet_setup
from agent.fleet.watch import Watch
from agent.fleet.words import (
    NOT_KNOWN,
    cause_words,
    coverage_words,
    ordered,
    ratio_words,
    sites_text,
    standing_words,
    trouble_words,
    verdict,
)
from agent.runtime import logs
from agent.runtime.process import forbid_core_dumps, run_loop, run_until_signalled
from agent.runtime.systemd import ServiceManager
from agent.text.numbers import ABSENT, hashrate_text, ratio_text
from agent.text.work import diverted_text

_LEAST_WIDTHS = {"site": 12, "operating": 11, "deployed": 11, "efficiency": 10, "coverage": 8}
"""Widths at which names and figures stay whole; the table then fits 80 columns."""


def fleet(sites: Path, *, web_config_file: Path | None, check: bool, once: bool, as_json: bool) -> None:
    """Serve a fleet until SIGTERM, print it once, or check its file."""
    with exit_codes():
        if as_json and not once:
            raise usage_error("fleet", "--json", "", "--once is needed with it; a running server has /api/v1/fleet")
        if check and once:
            raise usage_error("fleet", "--check", "", "not together with --once, which asks the sites")
        forbid_core_dumps()
        setup = load_fleet_setup(sites, web_config_file=web_config_file)
        if check:
            fleet_name = setup.config.fleet.name
            out.print(f"{fleet_name}: {sites_text(len(setup.sites))}; ok", markup=False, soft_wrap=True)
            return
        if once:
            _print_once(setup, as_json=as_json)
            return
        logs.set_up()
        logs.catch_strays()
        try:
            run_loop(_serve(setup))
        finally:
            logs.let_go()


async def _serve(setup: FleetSetup) -> None:
    await run_until_signalled(FleetService(setup, manager=ServiceManager(os.environ)))


def _print_once(setup: FleetSetup, *, as_json: bool) -> None:
    logs.set_up("error")
    watch = Watch(setup)
    asyncio.run(watch.ask_once())
    views = watch.views()
    if as_json:
        write_json(fleet_answer(setup, views, now=time.time()))
    else:
        _print_fleet(setup, views)
    silent = [view for view in views if view.standing is not Standing.CURRENT]
    for view in silent:
        why = trouble_words(view) or [view.report.not_ready_reason or "no unit can be read" if view.report else ""]
        err.print(visible(f"{view.name}: {standing_words(view)}: {'; '.join(why)}"), markup=False, soft_wrap=True)
    if silent:
        raise typer.Exit(FAILED)


def _print_fleet(setup: FleetSetup, views: list[SiteView]) -> None:
    totals = fleet_figures(views)
    table = Table(title="sites, worst first", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in ("site", "operating", "deployed", "efficiency", "coverage", "largest loss"):
        is_number = column in _LEAST_WIDTHS and column != "site"
        table.add_column(
            column, justify="right" if is_number else "left", overflow="fold", min_width=_LEAST_WIDTHS.get(column)
        )
    for view in ordered(views, "worst"):
        largest = ABSENT
        if view.figures is not None and view.losses:
            cause, hashrate_hs = view.losses[0]
            largest = f"{cause_words(cause)} {ratio_text(hashrate_hs / view.figures.deployed_hs, 1)}"
        table.add_row(
            escape(view.name),
            hashrate_text(view.figures.operating_hs if view.figures else None),
            hashrate_text(view.deployed_hs),
            ratio_text(view.ratio),
            ratio_text(view.coverage_ratio),
            escape(largest if view.figures else standing_words(view)),
        )
    out.print(table)
    out.print()
    out.print(_headline(setup.config.fleet.name, totals), markup=False)
    for cause, hashrate_hs in totals.losses:
        out.print(f"  {hashrate_text(hashrate_hs):>11} {cause_words(cause)}", markup=False)
    for view in views:
        if view.figures is not None and view.figures.diverted_units:
            words = diverted_text(view.figures.diverted_units, view.figures.diverted_hs or 0.0)
            out.print(visible(f"{view.name}: {words}"), markup=False, soft_wrap=True)


def _headline(name: str, totals: FleetFigures) -> str:
    lacking = totals.sites[Standing.MISSING]
    of = f"{'at least ' if lacking else ''}{hashrate_text(totals.deployed_hs)}"
    current = f"{totals.sites[Standing.CURRENT]:,} of {sites_text(sum(totals.sites.values()))}"
    ratio = ratio_words(totals)
    named = f"efficiency {ratio}" if ratio == NOT_KNOWN else ratio
    lines = [
        f"{name}: {hashrate_text(totals.operating_hs)} of {of} operating, {named}; {verdict(totals)}",
        f"coverage {coverage_words(totals)}; {current} with current figures",
    ]
    if totals.unknown_hs:
        lines.append(f"{hashrate_text(totals.unknown_hs)} deployed where nothing is known now")
    if lacking:
        lines.append(f"{sites_text(lacking)} without a usable answer: every total is too small")
    return "\n".join(lines)
