"""The wall is one screen: nothing scrolls, whatever the site is like, and a wall that stands still looks like one."""

import pytest
from browsing import Serve, Shoot, visiting
from page_conditions import CONDITIONS
from playwright.async_api import Browser

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

SCREENS = ((1920, 1080), (1280, 720), (390, 844))
# How far anything reaches beyond the screen, px; what is cut off inside its own box counts too.
BEYOND = """() => {
  const root = document.documentElement;
  const out = [root.scrollWidth - innerWidth, root.scrollHeight - innerHeight];
  for (const element of document.querySelectorAll("main *")) {
    const box = element.getBoundingClientRect();
    if (box.width && box.height) out.push(box.right - innerWidth, box.bottom - innerHeight);
  }
  return Math.max(...out);
}"""
SCROLLS = """() => Math.max(
  document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight)"""
LUMINANCE = """() => {
  const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
  return (red + green + blue) / 765;
}"""


@pytest.mark.parametrize("name", CONDITIONS)
async def test_the_wall_never_scrolls(browser: Browser, condition: Serve, shoot: Shoot, name: str) -> None:
    """At 1920 x 1080, at 1280 x 720 and on a phone the wall fits its screen, and is dark under either theme."""
    served = await condition(name)
    async with visiting(browser, served.address, size=SCREENS[0]) as visit:
        await visit.go("wall")
        await shoot(visit, f"{name}-wall", [(screen, "light") for screen in SCREENS])
        for screen in SCREENS:
            await visit.look(screen, "light")
            # Texts of any length may be cut off at the edge of their box, and never make the screen scroll.
            beyond = BEYOND if name != "hostile" else SCROLLS
            assert await visit.page.evaluate(beyond) <= 1, screen
            assert await visit.page.evaluate(LUMINANCE) < 0.2
        visit.assert_innocent()
