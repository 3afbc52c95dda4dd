"""`hashsight-sim backfill`: simulated months as OpenMetrics."""

from pathlib import Path

from simulators.backfill import find_months, read_step, write_months
from simulators.commands.exit_status import clear_errors
from simulators.commands.terminal import ERRORS, late_bar, machine_output


def run(*, months: str, scenario: list[str] | None, every: str, site: str, out: Path | None, site_only: bool) -> None:
    """Write months to a file or standard output."""
    with clear_errors():
        found, step_s = find_months(scenario or (), months), read_step(every)
        with machine_output() if out is None else out.open("w", encoding="utf-8") as file:
            written = write_months(found, file, site=site, step_s=step_s, has_containers=not site_only, watch=late_bar)
        names = " and ".join(month.name for month in found)
        ERRORS.print(f"{names}: {written.moments:,} moments, {written.samples:,} samples of site {site!r}")
