"""The fleet's page in a real browser: readable on a phone and a desk, by everyone, and safe beside a hostile site."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from axe_playwright_python.async_playwright import Axe
from fleet_cases import answering, figures, fleet_setup, report, served, site, stand_in
from playwright.async_api import Browser, async_playwright

from agent.fleet.report import Report
from agent.fleet.setup import Site
from agent.fleet.troubles import SiteError, Trouble

pytestmark = pytest.mark.program("chromium")
# As root there is no sandbox. No other machine can be reached.
LAUNCH = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking")
PHONE, DESK = (390, 844), (1300, 900)
SITES = 40
THUMB_PX = 44
EVIL = b"""<!doctype html><title>calm</title><h1>A site</h1>
<script>document.title = "inline"</script>
<script src="assets/evil.js"></script>
<script src="data:text/javascript,document.title='data'"></script>
<script src="api/v1/site"></script>
<img src="assets/none.png" onerror="document.title = 'handler'">
<svg onload="document.title = 'svg'"></svg>
<a id="go" href="javascript:document.title='link'">go</a>
<iframe srcdoc="<script>parent.document.title = 'frame'</script>"></iframe>
<object data="assets/evil.html"></object>
<form action="http://evil.example/" method="post"><button>send</button></form>"""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Yield Debian's Chromium."""
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=LAUNCH)
        yield made
        await made.close()


async def _ask(_: aiohttp.ClientSession, of: Site, url: str, *, deadline_s: float) -> Report:
    """Answer for forty sites, of which some are poor, late, odd or silent."""
    del deadline_s
    number = int(of.name.removeprefix("site-"))
    if number == 7:
        raise SiteError(Trouble.UNREACHABLE, "Connection refused")
    if number == 8:
        raise SiteError(Trouble.OTHER_SITE, "it says 'elsewhere', not 'site-8'")
    if number == 9:
        return report(of.name)
    losses = {"stopped": 20.0 * (number % 5), "unreachable": 10.0, "derated": 3, "missing_boards": 2, "flooded": 1}
    said = figures(1200, 1200 - sum(losses.values()), losses_phs=losses)
    late = "35 of 6,000 units (0.6 % of deployed) not looked at for up to 4 min" if number == 10 else None
    told = report(of.name, said, late_reason=late)
    return msgspec.structs.replace(told, now=told.now + timedelta(seconds=len(url)))


async def test_forty_sites_are_readable_on_a_phone_and_on_a_desk(tmp_path: Path, browser: Browser) -> None:
    """Nothing is cut off, axe finds nothing grave, links are as big as a thumb, and each works from the keyboard."""
    setup = fleet_setup(tmp_path, *(site(f"site-{number}", f"http://s{number}:9184") for number in range(SITES)))
    async with served(setup, ask=_ask) as (watch, client):
        await watch.ask_once()
        page = await browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        for size, theme in itertools.product((PHONE, DESK), ("light", "dark")):
            await page.set_viewport_size({"width": size[0], "height": size[1]})
            await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            await page.goto(str(client._base_url))
            assert await page.evaluate("document.documentElement.scrollWidth") == size[0]
            if (size == PHONE) == (theme == "light"):  # Both sizes, both themes; it takes seconds on a large page.
                found: dict[str, Any] = (await Axe().run(page)).response
                grave = [each for each in found["violations"] if each["impact"] in {"serious", "critical"}]
                assert [(each["id"], each["nodes"][0]["html"]) for each in grave] == []
            heights = await page.evaluate("[...document.querySelectorAll('main a')].map(a => a.offsetHeight)")
            assert len(heights) == SITES + 3
            assert min(heights) >= THUMB_PX
        await page.locator("nav.orders a").last.focus()
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/?sort=name")
        assert said == []


async def test_nothing_of_a_hostile_sites_page_runs(tmp_path: Path, browser: Browser) -> None:
    """Its markup is shown; its scripts, handlers, frames and links run nothing, and it can ask no other address."""
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(stand_in(answering(EVIL, "200 OK\r\nContent-Type: text/html")))
        _, client = await stack.enter_async_context(served(fleet_setup(tmp_path, site("evil", agent.url))))
        base = f"{client._base_url}/"
        page = await browser.new_page()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        await page.goto(f"{base}sites/evil/")
        await page.wait_for_load_state("networkidle")
        await page.locator("#go").click()
        await page.evaluate("document.querySelector('form').requestSubmit()")
        assert await page.locator("h1").text_content() == "A site"
        assert await page.evaluate("document.title") == "calm"
        assert all(url.startswith((base, "data:")) for url in requests)
        assert not any(head.startswith(b"GET /assets/evil.js") for head in agent.heads)
