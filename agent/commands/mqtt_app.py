"""The command line of `hashsight mqtt`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands import mqtt

app = typer.Typer(no_args_is_help=True, help="See what is published over MQTT, and whether a broker will do.")

Config = Annotated[Path, typer.Option("--config", "-c", help="The site's configuration (TOML).")]
Broker = Annotated[str | None, typer.Option("--broker", help="A broker's name in the configuration.")]


@app.command()
def check(config: Config, *, broker: Broker = None) -> None:
    """Try connection, password, access list, round trip and will of each broker; disturbs nobody."""
    mqtt.check(config, broker=broker)


@app.command()
def tail(
    config: Config,
    *,
    broker: Broker = None,
    username: Annotated[str | None, typer.Option("--username", help="Who reads, instead of the agent.")] = None,
    password_file: Annotated[Path | None, typer.Option("--password-file", help="With that one's password.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print topics and payloads as they are.")] = False,
    seconds: Annotated[float | None, typer.Option("--seconds", min=0.1, help="End after so long.")] = None,
) -> None:
    """Print what is published for the site, as it comes. Ctrl-C ends it."""
    mqtt.tail(config, broker=broker, username=username, password_file=password_file, raw=raw, seconds=seconds)
