"""The frame of every page: relative addresses, navigation, banners, and files that change their address."""

import pytest
from web_site import served, source

from agent.exporters.web.asset_files import ASSETS, asset_address
from agent.exporters.web.page_routes import PAGES
from agent.exporters.web.pages.banners import Banner, BannerKind, agent_banners, banner_list
from agent.exporters.web.pages.frame import NAVIGATION, Frame
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.patterns import PATTERN_OF, PATTERNS
from agent.site.status import Cause


def frame(**changes: object) -> Frame:
    """Return the frame of a page, on the site's first level unless `changes` says otherwise."""
    return Frame(site="nd-1", version="1.2.3", now=1763674560.0, figures_at=1763674500.0, **changes)  # type: ignore[arg-type]


def test_every_entry_of_the_navigation_is_a_page() -> None:
    """The navigation leads to addresses that are served."""
    assert {f"/{link.address}" for link in NAVIGATION} <= {path for path, _ in PAGES}


def test_the_current_page_is_marked() -> None:
    """One entry of the navigation is marked as the current page."""
    html = document(frame(current=NAVIGATION[0].address), body=())
    assert html.count("aria-current") == 1
    assert 'href="./" aria-current="page">Site</a>' in html


@pytest.mark.parametrize(("depth", "home"), [(0, "./"), (1, "../"), (2, "../../")])
def test_addresses_are_relative_to_the_depth_of_the_page(depth: int, home: str) -> None:
    """A page some folders down climbs as many: it works under any prefix."""
    html = document(frame(depth=depth), title="One unit", body=())
    assert f'<a href="{home}"' in html
    root = "../" * depth
    assert {"page.css", "page.js", "icon.svg"} <= ASSETS.keys()
    for name in ("page.css", "page.js", "icon.svg"):
        assert f'"{root}assets/{name}?v=' in html
    assert f'href="{root}metrics"' in html
    assert 'href="/' not in html
    assert 'src="/' not in html


def test_a_page_says_as_of_when_it_is_and_loads_again_without_a_script() -> None:
    """The figures' time is shown in the site's zone, and a link loads the page again."""
    html = document(frame(), body=())
    assert 'figures as of <time datetime="2025-11-20T21:35:00Z">2025-11-20 21:35:00</time> UTC' in html
    assert '<a href="">Load again</a>' in html
    assert "http-equiv" not in html


def test_a_title_is_the_heading() -> None:
    """A page has one heading of the first level: its title, or the site's name on the first page."""
    assert '<h1 class="brand">nd-1</h1>' in document(frame(), body=())
    html = document(frame(), title="<Units>", body=())
    assert "<h1>&lt;Units&gt;</h1>" in html
    assert "<title>&lt;Units&gt; - nd-1 - hashsight</title>" in html
    assert html.count("<h1") == 1


def test_banners_stand_most_severe_first() -> None:
    """The order is that of the closed list, whatever the order in which conditions are found."""
    given = agent_banners(
        has_figures=True, illness="ill", standby="spare", unreadiness="old", lateness="late", history_trouble="full"
    )
    banners = [*reversed(given), Banner(BannerKind.CONTAINER_DARK, "Dark", "C3.", ("units?container=C3", "its units"))]
    html = banner_list(banners, "../")
    words = ["unhealthy", "out of date", "Dark", "is late", "History", "Standby"]
    places = [html.index(word) for word in words]
    assert places == sorted(places)
    assert '</strong> C3. <a href="../units?container=C3">its units</a></p>' in html


def test_every_cause_has_a_pattern_of_its_own() -> None:
    """No two causes look the same in black and white."""
    assert set(PATTERN_OF) == set(Cause)
    assert len(set(PATTERN_OF.values())) == len(Cause)
    assert all(f'id="pattern-{name}"' in PATTERNS for name in PATTERN_OF.values())


async def test_files_are_served_under_their_addresses() -> None:
    """The page's files come with their types; the address changes with the content and may be cached."""
    async with served(source()) as client:
        for name, kind in ASSETS.items():
            async with client.get(f"/{asset_address(name)}") as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert answer.headers["Cache-Control"] == "max-age=3600"


async def test_the_script_stays_small() -> None:
    """The script is at most 15 kB before compression."""
    async with served(source()) as client, client.get("/assets/page.js") as answer:
        assert len(await answer.read()) <= 15_000
