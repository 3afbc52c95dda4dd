"""Options of `hashsight doctor`."""

from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import ConfigPath, PlainJson

app = typer.Typer(add_completion=False)


@command(app, examples=("hashsight doctor", "hashsight doctor --units", "hashsight doctor --json"))
def doctor(
    config: ConfigPath = None,
    *,
    has_units: Annotated[
        bool, typer.Option("--units", help="Also open a connection to 20 units, spread over the ledger.")
    ] = False,
    prometheus: Annotated[
        str, typer.Option("--prometheus", help="Address of the Prometheus that scrapes the agent.")
    ] = "http://127.0.0.1:9090",
    as_json: PlainJson = False,
) -> None:
    """Look for what keeps a site from being watched well: network, clock, limits, files, neighbours.

    One line a finding, with what to do about it: the ways to the units' networks, the clock, open files, the tables of
    connections and neighbours, permissions, room on disk, brokers, Prometheus and Alertmanager, the port and the agent
    behind it, versions. Sends nothing to a unit without --units, and changes nothing.

    Exit status 1 if something is bad.
    """
