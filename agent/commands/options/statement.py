"""Options of `hashsight statement`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import ConfigPath, HistoryPath

app = typer.Typer(add_completion=False)


@command(
    app,
    examples=(
        "hashsight statement 2025-10",
        "hashsight statement 2025-10 --format html > october.html",
        "hashsight statement 2025-Q3 --json --publish > q3.json",
        "hashsight statement --verify q3.json",
        "hashsight statement 2025-10 --owner North",
        "hashsight statement --verify october.json --rows rows.csv --chain chain.jsonl --key site.history.key.pub",
    ),
)
def statement(
    period: Annotated[
        list[str] | None,
        typer.Argument(help="2025-10, month-to-date, a quarter (2025-Q3) or a year; with --combine the files."),
    ] = None,
    *,
    config: ConfigPath = None,
    history: HistoryPath = None,
    form: Annotated[str, typer.Option("--format", help="table, markdown, html, csv or json.")] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    verify: Annotated[
        Path | None, typer.Option(help="Recompute this statement (JSON) from history; exit 1 if it does not match.")
    ] = None,
    rows: Annotated[
        Path | None, typer.Option("--rows", help="With --verify: the period's exported rows, instead of a history.")
    ] = None,
    chain: Annotated[
        Path | None, typer.Option("--chain", help="With --rows: the exported chain (history export --what chain).")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Sign with this key, not the agent's. With --verify: public key to compare with."),
    ] = None,
    publish: Annotated[
        bool,
        typer.Option("--publish", help="Refuse if under 95 % was watched, a doubt is open, or it is not over."),
    ] = False,
    is_combined: Annotated[
        bool, typer.Option("--combine", help="Combine several sites' statements (JSON) into one.")
    ] = False,
    sites: Annotated[
        str,
        typer.Option("--sites", help="With --combine: all sites of the fleet, by commas. With --rows: whose they are."),
    ] = "",
    restates: Annotated[
        Path | None, typer.Option("--restates", help="Name the earlier statement (JSON) that this one replaces.")
    ] = None,
    appendix: Annotated[
        Path | None,
        typer.Option("--appendix", help="Write units entered, left and in maintenance as CSV. --verify compares it."),
    ] = None,
    acknowledge: Annotated[
        list[str] | None,
        typer.Option("--acknowledge", help="Publish in spite of a doubt: delivered, ledger, containers or nameplates."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Only the units that the ledger gives to this owner.")
    ] = None,
) -> None:
    """Print a calendar period's statement: deployed, operating, losses by cause, energy, and the method."""
