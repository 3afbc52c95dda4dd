"""``/units`` and ``/units.csv``: what is found, in what order, and that a spreadsheet runs none of it."""

import csv
import io
from operator import itemgetter
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import pytest
from exporter_cases import AT, S21, board, entry, gone_silent, reading, status
from hypothesis import given
from hypothesis import strategies as st
from page_cases import Parsed, frame
from web_site import served, source

from agent.errors import QueryError
from agent.exporters.web import unit_query
from agent.exporters.web.csv_text import csv_bytes
from agent.exporters.web.pages.units_page import DEFAULTS, UnitsShown, render
from agent.exporters.web.unit_query import SORTS, UnitQuery, parse_query, query_text
from agent.exporters.web.units_csv import HEADS, units_csv
from agent.site.ledger.entries import NO_OWNER, Place
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.unit.reading import Identity, PoolReading

STOPPED = {"hashrate_5s_hs": 0.0, "fan_rpm": (6000, 0)}


def unit(unit_id: str, container: str = "C1", rack: str = "R1", slot: str = "1", **changes: Any) -> UnitStatus:
    """Return a unit at a place; `changes` are of its reading."""
    place = Place(container=container, rack=rack, slot=slot)
    mac, host = f"02:00:00:00:00:{len(unit_id):02x}", f"10.0.{len(unit_id)}.7"
    declared = entry(unit_id, place=place, mac=mac, host=host, serial=f"SN-{unit_id}")
    return status(declared, reading(unit_id, **changes))


def page(*statuses: UnitStatus, query: UnitQuery = DEFAULTS, **changes: Any) -> Parsed:
    """Return the page of these units."""
    return Parsed(render(UnitsShown(frame=frame(current="units"), query=query, statuses=statuses, **changes)))


def found(words: str, *statuses: UnitStatus) -> list[str]:
    """Return the ids of the units that a search finds."""
    query = parse_query([("q", words)])
    return [each.entry.unit_id for each in query.select(statuses)[0]]


def test_a_row_says_place_reason_and_loss_first() -> None:
    """The first columns are place, reason and loss; the place leads to the unit's page."""
    shown = page(unit("u/1", "C3", "R05", "12", **STOPPED))
    assert (
        "C3, rack R05, slot 12 stopped: fan 2 at 0 rpm since 20:36 200.00 TH/s 20:36 61 min u/1 S21 0 H/s" in shown.text
    )
    assert ("href", "units/u%2F1") in shown.attributes
    assert "1 unit matches, 200.00 TH/s lost; 1 to 1 shown." in shown.text
    assert shown.foreign_addresses == []
    # The moment is that of hashing; its boards may have gone later.
    assert "hashing since 20:36" in page(unit("u2", boards=(board(0), board(1, hashrate_hs=0.0, chips=0)))).text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("u1", ["u1"]),
        ("10.0.2.7", ["u1", "u2"]),
        ("02:00:00:00:00:03", ["abc"]),
        ("020000000003", ["abc"]),
        ("sn-ABC", ["abc"]),
        ("worker7", ["u1"]),
        ("account", []),
        ("s21", ["abc", "u1", "u2"]),
        ("Jul 12", ["abc", "u2"]),
        ("C2 slot 9", ["u2"]),
        ("rack r05", ["u2"]),
        ("stopped", ["abc"]),
        ("fan 2 at 0", ["abc"]),
        ("fan STOPPED", ["abc"]),
        ("fan C2", []),
        ("nothing of the kind", []),
    ],
)
def test_a_search_looks_everywhere(words: str, expected: list[str]) -> None:
    """Each word is looked for in id, address, MAC, serial, worker, model, firmware, place, state and reason."""
    pools = (PoolReading(index=0, status="Alive", is_active=True, url="stratum+tcp://p", user="account.worker7"),)
    units = (
        unit("u1", pools=pools, identity=Identity(firmware="Mon Jan 05 2026")),
        unit("u2", "C2", "R05", "9", pools=()),
        unit("abc", pools=(), **STOPPED),
    )
    assert found(words, *units) == expected


def test_filters_stand_in_the_form() -> None:
    """Each filter offers what there is with its number of units, and the chosen one is selected."""
    query = parse_query([("state", "stopped"), ("container", "C1")], DEFAULTS)
    shown = page(unit("a", **STOPPED), unit("b"), unit("c", "C10"), unit("d", "C2"), query=query)
    assert "stopped (1)" in shown.text
    assert "C1 (2) C2 (1) C10 (1)" in shown.text
    assert "1 unit matches" in shown.text
    assert shown.attributes.count(("selected", None)) == 2
    assert "Filters: container C1, stopped" in shown.text
    assert ("method", "get") in shown.attributes
    assert "Show all units" in shown.text


