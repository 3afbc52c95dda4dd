"""A technician's phone over a whole agent and a simulated farm: a fan stops, is found, and the agent goes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from browsing import PHONE, visiting
from playwright.async_api import Browser
from programs import agent, farm, get_json, until

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

UNIT = "C3-R05-12"
HEALTHY = ("--mix", "S21:200=100%", *(f"--{name}=0%" for name in ("off", "asleep", "starting", "slow")))
HEALTHY += ("--missing-board=0%", "--missing-chips=0%")


async def test_a_fan_stops_is_found_and_the_agent_goes(browser: Browser, tmp_path: Path) -> None:
    """Two taps lead to the fan with place and time; when the agent ends, the page in hand says so."""
    async with (
        farm(tmp_path, units=300, options=HEALTHY) as control,
        agent(tmp_path, interval_s=3) as (running, url),
        visiting(browser, url, size=PHONE, has_touch=True, is_mobile=True) as visit,
    ):
        page = visit.page
        await page.clock.install()
        await visit.go()
        assert "stopped" not in await page.inner_text("main")
        fault = {"fault": "fan_stopped", "values": {"fan": 2}, "who": {"units": [UNIT]}}
        async with aiohttp.ClientSession() as client, client.post(f"{control}/faults", json=fault) as answer:
            assert answer.status < 300, await answer.text()

        async def stopped() -> Any:
            unit = (await get_json(f"{url}/api/v1/units/{UNIT}"))["unit"]
            return unit if unit["state"] == "stopped" else None

        unit = await until(stopped, running)
        await page.clock.run_for(10_000)
        loss = page.locator("main a", has_text="stopped").first
        await loss.wait_for()
        await loss.tap()
        await page.locator(f"main a[href$='units/{UNIT}']:visible").first.tap()
        await page.wait_for_url(f"**/units/{UNIT}")
        text = await page.inner_text("main")
        since = datetime.fromisoformat(unit["since"]).astimezone(UTC)
        for words in ("container C3", "rack R05", "slot 12", "fan 3 at 0 rpm", f"{since:%H:%M}"):
            assert words in text, words
        visit.assert_innocent()
        running.process.terminate()
        await running.ended()
        await page.clock.run_for(20_000)
        alarm = page.locator("[role=alert]", has_text="could not refresh")
        await alarm.wait_for(state="visible")
        await page.clock.run_for(120_000)
        assert "2 min old" in await alarm.inner_text()
