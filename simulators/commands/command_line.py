"""The command line of `hashsight-sim`: a thin front, which imports a subcommand's options, and its work when it runs.

`simulators.commands.options.NAME` declares the options of a subcommand in the signature of `run`.
`simulators.commands.NAME` does the work, in a `run` with the same parameters. ``--version`` and every ``--help`` import
the first only.
"""

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from simulators import __version__

# Each subcommand with its line in ``--help``: the first line of the docstring of `run` in its options.
COMMANDS = {
    "farm": "Serve a farm until stopped.",
    "one": "Serve one healthy unit until stopped.",
    "play": "Play a scenario on its own farm and print the outcome.",
    "backfill": "Write simulated months as OpenMetrics for promtool.",
    "scenarios": "List the scenarios that come with this program.",
    "replay": "Serve recorded replies byte for byte until stopped.",
    "faults": "List the faults and what an agent must conclude.",
}


def declaration_of(name: str) -> Callable[..., None]:
    """Import a subcommand's options, and return the function whose signature declares them."""
    declaration: Callable[..., None] = import_module(f"{__package__}.options.{name}").run
    return declaration


def work_of(name: str) -> Callable[..., None]:
    """Import a subcommand's work, and return the function that does it."""
    work: Callable[..., None] = import_module(f"{__package__}.{name}").run
    return work


class LazyGroup(TyperGroup):
    """Subcommands whose work is imported when they are run, and which are listed without an import."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Names for the list and for "Did you mean"; `get_command` makes the commands.
        names: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands.update(names)

    # Any: older typer takes contexts and commands from click, newer typer from a copy of its own.
    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002  the signature is typer's
        """Return a subcommand; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        declaration = declaration_of(cmd_name)

        @wraps(declaration)
        def run(**options: Any) -> None:
            work_of(cmd_name)(**options)

        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name)(run)
        return typer.main.get_command(single)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options before the subcommand, which are all flags."""
        parameters = super().get_params(ctx)
        # Typer leaves the default of --help at None, and imports pydantic to convert None. It takes False as it is.
        for parameter in parameters:
            if parameter.default is None:
                parameter.default = False
        return parameters

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
    context_settings={"help_option_names": ["-h", "--help"]},
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
