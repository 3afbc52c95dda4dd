"""The command line: few options, one subcommand for each thing to do."""

import time
from pathlib import Path
from typing import Annotated

import typer

from agent import __version__
from agent.commands import check as check_command
from agent.commands import contract as contract_command
from agent.commands import demo as demo_command
from agent.commands import once as once_command
from agent.commands import read as read_command
from agent.commands import run as run_command
from agent.commands.terminal import out

app = typer.Typer(
    name="hashsight",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Operating versus deployed hashrate of a Bitcoin mining site, and what took the rest.",
    epilog="Exit status: 0 all went well, 1 it failed, 2 the configuration or the command line is wrong.",
)

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The site's configuration (TOML); see deploy/site.example.toml.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON in base units (H/s, W, °C, s).")]


def _version(*, value: bool) -> None:
    if value:
        out.print(f"hashsight {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def run(config: Config) -> None:
    """Watch a site: poll its units, serve /metrics, the JSON API and the status page.

    SIGTERM ends it within five seconds. SIGHUP reads configuration and ledger again: all of it, or none.
    """
    run_command.run(config)


@app.command()
def check(
    config: Config,
    *,
    show: Annotated[bool, typer.Option("--show", help="Print the configuration in force, defaults and all.")] = False,
) -> None:
    """Check configuration and ledger, and say what is deployed now. Opens no socket."""
    check_command.check(config, at=time.time(), show=show)


@app.command()
def once(
    config: Config,
    *,
    as_json: Json = False,
    show_all: Annotated[bool, typer.Option("--all", help="List every unit, not the worst alone.")] = False,
) -> None:
    """Poll every unit once and print the site's figures and its worst units."""
    once_command.once(config, as_json=as_json, show_all=show_all)


@app.command()
def read(
    host: Annotated[str, typer.Argument(help="IP address of the unit, with :port where that is not 4028.")],
    *,
    as_json: Json = False,
    raw: Annotated[bool, typer.Option("--raw", help="Print requests and replies as they went over the wire.")] = False,
    timeout_s: Annotated[float, typer.Option("--timeout", min=0.1, max=300, help="Seconds for all of it.")] = 10.0,
) -> None:
    """Read one unit: everything it says, once."""
    read_command.read(host, timeout_s=timeout_s, as_json=as_json, raw=raw)


@app.command()
def metrics(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the contract: every metric, its kind, its labels and what it means."""
    contract_command.metrics(as_json=as_json)


@app.command()
def demo(
    *,
    units: Annotated[int, typer.Option(min=1, max=20_000, help="Simulated units.")] = 300,
    interval_s: Annotated[float, typer.Option("--interval", min=1, max=60, help="Seconds between polls.")] = 5.0,
    listen: Annotated[
        str, typer.Option(help="Where the agent serves; any free port if this one is taken.")
    ] = "127.0.0.1:9184",
    seed: Annotated[int, typer.Option(help="Of the simulated site's chance.")] = 1,
    seconds: Annotated[float | None, typer.Option(min=1, help="End by itself after so long.")] = None,
) -> None:
    """Watch a simulated site: units, agent, and Prometheus if it is installed. Ctrl-C ends all of it."""
    demo_command.demo(units=units, interval_s=interval_s, listen=listen, seed=seed, seconds=seconds)


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
