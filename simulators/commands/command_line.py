"""Command line `hashsight-sim`: a simulated farm, one unit, a scenario, or recorded replies, on real sockets."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from simulators.backfill import find_months, read_step, write_months
from simulators.farm.clock import ClockError
from simulators.farm.plan import HEALTHY_FARM, FarmError, FarmPlan, Troubles, read_mix, read_model, read_share
from simulators.faults.vocabulary import vocabulary
from simulators.commands.hosting import ERRORS, Show, host_farm, host_nothing, host_replay, host_show, run
from simulators.commands.options import (
    AddressesOption,
    BaseOption,
    ControlOption,
    HttpPortOption,
    LedgerOption,
    PortOption,
    PowerLinesOption,
    PowerPortOption,
    RemoteOption,
    SeedOption,
    drawn_seed,
    is_said,
    listed_endpoints,
    read_doors,
    read_every,
    refuse_beside_file,
)
from simulators.scenario.durations import show_duration
from simulators.scenario.scenario import find_scenario, load_farm, shipped_scenarios
from simulators.scenario.tomlfile import TomlError
from simulators.sockets.listening import ServeError
from simulators.sockets.replay import CaptureError, read_captures
from simulators.unit.endpoints import EndpointError
from simulators.unit.models import ModelError

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2

app = typer.Typer(
    help="Simulated Antminers on real sockets.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.command()
def farm(
    context: typer.Context,
    *,
    file: Annotated[
        Path | None,
        typer.Option("--farm", help="Read units, mixture, containers, troubles and climate from this TOML file."),
    ] = None,
    units: Annotated[int, typer.Option(min=1, help="How many units.")] = 300,
    seed: SeedOption = None,
    base: BaseOption = "127.10.0.1",
    addresses: AddressesOption = "",
    port: PortOption = 4028,
    http_port: HttpPortOption = None,
    power_port: PowerPortOption = None,
    power_lines: PowerLinesOption = "A,B,C",
    control: ControlOption = "",
    mix: Annotated[str, typer.Option(help="Models with their bins (TH/s) and shares.")] = "S21:200=60%,T21:190=40%",
    containers: Annotated[int, typer.Option(min=1, help="Into how many containers the units go.")] = 3,
    off: Annotated[str, typer.Option(help="Share of units without power.")] = "4%",
    asleep: Annotated[str, typer.Option(help="Share of units asleep.")] = "3%",
    starting: Annotated[str, typer.Option(help="Share of units switched on within the last minutes.")] = "1%",
    missing_board: Annotated[str, typer.Option(help="Share of units with a board gone.")] = "5%",
    missing_chips: Annotated[str, typer.Option(help="Share of units with a quarter of a board's chips gone.")] = "3%",
    slow: Annotated[str, typer.Option(help="Share of units an eighth below their rate.")] = "3%",
    ledger_out: LedgerOption = None,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve a farm until stopped."""
    with _clear_errors():
        if file is not None:
            refuse_beside_file(context)
            told = load_farm(file)
            plan = told.farm.plan(seed=drawn_seed(told.seed if seed is None else seed), air=told.weather.climate())
        else:
            endpoints = listed_endpoints(context, addresses)
            units = len(endpoints) if endpoints and not is_said(context, "units") else units
            plan = FarmPlan(
                units=units,
                seed=drawn_seed(seed),
                base=base,
                endpoints=endpoints,
                mix=read_mix(mix),
                containers=containers if is_said(context, "containers") else min(containers, units),
                troubles=Troubles(
                    off=read_share(off),
                    asleep=read_share(asleep),
                    starting=read_share(starting),
                    missing_board=read_share(missing_board),
                    missing_chips=read_share(missing_chips),
                    slow=read_share(slow),
                ),
            )
        doors = read_doors(
            port=port,
            http_port=http_port,
            power_port=power_port,
            power_lines=power_lines,
            control=control,
            ledger_out=ledger_out,
            allow_remote=allow_remote,
        )
        run(host_farm(plan, doors))


