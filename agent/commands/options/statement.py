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
    publish: Annotated[
        bool,
        typer.Option("--publish", help="Refuse if under 95 % was watched, a doubt is open, or it is not over."),
    ] = False,
    is_combined: Annotated[
        bool, typer.Option("--combine", help="Combine several sites' statements (JSON) into one.")
    ] = False,
    sites: Annotated[
        str, typer.Option("--sites", help="With --combine: all sites of the fleet, separated by commas.")
    ] = "",
    acknowledge: Annotated[
        list[str] | None,
        typer.Option("--acknowledge", help="Publish in spite of a doubt: delivered, ledger, containers or nameplates."),
    ] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Only the units that the ledger gives to this owner.")
    ] = None,
) -> None:
    """Print a calendar period's statement: deployed, operating, losses by cause, energy, and the method."""
