"""Options of `hashsight run`."""

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import ConfigPath

app = typer.Typer(add_completion=False)


@command(app)
def run(config: ConfigPath) -> None:
    """Watch a site: poll its units, serve /metrics, the JSON API and the status page.

    SIGTERM stops it within five seconds. SIGHUP reloads configuration and ledger, all or nothing.
    """
