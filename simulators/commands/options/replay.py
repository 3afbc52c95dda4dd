"""Options of `hashsight-sim replay`."""

from pathlib import Path
from typing import Annotated

import typer

from simulators.commands.options.shared import AddressesOption, BaseOption, NoPagesOption, PortOption, RemoteOption


def run(
    context: typer.Context,
    captures: Annotated[list[Path], typer.Argument(help="Capture directories, or files of recorded replies.")],
    *,
    base: BaseOption = "127.10.0.1",
    addresses: AddressesOption = "",
    port: PortOption = 4028,
    web_port: Annotated[
        int | None,
        typer.Option(
            "--web-port",
            min=0,
            max=65535,
            help="TCP port of the recorded pages; 0 takes a free one. Left out: 80 as on real units, or a free one.",
        ),
    ] = None,
    no_pages: NoPagesOption = False,
    moment: Annotated[
        str, typer.Option(help="Serve the replies of this moment over the first ones: its name or its state.")
    ] = "",
    over_time: Annotated[
        bool, typer.Option("--over-time", help="Walk through the recorded moments at their recorded times.")
    ] = False,
    speed: Annotated[float, typer.Option(help="With --over-time: recorded seconds per second.")] = 1.0,
    timings: Annotated[bool, typer.Option("--timings", help="Answer as late as was recorded.")] = False,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve recorded replies byte for byte until stopped.

    Each capture directory is one unit. Pages behind a login are shown to any digest credentials: a capture holds no
    password to check them with.
    """
