"""`hashsight pools credited`: ask each account's pool once, and hold its word against history."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from agent.commands.machine_output import write_json
from agent.commands.site_setup import checked_setup
from agent.commands.terminal import FAILED, err, exit_codes, out
from agent.errors import HistoryError
from agent.history.minutes import Row
from agent.history.reader import read_history
from agent.pool_accounts.accounts import PoolAccounts
from agent.runtime import logs
from agent.runtime.setup import Setup
from agent.site.credited.account import AccountState
from agent.site.credited.reported import own_hs
from agent.site.credited.verdict import LEAST_WATCHED_RATIO, Compared, compare
from agent.site.credited.windows import DAY_S, HOUR_S
from agent.text.numbers import ABSENT, hashrate_text

STEP_S = 60


def credited(config: Path | None, *, as_json: bool) -> None:
    """Print what each account's pool credits over 1 h and 24 h, beside what units reported and delivered."""
    with exit_codes():
        setup = checked_setup(config, "pools credited")
        logs.set_up("error", setup.config.log.format)
        sections = setup.config.pool_account
        if not sections:
            err.print("no [[pool_account]] is configured")
            raise typer.Exit(FAILED)
        accounts = PoolAccounts(sections)
        asyncio.run(accounts.read_once())
        now = time.time()
        rows = {window_s: _history(setup, now, window_s) for window_s in (HOUR_S, DAY_S)}
        states = tuple(accounts.states())
        compared = {state.name: _compared(state, rows, is_only=len(states) == 1) for state in states}
        if as_json:
            write_json({"accounts": _accounts(states, compared)})
        else:
            out.print(_table(states, compared))
            for state in states:
                words = state.trouble or compared[state.name][DAY_S].words
                out.print(f"{state.name} ({state.pool}): {words}", markup=False, soft_wrap=True)
        if any(state.trouble is not None for state in states):
            raise typer.Exit(FAILED)


def _history(setup: Setup, now: float, window_s: int) -> Row | None:
    """Return the site's mean over a window from its history; None without one."""
    kept = setup.config.history
    if not kept.keep:
        return None
    try:
        reader = read_history(kept.path(setup.path))
    except HistoryError as error:
        if error.reason == "absent":
            return None
        raise
    try:
        start = int(now) - window_s
        rows = reader.rows(start, int(now), window_s)
    finally:
        reader.close()
    return rows[0] if rows else None


def _compared(state: AccountState, rows: dict[int, Row | None], *, is_only: bool) -> dict[int, Compared]:
    """Hold one account against history, which knows the site alone: of several accounts none is compared."""
    found = {}
    for window_s, row in rows.items():
        known = row if is_only else None
        reported_hs = (
            None if known is None else own_hs(known.operating_hs, known.watched_s, known.diverted_hs, known.judged_s)
        )
        coverage = 0.0 if known is None or not known.deployed_hs else known.delivered_deployed_hs / known.deployed_hs
        is_delivered = known is not None and known.delivered_hs is not None and coverage >= LEAST_WATCHED_RATIO
        found[window_s] = compare(
            window_s,
            credited_hs=state.rates_hs.get(window_s),
            reported_hs=reported_hs,
            watched_ratio=0.0 if known is None else min(1.0, known.watched_s / window_s),
            delivered_hs=known.delivered_hs / coverage
            if is_delivered and known is not None and known.delivered_hs is not None
            else None,
            is_stale=state.is_stale,
        )
    return found


def _table(states: Sequence[AccountState], compared: dict[str, dict[int, Compared]]) -> Table:
    table = Table(box=None)
    for column in ("account", "window", "credited", "reported", "delivered", "difference", "verdict"):
        table.add_column(column, justify="left" if column in {"account", "verdict"} else "right", no_wrap=True)
    for state in states:
        for window_s, name in ((HOUR_S, "1 h"), (DAY_S, "24 h")):
            one = compared[state.name][window_s]
            difference = ABSENT if one.difference_ratio is None else f"{100 * one.difference_ratio:+.1f} %"
            table.add_row(
                escape(state.name),
                name,
                hashrate_text(state.rates_hs.get(window_s)),
                hashrate_text(one.reported_hs),
                hashrate_text(one.delivered_hs),
                difference,
                one.verdict,
            )
    return table


def _accounts(states: Iterable[AccountState], compared: dict[str, dict[int, Compared]]) -> list[dict[str, Any]]:
    return [
        {
            "name": state.name,
            "pool": state.pool,
            "trouble": state.trouble,
            "windows": [_window(one) for one in compared[state.name].values()],
        }
        for state in states
    ]


def _window(one: Compared) -> dict[str, Any]:
    return {
        "window_s": one.window_s,
        "credited_hs": one.credited_hs,
        "reported_hs": one.reported_hs,
        "delivered_hs": one.delivered_hs,
        "difference_ratio": one.difference_ratio,
        "watched_ratio": one.watched_ratio,
        "verdict": one.verdict,
        "odd": one.odd,
        "words": one.words,
    }
