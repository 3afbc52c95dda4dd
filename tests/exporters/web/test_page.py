"""The status page: its text, what it leaves out, and that no text from outside becomes markup."""

import re
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from exporter_cases import AT, S21, board, entry, gone_silent, reading, status
from hypothesis import given
from hypothesis import strategies as st
from page_cases import VOID_TAGS, Parsed, frame

from agent.errors import RefusedError, UnreachableError
from agent.exporters.web.pages.banners import agent_banners, simulated_banners
from agent.exporters.web.pages.frame import UTC_ZONE
from agent.exporters.web.pages.mismatch_card import UNITS_NAMED
from agent.exporters.web.pages.site_page import Shown, render
from agent.site.lateness import held
from agent.site.ledger.entries import Place
from agent.site.mismatch import BinSource, Mismatch, ReportedBin
from agent.site.status import UnitStatus
from agent.site.totals import site_figures

SHAPES = {"path", "circle"}
TAGS = {
    *(VOID_TAGS - {"input", "br"}),
    *("html", "head", "title", "body", "div", "header", "h1", "h2", "p", "time", "strong", "section", "dl", "dt", "dd"),
    *("small", "svg", "rect", "line", "ul", "li", "span", "table", "thead", "tbody", "tr", "th", "td", "a", "footer"),
    *("nav", "main", "script", "defs", "pattern", "g", *SHAPES),
}


def page(
    *statuses: UnitStatus,
    site: str = "nd-1",
    version: str = "1.2.3",
    zone: ZoneInfo = UTC_ZONE,
    unreadiness: str | None = None,
    illness: str | None = None,
    lateness: str | None = None,
    **changes: Any,
) -> Parsed:
    """Return the page of these units, ready unless the arguments say otherwise."""
    figures = changes.pop("figures", site_figures(statuses, AT) if statuses else None)
    banners = agent_banners(
        has_figures=figures is not None, unreadiness=unreadiness, illness=illness, lateness=lateness
    )
    framed = frame(site=site, version=version, zone=zone, banners=banners)
    shown = Shown(frame=framed, figures=figures, statuses=statuses, is_late=unreadiness is not None)
    return Parsed(render(replace(shown, **changes)))


def at(unit_id: str, container: str, **changes: Any) -> UnitStatus:
    """Return a unit that hashes in a container."""
    return status(entry(unit_id, place=Place(container=container, rack="R1", slot="7")), reading(unit_id, **changes))


def silent(unit_id: str, container: str) -> UnitStatus:
    """Return a unit that does not answer."""
    return status(entry(unit_id, place=Place(container=container)), error=UnreachableError("no answer"))


def test_headline() -> None:
    """The page states operating, deployed, their ratio and the 90 % line, scaled for people."""
    shown = page(at("a", "C1", hashrate_5s_hs=201e12), at("b", "C1", hashrate_5s_hs=180e12))
    assert "Operational efficiency now 95.25 % above the 90 % line Operating of deployed 381.00 TH/s" in shown.text
    assert "of 400.00 TH/s" in shown.text
    assert "Coverage 100.00 %" in shown.text
    assert "Uplift 1.00 TH/s" in shown.text
    assert ("class", "ratio good") in shown.attributes


@pytest.mark.parametrize(
    ("hashrate_hs", "words", "grade"),
    [
        (180.02e12, "90.01 % above the 90 % line", "good"),
        (180e12, "90.00 % not above the 90 % line", "fair"),
        # It rounds to 90 and is not above it.
        (179.4e12, "89.70 % not above the 90 % line", "fair"),
        (160e12, "80.00 % not above the 90 % line", "poor"),
        (0.0, "0.00 % not above the 90 % line", "poor"),
    ],
)
def test_the_line_is_met_only_above_it(hashrate_hs: float, words: str, grade: str) -> None:
    """Rounding never lifts a ratio over the line."""
    shown = page(at("a", "C1", hashrate_5s_hs=hashrate_hs))
    assert words in shown.text
    assert ("class", f"ratio {grade}") in shown.attributes


def test_losses_are_listed_largest_first_with_their_places() -> None:
    """Each loss states its hashrate, cause, containers and number of units."""
    shown = page(
        *(silent(f"s{index}", "C2") for index in range(16)),
        *(at(f"m{index}", f"C{index}", boards=(board(0), board(1)), hashrate_5s_hs=133e12) for index in range(5)),
    )
    assert "3.20 PH/s unreachable : container C2, 16 units" in shown.text
    assert "333.33 TH/s missing boards : 5 units in containers C0 (1), C1 (1), C2 (1) and 2 more" in shown.text
    assert shown.text.index("3.20 PH/s unreachable :") < shown.text.index("333.33 TH/s missing boards :")
    assert "curtailed" not in shown.text


