"""The fleet's page: what is lacking stands before any figure, and no word of a site becomes markup."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fleet_cases import AT, figures, fleet_setup, heard, names, report, site, view

from agent.fleet.figures import Heard, SiteView
from agent.fleet.page import page
from agent.fleet.setup import FleetSetup
from agent.fleet.troubles import SiteError, Trouble
from agent.fleet.words import ORDERS, ordered

UNREACHABLE = SiteError(Trouble.UNREACHABLE, "Connection refused")
GOOD = view("good", heard(report("good", figures(100, 95))))
POOR = view(
    "poor",
    heard(
        report("poor", figures(10, 5, losses_phs={"stopped": 3, "unreachable": 1.5, "derated": 0.3, "starting": 0.2}))
    ),
)
LATE = view("late", heard(report("late", figures(40, 38)), age_s=300, error=UNREACHABLE))
MISSING = view("missing", Heard(url="http://x:1", error=SiteError(Trouble.OTHER_SITE, "it says 'b', not 'missing'")))
STARTING = view("starting", heard(report("starting")))
ALL = (GOOD, POOR, LATE, MISSING, STARTING)


class _Text(HTMLParser):
    """Collects the text and the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.text.append(data)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> FleetSetup:
    """Return a fleet of the sites of this module."""
    sections = [site(one.name, f"http://{one.name}:9184") for one in ALL]
    sections[0] = site("good", "http://good:9184", link="https://good.office.example")
    return fleet_setup(tmp_path_factory.mktemp("fleet"), *sections, fleet='zone = "America/Chicago"')


def _drawn(
    setup: FleetSetup, *views: SiteView, order: str = "worst"
) -> tuple[str, list[tuple[str, dict[str, str | None]]]]:
    parser = _Text()
    parser.feed(page(setup, views, order=order, now=AT))
    return re.sub(r"\s+", " ", "".join(parser.text)), parser.tags


def test_a_whole_fleet_shows_its_ratio(setup: FleetSetup) -> None:
    """Every site is current: the ratio is one number, and nothing warns."""
    text, _ = _drawn(setup, GOOD, POOR)
    assert "Operational efficiency now90.91 %above the 90 % line" in text
    assert "Operating of deployed100.00 PH/s of 110.00 PH/s" in text
    assert "Coverage100.00 %" in text
    assert "without" not in text


def test_diverted_work_of_a_site_is_a_banner_and_leads_to_its_units(setup: FleetSetup) -> None:
    """Banner, total and the site's own note say it; a fleet in which no site judges it says nothing of it."""
    robbed = view("good", heard(report("good", figures(100, 95, diverted_units=6, diverted_phs=1.2))))
    text, tags = _drawn(setup, robbed, POOR)
    said = "1.20 PH/s of 6 units works for addresses that are not yours"
    assert f"1 site with diverted work: good: {said}" in text
    assert "Diverted1.20 PH/sof operating, 6 units; 1 site tells" in text.replace(" Diverted", "Diverted")
    assert "sites/good/units?pool=diverted" in [given.get("href") for tag, given in tags if tag == "a"]
    assert "iverted" not in _drawn(setup, GOOD, POOR)[0]


def test_a_late_site_makes_the_ratio_a_bound(setup: FleetSetup) -> None:
    """Its nameplate stays in deployed; since when it is silent stands first, in the fleet's zone."""
    text, _ = _drawn(setup, GOOD, LATE)
    assert "1 site without an answer: late since 15:31. It stays in deployed" in text
    assert text.index("late since 15:31") < text.index("Operational efficiency")
    assert "at least 67.86 %95.00 % over the sites with current figures" in text
    assert "Operating of deployed, as far as is known95.00 PH/s of 140.00 PH/s" in text
    assert "Unknown40.00 PH/s" in text
    assert "No answer since 15:31; what it operates is not known.unreachable: Connection refused." in text


def test_a_missing_site_leaves_no_ratio(setup: FleetSetup) -> None:
    """Every total is too small by an unknown amount, and says so."""
    text, _ = _drawn(setup, GOOD, MISSING)
    assert (
        "1 site without a usable answer so far: missing. What it deploys is not known, so every total is too small."
        in text
    )
    assert "Operational efficiency nownot known95.00 % over the sites with current figures" in text
    assert "Coverageat most 100.00 %" in text
    assert "another site answers: it says 'b', not 'missing'." in text


def test_a_site_without_figures_says_why(setup: FleetSetup) -> None:
    """Its agent answers: it is not late, and its rate is not zero."""
    text, _ = _drawn(setup, GOOD, STARTING)
    assert "1 site without figures: starting. Its agent answers." in text
    assert "No figures: the agent has just started." in text


