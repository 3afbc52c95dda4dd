"""`hashsight-sim scenarios`: the scenarios that come with this program."""

from rich.table import Table

from simulators.commands.exit_status import clear_errors
from simulators.commands.terminal import print_table
from simulators.scenario.durations import show_duration
from simulators.scenario.scenario import shipped_scenarios


def run() -> None:
    """Print a table of the shipped scenarios."""
    with clear_errors():
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("scenario", "takes", "units", "about"):
            table.add_column(heading, overflow="fold")
        for name, found in shipped_scenarios().items():
            table.add_row(name, show_duration(found.duration), str(found.farm.units), found.about)
        print_table(table)
