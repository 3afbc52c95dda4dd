"""`hashsight-sim one`: a single healthy unit."""

from pathlib import Path

import typer

from simulators.commands.exit_status import clear_errors
from simulators.commands.given import drawn_seed, listed_endpoints
from simulators.commands.hosting import host_farm
from simulators.commands.listeners import read_listeners
from simulators.commands.process import run_until_done
from simulators.farm.plan import ASLEEP_FARM, HEALTHY_FARM, FarmPlan, read_model
from simulators.unit.builds import find_build


def run(
    context: typer.Context,
    *,
    model: str,
    build: str,
    asleep: bool,
    seed: int | None,
    base: str,
    addresses: str,
    port: int,
    http_port: int | None,
    no_pages: bool,
    power_port: int | None,
    power_lines: str,
    control: str,
    report_to: str,
    ledger_out: Path | None,
    allow_remote: bool,
) -> None:
    """Serve a farm of one healthy unit."""
    with clear_errors():
        plan = FarmPlan(
            units=1,
            seed=drawn_seed(seed),
            base=base,
            endpoints=listed_endpoints(context, addresses),
            mix={read_model(model): 1.0},
            containers=1,
            troubles=ASLEEP_FARM if asleep else HEALTHY_FARM,
            build=find_build(build).key if build else "",
        )
        listeners = read_listeners(
            port=port,
            http_port=http_port,
            no_pages=no_pages,
            power_port=power_port,
            power_lines=power_lines,
            control=control,
            report_to=report_to,
            ledger_out=ledger_out,
            allow_remote=allow_remote,
        )
        run_until_done(host_farm(plan, listeners))
