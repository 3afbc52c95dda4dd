"""A real browser over pages of the agent: what it requests, says and runs is written down."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from axe_playwright_python.async_playwright import Axe
from patience import PATIENT_S
from playwright.async_api import Browser, Page, Playwright, Request

from agent.exporters.web.source import Source

CHROMIUM = "/usr/bin/chromium"
# As root there is no sandbox. No other machine can be reached, whatever a page or the browser itself asks for.
LAUNCH = ("--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-background-networking")
PHONE, DESK = (390, 844), (1300, 900)
Theme = Literal["light", "dark"]
View = tuple[tuple[int, int], Theme]
"""Width and height of the window, px, and the colours that the viewer's system has."""
THEMES: tuple[Theme, ...] = ("light", "dark")

# Before any script of the page: reports of the security policy, and where the focus went.
_WATCH = """
document.addEventListener("securitypolicyviolation", event => violated(
  `${event.effectiveDirective} blocked ${event.blockedURI || "inline"} on ${location.pathname}: ${event.sample}`));
"""
_GRAVE = {"serious", "critical"}
_AXE = {"resultTypes": ["violations"]}


class Served(NamedTuple):
    """A site that is served.

    Attributes:
        address: Its address, with a slash at the end.
        source: What its pages are made of.
    """

    address: str
    source: Source


Serve = Callable[[str], Awaitable[Served]]


@dataclass
class Deeds:
    """What the pages of a visit did besides being shown.

    Attributes:
        requests: Every address that was requested.
        errors: What the browser's console had as an error, and exceptions of scripts.
        violations: Reports of the security policy.
        canaries: Calls of hostile texts, and dialogs.
    """

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    canaries: list[str] = field(default_factory=list)

    def on_canary(self, *said: str) -> None:
        """Keep the call of a hostile text."""
        self.canaries.append(f"canary {said}")

    def on_violation(self, report: str) -> None:
        """Keep a report of the security policy."""
        self.violations.append(report)


@dataclass(slots=True)
class Visit:
    """One page of a browser on one agent.

    Attributes:
        page: The page.
        base: The agent's address, with a slash at the end.
        deeds: What pages did so far.
    """

    page: Page
    base: str
    deeds: Deeds

    async def go(self, path: str = "") -> None:
        """Open an address of the agent, and wait until its assets are there."""
        answer = await self.page.goto(self.base + path, wait_until="load")
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"

    async def look(self, size: tuple[int, int], theme: Theme) -> None:
        """Give the window another size and theme."""
        await self.page.set_viewport_size({"width": size[0], "height": size[1]})
        await self.page.emulate_media(color_scheme=theme)

    async def until(self, expression: str) -> None:
        """Wait until an expression is true in the page; the page's own policy forbids the browser's way to wait."""
        async with asyncio.timeout(PATIENT_S):
            while not await self.page.evaluate(expression):  # noqa: ASYNC110 - the page publishes no event for it.
                await asyncio.sleep(0.02)

    async def grave_findings(self) -> list[str]:
        """Return what axe finds to be serious or critical, one line an element."""
        results = await Axe().run(self.page, options=_AXE)
        return [
            f"{found['id']} ({found['impact']}): {node['target'][0]}: {node['html'][:120]}"
            for found in results.response["violations"]
            if found["impact"] in _GRAVE
            for node in found["nodes"]
        ]

    async def overflow_px(self) -> int:
        """Return by how much the document is wider than the window, px."""
        width: int = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return max(0, width)

    async def too_wide(self) -> list[str]:
        """Return the outermost elements that stick out of the window on the right."""
        found: list[str] = await self.page.evaluate(_TOO_WIDE)
        return found

    def assert_innocent(self) -> None:
        """Fail if a page asked another machine, said an error, broke its policy, or ran a hostile text."""
        foreign = [address for address in self.deeds.requests if not address.startswith((self.base, "data:"))]
        assert foreign == []
        assert self.deeds.canaries == []
        assert self.deeds.violations == []
        assert self.deeds.errors == []


_TOO_WIDE = """() => {
  const limit = window.innerWidth + 1, out = [];
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (box.width && box.right > limit && !element.closest(".scroll") && out.length < 5)
      out.push(`${element.tagName}.${element.getAttribute("class")} to ${Math.round(box.right)} px: ` +
               element.textContent.trim().slice(0, 60));
  }
  return out;
}"""


@asynccontextmanager
async def chromium(driver: Playwright, *options: str) -> AsyncIterator[Browser]:
    """Run Debian's Chromium inside the block, with further options of its command line."""
    browser = await driver.chromium.launch(executable_path=CHROMIUM, args=[*LAUNCH, *options])
    try:
        yield browser
    finally:
        await browser.close()


@asynccontextmanager
async def visiting(
    browser: Browser, base: str, *, size: tuple[int, int] = DESK, theme: Theme = "light", **options: Any
) -> AsyncIterator[Visit]:
    """Open a window of its own inside the block, without anything remembered.

    Args:
        browser: The browser.
        base: The agent's address.
        size: Width and height of the window, px.
        theme: The colours that the viewer's system has.
        options: Further options of the browser's context, such as ``java_script_enabled``.
    """
    viewport = {"width": size[0], "height": size[1]}
    context = await browser.new_context(viewport=viewport, color_scheme=theme, **options)
    context.set_default_timeout(PATIENT_S * 1000)
    deeds = Deeds()
    try:
        await context.expose_function("canary", deeds.on_canary)
        await context.expose_function("violated", deeds.on_violation)
        await context.add_init_script(_WATCH)
        page = await context.new_page()
        page.on("request", lambda request: _asked(request, deeds))
        page.on("console", lambda said: deeds.errors.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: deeds.errors.append(str(error)))

        async def dismiss(dialog: Any) -> None:
            deeds.canaries.append(f"dialog {dialog.message}")
            await dialog.dismiss()

        page.on("dialog", dismiss)
        yield Visit(page, base.rstrip("/") + "/", deeds)
    finally:
        await context.close()


Shoot = Callable[[Visit, str, Iterable[View]], Awaitable[None]]


def _asked(request: Request, deeds: Deeds) -> None:
    deeds.requests.append(request.url)
