"""`hashsight pools`: where the site's work goes, and a proposed allow-list from the pools that units have now."""

import asyncio
from pathlib import Path

import typer
from rich.progress import Progress

from agent.app import Agent
from agent.commands import pools_table
from agent.commands.machine_output import write_json, write_lines
from agent.commands.pools_credited import credited
from agent.commands.site_setup import checked_setup
from agent.commands.terminal import FAILED, err, exit_codes
from agent.runtime import logs
from agent.site.pools.suggestion import Uses, suggestion, uses_of

__all__ = ["credited", "show", "suggest"]


def show(
    *,
    config: Path | None,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    read: bool,
    as_json: bool,
) -> None:
    """Print where the site's work goes."""
    with exit_codes():
        if read:
            answer = pools_table.read(config)
        else:
            answer = pools_table.asked(config, url=url, token_file=token_file, ca_file=ca_file)
        if as_json:
            write_json(answer)
        else:
            pools_table.print_pools(answer)


def suggest(config: Path | None, *, as_json: bool) -> None:
    """Print the proposed allow-list."""
    with exit_codes():
        setup = checked_setup(config, "pools suggest")
        logs.set_up("error", setup.config.log.format)
        found = asyncio.run(_read(Agent(setup)))
        if as_json:
            write_json({**found._asdict(), "uses": [use._asdict() for use in found.uses]})
        else:
            write_lines(suggestion(found))
        if not found.uses:
            err.print("no unit told an address of its pools")
            raise typer.Exit(FAILED)


async def _read(agent: Agent) -> Uses:
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("polling", total=len(agent.tracker))
        agent.on_polled = lambda: progress.advance(task)
        await agent.sweep()
    return uses_of(
        (() if status.reading is None else status.reading.pools, status.entry.owner)
        for status in agent.tracker.statuses()
    )
