"""Every page in every condition: accessible, inside the window, without an error, and from this agent alone."""

from itertools import product

import pytest
from agent_pages import pages_of
from browsing import DESK, PHONE, THEMES, Serve, Shoot, visiting
from page_conditions import CONDITIONS
from playwright.async_api import Browser

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

VIEWS = tuple(product((DESK, PHONE), THEMES))


@pytest.mark.parametrize("name", CONDITIONS)
async def test_every_page_is_accessible_and_fits(browser: Browser, condition: Serve, shoot: Shoot, name: str) -> None:
    """Axe finds nothing serious, and a phone never scrolls sideways; each page is seen in one of the four views.

    Together the conditions go through all views of each page; `test_every_view` goes through all of each condition.
    """
    served = await condition(name)
    first = list(CONDITIONS).index(name)
    async with visiting(browser, served.address) as visit:
        for number, page in enumerate(pages_of(served.source.units()), start=first):
            await visit.look(*VIEWS[number % len(VIEWS)])
            await visit.go(page.path)
            await shoot(visit, f"{name}-{page.name}", VIEWS)
            assert page.is_variant or await visit.grave_findings() == [], page.name
            await visit.look(PHONE, "light")
            assert (await visit.overflow_px(), await visit.too_wide()) == (0, []), page.name
        visit.assert_innocent()


@pytest.mark.slow
@pytest.mark.parametrize("name", CONDITIONS)
async def test_every_view(browser: Browser, condition: Serve, name: str) -> None:
    """Axe finds nothing serious on any page in any condition, light or dark, at 390 and at 1,300 px."""
    served = await condition(name)
    async with visiting(browser, served.address) as visit:
        for page in pages_of(served.source.units()):
            await visit.go(page.path)
            for size, theme in VIEWS:
                await visit.look(size, theme)
                assert await visit.grave_findings() == [], (page.name, size, theme)
                assert (await visit.overflow_px(), await visit.too_wide()) == (0, []), (page.name, size)
        visit.assert_innocent()
