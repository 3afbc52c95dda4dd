"""`hashsight-sim faults`: the vocabulary of faults."""

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from simulators.commands.terminal import print_table
from simulators.faults.vocabulary import vocabulary


def run(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with types and full text.")] = False
) -> None:
    """List the faults and what an agent must conclude."""
    entries = vocabulary()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(entries), indent=1).decode())
        return
    table = Table(box=None, pad_edge=False, show_lines=False, padding=(0, 2, 0, 0))
    for heading in ("fault", "kind", "values", "what happens, and what an agent must conclude"):
        # A name that is cut cannot be used; a narrow screen folds the rest.
        table.add_column(heading, no_wrap=heading == "fault", overflow="fold")
    for entry in entries:
        values = "\n".join(f"{name}={value}" for name, value in entry.values.items())
        table.add_row(entry.name, entry.kind, values, f"{entry.about} {entry.agent_must}")
    print_table(table)
