"""Options of `hashsight check`."""

from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import ConfigPath, Json

app = typer.Typer(add_completion=False)


@command(app, examples=("hashsight check", "hashsight check -c north.toml --show", "hashsight check --json"))
def check(
    config: ConfigPath = None,
    *,
    show: Annotated[bool, typer.Option("--show", help="Print the effective configuration, with defaults.")] = False,
    as_json: Json = False,
) -> None:
    """Check configuration and ledger and print what is deployed now. Opens no socket."""
