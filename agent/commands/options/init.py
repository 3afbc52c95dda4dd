"""Options of `hashsight init`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import PlaceRules

app = typer.Typer(add_completion=False)


@command(
    app,
    examples=(
        "hashsight init ~/mine --network 10.20.0.0/22",
        "hashsight init /etc/hashsight --service --network 10.20.0.0/22",
    ),
)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for site.toml and ledger.csv.")],
    *,
    name: Annotated[str | None, typer.Option("--name", help="The site's name; asked for on a terminal.")] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="Its time zone, such as America/Chicago.")] = None,
    network: Annotated[
        list[str] | None, typer.Option("--network", help="Network of its units, 10.20.0.0/22; may be repeated.")
    ] = None,
    ranges: Annotated[
        list[str] | None, typer.Option("--range", help="Scan only this part of the networks; may be repeated.")
    ] = None,
    place: PlaceRules = None,
    logins: Annotated[
        Path | None,
        typer.Option("--logins", help="File of mode 0600 with a line 'NETWORK USER PASSWORD' for each network."),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the units' API.")] = 4028,
    web_port: Annotated[int, typer.Option("--web-port", min=1, max=65535, help="Port of their pages.")] = 80,
    has_scan: Annotated[bool, typer.Option("--scan/--no-scan", help="Look for units, or begin without any.")] = True,
    is_resumed: Annotated[
        bool, typer.Option("--resume", help="Continue the scan of an init that was stopped, from DIR.resume.")
    ] = False,
    is_service: Annotated[
        bool, typer.Option("--service", help="For hashsight.service: state and history in /var/lib/hashsight.")
    ] = False,
) -> None:
    """Begin a site: scan its networks, write a checked site.toml and ledger.csv, and say what to type next.

    Name, zone and networks are asked for on a terminal if they are not given. Nothing is written into DIR unless all of
    it is sound, and no file is replaced. Beside it, DIR.resume keeps what was scanned until then.
    """
