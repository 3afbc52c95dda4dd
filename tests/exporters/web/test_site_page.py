"""``/``: dark containers, curtailments, links to the units behind a loss, and the course of the site."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import msgspec
import pytest
from exporter_cases import AT, S21, entry, reading, status
from history_cases import row
from page_cases import Parsed, frame
from web_site import served, source

from agent.errors import HistoryError, UnreachableError
from agent.exporters.web.pages.site_page import Shown, render
from agent.exporters.web.pages.trend_card import trend_card
from agent.exporters.web.pages.units_page import UnitsShown
from agent.exporters.web.pages.units_page import render as render_units
from agent.exporters.web.unit_query import UnitQuery, parse_query
from agent.history.minutes import Row
from agent.history.trend import Trend, Trends
from agent.site.curtailment.events import Event, Phase, Scope
from agent.site.event_figures import EventFigures
from agent.site.ledger.entries import Place
from agent.site.status import Cause, Loss, UnitState, UnitStatus
from agent.site.totals import site_figures

EVENT = Event(id="e1", scope=Scope(container="C2"), start=AT - 1800, end=None, source="api", target_ratio=0.0)
TH = 1e12


def hashing(unit_id: str, container: str = "C1", hashrate_th: float = 200.0, **changes: Any) -> UnitStatus:
    """Return a unit that hashes in a container."""
    return status(
        entry(unit_id, place=Place(container=container)), reading(unit_id, hashrate_5s_hs=hashrate_th * TH, **changes)
    )


def silent(unit_id: str, container: str) -> UnitStatus:
    """Return a unit that does not answer."""
    return status(entry(unit_id, place=Place(container=container)), error=UnreachableError("no answer"))


def curtailed(unit_id: str, container: str = "C2") -> UnitStatus:
    """Return a unit asleep under `EVENT`."""
    asleep = hashing(unit_id, container, 0.0)
    losses = tuple(loss._replace(cause=Cause.CURTAILED) for loss in asleep.losses)
    return msgspec.structs.replace(asleep, state=UnitState.CURTAILED, why="asleep", losses=losses, event=EVENT)


def page(*statuses: UnitStatus, **changes: Any) -> Parsed:
    """Return the page of these units."""
    counted = [each for each in statuses if changes.get("counts_simulated", True) or not each.entry.is_simulated]
    shown = Shown(frame=frame(), figures=site_figures(counted, AT), statuses=statuses, **changes)
    return Parsed(render(shown))


def worst_of(shown: Parsed) -> str:
    """Return the text of the card of the worst units."""
    return shown.text.split("Units with the largest losses")[1].split("Trend")[0]


DARK = (*(silent(f"d{number}", "C3") for number in range(5)), *(hashing(f"u{number}") for number in range(5)))


def test_a_dark_container_is_a_banner_and_one_line() -> None:
    """It comes first, with its reason and since when; its units are not among the worst."""
    shown = page(*DARK, hashing("slow", hashrate_th=150.0), seen_from=0.0)
    told = "0 H/s of 1.00 PH/s; 5 of 5 units unreachable: no answer"
    assert f"Container C3 is dark: {told}, since 20:36. Its 5 units" in shown.text
    assert ("href", "units?container=C3") in shown.attributes
    worst = worst_of(shown)
    assert f"Container C3 is dark: {told}." in worst
    assert "slow" in worst
    assert "d1" not in worst


def test_a_container_of_a_few_units_is_not_dark() -> None:
    """Three silent units are three units, listed one by one."""
    shown = page(*DARK[2:])
    assert "dark" not in shown.text
    assert "d3" in worst_of(shown)


def test_a_curtailment_is_one_line_and_accounted_for() -> None:
    """Curtailed units are no worst units; beside the headline stands what alerts go by."""
    figures = EventFigures(
        event=EVENT,
        phase=Phase.ACTIVE,
        units=5,
        nameplate_hs=1e15,
        operating_hs=0.0,
        asleep=5,
        stragglers=(),
        unrestored=(),
    )
    units = (*(curtailed(f"c{number}") for number in range(5)), *(hashing(f"u{number}") for number in range(5)))
    shown = page(*units, hashing("slow", hashrate_th=150.0), events=(figures,))
    assert "Accounted for 97.73 % as alerts go by: with 1.00 PH/s curtailed" in shown.text
    assert "Container C2 is dark" not in shown.text
    worst = worst_of(shown)
    assert "Curtailment of container C2 since 21:06: 5 of 5 units asleep, 1.00 PH/s less. Its units" in worst
    assert ("href", "units?curtailment=e1") in shown.attributes
    assert "c1" not in worst
    assert "slow" in worst
    assert "Accounted" not in page(*units[5:]).text


def test_owners_have_a_table_where_the_ledger_names_any() -> None:
    """Each owner and the units without one: operating, deployed, lost, and a link to exactly its units."""
    units = [
        owned(hashing("u1"), "North & Sons"),
        owned(hashing("u2", hashrate_th=150.0), "North & Sons"),
        owned(silent("u3", "C1"), "South"),
        hashing("u4"),
    ]
    shown = page(*units)
    assert "North & Sons 87.50 % 350.00 TH/s 400.00 TH/s 50.00 TH/s 2 of 2" in shown.text
    assert "South 0.00 % 0 H/s 200.00 TH/s 200.00 TH/s 0 of 1" in shown.text
    assert "(no owner) 100.00 % 200.00 TH/s 200.00 TH/s 0 H/s 1 of 1" in shown.text
    links = [address for address in shown.addresses if address.startswith("units?owner=")]
    found = [[each.entry.unit_id for each in units if query_of(link).matches(each)] for link in links]
    assert found == [["u1", "u2"], ["u3"], ["u4"]]
    assert shown.foreign_addresses == []
    assert "Owners" not in page(hashing("u1")).text


def owned(unit: UnitStatus, owner: str) -> UnitStatus:
    """Return the unit as an owner's."""
    return msgspec.structs.replace(unit, entry=msgspec.structs.replace(unit.entry, owner=owner))


