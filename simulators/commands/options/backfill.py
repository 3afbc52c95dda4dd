"""Options of `hashsight-sim backfill`."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    *,
    months: Annotated[
        str, typer.Option(help="Calendar months that shipped scenarios cover, separated by commas: 2025-10.")
    ] = "",
    scenario: Annotated[
        list[str] | None, typer.Option(help="Name of a scenario, or a TOML file that holds one; can be repeated.")
    ] = None,
    every: Annotated[str, typer.Option(help="Time between two samples of a series, 15s to 5m.")] = "5m",
    site: Annotated[str, typer.Option(help="Name of the site.")] = "simulated",
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    site_only: Annotated[bool, typer.Option("--site-only", help="Leave out the containers.")] = False,
) -> None:
    """Write simulated months as OpenMetrics for promtool.

    The output is the true history, for `promtool tsdb create-blocks-from openmetrics`.
    """
