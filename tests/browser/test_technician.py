"""A technician with a phone: from the site's page to what is broken, where and since when."""

import pytest
from browsing import PHONE, Serve, visiting
from page_conditions import FAN_UNIT
from playwright.async_api import Browser

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]


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
