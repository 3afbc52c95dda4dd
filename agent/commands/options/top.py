"""Options of `hashsight top`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import CaFile, ConfigPath, Url

app = typer.Typer(add_completion=False)


class Order(StrEnum):
    """Order of the units shown."""

    WORST = "worst"
    SHORTFALL = "shortfall"
    PLACE = "place"
    SINCE = "since"
    HASHRATE = "hashrate"
    CELSIUS = "celsius"
    UNIT = "unit"


@command(
    app,
    examples=(
        "hashsight top",
        "hashsight top --container C3 --sort place",
        "hashsight top --url https://10.0.0.5:9184 --token-file viewer.token --ca-file ca.pem",
        "hashsight top --direct -c north.toml",
        "hashsight top --once | mail -s north-1 ops@mine.example",
    ),
)
def top(
    config: ConfigPath = None,
    *,
    url: Url = None,
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="File with a token that may look; default: the configuration's, if any."),
    ] = None,
    ca_file: CaFile = None,
    is_direct: Annotated[
        bool, typer.Option("--direct", help="Poll the units from here instead of asking the running agent.")
    ] = False,
    every_s: Annotated[float, typer.Option("--every", min=1, max=3600, help="Time between two looks, s.")] = 5.0,
    order: Annotated[
        Order, typer.Option("--sort", help="Order of the units; off on purpose is not worst.")
    ] = Order.WORST,
    container: Annotated[str | None, typer.Option("--container", help="Only units of this container.")] = None,
    owner: Annotated[
        str | None, typer.Option("--owner", help="Only units that the ledger gives to this owner.")
    ] = None,
    cause: Annotated[str | None, typer.Option("--cause", help="Only units with this loss: stopped, derated.")] = None,
    state: Annotated[str | None, typer.Option("--state", help="Only units in this state: hashing, stopped.")] = None,
    text: Annotated[str, typer.Option("--text", help="Only units with these words: an address, a model.")] = "",
    is_once: Annotated[bool, typer.Option("--once", help="Print one picture, at its full length, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers once as JSON, in base units.")] = False,
) -> None:
    """Show a site live in the terminal: headline, losses, containers, and the worst units with what ails them.

    Asks the running agent, at the address in the configuration or at --url. With --direct it polls the units itself,
    for a site without an agent: a unit that two programs poll has twice the work.

    Keys: s next order, r reverse, l next loss, c next container, o next owner, t next state, / search, x show all,
    arrows and page keys move, p pause, h help, q quit.
    """
