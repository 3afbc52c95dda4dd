"""Options of `hashsight-sim play`."""

from typing import Annotated

import typer

from simulators.commands.options.shared import (
    AddressesOption,
    ControlOption,
    HttpPortOption,
    LedgerOption,
    NoPagesOption,
    PortOption,
    PowerLinesOption,
    PowerPortOption,
    RemoteOption,
    ReportToOption,
)


def run(
    context: typer.Context,
    scenario: Annotated[str, typer.Argument(help="Name of a scenario, or a TOML file that holds one.")],
    *,
    speed: Annotated[
        float, typer.Option(min=0.0, help="Simulated seconds per real second; 0 waits for the control API.")
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Random seed instead of the scenario's own.")] = None,
    base: Annotated[str | None, typer.Option(help="First IPv4 address instead of the scenario's own.")] = None,
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
    every: Annotated[str, typer.Option(help="Print the truth this often in simulated time: 15m, 1h.")] = "",
    stay: Annotated[bool, typer.Option("--stay", help="Keep serving after the end.")] = False,
    at_once: Annotated[bool, typer.Option("--at-once", help="Play as fast as possible, without sockets.")] = False,
) -> None:
    """Play a scenario on its own farm and print the outcome."""
