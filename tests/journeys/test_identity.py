"""A whole agent over simulated units whose addresses change: sockets, web pages, metrics and API in one process."""

from pathlib import Path
from typing import Any

import jsonschema
import structlog
from identity_site import swap, watched
from programs import get_json

from agent.exporters.web.site_answers import schema
from agent.site.identity.whereabouts import Standing
from agent.site.status import UnitState


def keep_to_schema(path: str, answer: object) -> None:
    """Check an answer against the API's own schema."""
    api: Any = schema()
    jsonschema.validate(answer, {**api["answers"][path], "$defs": api["$defs"]})


async def test_two_units_exchange_addresses(tmp_path: Path) -> None:
    """Both units keep their own hashrates, and log, /metrics and API report the changed addresses."""
    async with watched(tmp_path) as site:
        assert site.agent.identity.figures().units_by_standing[Standing.VERIFIED] == 4
        with structlog.testing.capture_logs() as lines:
            injected = [swap(site, 0, 1), swap(site, 1, 0)]
            await site.until(lambda: site.standing(0) is site.standing(1) is Standing.MOVED)
            await site.until(lambda: site.is_credited(0, 1, 2, 3))
        changes = {line["unit"]: line for line in lines if line["event"] == "address changed"}
        assert set(changes) == {site.unit_id(0), site.unit_id(1)}
        assert changes[site.unit_id(0)]["host"].startswith(site.farm.units[1].identity.host)
        assert changes[site.unit_id(0)]["command"].startswith(f"hashsight ledger set {site.unit_id(0)} --host ")
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
    """When a machine outside the ledger answers at a unit's address, the unit is unreadable and the machine counted."""
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
    """Without web pages all hashrate counts where the ledger has it, and all units are unverified."""
    async with watched(tmp_path, has_web=False) as site:
        figures = site.agent.identity.figures()
        assert figures.units_by_standing[Standing.UNVERIFIED] == 4
        assert figures.checks == {"unreachable": 4}
        await site.until(lambda: site.is_credited(0, 1, 2, 3))


async def test_the_ledger_is_corrected_while_the_agent_runs(tmp_path: Path) -> None:
    """After the ledger is corrected and reloaded, the units are verified where they are."""
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
