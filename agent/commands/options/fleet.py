"""Options of `hashsight fleet`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command

app = typer.Typer(add_completion=False)


@command(
    app,
    examples=(
        "hashsight fleet --sites fleet.toml --check",
        "hashsight fleet --sites fleet.toml --once",
        "hashsight fleet -s fleet.toml --once --json",
    ),
)
def fleet(
    sites: Annotated[
        Path, typer.Option("--sites", "-s", help="The fleet's sites (TOML); see deploy/fleet.example.toml.")
    ],
    *,
    web_config_file: Annotated[
        Path | None,
        typer.Option(
            "--web.config.file",
            help="TLS, users and limits, in the form of Prometheus' exporters; see fleet.web_config_file.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Read the file and what it names, say what is wrong, and end; no site is asked."),
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Ask every site once, print the fleet, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print JSON in base units (H/s, s).")] = False,
) -> None:
    """Serve one page over the agents of many sites: totals, sites side by side, and each site's own pages.

    Only reads. SIGTERM stops it, SIGHUP reads the file again, all or nothing. With --once, exit status 1 means that a
    site gave no current figures.
    """
