"""Options of `hashsight read`."""

from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import AnyAddress, Json, OptionalConfigPath

app = typer.Typer(add_completion=False)


@command(app, examples=("hashsight read 10.20.0.11", "hashsight read 10.20.0.11 --raw"))
def read(
    host: Annotated[str, typer.Argument(help="IP address of the unit, with :port if that is not 4028.")],
    *,
    config: OptionalConfigPath = None,
    any_address: AnyAddress = False,
    as_json: Json = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print requests and replies as sent over the wire.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, max=300, help="Deadline for the whole read, in seconds.")
    ] = 10.0,
) -> None:
    """Read one unit once and print everything it reports.

    Only private addresses, and those in ledger.networks of --config, are asked.
    """
