"""All agents of a fleet, asked again and again; only each one's latest answer is kept."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NamedTuple

import aiohttp
import structlog

from agent.fleet.asking import MAX_IN_FLIGHT, ask, session
from agent.fleet.figures import Heard, SiteView, site_view
from agent.fleet.report import Report
from agent.fleet.setup import FleetSetup, Site
from agent.fleet.troubles import SiteError, Trouble

log = structlog.get_logger("agent.fleet")

Ask = Callable[..., Awaitable[Report]]


class _Target(NamedTuple):
    """One agent's address, and its site."""

    site: Site
    url: str


class Watch:
    """The fleet's agents, and what each said last.

    Args:
        setup: The fleet.
        ask: Asks one agent, as `asking.ask`.
        clock: Monotonic time, s.
        wall: Unix time, s.

    Attributes:
        setup: The fleet in force.
        progress_s: Monotonic time at which a question last ended, s.
    """

    def __init__(
        self,
        setup: FleetSetup,
        *,
        ask: Ask = ask,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.setup = setup
        self.progress_s = clock()
        self._ask_agent, self._clock, self._wall = ask, clock, wall
        self._heard: dict[str, Heard] = {}
        self._logged: dict[str, set[Trouble]] = {}
        self._failures: dict[str, int] = {}
        self._replaced = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        # However many agents hang until their deadline, half of the slots are left for those that answer.
        self._sick_slots = asyncio.Semaphore(MAX_IN_FLIGHT // 2)

    def replace(self, setup: FleetSetup) -> None:
        """Put another fleet in force; agents of unchanged addresses and names keep their answers."""
        before = {target.url: target.site for target in self._targets()}
        self.setup = setup
        after = {target.url: target.site for target in self._targets()}
        for url in set(self._heard) - {
            url
            for url, site in after.items()
            if url in before and before[url].section.reported_name == site.section.reported_name
        }:
            self._forget(url)
        self._replaced.set()

    def views(self) -> list[SiteView]:
        """Return every site as it is now, in the order of the file."""
        clock_s, stale_after_s = self._clock(), self.setup.config.fleet.stale_after_s
        return [
            site_view(
                site.name,
                [self._heard.get(url) or Heard(url=url) for url in site.section.urls],
                clock_s=clock_s,
                stale_after_s=stale_after_s,
            )
            for site in self.setup.sites.values()
        ]

    @property
    def illness(self) -> str | None:
        """Why this process should be restarted: no question has ended for far too long; None if it is healthy."""
        fleet = self.setup.config.fleet
        longest_s = max(fleet.interval_s, fleet.backoff_max_s) + fleet.deadline_s
        idle_s = self._clock() - self.progress_s
        return f"no agent was asked for {idle_s:.0f} s" if idle_s > 3 * longest_s else None

    def progress(self) -> float:
        """Return a number that grows while questions end in time: their pauses may be longer than a watchdog's."""
        return self._clock() if self.illness is None else self.progress_s

    def is_asked(self) -> bool:
        """Return True if every agent was asked at least once."""
        return all(target.url in self._heard for target in self._targets())

    async def run(self) -> None:
        """Ask until cancelled."""
        async with session(connections=2 * MAX_IN_FLIGHT) as client:
            while True:
                self._replaced.clear()
                async with asyncio.TaskGroup() as tasks:
                    targets = self._targets()
                    running = [
                        tasks.create_task(
                            self._ask_forever(client, target, phase=number / len(targets)),
                            name=f"site {target.site.name}",
                        )
                        for number, target in enumerate(targets)
                    ]
                    await self._replaced.wait()
                    for task in running:
                        task.cancel()

    async def ask_once(self) -> None:
        """Ask every agent once."""
        async with session(connections=2 * MAX_IN_FLIGHT) as client, asyncio.TaskGroup() as tasks:
            for target in self._targets():
                tasks.create_task(self._ask(client, target), name=f"site {target.site.name}")

    def _targets(self) -> list[_Target]:
        return [_Target(site, url) for site in self.setup.sites.values() for url in site.section.urls]

    async def _ask_forever(self, client: aiohttp.ClientSession, target: _Target, *, phase: float) -> None:
        # All are asked at the start; from then on they take turns within an interval.
        due_s = self._clock() - phase * self.setup.config.fleet.interval_s
        while True:
            if self._failures.get(target.url):
                async with self._sick_slots:
                    await self._ask(client, target)
            else:
                await self._ask(client, target)
            due_s = max(due_s + self.pause_s(target.url), self._clock())
            await asyncio.sleep(due_s - self._clock())

    def pause_s(self, url: str) -> float:
        """Return the time until an agent is asked again, s: twice as long after each failure in a row."""
        fleet, failures = self.setup.config.fleet, self._failures.get(url, 0)
        longest_s = max(fleet.interval_s, fleet.backoff_max_s)
        return min(longest_s, fleet.interval_s * 2.0 ** min(failures, 16))

    async def _ask(self, client: aiohttp.ClientSession, target: _Target) -> None:
        url, before = target.url, self._heard.get(target.url) or Heard(url=target.url)
        outcome = await self._outcome(client, target, before)
        self.progress_s = self._clock()
        if self.setup.sites.get(target.site.name) is not target.site:  # Replaced meanwhile.
            return
        if isinstance(outcome, SiteError):
            since = self._wall() if before.failing_since is None else before.failing_since
            self._heard[url] = replace(before, error=outcome.with_traceback(None), failing_since=since)
            self._on_failure(target, outcome)
        else:
            self._heard[url] = Heard(url=url, report=outcome, clock_s=self._clock(), at=self._wall())
            self._on_answer(target, before)

    async def _outcome(self, client: aiohttp.ClientSession, target: _Target, before: Heard) -> Report | SiteError:
        """Return an agent's answer, or why it gave none that counts."""
        try:
            async with self._slots:
                deadline_s = self.setup.config.fleet.deadline_s
                report = await self._ask_agent(client, target.site, target.url, deadline_s=deadline_s)
        except SiteError as error:
            return error
        except Exception as error:
            # One agent must not stop the fleet; the traceback shows which of our assumptions it broke.
            log.exception("answer not understood", site=target.site.name, url=target.url)
            return SiteError(Trouble.NONSENSE, type(error).__name__)
        if before.report is not None and report.now == before.report.now:
            return SiteError(Trouble.REPEATED, f"the same answer as before, of {report.now:%Y-%m-%d %H:%M:%S%z}")
        return report

    def _on_answer(self, target: _Target, before: Heard) -> None:
        self._failures.pop(target.url, None)
        if self._logged.pop(target.url, None):
            since = before.failing_since
            log.info(
                "site answers again",
                site=target.site.name,
                url=target.url,
                silent_s=None if since is None else round(self._wall() - since, 1),
            )

    def _on_failure(self, target: _Target, error: SiteError) -> None:
        self._failures[target.url] = self._failures.get(target.url, 0) + 1
        logged = self._logged.setdefault(target.url, set())
        # Each once, until it answers again.
        if error.trouble not in logged:
            logged.add(error.trouble)
            log.warning(
                "site does not answer",
                site=target.site.name,
                url=target.url,
                trouble=error.trouble.value,
                reason=error.detail,
            )

    def _forget(self, url: str) -> None:
        for kept in (self._heard, self._logged, self._failures):
            kept.pop(url, None)
