"""Pages refresh in place: what the reader does with a page stays, and a page that cannot refresh says so.

The browser's clock is the test's, so nothing waits for a refresh.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from browsing import DESK, PHONE, Visit, visiting
from page_conditions import FAN_UNIT, FAULTS
from playwright.async_api import Browser
from simulated_site import SimulatedSite

from agent.exporters.web import server as web
from simulators.farm.selection import read_selector
from simulators.faults.unit import PowerOff

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

REFRESH_MS = 10_000
AS_OF = "document.querySelector('header time').textContent"


class Open:
    """A page of a site that the test changes, and that it can take away."""

    def __init__(self, visit: Visit, site: SimulatedSite, server: AsyncExitStack) -> None:
        self.visit = visit
        self.page = visit.page
        self.site = site
        self._server = server

    async def refresh(self) -> None:
        """Poll every unit half a minute later, and let the page refresh."""
        before = await self.page.evaluate(AS_OF)
        self.site.look(self.site.now + 30.0)
        await self.page.clock.run_for(REFRESH_MS)
        await self.visit.until(f"{AS_OF} !== {before!r}")

    async def stop(self) -> None:
        """Stop the agent's server."""
        await self._server.aclose()


@asynccontextmanager
async def opened(browser: Browser, folder: Path, path: str = "", size: tuple[int, int] = PHONE) -> AsyncIterator[Open]:
    """Serve a site of its own, and open one of its pages."""
    site = SimulatedSite(units=300, containers=3, faults=FAULTS)
    async with AsyncExitStack() as server:
        host, port = await server.enter_async_context(web.serve(site.source(folder), "127.0.0.1", 0))
        async with visiting(browser, f"http://{host}:{port}", size=size) as visit:
            await visit.page.clock.install()
            await visit.go(path)
            yield Open(visit, site, server)


async def test_new_figures_come_without_loading_the_page_again(browser: Browser, tmp_path: Path) -> None:
    """The figures of the next round appear in the page that is open; the document is not loaded a second time."""
    async with opened(browser, tmp_path) as here:
        await here.page.evaluate("window.isSame = true")
        fresh = here.page.locator("main a[href$='units/C2-R05-20']:visible")
        assert await fresh.count() == 0
        here.site.farm.inject(PowerOff(), read_selector("unit=C2-R05-20"), at=here.site.now + 1.0)
        await here.refresh()
        assert await fresh.count() > 0
        assert await here.page.evaluate("window.isSame")
        here.visit.assert_innocent()


async def test_focus_and_scroll_stay(browser: Browser, tmp_path: Path) -> None:
    """A refresh moves neither the focus nor the page under a reader's thumb, also when a row above is new."""
    async with opened(browser, tmp_path) as here:
        link = here.page.locator(f"main a[href$='units/{FAN_UNIT}']:visible").first
        await link.focus()
        await link.scroll_into_view_if_needed()
        await here.page.evaluate("window.focused = document.activeElement")
        before = await here.page.evaluate("[scrollY, focused.getBoundingClientRect().top]")
        await here.refresh()
        assert await here.page.evaluate("document.activeElement === focused && focused.isConnected")
        assert await link.evaluate("link => link === focused")
        assert await here.page.evaluate("[scrollY, focused.getBoundingClientRect().top]") == before


async def test_selected_text_stays(browser: Browser, tmp_path: Path) -> None:
    """While text is selected the page leaves it alone and says so; then it goes on."""
    async with opened(browser, tmp_path) as here:
        await here.page.locator("main h2").first.select_text()
        chosen = await here.page.evaluate("String(getSelection())")
        before = await here.page.evaluate(AS_OF)
        here.site.look(here.site.now + 30.0)
        await here.page.clock.run_for(3 * REFRESH_MS)
        assert await here.page.evaluate("String(getSelection())") == chosen
        assert await here.page.evaluate(AS_OF) == before
        assert "selected" in await here.page.inner_text(".refresh")
        await here.page.evaluate("getSelection().removeAllRanges()")
        await here.refresh()


@pytest.mark.parametrize("path", ["", "wall"])
async def test_a_page_whose_agent_is_gone_says_so_and_how_old_it_is(
    browser: Browser, tmp_path: Path, path: str
) -> None:
    """Without its agent the page keeps its figures under an alarm with their age, which goes on growing."""
    async with opened(browser, tmp_path, path) as here:
        figures = await here.page.inner_text("main .ratio")
        await here.stop()
        alarm = here.page.locator("[role=alert]:has-text('could not refresh')")
        await here.page.clock.run_for(REFRESH_MS + 1000)
        await alarm.wait_for(state="visible")
        assert await here.page.inner_text("main .ratio") == figures
        await here.page.clock.run_for(180_000)
        assert " 3 min old" in await alarm.inner_text()


async def test_a_page_comes_back_with_its_agent(browser: Browser, tmp_path: Path) -> None:
    """When the agent answers again the alarm goes and the figures are new."""
    async with opened(browser, tmp_path) as here:
        await here.page.route("**/*", lambda route: route.abort())
        await here.page.clock.run_for(REFRESH_MS + 1000)
        alarm = here.page.locator("[role=alert]:has-text('could not refresh')")
        await alarm.wait_for(state="visible")
        await here.page.unroute("**/*")
        await here.refresh()
        await alarm.wait_for(state="hidden")


async def test_what_is_open_and_typed_stays(browser: Browser, tmp_path: Path) -> None:
    """A refresh neither closes details nor takes away what is being typed, nor the order of a table."""
    async with opened(browser, tmp_path, "units", size=DESK) as here:
        await here.page.locator("details", has_text="Filters").locator("summary").click()
        search = here.page.locator("input[type=search]")
        await search.focus()
        await here.page.evaluate("document.activeElement.value = 'half a wo'")
        await here.refresh()
        assert await here.page.locator("details", has_text="Filters").get_attribute("open") is not None
        assert await search.input_value() == "half a wo"
        await here.visit.go()
        table = here.page.locator("table", has=here.page.locator("thead", has_text="Hottest chip"))
        head = table.locator("thead th", has_text="Model")
        await head.locator("button").click()
        await here.refresh()
        assert await head.get_attribute("aria-sort") == "ascending"
        models = await table.locator("tbody tr td:nth-child(6)").all_inner_texts()
        assert models == sorted(models)
        assert len(set(models)) == 2