def test_the_owner_is_a_filter_where_the_ledger_names_any() -> None:
    """Its choices are the owners and the units without one; elsewhere there is no such field."""
    units = (status(entry("u1", owner="North"), reading()), status(entry("u2"), reading()))
    shown = Parsed(render(UnitsShown(frame=frame(), query=UnitQuery(owner="North"), statuses=units)))
    assert "Filters: owner North" in shown.text
    assert "North (1)" in shown.text
    assert "(no owner) (1)" in shown.text
    assert "1 unit matches" in shown.text
    assert "Owner" not in Parsed(render(UnitsShown(frame=frame(), query=UnitQuery(), statuses=units[1:]))).text
    assert units_csv(units, AT, ZoneInfo("UTC")).splitlines()[1].endswith(b",North")
    for value in ("", NO_OWNER):
        assert parse_query([("owner", value)]).select(units) == ([units[1]], 1)


def test_filters_without_a_field_are_said() -> None:
    """A filter that came by a link, and that the form has no field for, is said in words."""
    query = parse_query([("firmware", "F<1>"), ("curtailment", "e1"), ("simulated", "no")], DEFAULTS)
    text = page(unit("a"), query=query).text
    assert "No unit matches." in text
    assert "Only those with firmware F<1>. Only those under curtailment e1. Only those that are not simulated." in text


def test_heads_sort_and_say_how() -> None:
    """The sorted column says so, and turns round; others begin with the largest or the first."""
    shown = page(unit("a"))
    assert ("aria-sort", "descending") in shown.attributes
    hrefs = [value for name, value in shown.attributes if name == "href"]
    assert "units?sort=shortfall" in hrefs
    assert "units?sort=place" in hrefs
    assert "units?sort=-hashrate" in hrefs


def test_pages_lead_on_and_back() -> None:
    """A long list comes in pages, with links to the one before and the one after; filters stay."""
    units = [unit(f"u{number:03}") for number in range(120)]
    query = parse_query([("q", "u0"), ("offset", "50")], DEFAULTS)
    shown = page(*units, query=query)
    assert "100 units match, 200.00 TH/s lost; 51 to 100 shown." in shown.text
    assert ("href", "units?q=u0") in shown.attributes
    assert "Next" not in shown.text
    assert ("href", "units?offset=50") in page(*units).attributes
    assert "none of them on this page" in page(*units, query=parse_query([("offset", "500")], DEFAULTS)).text


@pytest.mark.parametrize("sort", sorted(SORTS))
@pytest.mark.parametrize("sign", ["", "-"])
def test_pages_add_up_to_the_whole_list(sort: str, sign: str) -> None:
    """Small pages one after another are the list in one page: no unit twice, none left out, ties by id."""
    units = [
        unit(f"u{number * 7 % 40:02}", f"C{number % 3}", hashrate_5s_hs=(190 + number % 5) * 1e12)
        for number in range(40)
    ]
    units += [gone_silent("silent"), status(entry("new"))]
    whole = [each.entry.unit_id for each in parse_query([("sort", sign + sort)]).select(units)[0]]
    pages = [
        each.entry.unit_id
        for offset in range(0, 45, 3)
        for each in parse_query([("sort", sign + sort), ("limit", "3"), ("offset", str(offset))]).select(units)[0]
    ]
    assert pages == whole
    assert sorted(whole) == sorted(each.entry.unit_id for each in units)
    equal = [each for each in whole if each.startswith("u")]
    assert sort != "model" or equal == sorted(equal)


def test_places_sort_as_people_walk() -> None:
    """Containers, racks and slots are in natural order: R2 before R10."""
    units = [unit("a", "C10"), unit("b", "C2", "R10"), unit("c", "C2", "R2", "11"), unit("d", "C2", "R2", "2")]
    query = parse_query([("sort", "place")])
    assert [each.entry.unit_id for each in query.select(units)[0]] == ["d", "c", "b", "a"]


queries = st.builds(
    UnitQuery,
    state=st.none() | st.sampled_from(UnitState),
    reason=st.none() | st.sampled_from(Reason),
    cause=st.none() | st.sampled_from(Cause),
    container=st.none() | st.text(min_size=1, max_size=20),
    model=st.none() | st.text(min_size=1, max_size=20),
    firmware=st.none() | st.text(min_size=1, max_size=20),
    curtailment=st.none() | st.just("e1"),
    is_simulated=st.none() | st.booleans(),
    text=st.text(max_size=20).map(str.casefold).filter(lambda text: text == text.casefold()),
    sort=st.sampled_from(sorted(SORTS)),
    is_descending=st.booleans(),
    limit=st.integers(1, 1000),
    offset=st.integers(0, 10_000),
)


@given(queries)
def test_a_query_survives_its_address(query: UnitQuery) -> None:
    """The address of a query is read as the same query, with the page's defaults and without."""
    for defaults in (DEFAULTS, UnitQuery()):
        pairs = parse_qsl(query_text(query, defaults), keep_blank_values=True)
        assert parse_query(pairs, defaults) == query


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)"])
def test_text_from_outside_is_never_markup(text: str) -> None:
    """Names, reasons and what is searched for appear literally."""
    hostile = unit(text, text, text, text, identity=Identity(model=text, firmware=text))
    query = parse_query([("q", "alert"), ("container", text)], DEFAULTS)
    shown = page(hostile, query=query)
    assert shown.is_inert
    assert shown.foreign_addresses == []
    assert "1 unit matches" in shown.text
    assert shown.words.count(text) >= 1


