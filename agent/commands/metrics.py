"""`hashsight metrics`: the metric contract, every family this agent exports."""

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agent.commands.machine_output import write_json
from agent.commands.terminal import exit_codes, out
from agent.exporters.prometheus.store import ContractRow, contract

TABLE_WIDTH = 140
"""Narrowest table that breaks no metric name; a broken name can be neither copied nor searched for."""
LINE_WIDTH = 1000
"""Width when output is piped: one line per metric."""


def metrics(*, as_json: bool) -> None:
    """Print the metric contract."""
    with exit_codes():
        rows = contract()
        if as_json:
            write_json([row._asdict() for row in rows])
        else:
            print_contract(rows, out)


def print_contract(rows: Sequence[ContractRow], console: Console) -> None:
    """Print a table, or a paragraph per metric if `console` is a terminal too narrow for a table."""
    if console.is_terminal and console.width < TABLE_WIDTH:
        for row in rows:
            console.print(
                f"[bold]{row.name}[/bold]  {row.kind}, by {' '.join(row.labels) or 'nothing'}", soft_wrap=True
            )
            console.print(Padding(Text(row.help), (0, 0, 0, 4)))
        return
    table = Table(box=None)
    for column in ("metric", "kind", "labels", "help"):
        table.add_column(column, overflow="fold", no_wrap=column == "metric")
    for row in rows:
        table.add_row(row.name, row.kind, " ".join(row.labels), Text(row.help))
    width = console.width if console.is_terminal else LINE_WIDTH
    Console(width=width, file=console.file, highlight=False, emoji=False).print(table)
