"""Options of `hashsight history`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.shared import ConfigPath, HistoryPath, PlainJson

app = typer.Typer(
    name="history",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    help="Export the site's minute-by-minute history, or merge those of two agents.",
)


@command(
    app,
    examples=(
        "hashsight history export 2025-10 > october.csv",
        "hashsight history export --from 2025-10-07 --to 2025-10-08 --what changes",
        "hashsight history export 2025-10 --what chain > october.chain.jsonl",
    ),
)
def export(
    period: Annotated[str | None, typer.Argument(help="A month (2025-10), a quarter (2025-Q3) or a year.")] = None,
    *,
    config: ConfigPath = None,
    history: HistoryPath = None,
    start: Annotated[
        str | None, typer.Option("--from", help="ISO date or time, in the site's zone, instead of a period.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Likewise; not included.")] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--what", help="site, containers, owners, changes (of units' states), or chain: its links, JSON a line."
        ),
    ] = "site",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a row a line, instead of CSV.")] = False,
) -> None:
    """Print history as CSV in base units. A statement's digest is the SHA-256 of its period's CSV."""


@command(app, examples=("hashsight history merge first.sqlite second.sqlite --into month.sqlite",))
def merge(
    first: Annotated[Path, typer.Argument(help="The primary's history file.")],
    second: Annotated[Path, typer.Argument(help="The standby's history file.")],
    *,
    into: Annotated[Path, typer.Option("--into", help="The new file; the agents' own are not changed.")],
    as_json: PlainJson = False,
) -> None:
    """Put two agents' histories of one site together; each minute counts once, the first file's where both have it."""
