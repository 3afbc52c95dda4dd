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


@command(app)
def suggest(config: ConfigPath, *, as_json: PlainJson = False) -> None:
    """Poll every unit once and propose [[pools.allowed]] from the pools that units have. Changes nothing.

    Counts are by destination and account; workers are left out. What few units use is proposed as a comment.
    """