def test_losses_show_their_start_in_the_sites_zone() -> None:
    """The loss of a state shows since when, in the site's zone, which is named."""
    shown = page(*(silent(f"s{index}", "C2") for index in range(16)), seen_from=0.0, zone=ZoneInfo("America/Chicago"))
    assert "3.20 PH/s unreachable : container C2, 16 units since 14:36" in shown.text
    assert "times in America/Chicago" in shown.text


def test_containers_and_worst_units() -> None:
    """Each container has a row; units with losses are listed with reason, what to check first, and a link."""
    shown = page(at("a", "C1", hashrate_5s_hs=198e12), silent("b/2", "C2"), at("ok", "C1", hashrate_5s_hs=205e12))
    assert "C1 100.75 % 403.00 TH/s 400.00 TH/s 2 of 2 100.00 % 2.00 TH/s underperforming" in shown.text
    assert "C2 0.00 % 0 H/s 200.00 TH/s 0 of 1 0.00 % 200.00 TH/s unreachable" in shown.text
    first = "Check first: power, then the network cable and the switch."
    assert (
        f"C2 unreachable: no answer since 20:36 {first} 200.00 TH/s 20:36 61 min b/2 S21 - 200.00 TH/s -" in shown.text
    )
    slow = "C1, rack R1, slot 7 underperforming since 20:36 2.00 TH/s 20:36 61 min a S21 198.00 TH/s 200.00 TH/s 60 °C"
    assert slow in shown.text
    assert ("href", "units/b%2F2") in shown.attributes
    assert ("href", "units/ok") not in shown.attributes


def test_before_the_first_round() -> None:
    """Before every unit was polled, the page shows what is deployed, why it waits, and no figure."""
    shown = page(at("a", "C1"), figures=None, unreadiness="first round under way: 1 of 2 units not looked at yet")
    assert "Not ready: first round under way: 1 of 2 units not looked at yet." in shown.text
    assert "Operational efficiency not known yet" in shown.text
    assert "Deployed per ledger 200.00 TH/s 1 unit" in shown.text
    assert "above the 90 % line" not in shown.text
    assert not re.search(r"\d %", shown.text)
    assert not [value for name, value in shown.attributes if name == "class" and "good" in (value or "")]


def test_late_figures_are_not_coloured_good() -> None:
    """A page of late figures says so first, and shows none in green."""
    shown = page(at("a", "C1"), unreadiness="figures are 40 s late")
    assert "These figures are out of date: figures are 40 s late." in shown.text
    assert "99.00 % above the 90 % line, as far as is known" in shown.text
    assert not [value for name, value in shown.attributes if name == "class" and "good" in (value or "")]


LATE = "20 of 300 units (6.7 % of deployed) not looked at for up to 45 s; they count as they were then"


def test_a_late_agent_says_how_much_it_did_not_look_at() -> None:
    """A banner says how many units and for how long; once, also when that is why figures cannot be trusted."""
    shown = page(held(at("a", "C1")), lateness=LATE)
    assert f"This agent is late: {LATE}." in shown.text
    assert "99.00 % above the 90 % line, as far as is known" in shown.text
    assert "Coverage 0.00 %" in shown.text
    shown = page(held(at("a", "C1")), lateness=LATE, unreadiness=f"this agent is late: {LATE}")
    assert f"These figures are out of date: this agent is late: {LATE}." in shown.text
    assert shown.text.count(LATE) == 1
    shown = page(at("a", "C1"), lateness=LATE, figures=None, unreadiness="this agent stood still for 2 min")
    assert "count as they were" not in shown.text
    assert "agent is late" not in page(at("a", "C1")).text


def test_an_overdue_unit_says_since_when() -> None:
    """The reason of a unit that was not asked in time says so, with the age of what is known."""
    shown = page(held(at("a", "C1", hashrate_5s_hs=0.0)))
    assert "stopped: cause unknown; not looked at for 60 s: this agent is late" in shown.text


def test_figures_of_low_coverage_are_not_coloured_good() -> None:
    """A site at 90 % coverage is not green even above the line; a fully known container may be."""
    shown = page(*(at(f"a{index}", "C1", hashrate_5s_hs=230e12) for index in range(9)), silent("b", "C2"))
    assert "103.50 % above the 90 % line, as far as is known" in shown.text
    assert ("class", "ratio unsure") in shown.attributes
    assert ("class", "number good") in shown.attributes


def test_what_is_not_known_is_no_nought() -> None:
    """A site whose units answer and cannot be read has no efficiency, coloured as neither good nor bad."""
    shown = page(status(entry("a"), error=RefusedError("code 45", code=45)))
    assert "Operational efficiency now not known units answer, and none can be read" in shown.text
    assert ("class", "ratio unsure") in shown.attributes


