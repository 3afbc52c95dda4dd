"""All of every page works by keyboard: Tab reaches everything in reading order, and shows where it is."""

from typing import Any

import pytest
from agent_pages import pages_of
from browsing import PHONE, Serve, Visit, visiting
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
