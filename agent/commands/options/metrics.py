"""Options of `hashsight metrics`."""

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import PlainJson

app = typer.Typer(add_completion=False)


@command(app, examples=("hashsight metrics | grep curtail", "hashsight metrics --json"))
def metrics(*, as_json: PlainJson = False) -> None:
    """Print the metric contract: every metric with its kind, labels and meaning."""
