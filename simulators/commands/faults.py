"""`hashsight-sim faults`: the vocabulary of faults."""

import msgspec
from rich.table import Table

from simulators.commands.exit_status import clear_errors
from simulators.commands.terminal import machine_output, print_table
from simulators.faults.vocabulary import vocabulary


def run(*, as_json: bool) -> None:
    """Print the vocabulary of faults as a table or JSON."""
    entries = vocabulary()
    if as_json:
        with clear_errors(), machine_output() as file:
            file.write(msgspec.json.format(msgspec.json.encode(entries), indent=1).decode() + "\n")
        return
    table = Table(box=None, pad_edge=False, show_lines=False, padding=(0, 2, 0, 0))
    for heading in ("fault", "kind", "values", "what happens, and what an agent must conclude"):
        # A name that is cut cannot be used; a narrow screen folds the rest.
        table.add_column(heading, no_wrap=heading == "fault", overflow="fold")
    for entry in entries:
        values = "\n".join(f"{name}={value}" for name, value in entry.values.items())
        table.add_row(entry.name, entry.kind, values, f"{entry.about} {entry.agent_must}")
    print_table(table)
