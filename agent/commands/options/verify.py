"""Options of `hashsight verify`."""

from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import AnyAddress, OptionalConfigPath, PlainJson

app = typer.Typer(add_completion=False)


@command(
    app,
    examples=(
        "hashsight verify captures/s21-stock-202410",
        "hashsight verify 10.20.0.11 --against captures/s21-stock-202410",
    ),
)
def verify(
    subject: Annotated[
        str,
        typer.Argument(metavar="DIR|HOST", help="A capture's folder, or a unit's IP address, with :port if not 4028."),
    ],
    *,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="DIR|HOST|simulator",
            help="Hold it against a capture, a unit, or a simulated unit of its model and firmware, started here.",
        ),
    ] = None,
    polls: Annotated[
        int, typer.Option("--polls", min=0, max=8640, help="Poll a unit so often, and look at it again at the end.")
    ] = 0,
    every_s: Annotated[float, typer.Option("--every", min=1, max=3600, help="Time between two polls, s.")] = 10.0,
    config: OptionalConfigPath = None,
    any_address: AnyAddress = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, max=60, help="Time allowed for each answer, in seconds.")
    ] = 10.0,
    show_all: Annotated[
        bool, typer.Option("--all", help="List the numbers that differ within their range, too.")
    ] = False,
    as_json: PlainJson = False,
) -> None:
    """Hold a capture against its golden reading, or units and captures against each other. Only reads.

    A difference is named by its path, with both values and whether the agent reads something else because of it. Exit
    status 1 if one does; white space, order, keys that nothing reads and reply times change no meaning.
    """
