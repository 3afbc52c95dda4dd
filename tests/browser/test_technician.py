"""A technician with a phone: from the site's page to what is broken, where and since when."""

from itertools import product

import pytest
from browsing import DESK, PHONE, THEMES, Serve, Shoot, visiting
from exporter_cases import AT
from page_conditions import FAN_UNIT
from playwright.async_api import Browser
from web_site import source
from work_cases import THEIR_ACCOUNT, UNITS

from agent.address import Endpoint
from agent.exporters.web import server as web
from agent.exporters.web.door.door import Door

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

VIEWS = tuple(product((DESK, PHONE), THEMES))


async def test_two_taps_to_a_stopped_fan(browser: Browser, condition: Serve) -> None:
    """From the site's page one tap on a loss and one on a unit: container, rack, slot, fan, and since when."""
    served = await condition("healthy")
    async with visiting(browser, served.address, size=PHONE, has_touch=True, is_mobile=True) as visit:
        await visit.go()
        await visit.page.locator("main a", has_text="stopped").first.tap()
        await visit.page.wait_for_url("**/units?*")
        await visit.page.locator(f"main a[href$='units/{FAN_UNIT}']:visible").first.tap()
        await visit.page.wait_for_url(f"**/units/{FAN_UNIT}")
        text = await visit.page.inner_text("main")
        for words in ("container C3", "rack R05", "slot 12", "fan 3 at 0 rpm", "14:02"):
            assert words in text, words
        assert await visit.overflow_px() == 0
        visit.assert_innocent()


async def test_two_taps_to_diverted_units(browser: Browser, shoot: Shoot) -> None:
    """From the banner one tap to the units and one to a unit: where it stands, where its work goes, since when."""
    door = Door(listen=Endpoint("127.0.0.1", 9184))
    async with (
        web.serve(source(UNITS, door=door, wall=lambda: AT + 60.0), "127.0.0.1", 0) as (host, port),
        visiting(browser, f"http://{host}:{port}", size=PHONE, has_touch=True, is_mobile=True) as visit,
    ):
        await visit.go()
        await shoot(visit, "diverted-site", VIEWS)
        assert await visit.grave_findings() == []
        assert await visit.overflow_px() == 0
        await visit.page.locator("[role=alert] a", has_text="Its units").tap()
        await visit.page.wait_for_url("**/units?pool=diverted")
        assert await visit.page.locator("tbody tr").count() == 2
        assert await visit.overflow_px() == 0
        await shoot(visit, "diverted-units", VIEWS)
        await visit.page.locator("tbody a[href$='units/d1']:visible").first.tap()
        await visit.page.wait_for_url("**/units/d1")
        text = await visit.page.inner_text("main")
        for words in ("container C1", "slot 3", "evil.example:4444", THEIR_ACCOUNT, "21:26"):
            assert words in text, words
        assert await visit.grave_findings() == []
        assert await visit.overflow_px() == 0
        await shoot(visit, "diverted-unit", VIEWS)
        await visit.look(DESK, "dark")
        await visit.go("wall")
        assert "works for addresses that are not yours" in await visit.page.inner_text("main")
        await shoot(visit, "diverted-wall", [(DESK, "dark"), (PHONE, "dark")])
        visit.assert_innocent()
