"""Options of `hashsight listen`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command

app = typer.Typer(add_completion=False)


@command(app, examples=("hashsight listen --rack C1-R01 --from 1", "hashsight listen --rack C1-R01 --undo"))
def listen(
    *,
    rack: Annotated[str, typer.Option("--rack", help="The rack, as C1-R01, or R01 with --container.")],
    container: Annotated[
        str | None, typer.Option("--container", help="Its container; default: --rack up to its first hyphen.")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="The first slot; default: after the last one in the file.")
    ] = None,
    last: Annotated[int | None, typer.Option("--to", min=1, help="The last slot; then the walk ends.")] = None,
    out_file: Annotated[Path, typer.Option("--out", help="File of places; a walk adds to it.")] = Path("places.csv"),
    is_undone: Annotated[bool, typer.Option("--undo", help="Take the last unit in the file back, and end.")] = False,
    bind: Annotated[str, typer.Option("--bind", help="Address to listen on.")] = "0.0.0.0",
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line for each event.")] = False,
) -> None:
    """Fill a rack slot by slot: press each unit's IP report button, and it gets the next slot.

    Units announce address and MAC address over UDP 14235, other makes over 8888. A second press changes nothing.

    Afterwards: hashsight scan RANGE --place mac:places.csv
    """
