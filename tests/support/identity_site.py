"""An agent over simulated units that exchange addresses: sockets, web pages and identity checks in one process."""

import asyncio
import contextlib
import csv
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from patience import PATIENT_S
from programs import get
from sim_cases import make_farm
from web_cases import served

from agent.app import Agent
from agent.runtime.setup import load_setup
from agent.site.identity.whereabouts import Standing
from agent.site.status import UnitStatus
from simulators.farm.farm import Farm
from simulators.farm.selection import Selector
from simulators.faults.unit import AddressSwapped

CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[poll]
interval_s = 1
connect_timeout_s = 2
deadline_s = 2
[identity]
web_port = {web_port}
checks_per_s = 100
deadline_s = 5
[history]
keep = false
[web]
listen = "127.0.0.1:0"
"""


@dataclass
class Site:
    """A running agent and the farm it watches."""

    farm: Farm
    agent: Agent

    def status(self, number: int) -> UnitStatus:
        """Return the status of the farm's unit `number`, from 0."""
        found = self.agent.tracker.status(self.unit_id(number))
        assert found is not None
        return found

    def unit_id(self, number: int) -> str:
        """Return the id of the farm's unit `number`."""
        return self.farm.units[number].identity.unit_id

    def standing(self, number: int) -> Standing | None:
        """Return a unit's standing; None while identity checks are off."""
        where = self.agent.identity.whereabouts(self.unit_id(number))
        return where.standing if where else None

    def checks(self) -> int:
        """Return the number of pages requested."""
        return sum(self.agent.identity.figures().checks.values())

    def is_credited(self, *numbers: int) -> bool:
        """Return True if each unit is shown with its own true hashrate; S21 and T21 are 5 % apart."""
        now = self.farm.clock.now()
        return all(
            self.status(number).hashrate_hs == pytest.approx(self.farm.units[number].hashrate_hs(now), rel=0.02)
            for number in numbers
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for a condition that one of the next polls should make true."""
        async with asyncio.timeout(PATIENT_S):
            while not is_so():  # noqa: ASYNC110  statuses are no events
                await asyncio.sleep(0.02)

    async def page(self, path: str) -> str:
        """GET a page of the agent."""
        host, port = self.agent.served_at or ("", 0)
        return (await get(f"http://{host}:{port}{path}"))[1]


@contextlib.asynccontextmanager
async def watched(
    folder: Path, *, units: int = 4, is_declared: Callable[[int], bool] = lambda _: True, has_web: bool = True
) -> AsyncIterator[Site]:
    """Run a farm of S21 and T21 units and an agent over the declared ones; yield once every page was requested."""
    farm = make_farm(units, mix="S21:200=50%,T21:190=50%")
    async with served(farm) as running:
        text = io.StringIO()
        farm.write_ledger(text, port=running.api.port)
        header, *rows = csv.reader(io.StringIO(text.getvalue()))
        with (folder / "ledger.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([header, *(row for number, row in enumerate(rows) if is_declared(number))])
        web_port = running.web.port
        if not has_web:
            await running.web.close()
        (folder / "site.toml").write_text(CONFIG.format(web_port=web_port), encoding="utf-8")
        agent = Agent(load_setup(folder / "site.toml"))
        site = Site(farm, agent)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(agent.run(), name="agent")
            try:
                await site.until(
                    lambda: (
                        agent.rounds.is_whole and sum(agent.identity.figures().checks.values()) >= len(agent.tracker)
                    )
                )
                # With the default, an address is asked again after ten seconds at the earliest.
                agent.identity._book.inquiries.spacing_s = 0.0  # type: ignore[union-attr]
                yield site
            finally:
                agent.stop.set()
    assert not any(entry.is_write for entry in running.api.journal.entries)


def swap(site: Site, at: int, found: int) -> int:
    """Let unit `found` answer at the address of unit `at`; return the number of the injection."""
    unit = site.farm.units[at].identity
    return site.farm.inject(AddressSwapped(unit_id=site.unit_id(found)), Selector(units=(unit.unit_id,))).number