def test_a_site_shows_its_largest_losses_and_counts_the_others(setup: FleetSetup) -> None:
    """Three by name, the rest as one sum."""
    text, _ = _drawn(setup, POOR)
    assert "3.00 PH/s stopped1.50 PH/s unreachable300.00 TH/s derated clocks200.00 TH/s to 1 other cause" in text


def test_banners_of_an_agent_come_through(setup: FleetSetup) -> None:
    """Late, taken over, unready, simulated: what the agent says of itself stands on its card."""
    told = report(
        "good",
        figures(100, 95),
        late_reason="3 of 100 units not looked at",
        role="active",
        simulated_units=7,
        is_simulated_counted=True,
    )
    text, _ = _drawn(setup, view("good", heard(told)))
    assert "Its agent is late: 3 of 100 units not looked at." in text
    assert "Its standby took over." in text
    assert "Simulated: 7 units, counted like real machines." in text
    unready = report("good", figures(100, 95), is_ready=False, not_ready_reason="figures are 40 s late")
    text, tags = _drawn(setup, view("good", heard(unready)))
    assert "Not to be relied on: figures are 40 s late." in text
    assert not any("good" in (attributes.get("class") or "").split() for _, attributes in tags)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("worst", ["missing", "late", "starting", "poor", "good"]),
        ("lost", ["missing", "late", "starting", "good", "poor"]),
        ("name", ["good", "late", "missing", "poor", "starting"]),
    ],
)
def test_sites_come_in_the_order_asked_for(setup: FleetSetup, order: str, expected: list[str]) -> None:
    """What is not known comes before what is bad; each order is a link."""
    assert names(ordered(ALL, order)) == expected
    _, tags = _drawn(setup, *ALL, order=order)
    assert [attributes["data-key"] for tag, attributes in tags if "data-key" in attributes and tag == "li"] == expected
    assert [
        attributes["href"] for tag, attributes in tags if tag == "a" and (attributes["href"] or "").startswith("?")
    ] == [f"?sort={each}" for each in ORDERS]


def test_every_link_is_relative_but_a_sites_own_address(setup: FleetSetup) -> None:
    """So the fleet works under any prefix of a proxy; a site's own address is shown where one is given."""
    _, tags = _drawn(setup, *ALL)
    links = [
        attributes.get("href") or attributes.get("src")
        for tag, attributes in tags
        if tag in {"a", "link", "script", "img"}
    ]
    absolute = [link for link in links if link and (link.startswith("/") or "://" in link)]
    assert absolute == ["https://good.office.example/"]
    assert {f"sites/{one.name}/" for one in ALL} <= set(links)


def test_words_of_a_site_never_become_markup(setup: FleetSetup) -> None:
    """Neither in the reasons of an agent nor in those of a failed question."""
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    told = report(
        "good", figures(100, 95, losses_phs={"stopped": 5}), is_ready=False, not_ready_reason=evil, late_reason=evil
    )
    silent = Heard(url="http://x:1", error=SiteError(Trouble.REDIRECT, evil))
    _, tags = _drawn(setup, view("good", heard(told)), view("missing", silent))
    assert [tag for tag, attributes in tags if tag == "script" and "src" not in attributes] == []
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert [
        attributes for tag, attributes in tags if tag == "img" and "assets/" not in (attributes.get("src") or "")
    ] == []


def test_the_servers_own_door_has_its_banners(setup: FleetSetup) -> None:
    """An open server and a web configuration file that is wrong stand above the figures."""
    drawn = page(
        setup, [GOOD], order="worst", now=AT, exposure="it listens on 10.0.0.5", refused_file="web.yml: line 3"
    )
    assert drawn.index("This server is open:</strong> it listens on 10.0.0.5.") < drawn.index("Operational efficiency")
    assert "The web configuration file is wrong:</strong> web.yml: line 3." in drawn


def test_an_empty_site_is_no_division_by_zero(setup: FleetSetup) -> None:
    """A site that deploys nothing yet has no ratio."""
    text, _ = _drawn(setup, view("good", heard(report("good", figures(0, 0)))))
    assert "not known" in text


def test_five_hundred_sites_are_one_page(tmp_path: Path) -> None:
    """The most a file may have; less than a megabyte before compression."""
    sections = [site(f"s{number}", f"http://s{number}:1") for number in range(500)]
    large = fleet_setup(tmp_path, *sections)
    views = [view(f"s{number}", heard(report(f"s{number}", figures(100, 95)))) for number in range(500)]
    assert len(page(large, views, order="worst", now=AT)) < 1_000_000
