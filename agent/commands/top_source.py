"""Sources of figures for `hashsight top`: a running agent's API, or the units of a site, polled from here."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import msgspec

from agent import __version__
from agent.app import Agent
from agent.commands.agent_client import RunningAgent
from agent.commands.top_answers import Answers, read_answers
from agent.exporters.web.site_answers import site_answer
from agent.exporters.web.unit_answers import unit_list_answer
from agent.exporters.web.unit_query import UnitQuery, query_text
from agent.runtime.counting import Counting
from agent.runtime.setup import Setup

T = TypeVar("T")


class Source(Protocol):
    """A site that can be looked at."""

    name: str

    async def look(self, query: UnitQuery) -> Answers:
        """Return the figures of now, and the units of a query.

        Raises:
            AgentError: They cannot be had now.
        """


class ApiSource:
    """A running agent.

    Args:
        agent: The agent.
    """

    def __init__(self, agent: RunningAgent) -> None:
        self._agent = agent
        self.name = agent.url

    async def look(self, query: UnitQuery) -> Answers:
        """Ask for the site and for the units."""

        def ask() -> Answers:
            site = self._agent.ask("GET", "/api/v1/site")
            return read_answers(site, self._agent.ask("GET", f"/api/v1/units?{query_text(query)}"))

        return await _beside(ask)


async def _beside(work: Callable[[], T]) -> T:
    """Do `work` in a thread that holds up neither the event loop nor the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = work()
        except Exception as raised:  # noqa: BLE001 - handed to the caller
            error = raised
        # After the end of the loop no task waits for it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="look", daemon=True).start()
    return await done


class DirectSource:
    """A site whose units are polled from here, all of them at each look.

    Args:
        setup: Its files.
    """

    def __init__(self, setup: Setup) -> None:
        # Of an agent's parts, only those that poll and add up run.
        self._setup, self._agent = setup, Agent(setup)
        self._counts_simulated = Counting(setup, tuple).counts_simulated
        self.name = f"{setup.path}, polled from here"

    async def look(self, query: UnitQuery) -> Answers:
        """Poll every unit once, and add up."""
        figures = await self._agent.sweep()
        now, zone, statuses = time.time(), self._setup.config.site.zone, list(self._agent.tracker.statuses())
        site = site_answer(
            self._setup.config.title,
            __version__,
            figures,
            statuses,
            unreadiness=None,
            now=now,
            counts_simulated=self._counts_simulated,
            zone=zone,
            seen_from=self._agent.started_at,
        )
        page, total = query.select(statuses)
        units = unit_list_answer(page, total, offset=query.offset, limit=query.limit, now=now)
        return read_answers(msgspec.to_builtins(site, str_keys=True), msgspec.to_builtins(units, str_keys=True))
