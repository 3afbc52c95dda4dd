"""Options of `hashsight history`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.shared import HistoryPath, OptionalConfigPath

app = typer.Typer(
    name="history",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    help="Export the site's minute-by-minute history, or merge those of two agents.",
)


@command(app)
def export(
    period: Annotated[str | None, typer.Argument(help="A month (2025-10), a quarter (2025-Q3) or a year.")] = None,
    *,
    config: OptionalConfigPath = None,
    history: HistoryPath = None,
    start: Annotated[
        str | None, typer.Option("--from", help="ISO date or time, in the site's zone, instead of a period.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Likewise; not included.")] = None,
    kind: Annotated[str, typer.Option("--what", help="site, containers or changes (of units' states).")] = "site",
) -> None:
    """Print history as CSV in base units. A statement's digest is the SHA-256 of its period's CSV."""


@command(app)
def merge(
    first: Annotated[Path, typer.Argument(help="The primary's history file.")],
    second: Annotated[Path, typer.Argument(help="The standby's history file.")],
    *,
    into: Annotated[Path, typer.Option("--into", help="The new file; the agents' own are not changed.")],
) -> None:
    """Put two agents' histories of one site together; each minute counts once, the first file's where both have it."""
