"""Options of `hashsight-sim one`."""

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
    model: Annotated[str, typer.Option(help="Model and bin in TH/s: S21:200.")] = "S21:200",
    build: Annotated[
        str, typer.Option(help="Firmware build, by key or by its date: s21-202410. Left out: one of the model's.")
    ] = "",
    asleep: Annotated[bool, typer.Option("--asleep", help="The unit sleeps.")] = False,
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
    ledger_out: LedgerOption = None,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve one healthy unit until stopped."""
