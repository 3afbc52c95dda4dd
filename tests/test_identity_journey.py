"""A whole agent over simulated units whose addresses change: sockets, web pages, metrics and API, in one process."""

import asyncio
import contextlib
import csv
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import structlog
from programs import get, get_json
from sim_cases import make_farm
from web_cases import served

from agent.app import Agent
from agent.exporters.answers import schema
from agent.setup import load_setup
from agent.site.status import UnitState, UnitStatus
from agent.site.whereabouts import Standing
from simulators.farm import Farm
from simulators.selection import Selector
from simulators.unit_faults import AddressSwapped

CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[poll]
interval_s = 1
connect_timeout_s = 0.5
deadline_s = 1
[identity]
web_port = {web_port}
checks_per_s = 100
deadline_s = 1
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
        """Give the status of the farm's unit `number`, from 0."""
        found = self.agent.tracker.status(self.unit_id(number))
        assert found is not None
        return found

    def unit_id(self, number: int) -> str:
        """Give the name of the farm's unit `number`."""
        return self.farm.units[number].identity.unit_id

    def standing(self, number: int) -> Standing | None:
        """Give what is known of a unit's whereabouts."""
        where = self.agent.identity.whereabouts(self.unit_id(number))
        return where.standing if where else None

    def checks(self) -> int:
        """Give how many pages were asked for."""
        return sum(self.agent.identity.figures().checks.values())

    def is_credited(self, *numbers: int) -> bool:
        """Say whether each unit is shown with its own true hashrate; S21 and T21 are 5 % apart."""
        now = self.farm.clock.now()
        return all(
            self.status(number).hashrate_hs == pytest.approx(self.farm.units[number].hashrate_hs(now), rel=0.02)
            for number in numbers
        )

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for what the agent notices with one of its next polls."""
        async with asyncio.timeout(20):
            while not is_so():  # noqa: ASYNC110  statuses are no events
                await asyncio.sleep(0.02)

    async def page(self, path: str) -> str:
        """GET a page of the agent's."""
        host, port = self.agent.served_at or ("", 0)
        return (await get(f"http://{host}:{port}{path}"))[1]


@contextlib.asynccontextmanager
async def watched(
    folder: Path, *, units: int = 4, is_declared: Callable[[int], bool] = lambda _: True, has_web: bool = True
) -> AsyncIterator[Site]:
    """Run a farm of S21 and T21 units and an agent over those that are declared, until all were asked."""
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
                    lambda: agent.is_whole and sum(agent.identity.figures().checks.values()) >= len(agent.tracker)
                )
                # Else an address is asked again after ten seconds at the earliest.
                agent.identity._book._spacing_s = 0.0  # type: ignore[union-attr]
                yield site
            finally:
                agent.stop.set()
    assert not any(entry.is_write for entry in running.api.journal.entries)


def keep_to_schema(path: str, answer: object) -> None:
    """Hold an answer to what the API says of itself."""
    told: Any = schema()
    jsonschema.validate(answer, {**told["answers"][path], "$defs": told["$defs"]})


def swap(site: Site, at: int, found: int) -> int:
    """Have unit `found` answer at the address of unit `at`."""
    unit = site.farm.units[at].identity
    return site.farm.inject(AddressSwapped(unit_id=site.unit_id(found)), Selector(units=(unit.unit_id,))).number