@app.command()
def one(
    context: typer.Context,
    *,
    model: Annotated[str, typer.Option(help="Model, with its bin in TH/s: S21:200.")] = "S21:200",
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
    with _clear_errors():
        plan = FarmPlan(
            units=1,
            seed=drawn_seed(seed),
            base=base,
            endpoints=listed_endpoints(context, addresses),
            mix={read_model(model): 1.0},
            containers=1,
            troubles=HEALTHY_FARM,
        )
        doors = read_doors(
            port=port,
            http_port=http_port,
            power_port=power_port,
            power_lines=power_lines,
            control=control,
            ledger_out=ledger_out,
            allow_remote=allow_remote,
        )
        run(host_farm(plan, doors))


@app.command("play")
def play_scenario(
    context: typer.Context,
    scenario: Annotated[str, typer.Argument(help="Name of a scenario, or a TOML file with one.")],
    *,
    speed: Annotated[
        float, typer.Option(min=0.0, help="Simulated seconds per real second; 0 waits for the control API.")
    ] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Another seed than the scenario's own.")] = None,
    base: Annotated[str | None, typer.Option(help="Another first IPv4 address than the scenario's own.")] = None,
    addresses: AddressesOption = "",
    port: PortOption = 4028,
    http_port: HttpPortOption = None,
    power_port: PowerPortOption = None,
    power_lines: PowerLinesOption = "A,B,C",
    control: ControlOption = "",
    ledger_out: LedgerOption = None,
    allow_remote: RemoteOption = False,
    every: Annotated[str, typer.Option(help="Tell the truth this often in simulated time: 15m, 1h.")] = "",
    stay: Annotated[bool, typer.Option("--stay", help="Go on serving when it is over.")] = False,
    at_once: Annotated[bool, typer.Option("--at-once", help="As fast as it goes, without any socket.")] = False,
) -> None:
    """Play a scenario on a farm of its own until it is over, and tell how it came out."""
    with _clear_errors():
        name, found = find_scenario(scenario)
        show = Show(
            name=name,
            scenario=found,
            seed=seed,
            base=base,
            endpoints=listed_endpoints(context, addresses),
            speed=speed,
            every_s=read_every(every, found.duration),
            is_staying=stay,
        )
        if at_once:
            host_nothing(show)
            return
        doors = read_doors(
            port=port,
            http_port=http_port,
            power_port=power_port,
            power_lines=power_lines,
            control=control,
            ledger_out=ledger_out,
            allow_remote=allow_remote,
        )
        run(host_show(show, doors))


@app.command()
def backfill(
    *,
    months: Annotated[str, typer.Option(help="Calendar months that a scenario is, with commas between: 2025-10.")] = "",
    scenario: Annotated[
        list[str] | None, typer.Option(help="Name of a scenario, or a TOML file with one; again for more.")
    ] = None,
    every: Annotated[str, typer.Option(help="Time between two samples of a series, 15s to 5m.")] = "5m",
    site: Annotated[str, typer.Option(help="What the site is called.")] = "simulated",
    out: Annotated[Path | None, typer.Option(help="Write to this file; else to standard output.")] = None,
    site_only: Annotated[bool, typer.Option("--site-only", help="Leave the containers out.")] = False,
) -> None:
    """Write what was true in simulated months as OpenMetrics, for `promtool tsdb create-blocks-from openmetrics`."""
    with _clear_errors():
        found, step_s = find_months(scenario or (), months), read_step(every)
        with contextlib.nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8") as file:
            written = write_months(found, file, site=site, step_s=step_s, has_containers=not site_only)
        names = " and ".join(month.name for month in found)
        ERRORS.print(f"{names}: {written.moments:,} moments, {written.samples:,} samples of site {site!r}")


@app.command()
def scenarios() -> None:
    """List the scenarios that come with this program."""
    with _clear_errors():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("scenario", "takes", "units", "about"):
            table.add_column(heading, overflow="fold")
        for name, found in shipped_scenarios().items():
            table.add_row(name, show_duration(found.duration), str(found.farm.units), found.about)
        _print_table(table)


@app.command()
def replay(
    context: typer.Context,
    captures: Annotated[list[Path], typer.Argument(help="Capture directories, or recorded replies themselves.")],
    *,
    base: BaseOption = "127.10.0.1",
    addresses: AddressesOption = "",
    port: PortOption = 4028,
    allow_remote: RemoteOption = False,
) -> None:
    """Serve recorded replies byte for byte until stopped; each capture directory is one unit."""
    with _clear_errors():
        recorded = read_captures(captures, base, listed_endpoints(context, addresses))
        run(host_replay(recorded, port=port, allow_remote=allow_remote))


@app.command()
def faults(
    *, as_json: Annotated[bool, typer.Option("--json", help="As JSON, with types and full text.")] = False
) -> None:
    """List the vocabulary of faults, what each can be given, and what an agent must conclude."""
    entries = vocabulary()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(entries), indent=1).decode())
        return
    table = Table(box=None, pad_edge=False, show_lines=False, padding=(0, 2, 0, 0))
    for heading in ("fault", "kind", "values", "what happens, and what an agent must conclude"):
        # A name that is cut cannot be used; a narrow screen folds the rest.
        table.add_column(heading, no_wrap=heading == "fault", overflow="fold")
    for entry in entries:
        values = "\n".join(f"{name}={value}" for name, value in entry.values.items())
        table.add_row(entry.name, entry.kind, values, f"{entry.about} {entry.agent_must}")
    _print_table(table)


def main() -> None:
    """Run the command line."""
    app()


def _print_table(table: Table) -> None:
    """Print a table as wide as the screen is now."""
    Console(highlight=False, markup=False, emoji=False).print(table)


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    """Turn what the user can mend into one line and an exit code."""
    try:
        yield
    except (FarmError, ModelError, CaptureError, TomlError, ClockError, EndpointError) as error:
        ERRORS.print(f"hashsight-sim: {error}")
        raise typer.Exit(EXIT_BAD_INPUT) from error
    except ServeError as error:
        ERRORS.print(f"hashsight-sim: {error.strerror}")
        raise typer.Exit(EXIT_FAILED) from error
    except OSError as error:
        ERRORS.print(f"hashsight-sim: {error.filename or 'system'}: {error.strerror or error}")
        raise typer.Exit(EXIT_FAILED) from error


if __name__ == "__main__":
    main()
