"""Options of `hashsight once`."""

from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import ConfigPath, Json

app = typer.Typer(add_completion=False)


@command(app, examples=("hashsight once", "hashsight once -c north.toml --all | less", "hashsight once --json"))
def once(
    config: ConfigPath = None,
    *,
    as_json: Json = False,
    show_all: Annotated[bool, typer.Option("--all", help="List every unit, not only the worst.")] = False,
) -> None:
    """Poll every unit once and print the site's figures and its worst units."""
