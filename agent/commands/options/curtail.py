"""Options of `hashsight curtail`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.shared import CaFile, ConfigPath, Json, Url

app = typer.Typer(
    name="curtail",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    help="Declare, stop and list curtailments at a running agent.",
)

TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with the agent's token; overrides the configuration's.")
]


@command(
    app,
    examples=(
        "hashsight curtail start --container C2 --for 2h",
        "hashsight curtail start --target 50 --end 2025-10-07T18:00 --source 'ERCOT 4CP'",
    ),
)
def start(
    *,
    config: ConfigPath = None,
    url: Url = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    target_percent: Annotated[
        float, typer.Option("--target", min=0, max=99.9, help="Share left hashing, in percent of nameplate.")
    ] = 0.0,
    container: Annotated[str | None, typer.Option(help="Only this container.")] = None,
    rack: Annotated[str | None, typer.Option(help="Only this rack.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    unit: Annotated[str | None, typer.Option(help="Only this unit.")] = None,
    start: Annotated[
        str | None, typer.Option(help="ISO time, in the site's zone unless it has an offset; default: now.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="Likewise; default: until it is stopped.")] = None,
    lasts: Annotated[str | None, typer.Option("--for", help="Duration instead of --end: 90m, 2h, 1d.")] = None,
    source: Annotated[str | None, typer.Option(help="Who declares it, in a few words.")] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", help="Your own id; repeating the command starts only one event.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Declare a curtailment: sleeping units count as curtailed, not stopped. Nothing is sent to a unit."""


@command(app, examples=("hashsight curtail stop call-7", "hashsight curtail stop --all"))
def stop(
    event_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Event id, as `list` prints it.")] = None,
    *,
    config: ConfigPath = None,
    url: Url = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    stop_all: Annotated[bool, typer.Option("--all", help="Stop every ordered event that has not ended.")] = False,
    as_json: Json = False,
) -> None:
    """Stop a curtailment now. Its units have 15 minutes to hash again before they count as stopped."""


@command(app, "list", examples=("hashsight curtail list", "hashsight curtail list --json"))
def list_events(
    *,
    config: ConfigPath = None,
    url: Url = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    as_json: Json = False,
) -> None:
    """Print declared curtailments, the units that still hash, and the units that did not come back."""
