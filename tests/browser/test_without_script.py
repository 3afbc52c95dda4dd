"""Without its script every page has the same figures, and says as of when they are."""

import pytest
from agent_pages import pages_of
from browsing import DESK, PHONE, Serve, visiting
from page_conditions import FAN_UNIT
from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

# Lines that a reader sees, without those that are the script's own or stand in for it. The script counts ages on.
LINES = """() => {
  const own = document.querySelectorAll(".refresh, noscript, .scripted, [hidden]");
  for (const element of own) element.remove();
  for (const age of document.querySelectorAll("[data-age]")) age.textContent = "an age";
  return document.body.innerText.split("\\n").map(line => line.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""


async def lines_of(page: Page) -> list[str]:
    """Return the text of a page, line by line."""
    lines: list[str] = await page.evaluate(LINES)
    return lines


@pytest.mark.parametrize("name", ["healthy", "late"])
async def test_pages_work_without_script(browser: Browser, condition: Serve, name: str) -> None:
    """The text of each page is the same with and without script, but for what the script says of itself."""
    served = await condition(name)
    async with (
        visiting(browser, served.address, size=DESK) as usual,
        visiting(browser, served.address, size=DESK, java_script_enabled=False) as plain,
    ):
        for page in pages_of(served.source.units()):
            await usual.go(page.path)
            await plain.go(page.path)
            assert await plain.page.locator("time[datetime]").count(), f"{page.name} does not say as of when it is"
            told = "This page does not refresh" if page.name == "wall" else "Load again"
            assert told in await plain.page.inner_text("body"), page.name
            assert await lines_of(plain.page) == await lines_of(usual.page), page.name
        usual.assert_innocent()
        plain.assert_innocent()


async def test_filters_and_orders_work_without_script(browser: Browser, condition: Serve) -> None:
    """A search is a form and an order is a link: both are part of the address."""
    served = await condition("healthy")
    async with visiting(browser, served.address, size=PHONE, java_script_enabled=False) as visit:
        await visit.go("units")
        await visit.page.locator("input[type=search]").fill("fan 3")
        await visit.page.locator("input[type=search]").press("Enter")
        await visit.page.wait_for_url("**/units?*q=fan*")
        assert await visit.page.locator(f"tbody a[href$='units/{FAN_UNIT}']").first.is_visible()
        await visit.page.locator("thead a", has_text="Lost").click()
        await visit.page.wait_for_url("**/units?*sort=*")
        assert await visit.page.locator("tbody tr").count() == 1
        await visit.go("repairs")
        await visit.page.locator("select[name=sort]").select_option("loss")
        await visit.page.locator("form button[type=submit]").click()
        await visit.page.wait_for_url("**/repairs?*sort=loss*")
        visit.assert_innocent()
