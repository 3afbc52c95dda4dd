"""`hashsight top`: a site live in the terminal, from a running agent or polled from here."""

import asyncio
import os
import sys
import time
from pathlib import Path

import msgspec

from agent.commands.agent_client import viewed_agent
from agent.commands.machine_output import write_json
from agent.commands.options.top import Order
from agent.commands.site_setup import checked_setup
from agent.commands.terminal import err, exit_codes, out, usage_error
from agent.commands.top_picture import page_rows, picture
from agent.commands.top_source import ApiSource, DirectSource, Source
from agent.commands.top_state import ORDERS, View
from agent.commands.top_terminal import Terminal
from agent.errors import AgentError, QueryError
from agent.exporters.web.unit_query import MAX_LIMIT, UnitQuery, parse_query
from agent.runtime import logs

ONCE_UNITS = 20
LIVE_UNITS = 200
TICK_S = 1.0


def top(
    config: Path | None,
    *,
    url: str | None,
    token_file: Path | None,
    ca_file: Path | None,
    is_direct: bool,
    every_s: float,
    order: Order,
    container: str | None,
    owner: str | None,
    cause: str | None,
    state: str | None,
    text: str,
    is_once: bool,
    as_json: bool,
) -> None:
    """Show a site live, or once."""
    with exit_codes():
        if is_direct and (url is not None or token_file is not None):
            raise usage_error("top", "--direct", "", "not together with --url or --token-file: it asks no agent")
        limit = MAX_LIMIT if as_json else ONCE_UNITS if is_once else LIVE_UNITS
        given = {"container": container, "owner": owner, "cause": cause, "state": state, "q": text}
        query = _query(order, given, limit=limit)
        if not (is_once or as_json):
            _refuse_no_terminal()
        source = _source(config, url, token_file, ca_file, is_direct=is_direct)
        view = View(source=source.name, every_s=every_s, query=query, order=order)
        if is_once or as_json:
            asyncio.run(_look(source, view))
            _print(view, as_json=as_json)
        else:
            asyncio.run(_Live(source, view).run())


def _query(order: Order, given: dict[str, str | None], *, limit: int) -> UnitQuery:
    sort, is_descending = ORDERS[order]
    named = [(name, value) for name, value in given.items() if value]
    try:
        return parse_query(named, UnitQuery(sort=sort, is_descending=is_descending, limit=limit))
    except QueryError as error:
        raise usage_error("top", "units", "", str(error)) from error


def _refuse_no_terminal() -> None:
    if not (sys.stdin is not None and sys.stdin.isatty() and out.is_terminal) or out.is_dumb_terminal:
        reason = "a terminal is needed to draw on and to press keys; --once prints one picture, --json the answers"
        raise usage_error("top", "terminal", os.environ.get("TERM", ""), reason)


def _source(
    config: Path | None, url: str | None, token_file: Path | None, ca_file: Path | None, *, is_direct: bool
) -> Source:
    if not is_direct:
        return ApiSource(viewed_agent(config, url=url, token_file=token_file, ca_file=ca_file))
    setup = checked_setup(config, "top")
    # A log line would stand in the picture; what a poll met stands beside its unit.
    logs.set_up("error", stream=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
    return DirectSource(setup)


async def _look(source: Source, view: View) -> None:
    """Look for the first time; a failure ends the command."""
    with err.status(f"asking {source.name}"):
        view.on_answers(await source.look(view.query), time.monotonic())


def _print(view: View, *, as_json: bool) -> None:
    if as_json:
        write_json(msgspec.to_builtins(view.answers, str_keys=True))
        return
    for line in picture(view, columns=out.width, rows=None, clock_s=time.monotonic()):
        out.print(line, soft_wrap=True)


class _Live:
    """The view on a terminal.

    Args:
        source: The site.
        view: What is shown.
    """

    def __init__(self, source: Source, view: View) -> None:
        self._source, self._view = source, view
        self._wake = asyncio.Event()
        self._terminal = Terminal(out, on_key=self._on_key, on_resize=self._wake.set, on_end=self._end)

    async def run(self) -> None:
        """Show the site until a key or a signal ends it."""
        await _look(self._source, self._view)
        looking: asyncio.Task[None] | None = None
        due_s = time.monotonic() + self._view.every_s
        with self._terminal.shown():
            while not self._view.is_over:
                if looking is None and self._is_due(due_s):
                    due_s = time.monotonic() + self._view.every_s
                    looking = asyncio.create_task(self._look_again(), name="look")
                    looking.add_done_callback(lambda _: self._wake.set())
                self._draw()
                await self._rest()
                if looking is not None and looking.done():
                    looking.result()
                    looking = None
        if looking is not None:
            looking.cancel()

    def _is_due(self, due_s: float) -> bool:
        is_due = self._view.is_wanting or (time.monotonic() >= due_s and not self._view.is_paused)
        if is_due:
            self._view.is_wanting = False
        return is_due

    async def _look_again(self) -> None:
        try:
            answers = await self._source.look(self._view.query)
        except (AgentError, OSError) as error:
            self._view.on_trouble(str(error))
        else:
            self._view.on_answers(answers, time.monotonic())

    async def _rest(self) -> None:
        """Wait for a key, an answer or the next second: ages grow without either."""
        try:
            async with asyncio.timeout(TICK_S):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    def _draw(self) -> None:
        columns, rows = out.size
        self._terminal.draw(picture(self._view, columns=columns, rows=rows, clock_s=time.monotonic()))

    def _on_key(self, key: str) -> None:
        columns, rows = out.size
        self._view.on_key(key, page_rows(self._view, columns=columns, rows=rows))
        self._wake.set()

    def _end(self) -> None:
        self._view.is_over = True
        self._wake.set()
