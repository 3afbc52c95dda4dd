"""All of every page works by keyboard: Tab reaches everything in reading order, and shows where it is."""

from typing import Any

import pytest
from agent_pages import pages_of
from browsing import PHONE, Serve, Visit, visiting
from page_conditions import FAN_UNIT
from playwright.async_api import Browser

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

# Everything a person can act on, in the order of the document; a closed <details> hides what is in it.
INTERACTIVE = """() => {
  const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const shown = element => element.checkVisibility({visibilityProperty: true}) && !element.disabled &&
    element.tabIndex >= 0;
  window.stops = [...document.querySelectorAll(wanted)].filter(shown);
  window.seen = [];
  document.addEventListener("focusin", event => {
    // A shape of a drawing shows the focus by its own border.
    const shape = event.target.querySelector(":scope > path"), box = event.target.getBoundingClientRect();
    const style = getComputedStyle(event.target), drawn = shape && getComputedStyle(shape);
    const around = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    seen.push({
      at: stops.indexOf(event.target),
      outlined: around || Boolean(drawn && drawn.stroke !== "none" && parseFloat(drawn.strokeWidth) >= 3),
      inside: box.bottom > 0 && box.top < innerHeight,
      what: event.target.outerHTML.slice(0, 100),
    });
  });
  return stops.map(element => element.outerHTML.slice(0, 100));
}"""


async def tabbed(visit: Visit) -> tuple[list[str], list[dict[str, Any]]]:
    """Press Tab through a whole page; return everything interactive, and what had the focus, in order."""
    stops: list[str] = await visit.page.evaluate(INTERACTIVE)
    for _ in stops:
        await visit.page.keyboard.press("Tab")
    seen: list[dict[str, Any]] = await visit.page.evaluate("seen")
    return stops, seen


async def test_tab_reaches_everything_in_reading_order(browser: Browser, condition: Serve) -> None:
    """On every page Tab goes through all links and controls as they are read; the focus is seen at each."""
    served = await condition("healthy")
    async with visiting(browser, served.address, size=PHONE) as visit:
        for page in pages_of(served.source.units()):
            await visit.go(page.path)
            stops, seen = await tabbed(visit)
            assert stops, page.name
            assert [stop["at"] for stop in seen] == list(range(len(stops))), page.name
            assert [stop["what"] for stop in seen if not stop["outlined"]] == [], page.name
            assert [stop["what"] for stop in seen if not stop["inside"]] == [], page.name


async def test_tables_sort_by_enter(browser: Browser, condition: Serve) -> None:
    """Enter on a column's head sorts by it, Enter again turns the order round, and the head says so."""
    served = await condition("healthy")
    async with visiting(browser, served.address) as visit:
        await visit.go()
        table = visit.page.locator("table", has=visit.page.locator("thead", has_text="Hottest chip"))
        head = table.locator("thead th", has_text="Model")
        await head.locator("button").focus()
        orders = []
        for said in ("ascending", "descending"):
            await visit.page.keyboard.press("Enter")
            assert await head.get_attribute("aria-sort") == said
            orders.append(await table.locator("tbody tr td:nth-child(6)").all_inner_texts())
        assert orders[0] == sorted(orders[0])
        assert orders[1] == orders[0][::-1]
        assert len(set(orders[0])) == 2
        await visit.go("units")
        await visit.page.locator("thead a", has_text="Lost").press("Enter")
        await visit.page.wait_for_url("**/units?*")
        assert await visit.page.locator("thead th", has_text="Lost").get_attribute("aria-sort") == "ascending"
        visit.assert_innocent()


async def test_filters_work_by_keyboard(browser: Browser, condition: Serve) -> None:
    """A search is typed and its result comes with its address; details open by Enter."""
    served = await condition("healthy")
    async with visiting(browser, served.address, size=PHONE) as visit:
        await visit.go("units")
        await visit.page.locator("input[type=search]").focus()
        await visit.page.keyboard.type("fan 3")
        await visit.until("location.search.includes('q=fan')")
        assert await visit.page.locator("tbody tr").count() == 1
        assert "fan 3 at 0 rpm" in await visit.page.inner_text("tbody")
        assert await visit.page.locator(f"tbody a[href$='units/{FAN_UNIT}']").first.is_visible()
        assert await visit.page.evaluate("document.activeElement.type") == "search"
        filters = visit.page.locator("details", has_text="Filters")
        await filters.locator("summary").press("Enter")
        assert await filters.get_attribute("open") is not None
        assert await visit.grave_findings() == []
        visit.assert_innocent()


async def test_a_note_is_written_by_keyboard(browser: Browser, condition: Serve) -> None:
    """The note's dialog takes the focus, says why it was refused, and gives the focus back on Escape."""
    served = await condition("healthy")
    async with visiting(browser, served.address, size=PHONE) as visit:
        await visit.go("repairs")
        button = visit.page.locator("button[data-say]").first
        await button.press("Enter")
        dialog = visit.page.locator("dialog[open]")
        await visit.page.keyboard.type("fan ordered")
        assert await dialog.locator("textarea").input_value() == "fan ordered"
        assert await visit.grave_findings() == []
        assert await visit.overflow_px() == 0
        await dialog.locator("button[type=submit]").press("Enter")
        await dialog.locator("[role=alert]").wait_for(state="visible")
        assert "no token is configured" in await dialog.inner_text()
        await visit.page.keyboard.press("Escape")
        await dialog.wait_for(state="hidden")
        assert await button.evaluate("button => button === document.activeElement")
        # The refusal is an error on the browser's console, and the only one.
        assert all("403" in said for said in visit.deeds.errors)
        assert visit.deeds.violations == []
