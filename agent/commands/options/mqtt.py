"""Options of `hashsight mqtt`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.shared import ConfigPath, PlainJson

app = typer.Typer(
    name="mqtt",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    help="Watch what is published over MQTT, and test the broker connection.",
)

Broker = Annotated[str | None, typer.Option("--broker", help="Broker name in the configuration.")]


@command(app, examples=("hashsight mqtt check", "hashsight mqtt check --broker site"))
def check(config: ConfigPath = None, *, broker: Broker = None, as_json: PlainJson = False) -> None:
    """Test connection, password, access list, round trip and last will of each broker. Disturbs no other client."""


@command(
    app,
    examples=(
        "hashsight mqtt tail",
        "hashsight mqtt tail --username consumer --password-file consumer.password",
        "hashsight mqtt tail --seconds 60 --json | jq .topic",
    ),
)
def tail(
    config: ConfigPath = None,
    *,
    broker: Broker = None,
    # The agent's own account may not be allowed to subscribe to what it publishes.
    username: Annotated[str | None, typer.Option("--username", help="Subscribe as this user, not the agent's.")] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="File with its password.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print topics and payloads unchanged.")] = False,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0.1, help="Stop after this many seconds.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line for each message.")] = False,
) -> None:
    """Print what is published for the site as it arrives. Ctrl-C stops it."""
