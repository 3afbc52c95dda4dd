"""Options of `hashsight run`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import ConfigPath

app = typer.Typer(add_completion=False)


@command(app, examples=("hashsight run -c north.toml",))
def run(
    config: ConfigPath = None,
    *,
    web_config_file: Annotated[
        Path | None,
        typer.Option(
            "--web.config.file",
            help="TLS, users and limits, in the form of Prometheus' exporters; overrides web.config_file.",
        ),
    ] = None,
) -> None:
    """Watch a site: poll its units, serve /metrics, the JSON API and the status page.

    SIGTERM stops it within five seconds. SIGHUP reloads configuration and ledger, all or nothing.
    """
