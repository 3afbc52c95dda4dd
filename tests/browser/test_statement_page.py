"""The page of a statement in print and on a phone: two A4 pages, no overflow, nothing requested, readable to all."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from browsing import DESK, PHONE, Shoot, visiting
from history_cases import AT, DAY_S
from hostile_site import PAYLOADS
from playwright.async_api import Browser
from statement_cases import LATER
from statement_pages import busy_fleet, busy_month

from agent.statement.page import page
from agent.statement.statement import combine

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]


def _long_names() -> str:
    """Return the page of a fleet of five with the longest names that a configuration takes."""
    fleet = busy_fleet(every_h=7)
    parts = [msgspec.structs.replace(part, site=f"{part.site}-".ljust(64, "x")) for part in fleet.parts]
    return page(msgspec.structs.replace(fleet, parts=tuple(parts)))


def _many_sites() -> str:
    """Return the page of a fleet of 40 sites, each with gaps and notes."""
    one, _ = busy_month(every_h=5)
    notes = tuple(f"site-{number:02}: gaps over 5 minutes: 20 crash (3.0 days)." for number in range(40))
    parts = [msgspec.structs.replace(one.parts[0], site=f"site-{number:02}") for number in range(40)]
    return page(msgspec.structs.replace(one, parts=tuple(parts), notes=notes))


TABLETS = ((650, 1000), (768, 1024), (940, 700))
"""Window widths between the phone's layout and the full width of the text."""

_BEYOND_THE_TEXT = """() => {
  const edge = document.querySelector('h1').getBoundingClientRect().right + 1;
  return [...document.querySelectorAll('table')].map(each => each.getBoundingClientRect().right).filter(x => x > edge);
}"""
"""Right edges of the tables that reach beyond the text's own right edge."""

CASES: dict[str, Callable[[], str]] = {
    "month": lambda: page(*busy_month()),
    "month-with-gaps": lambda: page(*busy_month(every_h=3)),
    "february": lambda: page(*busy_month(period="2024-02")),
    "month-to-date": lambda: page(*busy_month(now=AT + 17.4 * DAY_S)),
    "quarter": lambda: page(*busy_month(period="2025-Q3")),
    "year": lambda: page(*busy_month(period="2025", every_h=50)),
    "fleet": lambda: page(busy_fleet()),
    "fleet-with-gaps": lambda: page(busy_fleet(every_h=7)),
    "fleet-of-long-names": _long_names,
    "fleet-of-forty": _many_sites,
    "one-site-combined": lambda: page(combine([busy_month()[0]], now=LATER)),
}


@pytest.mark.parametrize("name", CASES)
async def test_two_printed_pages(browser: Browser, shoot: Shoot, tmp_path: Path, name: str) -> None:
    """Every kind of statement prints on two A4 pages, fits a phone, tablets and a desk, and requests nothing."""
    (tmp_path / f"{name}.html").write_text(CASES[name](), encoding="utf-8")
    async with visiting(browser, tmp_path.as_uri(), size=PHONE) as visit:
        await visit.page.goto(f"{visit.base}{name}.html", wait_until="load")
        for size in (PHONE, *TABLETS, DESK):
            await visit.look(size, "light")
            assert await visit.overflow_px() == 0, await visit.too_wide()
            assert await visit.too_wide() == []
            assert await visit.page.evaluate(_BEYOND_THE_TEXT) == []
        pdf = await visit.page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) == 2
        # A4 in points.
        assert set(re.findall(rb"/MediaBox\s*\[([0-9. ]+)\]", pdf)) == {b"0 0 594.95996 841.91998"}
        visit.assert_innocent()
        await shoot(visit, f"statement-{name}", [(PHONE, "light"), (DESK, "light")])


@pytest.mark.parametrize("name", ["month-with-gaps", "fleet-with-gaps"])
async def test_everybody_can_read_it(browser: Browser, tmp_path: Path, name: str) -> None:
    """No serious finding of axe: contrast, headers, names of drawings; the same where the system is dark."""
    (tmp_path / "page.html").write_text(CASES[name](), encoding="utf-8")
    async with visiting(browser, tmp_path.as_uri(), theme="dark", java_script_enabled=True) as visit:
        await visit.page.goto(f"{visit.base}page.html", wait_until="load")
        assert await visit.grave_findings() == []


async def test_hostile_names_are_only_shown(browser: Browser, tmp_path: Path) -> None:
    """Sites whose names are markup, scripts and addresses are text: nothing runs, nothing is requested or reported."""
    statements = [busy_month(f"{payload} {number}")[0] for number, payload in enumerate(PAYLOADS[:5])]
    parts = tuple(part for each in statements for part in each.parts)
    (tmp_path / "page.html").write_text(
        page(msgspec.structs.replace(statements[0], parts=parts, notes=tuple(PAYLOADS))), encoding="utf-8"
    )
    async with visiting(browser, tmp_path.as_uri()) as visit:
        await visit.page.goto(f"{visit.base}page.html", wait_until="load")
        assert "canary(" in await visit.page.inner_text("body")
        assert await visit.page.evaluate("document.querySelectorAll('.canary, script, img, iframe, a').length") == 0
        visit.assert_innocent()


async def test_the_picture_has_its_colours_and_patterns(browser: Browser, tmp_path: Path) -> None:
    """The page's policy lets its own style in: bars are filled, lines are drawn, and the definitions take no room."""
    (tmp_path / "page.html").write_text(CASES["month"](), encoding="utf-8")
    async with visiting(browser, tmp_path.as_uri()) as visit:
        await visit.page.goto(f"{visit.base}page.html", wait_until="load")
        look = "name => getComputedStyle(document.querySelector(`.operating-picture .${name}`))"
        assert await visit.page.evaluate(f"({look})('operating').fill") == "rgb(111, 168, 181)"
        assert await visit.page.evaluate(f"({look})('floor').strokeWidth") == "3px"
        box = await visit.page.locator(".operating-picture").bounding_box()
        assert box is not None
        assert box["height"] == 210
        first = await visit.page.locator("h1").bounding_box()
        assert first is not None
        assert first["y"] < 40
