"""The destinations of a site's work as a table: from a running agent, or from one poll of every unit."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from agent.app import Agent
from agent.commands.agent_client import AnswerError, viewed_agent
from agent.commands.machine_output import visible
from agent.commands.site_setup import checked_setup
from agent.commands.terminal import FAILED, err, out
from agent.exporters.web.work_answers import DestinationAnswer, PoolsAnswer, pools_answer
from agent.runtime import logs
from agent.site.pools.work import PoolClass
from agent.text.losses import units_text
from agent.text.numbers import ABSENT, hashrate_text
from agent.text.work import diverted_text

PATH = "/api/v1/pools"
_IS = {
    PoolClass.DIVERTED: "NOT YOURS",
    PoolClass.TOLERATED: "firmware's fee",
    PoolClass.IDLE: "no work sent",
    PoolClass.UNKNOWN: "not known",
}
_LEAST_WIDTHS = {"is": 9, "destination": 22, "account": 8, "units": 5, "hashrate": 11, "delivered": 11}
"""Widths at which words and figures stay whole; the table then fits 80 columns."""
_MOST_WIDTHS = {"is": 12, "account": 12}


def asked(config: Path | None, *, url: str | None, token_file: Path | None, ca_file: Path | None) -> PoolsAnswer:
    """Return what a running agent says of its destinations.

    Raises:
        AnswerError: It gave no answer that fits this version.
        ConfigError: Address or token are missing or wrong.
    """
    agent = viewed_agent(config, url=url, token_file=token_file, ca_file=ca_file, command="pools", as_operator=True)
    try:
        return msgspec.convert(agent.ask("GET", PATH), PoolsAnswer)
    except msgspec.ValidationError as error:
        raise AnswerError(f"the agent's answer does not fit this version of hashsight: {error}") from error


def read(config: Path | None) -> PoolsAnswer:
    """Return the destinations of the units of a site after one poll of each."""
    setup = checked_setup(config, "pools show")
    logs.set_up("error", setup.config.log.format)
    agent = asyncio.run(_sweep(Agent(setup)))
    return pools_answer(setup.config.title, agent.tracker.statuses(), time.time(), is_whole=True)


async def _sweep(agent: Agent) -> Agent:
    with Progress(console=err, transient=True) as progress:
        task = progress.add_task("polling", total=len(agent.tracker))
        agent.on_polled = lambda: progress.advance(task)
        await agent.sweep()
    return agent


def print_pools(answer: PoolsAnswer) -> None:
    """Print the destinations, diverted ones first, and what is diverted in one line.

    Raises:
        typer.Exit: The site judges no destination.
    """
    if not answer.is_judged:
        err.print("[pools] names no destination of this site: nothing is judged", markup=False)
        err.print("`hashsight pools suggest --config site.toml` proposes them", markup=False)
        raise typer.Exit(FAILED)
    units = sum(answer.units_by_class.values())
    table = Table(
        title=f"where the work of {units_text(units)} goes", title_justify="left", box=None, padding=(0, 1, 0, 0)
    )
    for column in ("is", "destination", "account", "units", "hashrate", "delivered"):
        is_number = column in {"units", "hashrate", "delivered"}
        table.add_column(
            column,
            justify="right" if is_number else "left",
            overflow="fold",
            min_width=_LEAST_WIDTHS[column],
            max_width=_MOST_WIDTHS.get(column),
        )
    for each in answer.destinations:
        table.add_row(*map(escape, _cells(each)), style="red" if each.pool_class is PoolClass.DIVERTED else None)
    out.print(table)
    _print_notes(answer)


def _cells(each: DestinationAnswer) -> tuple[str, ...]:
    place = each.destination or each.host or ABSENT
    # The scheme of nearly all is the same; the JSON has it.
    shown = urlsplit(place).netloc or place
    return (
        visible(each.entry) if each.entry is not None else _IS.get(each.pool_class, str(each.pool_class)),
        visible(shown),
        visible(each.account or ABSENT),
        f"{each.units:,}",
        hashrate_text(each.hashrate_hs),
        hashrate_text(each.delivered_1h_hs),
    )


def _print_notes(answer: PoolsAnswer) -> None:
    diverted = answer.units_by_class[PoolClass.DIVERTED]
    if diverted:
        addresses = sum(each.pool_class is PoolClass.DIVERTED for each in answer.destinations)
        text = diverted_text(diverted, answer.hashrate_hs_by_class[PoolClass.DIVERTED], addresses)
        out.print(text, markup=False, soft_wrap=True, style="red")
    if answer.left_out:
        out.print(f"{answer.left_out:,} more destinations are left out", markup=False)
    if answer.is_redacted:
        out.print("hosts and heads of accounts alone: an operator's token shows them whole", markup=False)
    if any(each.delivered_1h_hs is not None for each in answer.destinations):
        out.print("delivered: what pools credited over the last hour, of the units for which it is known", markup=False)
