"""The command line of `hashsight ledger`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from agent.commands import ledger_views

app = typer.Typer(
    no_args_is_help=True,
    help="The dated list of what is deployed: look at it, compare it, change it so that the past stays as it was.",
)

Config = Annotated[
    Path, typer.Option("--config", "-c", help="The site's configuration (TOML), which names the ledger.")
]
At = Annotated[
    str | None, typer.Option("--at", help="A date or a time, as in the ledger; in the site's zone. Left out: now.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check, say what would change, and write nothing.")]


@app.command()
def show(
    unit: Annotated[str | None, typer.Argument(help="Every row of this unit, and how they were changed.")] = None,
    *,
    config: Config,
    at: At = None,
    form: Annotated[ledger_views.Form, typer.Option("--format", help="How to print it.")] = ledger_views.Form.TABLE,
) -> None:
    """Print who is deployed at a moment, or all that the ledger says of one unit."""
    ledger_views.show(config, unit_id=unit, at=at, form=form, now=time.time())


@app.command()
def diff(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Two ledgers, or one to compare with the site's; none for the site's.")
    ] = None,
    *,
    config: Config,
    start: Annotated[str | None, typer.Option("--from", help="Look at the first as of then.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Look at the second as of then.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what differs between two ledgers, row by row, or between two moments."""
    ledger_views.diff(config, files or [], start=start, end=end, is_json=as_json, now=time.time())


@app.command("set")
def set_(
    unit: Annotated[str, typer.Argument(help="Which unit.")],
    *,
    config: Config,
    at: At = None,
    host: Annotated[str | None, typer.Option(help="Its address, with :port where that is not 4028.")] = None,
    web_port: Annotated[str | None, typer.Option(help="Port of its web pages; empty for the site's usual one.")] = None,
    container: Annotated[str | None, typer.Option(help="Where it stands.")] = None,
    rack: Annotated[str | None, typer.Option(help="Where it stands.")] = None,
    slot: Annotated[str | None, typer.Option(help="Where it stands.")] = None,
    status: Annotated[str | None, typer.Option(help="deployed or maintenance; brings back a unit that left.")] = None,
    model: Annotated[str | None, typer.Option(help="As in the catalogue.")] = None,
    hashrate_th: Annotated[str | None, typer.Option(help="The bin on its label, TH/s.")] = None,
    serial: Annotated[str | None, typer.Option(help="Its serial number.")] = None,
    mac: Annotated[str | None, typer.Option(help="Its MAC address.")] = None,
    simulated: Annotated[str | None, typer.Option(help="yes where a simulator answers;")] = None,
    new: Annotated[bool, typer.Option("--new", help="Deploy a unit that the ledger does not know.")] = False,
    removed: Annotated[bool, typer.Option("--removed", help="The unit leaves.")] = False,
    swap: Annotated[
        bool, typer.Option("--swap", help="Whoever has the address or place that it gets, gets the one it had.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Change one unit from a moment on: its row ends there and another begins; what was before stays as it was."""
    cells = {
        "model": model,
        "hashrate_th": hashrate_th,
        "host": host,
        "container": container,
        "rack": rack,
        "slot": slot,
        "status": status,
        "serial": serial,
        "mac": mac,
        "simulated": simulated,
        "web_port": web_port,
    }
    ledger_views.set_unit(
        config,
        unit,
        {column: cell for column, cell in cells.items() if cell is not None},
        at=at,
        is_removed=removed,
        is_new=new,
        is_swap=swap,
        is_dry=dry_run,
        now=time.time(),
    )


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a header of ledger columns, unit_id among them.")],
    *,
    config: Config,
    at: At = None,
    dry_run: DryRun = False,
) -> None:
    """Take in rows of another table: new units enter, known ones change. Empty cells change nothing.

    A row without deployed_from counts from --at on. All of it is taken in, or nothing.
    """
    ledger_views.take_in(config, file, at=at, is_dry=dry_run, now=time.time())
