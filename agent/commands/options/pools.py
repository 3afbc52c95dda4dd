"""Options of `hashsight pools`."""

from typing import Annotated, Any

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.curtail import TokenFile
from agent.commands.options.shared import CaFile, ConfigPath, Json, PlainJson, Url


class _ShowFirst(Group):
    """A group whose first command is meant where only its options are given."""

    # Any: older typer takes contexts from click, newer typer from a copy of its own.
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line."""
        if not ctx.resilient_parsing and args and args[0].startswith("-") and args[0] not in {"-h", "--help"}:
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


@command(app, examples=("hashsight pools credited", "hashsight pools credited --json"))
def credited(config: ConfigPath = None, *, as_json: PlainJson = False) -> None:
    """Ask each account's pool once what it credits over 1 h and 24 h, beside what units reported and delivered.

    Reported and delivered are of the site's history, so several accounts are shown and not compared. Exit status 1 if a
    pool gave no figure.
    """


@command(app, examples=("hashsight pools show", "hashsight pools show --read -c north.toml"))
def show(
    *,
    config: ConfigPath = None,
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


@command(app, examples=("hashsight pools suggest", "hashsight pools suggest > allowed.toml"))
def suggest(config: ConfigPath = None, *, as_json: PlainJson = False) -> None:
    """Poll every unit once and propose the allow-list, as TOML, from the pools that units have. Changes nothing.

    Counts are by destination and account; workers are left out. What few units use is proposed as a comment.
    """
