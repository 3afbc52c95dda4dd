"""Options of `hashsight pools`."""

from typing import Annotated, Any

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.curtail import CaFile, TokenFile, Url
from agent.commands.options.shared import ConfigPath, Json, OptionalConfigPath, PlainJson


class _ShowFirst(Group):
    """A group whose first command is meant where only its options are given."""

    # Any: older typer takes contexts from click, newer typer from a copy of its own.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line."""
        if not ctx.resilient_parsing and args and args[0].startswith("-") and args[0] != "--help":
            args = ["show", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="pools",
    cls=_ShowFirst,
    add_completion=False,
    no_args_is_help=True,
    help="Show where the site's work goes, and propose the allow-list of its pools.",
)


@app.callback()
def _group() -> None:
    """Keep a group of one command a group: typer would take its only command for the whole."""


@command(app)
def show(
    *,
    config: OptionalConfigPath = None,
    url: Url = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    read: Annotated[
        bool, typer.Option("--read", help="Poll every unit once instead of asking a running agent.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print where the units' work goes: destination, account, units, hashrate, and what pools credited.

    A running agent is asked; with an operator's token it gives addresses and accounts whole. Destinations that are not
    the site's come first.
    """


@command(app)
def suggest(config: ConfigPath, *, as_json: PlainJson = False) -> None:
    """Poll every unit once and propose the allow-list, as TOML, from the pools that units have. Changes nothing.

    Counts are by destination and account; workers are left out. What few units use is proposed as a comment.
    """