def query_of(address: str) -> UnitQuery:
    """Return the query of an address of units."""
    return parse_query(parse_qsl(urlsplit(address).query))


def test_a_loss_leads_to_exactly_its_units() -> None:
    """The link of each loss finds the units that it is made of, and no other; simulated ones as the figures do."""
    simulated = status(entry("sim", is_simulated=True), error=UnreachableError("no answer"))
    # A unit that the ledger gained is a loss in the figures before it was looked at.
    new = status(entry("new", nameplate=S21))
    units = (
        silent("s1", "C1"),
        silent("s2", "C2"),
        new,
        hashing("slow", hashrate_th=150.0),
        hashing("well"),
        simulated,
    )
    shown = page(*units, counts_simulated=False)
    links = [address for address in shown.addresses if address.startswith("units?cause=")]
    behind = {}
    for address in links:
        query = parse_query(parse_qsl(urlsplit(address).query))
        behind[str(query.cause)] = [each.entry.unit_id for each in query.select(units)[0]]
    assert behind == {"unreachable": ["new", "s1", "s2"], "underperforming": ["slow"]}
    assert "600.00 TH/s unreachable" in shown.text


def test_the_list_behind_a_loss_says_the_same_figure() -> None:
    """Of one cause the list adds up that cause alone, so that it never contradicts the line that led to it."""
    slow = hashing("slow", hashrate_th=150.0)
    losses = (*slow.losses, Loss(Cause.STARTING, Fraction(10**12)))
    units = (msgspec.structs.replace(slow, losses=losses), silent("s1", "C1"), status(entry("new", nameplate=S21)))

    def said(cause: Cause, seen_from: float | None = AT) -> str:
        query = UnitQuery(cause=cause)
        shown = UnitsShown(frame=frame(current="units"), query=query, statuses=units, seen_from=seen_from)
        return Parsed(render_units(shown)).text

    assert "1 unit matches, 1.00 TH/s lost: starting; 1 to 1 shown." in said(Cause.STARTING)
    unseen = "2 units match, {} TH/s lost: unreachable, 1 of them not looked at yet; 1 to 2 shown."
    assert unseen.format("400.00") in said(Cause.UNREACHABLE)
    assert unseen.format("200.00") in said(Cause.UNREACHABLE, None)


MINUTE = 600
END = int(AT) // MINUTE * MINUTE


