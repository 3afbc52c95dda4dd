"""Options of `hashsight pools`."""

import typer

from agent.commands.deferred import Group, command
from agent.commands.options.shared import ConfigPath, PlainJson

app = typer.Typer(
    name="pools",
    cls=Group,
    add_completion=False,
    no_args_is_help=True,
    help="Show where the site's work goes, and propose the allow-list of its pools.",
)


@app.callback()
def _group() -> None:
    """Keep a group of one command a group: typer would take its only command for the whole."""


@command(app)
def credited(config: ConfigPath, *, as_json: PlainJson = False) -> None:
    """Ask each account's pool once what it credits over 1 h and 24 h, beside what units reported and delivered.

    Reported and delivered are of the site's history, so several accounts are shown and not compared. Exit status 1 if a
    pool gave no figure.
    """


@command(app)
def suggest(config: ConfigPath, *, as_json: PlainJson = False) -> None:
    """Poll every unit once and propose the allow-list, as TOML, from the pools that units have. Changes nothing.

    Counts are by destination and account; workers are left out. What few units use is proposed as a comment.
    """
