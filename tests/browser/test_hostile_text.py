"""Hostile texts of ledger, units, configuration and addresses never run: a browser shows them."""

from urllib.parse import quote

import pytest
from agent_pages import pages_of
from browsing import Serve, Visit, visiting
from hostile_site import PAYLOADS
from playwright.async_api import Browser

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

# What a text that was taken for markup leaves behind.
TAKEN = """() => [...document.querySelectorAll(
  ".canary, img:not([src*='assets/']), iframe, base, [onerror], [onload], [onclick], [onfocus]")]
  .concat([...document.querySelectorAll("a[href], form[action], use")].filter(element =>
    /^\\s*(javascript|data|vbscript):/i.test(element.getAttribute("href") || element.getAttribute("action") || "")))
  .map(element => element.outerHTML.slice(0, 200))"""


async def assert_shown_only(visit: Visit, path: str) -> None:
    """Open an address, act on what is there, and fail if a text became more than text."""
    await visit.page.goto(visit.base + path, wait_until="load")
    await visit.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    await visit.page.mouse.move(200, 200)
    await visit.page.keyboard.press("Tab")
    assert await visit.page.evaluate(TAKEN) == [], path


async def test_hostile_texts_are_only_shown(browser: Browser, condition: Serve) -> None:
    """On every page of a site whose every text is hostile none of them runs, and the policy has nothing to block."""
    served = await condition("hostile")
    async with visiting(browser, served.address) as visit:
        for page in pages_of(served.source.units()):
            await assert_shown_only(visit, page.path)
            assert "canary(" in await visit.page.inner_text("body"), f"{page.name} shows no hostile text"
        for unit_id in (status.entry.unit_id for status in served.source.units()):
            await assert_shown_only(visit, f"units/{quote(unit_id, safe='')}")
        visit.assert_innocent()


async def test_hostile_addresses_are_only_shown(browser: Browser, condition: Serve) -> None:
    """Filters, unknown units and unknown pages repeat a hostile address at most as text, whatever their answer."""
    served = await condition("healthy")
    async with visiting(browser, served.address) as visit:
        for payload in PAYLOADS:
            word = quote(payload, safe="")
            for path in (f"{word}", f"units/{word}", f"api/v1/units/{word}", f"api/v1/units?q={word}", f"?q={word}"):
                await assert_shown_only(visit, path)
        assert visit.deeds.canaries == []
        assert visit.deeds.violations == []


async def test_a_canary_is_noticed(browser: Browser, condition: Serve) -> None:
    """The alarm works: a hostile text that does become markup is found by every means of this file."""
    served = await condition("healthy")
    async with visiting(browser, served.address) as visit:
        await visit.go()
        await visit.page.evaluate("canary('called')")
        await visit.page.evaluate("text => { document.body.insertAdjacentHTML('beforeend', text) }", PAYLOADS[1])
        await visit.until("document.querySelector('.canary').complete")
        assert len(await visit.page.evaluate(TAKEN)) == 1
        assert visit.deeds.canaries == ["canary ('called',)"]
        assert any("script-src" in report for report in visit.deeds.violations), visit.deeds.violations
