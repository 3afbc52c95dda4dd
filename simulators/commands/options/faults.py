"""Options of `hashsight-sim faults`."""

from typing import Annotated

import typer


def run(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with types and full text.")] = False
) -> None:
    """List the faults and what an agent must conclude."""
