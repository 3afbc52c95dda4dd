"""Options of `hashsight-sim farm`."""

from pathlib import Path
from typing import Annotated

import typer

from simulators.commands.options.shared import (
    AddressesOption,
    BaseOption,
    ControlOption,
    HttpPortOption,
    LedgerOption,
    NoPagesOption,
    PortOption,
    PowerLinesOption,
    PowerPortOption,
    RemoteOption,
    ReportToOption,
    SeedOption,
)


def run(
    context: typer.Context,
    *,
    file: Annotated[
        Path | None,
        typer.Option("--farm", help="Read units, mixture, containers, troubles and climate from this TOML file."),
    ] = None,
    units: Annotated[int, typer.Option(min=1, help="Number of units.")] = 300,
    seed: SeedOption = None,
    base: BaseOption = "127.10.0.1",
    addresses: AddressesOption = "",
    port: PortOption = 4028,
    http_port: HttpPortOption = None,
    no_pages: NoPagesOption = False,
    power_port: PowerPortOption = None,
    power_lines: PowerLinesOption = "A,B,C",
    control: ControlOption = "",
    report_to: ReportToOption = "127.0.0.1",
    mix: Annotated[
        str,
        typer.Option(help="Models with their bins (TH/s), a firmware other than stock, and shares: S21:200/vnish=30%."),
    ] = "S21:200=60%,T21:190=40%",
    like: Annotated[
        list[str] | None,
        typer.Option(
            help="Twins of a recorded unit instead of --mix, as CAPTURE[@TH[:W]][=WEIGHT]: the folder, the bin and its "
            "power where the capture does not tell them, and its weight among several; can be repeated."
        ),
    ] = None,
    containers: Annotated[int, typer.Option(min=1, help="Number of containers the units stand in.")] = 3,
    owners: Annotated[
        str,
        typer.Option(help="Owners and their shares of the units, in order, for the ledger: North=50%,South=30%."),
    ] = "",
    off: Annotated[str, typer.Option(help="Share of units without power.")] = "4%",
    asleep: Annotated[str, typer.Option(help="Share of units asleep.")] = "3%",
    starting: Annotated[str, typer.Option(help="Share of units switched on in the last few minutes.")] = "1%",
    missing_board: Annotated[str, typer.Option(help="Share of units with a board missing.")] = "5%",
    missing_chips: Annotated[
        str, typer.Option(help="Share of units with a quarter of a board's chips missing.")
    ] = "3%",
    slow: Annotated[str, typer.Option(help="Share of units that hash an eighth below their rate.")] = "3%",
    strangers: Annotated[
        list[str] | None,
        typer.Option(help="What stands at other addresses, as MAKE=ADDRESSES: silent=127.10.8.0/22; can be repeated."),
    ] = None,
    elsewhere: Annotated[
        str, typer.Option(help="What a client meets where nothing stands: reset, refuse or silent.")
    ] = "reset",
    latency_ms: Annotated[float, typer.Option(help="Milliseconds by which each reply is late.")] = 0.0,
    loss: Annotated[str, typer.Option(help="Share of the packets to the units that are lost.")] = "0%",
    ledger_out: LedgerOption = None,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve a farm until stopped."""
