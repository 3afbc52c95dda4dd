"""Options of `hashsight check`."""

from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import ConfigPath

app = typer.Typer(add_completion=False)


@command(app)
def check(
    config: ConfigPath,
    *,
    show: Annotated[bool, typer.Option("--show", help="Print the effective configuration, with defaults.")] = False,
) -> None:
    """Check configuration and ledger and print what is deployed now. Opens no socket."""
