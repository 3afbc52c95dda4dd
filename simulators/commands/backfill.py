"""`hashsight-sim backfill`: simulated months as OpenMetrics."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulators.backfill import find_months, read_step, write_months
from simulators.commands.exit_status import clear_errors
from simulators.commands.terminal import ERRORS, late_bar


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
    with clear_errors():
        found, step_s = find_months(scenario or (), months), read_step(every)
        with contextlib.nullcontext(sys.stdout) if out is None else out.open("w", encoding="utf-8") as file:
            written = write_months(found, file, site=site, step_s=step_s, has_containers=not site_only, watch=late_bar)
        names = " and ".join(month.name for month in found)
        ERRORS.print(f"{names}: {written.moments:,} moments, {written.samples:,} samples of site {site!r}")