async def test_two_units_exchange_addresses(tmp_path: Path) -> None:
    """Both are followed: their own hashrates under their own names, told in the log, on /metrics and by the API."""
    async with watched(tmp_path) as site:
        assert site.agent.identity.figures().units_by_standing[Standing.VERIFIED] == 4
        with structlog.testing.capture_logs() as lines:
            injected = [swap(site, 0, 1), swap(site, 1, 0)]
            await site.until(lambda: site.standing(0) is site.standing(1) is Standing.MOVED)
            await site.until(lambda: site.is_credited(0, 1, 2, 3))
        told = {line["unit"]: line for line in lines if line["event"] == "address changed"}
        assert set(told) == {site.unit_id(0), site.unit_id(1)}
        assert told[site.unit_id(0)]["host"].startswith(site.farm.units[1].identity.host)
        assert told[site.unit_id(0)]["command"].startswith(f"hashsight ledger set {site.unit_id(0)} --host ")
        metrics = await site.page("/metrics/site")
        for number in (0, 1):
            assert f'miner_address_changed{{site="alpha",unit="{site.unit_id(number)}"}} 1.0' in metrics
        assert 'mining_site_units_by_standing{site="alpha",standing="moved"} 2.0' in metrics
        assert "miner_agent_address_changes_total 2.0" in metrics
        host, port = site.agent.served_at or ("", 0)
        answer = await get_json(f"http://{host}:{port}/api/v1/units/{site.unit_id(0)}")
        keep_to_schema("/api/v1/units/{id}", answer)
        assert answer["whereabouts"]["address_changed"] is True
        assert answer["whereabouts"]["answered_by"] == site.unit_id(1)
        identity = await get_json(f"http://{host}:{port}/api/v1/identity")
        keep_to_schema("/api/v1/identity", identity)
        assert [unit["unit_id"] for unit in identity["units"]] == [site.unit_id(0), site.unit_id(1)]
        for number in injected:
            site.farm.clear(number)
        await site.until(lambda: site.standing(0) is site.standing(1) is Standing.VERIFIED)
        await site.until(lambda: site.is_credited(0, 1, 2, 3))
        assert "miner_address_changed{" not in await site.page("/metrics/site")


async def test_an_unknown_unit_is_nobodys_hashrate(tmp_path: Path) -> None:
    """A machine that is in no ledger at a unit's address: the unit is unreadable, and the machine is counted."""
    async with watched(tmp_path, is_declared=lambda number: number != 3) as site:
        swap(site, 0, 3)
        await site.until(lambda: site.standing(0) is Standing.DISPLACED)
        status = site.status(0)
        assert (status.state, status.why) == (UnitState.UNREADABLE, "another unit answers here")
        assert (status.hashrate_hs, status.is_known) == (None, False)
        assert 'mining_site_unknown_units{site="alpha"} 1.0' in await site.page("/metrics/site")
        [unknown] = site.agent.identity.figures().unknown
        assert unknown.info.serial == site.farm.units[3].identity.serial
        await site.until(lambda: site.is_credited(1, 2))


async def test_without_web_access_units_are_credited_as_the_ledger_says(tmp_path: Path) -> None:
    """Nobody can be asked: all hashrate counts where the ledger has it, and all units are unverified."""
    async with watched(tmp_path, has_web=False) as site:
        figures = site.agent.identity.figures()
        assert figures.units_by_standing[Standing.UNVERIFIED] == 4
        assert figures.checks == {"unreachable": 4}
        await site.until(lambda: site.is_credited(0, 1, 2, 3))


async def test_the_ledger_is_corrected_while_the_agent_runs(tmp_path: Path) -> None:
    """The file as the proposed command leaves it, read again: the units are verified where they are."""
    async with watched(tmp_path) as site:
        swap(site, 0, 1)
        swap(site, 1, 0)
        await site.until(lambda: site.standing(0) is site.standing(1) is Standing.MOVED)
        before = (tmp_path / "ledger.csv").read_text(encoding="utf-8")
        hosts = [site.farm.units[number].identity.host for number in (0, 1)]
        text = before.replace(hosts[0] + ":", "first:").replace(hosts[1] + ":", hosts[0] + ":")
        (tmp_path / "ledger.csv").write_text(text.replace("first:", hosts[1] + ":"), encoding="utf-8")
        await site.agent.reload()
        assert site.standing(0) is site.standing(1) is Standing.VERIFIED
        await site.until(lambda: site.is_credited(0, 1, 2, 3))
