"""Take the pictures of `docs/pages`: a site of 300 simulated units with faults, as its pages show it at 15:00.

    python tests/browser/take.py [--out docs/pages]

The units are polled by the agent's own readers in simulated time; the month before is made up, with two gaps. The
agent's web server serves the pages, and Chromium takes each picture in light colours, at the size of its window. The
days of an invented month's statement are taken as they are printed.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from browsing import DESK, PHONE, chromium, visiting
from page_conditions import CONTAINERS, FAN_UNIT, FAULTS, UNITS
from paths import ROOT
from playwright.async_api import Browser, async_playwright
from simulated_site import SimulatedSite
from statement_pages import busy_month

from agent.exporters.web import server as web
from agent.statement.page import page
from simulators.farm.plan import Troubles

MOST_BYTES = 120_000
SHEET = (500, 1030)
"""A sheet, px: narrower than A4, because patterns make large files."""
TROUBLES = Troubles(off=0.02, asleep=0.0, starting=0.0, missing_board=0.03, missing_chips=0.03, slow=0.03)


class Picture(NamedTuple):
    """One picture.

    Attributes:
        name: Its file's, without ``.png``.
        path: The page.
        size: Width and height of the window, px.
        top: The element that the picture begins with; None for the top of the page.
    """

    name: str
    path: str
    size: tuple[int, int]
    top: str | None = None


PICTURES = (
    Picture("site", "", (1000, 740)),
    Picture("racks", "racks", (1000, 930), top="main details"),
    Picture("repairs", "repairs?container=C3", (1000, 760)),
    Picture("unit-phone", f"units/{FAN_UNIT}", PHONE),
)


async def take(out: Path) -> None:
    """Write every picture; fail if one is too large for a README."""
    site = SimulatedSite(units=UNITS, containers=CONTAINERS, troubles=TROUBLES, faults=FAULTS)
    with tempfile.TemporaryDirectory() as folder:
        source = site.source(Path(folder))
        async with (
            web.serve(source, "127.0.0.1", 0) as (host, port),
            async_playwright() as driver,
            chromium(driver) as browser,
            visiting(browser, f"http://{host}:{port}", size=DESK) as visit,
        ):
            for picture in PICTURES:
                await visit.look(picture.size, "light")
                await visit.go(picture.path)
                if picture.top is not None:
                    await visit.page.evaluate("top => document.querySelector(top).scrollIntoView()", picture.top)
                path = out / f"{picture.name}.png"
                check(path, await visit.page.screenshot(path=path))
            visit.assert_innocent()
            await take_statement(browser, Path(folder), out / "statement.png")


async def take_statement(browser: Browser, folder: Path, path: Path) -> None:
    """Write the picture of a statement's days, as it is printed."""
    (folder / "statement.html").write_text(page(*busy_month(every_h=200)), encoding="utf-8")
    async with visiting(browser, folder.as_uri(), size=SHEET) as visit:
        await visit.page.goto(f"{visit.base}statement.html", wait_until="load")
        await visit.page.emulate_media(media="print")
        check(path, await visit.page.locator(".by-day").screenshot(path=path))


def check(path: Path, body: bytes) -> None:
    """Say how large a picture is; fail if that is too much for a README."""
    print(f"{path}: {len(body):,} bytes")  # noqa: T201 - it is run by hand.
    if len(body) > MOST_BYTES:
        raise SystemExit(f"{path} is larger than {MOST_BYTES:,} bytes")


def main() -> None:
    """Read the options and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pages")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(out))


if __name__ == "__main__":
    main()
