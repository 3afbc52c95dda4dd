"""Options of `hashsight demo`."""

from typing import Annotated

import typer

from agent.commands.deferred import command

app = typer.Typer(add_completion=False)


@command(app, examples=("hashsight demo", "hashsight demo --units 2000 --seconds 60"))
def demo(
    *,
    units: Annotated[int, typer.Option(min=1, max=20_000, help="Number of simulated units.")] = 300,
    interval_s: Annotated[float, typer.Option("--interval", min=1, max=60, help="Seconds between polls.")] = 5.0,
    listen: Annotated[
        str, typer.Option(help="Listen address of the agent; another free port if this one is taken.")
    ] = "127.0.0.1:9184",
    seed: Annotated[int, typer.Option(help="Random seed of the simulated site.")] = 1,
    seconds: Annotated[float | None, typer.Option(min=1, help="Stop after this many seconds.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the site's figures as a JSON object a line, once an interval.")
    ] = False,
) -> None:
    """Watch a simulated site: units, agent, and Prometheus if it is installed. Ctrl-C stops all of it."""
