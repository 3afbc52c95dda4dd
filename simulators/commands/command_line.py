"""The command line of `hashsight-sim`: a thin front that imports a subcommand's module when the subcommand is run.

Nothing heavy is imported here, so that ``--version`` and ``--help`` answer at once.
"""

import importlib
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from simulators import __version__

# Each subcommand with its line in ``--help``: the first line of the docstring of `run` in the module of that name.
COMMANDS = {
    "farm": "Serve a farm until stopped.",
    "one": "Serve one healthy unit until stopped.",
    "play": "Play a scenario on its own farm and print the outcome.",
    "backfill": "Write simulated months as OpenMetrics for promtool.",
    "scenarios": "List the scenarios that come with this program.",
    "replay": "Serve recorded replies byte for byte until stopped.",
    "faults": "List the faults and what an agent must conclude.",
}


class LazyGroup(TyperGroup):
    """Subcommands that are imported when they are run, and listed without an import."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Names for the list and for "Did you mean"; `get_command` makes the commands.
        names: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands.update(names)

    # Any: older typer takes contexts and commands from click, newer typer from a copy of its own.
    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  the signature is typer's
        """Import a subcommand; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"simulators.commands.{cmd_name}")
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name)(module.run)
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  the signature is typer's
        """Write the list of subcommands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=LazyGroup,
    help="Simulated Antminers on real sockets.",
    epilog="Exit status: 0 stopped or done, 1 it failed, 2 bad input.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"hashsight-sim {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version
