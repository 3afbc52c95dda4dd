"""Options of `hashsight-sim replay`."""

from pathlib import Path
from typing import Annotated

import typer

from simulators.commands.options.shared import AddressesOption, BaseOption, PortOption, RemoteOption


def run(
    context: typer.Context,
    captures: Annotated[list[Path], typer.Argument(help="Capture directories, or files of recorded replies.")],
    *,
    base: BaseOption = "127.10.0.1",
    addresses: AddressesOption = "",
    port: PortOption = 4028,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve recorded replies byte for byte until stopped.

    Each capture directory is one unit.
    """
