"""Options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

SeedOption = Annotated[int | None, typer.Option(help="Random seed; drawn and printed if left out.")]
BaseOption = Annotated[str, typer.Option(help="First IPv4 address; the other units follow it.")]
AddressesOption = Annotated[
    str, typer.Option(help="Instead of --base: IPV4 or IPV4:PORT of each unit, separated by commas, or @FILE.")
]
PortOption = Annotated[int, typer.Option(min=0, max=65535, help="TCP port of every unit; 0 takes a free one.")]
RemoteOption = Annotated[bool, typer.Option(help="Also answer clients on other machines.")]
HttpPortOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=65535,
        help="TCP port of every unit's web pages; 0 takes a free one. Left out: 80 as on real units, or a free one.",
    ),
]
NoPagesOption = Annotated[bool, typer.Option("--no-pages", help="Serve no web pages.")]
ReportToOption = Annotated[
    str, typer.Option(help="IPV4 or IPV4:PORT that hears the report button of a unit; see the control API.")
]
PowerPortOption = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="TCP port of every unit's /miner_power, 6060 on the real units that have it."),
]
PowerLinesOption = Annotated[str, typer.Option(help="Firmware lines that have /miner_power.")]
ControlOption = Annotated[str, typer.Option(help="HOST:PORT of the control API; empty for none.")]
LedgerOption = Annotated[Path | None, typer.Option(help="Write the farm's ledger, for an agent, to this CSV file.")]
