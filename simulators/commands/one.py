"""`hashsight-sim one`: a single healthy unit."""

from typing import Annotated

import typer

from simulators.commands.exit_status import clear_errors
from simulators.commands.hosting import host_farm
from simulators.commands.listeners import (
    ControlOption,
    HttpPortOption,
    LedgerOption,
    PowerLinesOption,
    PowerPortOption,
    read_listeners,
)
from simulators.commands.options import (
    AddressesOption,
    BaseOption,
    PortOption,
    RemoteOption,
    SeedOption,
    drawn_seed,
    listed_endpoints,
)
from simulators.commands.process import run_until_done
from simulators.farm.plan import HEALTHY_FARM, FarmPlan, read_model


def run(
    context: typer.Context,
    *,
    model: Annotated[str, typer.Option(help="Model and bin in TH/s: S21:200.")] = "S21:200",
    seed: SeedOption = None,
    base: BaseOption = "127.10.0.1",
    addresses: AddressesOption = "",
    port: PortOption = 4028,
    http_port: HttpPortOption = None,
    power_port: PowerPortOption = None,
    power_lines: PowerLinesOption = "A,B,C",
    control: ControlOption = "",
    ledger_out: LedgerOption = None,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve one healthy unit until stopped."""
    with clear_errors():
        plan = FarmPlan(
            units=1,
            seed=drawn_seed(seed),
            base=base,
            endpoints=listed_endpoints(context, addresses),
            mix={read_model(model): 1.0},
            containers=1,
            troubles=HEALTHY_FARM,
        )
        listeners = read_listeners(
            port=port,
            http_port=http_port,
            power_port=power_port,
            power_lines=power_lines,
            control=control,
            ledger_out=ledger_out,
            allow_remote=allow_remote,
        )
        run_until_done(host_farm(plan, listeners))
