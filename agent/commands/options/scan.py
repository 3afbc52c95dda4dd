"""Options of `hashsight scan`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import AnyAddress, Json, OptionalConfigPath, PlaceRules

app = typer.Typer(add_completion=False)


@command(
    app,
    examples=(
        "hashsight scan 10.20.0.0/22",
        "hashsight scan 10.20.0.0/22 --exclude 10.20.0.1 --out new.csv -c site.toml",
    ),
)
def scan(
    ranges: Annotated[
        list[str],
        typer.Argument(metavar="RANGE...", help="Networks and ranges: 10.20.0.0/22 10.20.8.10-10.20.8.90 10.20.9.1"),
    ],
    *,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="Likewise; may be repeated.")] = None,
    config: OptionalConfigPath = None,
    logins: Annotated[
        Path | None,
        typer.Option("--logins", help="File of mode 0600 with a line 'NETWORK USER PASSWORD' for each network."),
    ] = None,
    has_pages: Annotated[
        bool, typer.Option("--pages/--no-pages", help="Read MAC address and serial number from identity pages.")
    ] = True,
    place: PlaceRules = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the units' API.")] = 4028,
    web_port: Annotated[
        int | None, typer.Option("--web-port", min=1, max=65535, help="Port of their pages; default: 80.")
    ] = None,
    rate: Annotated[float, typer.Option("--rate", help="Connections begun per second, at most 20000.")] = 5000.0,
    is_deep: Annotated[
        bool, typer.Option("--deep", help="Try pyasic on what was not identified. Prints first which ports it touches.")
    ] = False,
    any_address: AnyAddress = False,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write the proposed ledger to this new CSV file.")
    ] = None,
    is_resumed: Annotated[
        bool, typer.Option("--resume", help="Continue the stopped scan whose proposal is --out.")
    ] = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="List every unit with its figures, not only counts by kind.")
    ] = False,
    pool_users: Annotated[bool, typer.Option("--pool-users", help="Print the users of pools in JSON.")] = False,
    as_json: Json = False,
) -> None:
    """Find the units in address ranges, say what they are, and propose a ledger. Changes nothing.

    Only private addresses, and those in ledger.networks of --config, are scanned. Ctrl-C keeps what was found. With
    --out, so does a scan that is killed, but for its last seconds.
    """
