"""Options of `hashsight history`."""

from typing import Annotated

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.shared import HistoryPath, OptionalConfigPath

app = typer.Typer(
    name="history",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    help="Export the site's minute-by-minute history.",
)


@app.callback()
def _group() -> None:
    """Keep `export` a subcommand: typer runs the only command of an app without its name."""


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
