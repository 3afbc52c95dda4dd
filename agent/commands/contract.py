"""`hashsight metrics`: the contract of every series this agent exports."""

import json

from rich.table import Table

from agent.commands.terminal import exit_codes, out
from agent.exporters.metrics import contract


def metrics(*, as_json: bool) -> None:
    """Print name, kind, labels and help of every family."""
    with exit_codes():
        rows = contract()
        if as_json:
            out.print_json(json.dumps([row._asdict() for row in rows], default=list))
            return
        table = Table(box=None)
        for column in ("metric", "kind", "labels", "help"):
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(row.name, row.kind, " ".join(row.labels), row.help)
        out.print(table)