def trend(*rows: Row) -> Trend:
    """Return the last hour in steps of ten minutes."""
    return Trend(start=END - 6 * MINUTE, end=END, step_s=MINUTE, rows=rows)


def trends(rows: Sequence[Row], to_date: Row | None) -> Trends:
    """Return the same hour as day and as month."""
    return Trends(day=trend(*rows), month=trend(*rows), to_date=to_date, month_start=END - 7200)


def step(number: int, operating_th: float, **changes: Any) -> Row:
    """Return ten minutes of 1,000 TH/s deployed, by number from the start of the hour."""
    lost = {Cause.UNREACHABLE: (1000 - operating_th) * TH}
    fields = {
        "span_s": MINUTE,
        "watched_s": 600.0,
        "deployed_hs": 1e15,
        "operating_hs": operating_th * TH,
        "losses_hs": lost,
    }
    return row(END + (number - 6) * MINUTE, **fields | changes)


def card(shown: Trends | None, trouble: str | None = None, **changes: Any) -> str:
    """Return the card of the trend."""
    return trend_card(shown, trouble, frame(**changes))


def test_a_trend_is_told_in_words_and_gaps_stay_gaps() -> None:
    """Means, the least, gaps and losses are told; no line crosses what was not watched."""
    rows = [step(0, 950), step(1, 900), step(4, 850)]
    html = card(trends(rows, rows[0]))
    text = Parsed(html).text
    assert (
        "operating 900.00 TH/s of 1.00 PH/s deployed (90.00 %) on average, least 850.00 TH/s around 21:15, 1 gap"
        in text
    )
    assert "100.00 TH/s unreachable" in text
    line = html.split('class="line rate" d="')[1].split('"')[0]
    assert line.count("M") == 2


@pytest.mark.parametrize(
    ("operating_th", "watched_s", "words", "graded"),
    [
        (920, 7200, "November 2025 to date: 92.00 %, above the 90 % line ; mean operating 920.00 TH/s of", "good"),
        (900, 7200, "November 2025 to date: 90.00 %, not above the 90 % line ;", "fair"),
        (920, 3600, "92.00 %, above the 90 % line, as far as was watched ;", "unsure"),
    ],
)
def test_the_month_to_date_stands_against_the_line(
    operating_th: float, watched_s: float, words: str, graded: str
) -> None:
    """The mean of the month so far, whether it is above the line, and how much of it was watched."""
    to_date = step(0, operating_th, span_s=7200, watched_s=watched_s)
    shown = Parsed(card(trends([to_date], to_date), now=END))
    assert words in shown.text
    assert f"{watched_s / 72:.1f} % of that time was watched" in shown.text
    assert ("class", graded) in shown.attributes


def test_a_month_begins_in_the_sites_zone() -> None:
    """The month's name is that of the site's own calendar."""
    nothing = Trends(day=trend(), month=trend(), to_date=None, month_start=1764565200)
    assert "December 2025 to date: not known yet" in Parsed(card(nothing, zone=ZoneInfo("America/New_York"))).text


def test_no_history_is_said() -> None:
    """A site that keeps none, one that cannot be read, and one that has just begun each say so."""
    assert "This agent keeps no history (history.keep): there is no trend." in card(None)
    assert "History could not be read: damaged." in card(None, "damaged")
    assert card(trends([], None)).count("Nothing was recorded in this time.") == 2


def test_an_hour_without_losses_says_so() -> None:
    """No losses is a sentence, not an empty chart."""
    whole = step(0, 1000, losses_hs={})
    assert "No losses in this time." in card(trends([whole], whole))


async def test_trends_are_read_in_the_thread_and_fail_softly() -> None:
    """The page asks for trends up to now; if history cannot be read, the rest of the page is there."""
    asked = []

    def read(now: float) -> Trends:
        asked.append(now)
        if len(asked) > 1:
            raise HistoryError("slow", "not within 5 s")
        return trends([step(0, 900)], None)

    async with served(source(trends=read)) as client:
        async with client.get("/") as answer:
            assert "on average" in await answer.text()
        async with client.get("/") as answer:
            assert answer.status == 200
            assert "History could not be read: slow." in await answer.text()
    assert asked == [AT + 12.34] * 2