def test_a_unit_says_why_and_what_to_check_first() -> None:
    """The worst units come with their reason, what else is wrong, and what to look at first."""
    boards = (board(0), board(1), board(2, chips=0, hashrate_hs=0.0))
    shown = page(at("a", "C1", hashrate_5s_hs=0.0, fan_rpm=(0, 6000), boards=boards), at("b", "C1"))
    assert "stopped: fan 1 at 0 rpm; board 2 absent" in shown.text
    assert "Check first: that fan's plug and blades; the unit does not hash until it turns." in shown.text
    assert "200.00 TH/s stopped (fan stopped)" in shown.text


def test_an_ill_agent_says_so() -> None:
    """The page states that the agent itself is unhealthy."""
    assert (
        "The agent is unhealthy: no poll was started for 40 s."
        in page(at("a", "C1"), illness="no poll was started for 40 s").text
    )


def test_the_only_unit_is_not_counted_of_one() -> None:
    """A banner over one unit, as on its own page, does not say that it is 1 of 1."""
    only = status(entry("sim", is_simulated=True), error=UnreachableError("no answer"))
    (banner,) = simulated_banners([only], counts_simulated=True)
    assert banner.text.startswith("1 unit is simulated and counted like a real machine. ")
    (banner,) = simulated_banners([only, only], counts_simulated=True)
    assert banner.text.startswith("2 of 2 units are simulated and counted like real machines. ")


@pytest.mark.parametrize(("units", "words"), [(1, "1 of 2 units is simulated"), (2, "2 of 2 units are simulated")])
def test_simulated_units_are_announced(units: int, words: str) -> None:
    """A page whose figures include simulated units says so."""
    statuses = [status(entry(f"u{index}", is_simulated=index < units), reading(f"u{index}")) for index in range(2)]
    assert words in page(*statuses).text
    assert "imulated" not in page(at("a", "C1")).text


def test_units_in_the_wrong_row_are_listed() -> None:
    """Units that answer as another model than their row are listed, the first by id in words; without any, no card."""
    units = [at(f"u{number:02}", "C1") for number in range(UNITS_NAMED + 3)]
    assert "Other models" not in page(*units).text
    shown = page(*(msgspec.structs.replace(unit, mismatch=Mismatch("S21 Pro", None)) for unit in reversed(units)))
    assert f"Other models than in the ledger: {UNITS_NAMED + 3} units" in shown.text
    assert "u00 answers as S21 Pro; the ledger says S21 of 200 TH/s u01 answers" in shown.text
    assert "and 3 units more" in shown.text
    assert shown.text.count("answers as S21 Pro") == UNITS_NAMED
    assert ("href", "units/u00") in shown.attributes
    assert "by the units' own word" not in shown.text


def test_rows_with_another_bin_say_what_they_come_to() -> None:
    """The card adds up the rows of units that report another bin, and what these say, beside those that do not."""
    other_bin = Mismatch(None, ReportedBin(250e12, BinSource.RATE_SALE))
    units = [msgspec.structs.replace(at(f"u{number}", "C1"), mismatch=other_bin) for number in range(4)]
    model_alone = msgspec.structs.replace(at("u9", "C1"), mismatch=Mismatch("S21 Pro", None))
    shown = page(*units, model_alone)
    assert "800.00 TH/s of deployed by the rows, 1.00 PH/s by the units' own word" in shown.text


def test_nothing_deployed() -> None:
    """A site with nothing deployed shows no ratio."""
    shown = page(figures=site_figures([], AT))
    assert "Nothing is deployed." in shown.text
    assert "90 %" not in shown.text


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title><svg onload=alert(1)>",
    "&lt;script&gt;",
    "javascript:alert(1)",
)


def hostile_page(text: str) -> Parsed:
    """Return a page on which every text from outside is `text`."""
    place = Place(container=text, rack=text, slot=text)
    declared = entry(text, place=place, nameplate=replace(S21, model=text), host=text)
    silent_one = msgspec.structs.replace(gone_silent(), entry=declared, why=text, mismatch=Mismatch(text, None))
    return page(silent_one, site=text, version=text, unreadiness=text, illness=text)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_outside_is_never_markup(text: str) -> None:
    """Names, places, models and reasons appear literally, never as markup."""
    shown = hostile_page(text)
    assert shown.tags <= TAGS
    assert not [name for name, _ in shown.attributes if name.startswith("on") or name == "style"]
    assert shown.foreign_addresses == []
    assert shown.words.count(text) >= 3


@given(st.text())
def test_any_text_is_text(text: str) -> None:
    """Any text leaves the page balanced and without foreign tags."""
    assert hostile_page(text).tags <= TAGS


def test_the_page_needs_nothing_from_elsewhere() -> None:
    """Everything that the page loads or links is on its own server, at an address relative to the page."""
    shown = page(at("a", "C1"), silent("b", "C2"))
    assert shown.tags == TAGS
    assert shown.foreign_addresses == []
    assert ("lang", "en") in shown.attributes
    assert ("content", "width=device-width, initial-scale=1") in shown.attributes
