"""The command line: few options, one subcommand for each thing to do."""

import time
from pathlib import Path
from typing import Annotated

import typer

from agent import __version__
from agent.commands import check as check_command
from agent.commands import curtail as curtail_command
from agent.commands import demo as demo_command
from agent.commands import history as history_command
from agent.commands import ledger, mqtt_app
from agent.commands import metrics as metrics_command
from agent.commands import once as once_command
from agent.commands import read as read_command
from agent.commands import run as run_command
from agent.commands import statement as statement_command
from agent.commands.agent_client import RunningAgent, running_agent
from agent.commands.terminal import exit_codes, out
from agent.site.curtailment.events import Scope

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
SiteConfig = Annotated[Path | None, typer.Option("--config", "-c", help="The site's configuration (TOML).")]
HistoryPath = Annotated[Path | None, typer.Option("--history", help="A history file, instead of a configuration.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON in base units (H/s, W, °C, s).")]


def _version(*, value: bool) -> None:
    if value:
        out.print(f"hashsight {__version__}")
        raise typer.Exit


history_app = typer.Typer(no_args_is_help=True, help="The site's history, minute by minute.")
app.add_typer(history_app, name="history")
app.add_typer(ledger.app, name="ledger")
app.add_typer(mqtt_app.app, name="mqtt")
curtail_app = typer.Typer(no_args_is_help=True, help="Tell a running agent what is curtailed on purpose.")
app.add_typer(curtail_app, name="curtail")

Url = Annotated[str | None, typer.Option("--url", help="Where the agent answers, instead of the configuration.")]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help="The file with its token, likewise.")]


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
    metrics_command.metrics(as_json=as_json)


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


@app.command()
def statement(
    period: Annotated[
        list[str] | None,
        typer.Argument(help="A month (2025-10), a quarter (2025-Q3) or a year; with --combine the files."),
    ] = None,
    *,
    config: SiteConfig = None,
    history: HistoryPath = None,
    form: Annotated[str, typer.Option("--format", help="table, markdown, csv or json.")] = "table",
    verify: Annotated[
        Path | None, typer.Option(help="Compute this statement (JSON) again from history; exit 1 if it does not hold.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Refuse below 95 % coverage, and before the period is over.")
    ] = False,
    combine: Annotated[bool, typer.Option("--combine", help="Make one of several sites' statements (JSON).")] = False,
) -> None:
    """State what a calendar period came to: deployed, operating, losses by cause, energy, and how it was computed."""
    statement_command.statement(
        period or [],
        config=config,
        history=history,
        form=form,
        verify=verify,
        publish=publish,
        is_combined=combine,
        now=time.time(),
    )


@history_app.command()
def export(
    period: Annotated[str | None, typer.Argument(help="A month (2025-10), a quarter (2025-Q3) or a year.")] = None,
    *,
    config: SiteConfig = None,
    history: HistoryPath = None,
    start: Annotated[str | None, typer.Option("--from", help="Date or time of the site, instead of a period.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="The same; not included.")] = None,
    kind: Annotated[str, typer.Option("--what", help="site, containers or changes (of units' states).")] = "site",
) -> None:
    """Print history as CSV, in base units; of a statement's period, its SHA-256 is the statement's digest."""
    history_command.export(period, config=config, history=history, start=start, end=end, kind=kind)


def _agent(config: Path | None, url: str | None, token_file: Path | None) -> RunningAgent:
    with exit_codes():
        return running_agent(config, url=url, token_file=token_file)


@curtail_app.command("start")
def curtail_start(
    *,
    config: SiteConfig = None,
    url: Url = None,
    token_file: TokenFile = None,
    target_percent: Annotated[
        float, typer.Option("--target", min=0, max=99.9, help="Left to hash, percent of nameplate.")
    ] = 0.0,
    container: Annotated[str | None, typer.Option(help="Only this container.")] = None,
    rack: Annotated[str | None, typer.Option(help="Only this rack.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only this unit.")] = None,
    start: Annotated[str | None, typer.Option(help="ISO time, in the site's zone unless it says; now.")] = None,
    end: Annotated[str | None, typer.Option(help="The same; until it is stopped.")] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="Instead of --end: 90m, 2h, 1d.")] = None,
    source: Annotated[str | None, typer.Option(help="Who declares it, in a few words.")] = None,
    event_id: Annotated[str | None, typer.Option("--id", help="A name of your own; asking twice starts once.")] = None,
    as_json: Json = False,
) -> None:
    """Declare a curtailment: units asleep inside it are curtailed and not stopped. Nothing is sent to a unit."""
    curtail_command.start(
        _agent(config, url, token_file),
        target_percent=target_percent,
        scope=Scope(container=container, rack=rack, model=model, unit=unit),
        start=start,
        end=end,
        lasts=lasts,
        source=source,
        event_id=event_id,
        as_json=as_json,
    )


@curtail_app.command("stop")
def curtail_stop(
    event_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Which, as `list` shows it.")] = None,
    *,
    config: SiteConfig = None,
    url: Url = None,
    token_file: TokenFile = None,
    stop_all: Annotated[bool, typer.Option("--all", help="Everything that was ordered and has not ended.")] = False,
    as_json: Json = False,
) -> None:
    """Stop a curtailment now; its units have 15 minutes to hash again before they are called stopped."""
    curtail_command.stop(_agent(config, url, token_file), event_id, stop_all=stop_all, as_json=as_json)


@curtail_app.command("list")
def curtail_list(
    *, config: SiteConfig = None, url: Url = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """Print what is declared, which units hash on, and which did not come back."""
    curtail_command.list_events(_agent(config, url, token_file), as_json=as_json)