def rows_of(body: bytes) -> list[dict[str, str]]:
    """Return the rows of CSV by the names of their columns."""
    return list(csv.DictReader(io.StringIO(body.decode())))


def test_csv_has_base_units_and_empty_cells() -> None:
    """A row has base units and local times; what is not known is empty, never a nought."""
    zone = ZoneInfo("America/Chicago")
    good, silent = rows_of(units_csv([unit("a", **STOPPED), gone_silent("b")], AT, zone))
    assert (good["unit_id"], good["state"], good["reason"]) == ("a", "stopped", "fan_stopped")
    assert (good["why"], good["hashrate_hs"], good["shortfall_hs"]) == (
        "stopped: fan 2 at 0 rpm",
        "0.0",
        "200000000000000.0",
    )
    assert good["since"] == "2025-11-20T14:36:00-06:00"
    assert (silent["state"], silent["hashrate_hs"], silent["hottest_chip_celsius"]) == ("unreachable", "", "")
    assert tuple(good) == HEADS


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_spreadsheet_runs_a_cell(text: str) -> None:
    """A text that looks like a formula has an apostrophe in front; a number stays one."""
    body = csv_bytes(("a", "b"), [(text, -1.5), ("harmless", None)])
    assert list(csv.reader(io.StringIO(body.decode(), newline=""))) == [
        ["a", "b"],
        ["'" + text, "-1.5"],
        ["harmless", ""],
    ]


async def test_the_page_and_its_csv_over_sockets() -> None:
    """A form's empty fields are no filters; CSV gives all that match, and both refuse a bad parameter in words."""
    units = [unit(f"u{number:03}") for number in range(120)]
    async with served(source(units)) as client:
        async with client.get("/units?q=&state=&container=C1&model=&limit=10") as answer:
            text = await answer.text()
            assert (answer.status, answer.content_type) == (200, "text/html")
        assert "1 to 10 shown" in text
        async with client.get("/units.csv?q=u0&state=&sort=unit") as answer:
            assert (answer.status, answer.content_type) == (200, "text/csv")
            assert answer.headers["Content-Disposition"] == 'attachment; filename="units.csv"'
            rows = rows_of(await answer.read())
        assert [row["unit_id"] for row in rows] == [f"u{number:03}" for number in range(100)]
        async with client.get("/units.csv?q=u0&sort=-unit&limit=2&offset=1") as answer:
            assert [row["unit_id"] for row in rows_of(await answer.read())] == ["u098", "u097"]
        async with client.get("/units.csv?sort=unit&offset=118") as answer:
            assert [row["unit_id"] for row in rows_of(await answer.read())] == ["u118", "u119"]
        for path, words in (("/units?limit=201", "1 to 200 on a page"), ("/units.csv?colour=red", "unknown parameter")):
            async with client.get(path) as answer:
                assert answer.status == 400
                assert words in await answer.text()


def test_a_bad_filter_names_what_is_expected() -> None:
    """Simulated is yes or no."""
    with pytest.raises(QueryError, match="simulated must be yes or no, not 'maybe'"):
        parse_query([("simulated", "maybe")])


def test_simulated_units_can_be_left_out() -> None:
    """Links of figures without simulated units lead to exactly those units."""
    both = (status(entry("real"), reading("real")), status(entry("sim", is_simulated=True), reading("sim")))
    for value, expected in (("yes", ["sim"]), ("no", ["real"])):
        chosen, _ = parse_query([("simulated", value)]).select(both)
        assert [each.entry.unit_id for each in chosen] == expected


def test_a_unit_not_looked_at_says_so() -> None:
    """A unit without a poll has no state, no loss and no duration."""
    text = page(status(entry("new", nameplate=S21))).text
    assert "C1, rack R2, slot 3 not looked at yet - - new S21 - 200.00 TH/s -" in text


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers()), max_size=50))
def test_a_sort_in_pieces_is_a_sort(items: list[tuple[str, int]]) -> None:
    """Equal ones stay in their order, however many pieces there are."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(unit_query, "PIECE", 7)
        assert list(unit_query.sorted_in_pieces(items, key=itemgetter(0))) == sorted(items, key=itemgetter(0))
        assert list(unit_query.sorted_in_pieces(items)) == sorted(items)


@pytest.mark.parametrize("sort", SORTS)
def test_no_more_than_a_piece_is_sorted_at_once(sort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sort is one call into C, for which the event loop waits: every order of a file is made of short ones."""
    lengths = []

    def counted(items: Any, *, key: Any = None) -> list[Any]:
        items = list(items)
        lengths.append(len(items))
        return sorted(items, key=key)

    monkeypatch.setattr(unit_query, "PIECE", 3)
    monkeypatch.setattr(unit_query, "sorted", counted, raising=False)
    units = [unit(f"u{number}", slot=str(number)) for number in range(11)]
    UnitQuery(sort=sort, limit=1000).select(units)
    assert max(lengths) == 3
