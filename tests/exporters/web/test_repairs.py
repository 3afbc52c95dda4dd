"""The walk list over HTTP: JSON, CSV, the page, and what operators say."""

import csv
import io
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import jsonschema
import msgspec
import pytest
from exporter_cases import AT, entry, reading, status
from listed_repairs import FAN, Listed
from web_site import get_json, served, source

from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.repairs_page import ShownRepairs, render_repairs
from agent.exporters.web.repair_api import PATH
from agent.exporters.web.repair_query import DEFAULT_LIMIT, MAX_LIMIT, RepairQuery, parse_repair_query
from agent.exporters.web.site_answers import schema
from agent.site.ledger.entries import Place
from agent.site.repairs.book import MAX_OPEN
from agent.site.repairs.entries import MAX_NOTE, RepairEntry, Said
from agent.site.repairs.symptoms import SYMPTOM_WORDS, Symptom

CANARY = "<script>x</script>\"'&"
BOARD = msgspec.structs.replace(
    FAN,
    id=8,
    symptom=Symptom.BOARD_MISSING,
    unit_id="u8",
    place=Place(container="C3", rack="R2", slot="3"),
    words="board 1 absent",
    lost_hashes=3.6e15 * 100,
    before=0,
    note=Said("ana", AT - 60, "=1+1"),
    seen=Said("ben", AT - 90),
)
DARK = msgspec.structs.replace(
    FAN,
    id=9,
    symptom=Symptom.CONTAINER_DARK,
    unit_id="",
    place=Place(container="C10"),
    words="40 of 40 units",
    before=0,
)
ODD = msgspec.structs.replace(
    FAN, id=10, unit_id=CANARY, place=Place(container=CANARY, rack=CANARY, slot=CANARY), words=CANARY
)


@asynccontextmanager
async def walk(*entries: RepairEntry, unlisted: int = 0) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve a walk list."""
    async with served(source(repairs=Listed(*entries, unlisted=unlisted).api)) as client:
        yield client


def page(*entries: RepairEntry, query: RepairQuery | None = None, **changes: Any) -> str:
    """Return the page with these entries."""
    frame = Frame(site="nd-1", version="1", now=AT, figures_at=AT)
    shown = ShownRepairs(
        frame=frame, entries=list(entries), unlisted=0, query=query or RepairQuery(), unit=lambda _: None
    )
    return render_repairs(replace(shown, **changes))


async def test_entries_are_listed_for_a_walk() -> None:
    """Containers, racks and slots are in the order in which people count; every field is typed as in the schema."""
    async with walk(DARK, FAN, BOARD, unlisted=3) as client:
        answer = await get_json(client, PATH)
        assert [each["id"] for each in answer["repairs"]] == [8, 7, 9]
        assert (answer["total"], answer["unlisted"]) == (3, 3)
        assert answer["repairs"][1] == {
            "id": 7,
            "symptom": "fan_stopped",
            "unit": "u7",
            "container": "C3",
            "rack": "R10",
            "slot": "12",
            "words": "fan 2 at 0 rpm",
            "since": "2025-11-20T19:36:00Z",
            "opened_at": "2025-11-20T19:41:00Z",
            "age_s": 7200.0,
            "lost_hashes": 1.44e17,
            "before": 2,
            "state": "unreachable",
            "why": "no answer",
            "note": None,
            "seen": None,
        }
        described = schema()
        for name, body in ((PATH, answer), (f"{PATH}/{{id}}", answer["repairs"][0])):
            jsonschema.validate(body, {**described["answers"][name], "$defs": described["$defs"]})  # type: ignore[index]
        by_loss = await get_json(client, f"{PATH}?sort=loss&limit=1&offset=1&container=C3")
        assert ([each["id"] for each in by_loss["repairs"]], by_loss["total"]) == ([7], 2)
        assert [each["id"] for each in (await get_json(client, f"{PATH}?symptom=container_dark"))["repairs"]] == [9]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("symptom=cold", "symptom must be one of container_dark"),
        ("sort=name", "sort must be one of place, loss, since"),
        ("limit=0", "limit must be a whole number from 1 to 5000"),
        ("offset=x", "offset must be a whole number"),
        ("rack=R1", "unknown parameter 'rack'"),
    ],
)
async def test_a_bad_parameter_is_named(query: str, reason: str) -> None:
    """JSON, CSV and page refuse the same parameters with the same words."""
    async with walk(FAN) as client:
        for path in (PATH, "/repairs.csv", "/repairs"):
            async with client.get(f"{path}?{query}") as response:
                assert response.status == 400
                assert reason in await response.text()


async def test_csv_is_what_the_query_lists_and_no_formula() -> None:
    """Times have the site's offset, losses are TH/s x hours, and a note that begins as a formula is text."""
    async with walk(FAN, BOARD) as client, client.get("/repairs.csv?sort=loss") as response:
        assert response.content_type == "text/csv"
        rows = list(csv.DictReader(io.StringIO(await response.text())))
    assert [row["unit"] for row in rows] == ["u8", "u7"]
    assert (rows[0]["since"], rows[0]["lost_ths_hours"], rows[0]["hours"]) == (
        "2025-11-20T13:36:00-06:00",
        "100.0",
        "2.00",
    )
    assert (rows[0]["note"], rows[0]["noted_by"], rows[0]["seen_by"]) == ("'=1+1", "ana", "ben")


async def test_a_file_of_the_walk_list_is_whole() -> None:
    """Without a limit the CSV has every entry: a printed list that ends at a page's end would leave out units."""
    entries = [msgspec.structs.replace(FAN, id=number) for number in range(1, DEFAULT_LIMIT + 6)]
    async with walk(*entries) as client:
        for query, rows in (("", DEFAULT_LIMIT + 5), ("?limit=&sort=loss", DEFAULT_LIMIT + 5), ("?limit=2", 2)):
            async with client.get(f"/repairs.csv{query}") as response:
                assert len(list(csv.DictReader(io.StringIO(await response.text())))) == rows
    assert MAX_LIMIT >= MAX_OPEN


async def say(client: aiohttp.ClientSession, body: object, *, number: object = 7, **headers: str) -> tuple[int, Any]:
    """Post what an operator says; return status and JSON."""
    sent = {"Authorization": "Bearer right", "Content-Type": "application/json"} | headers
    async with client.post(f"{PATH}/{number}", data=msgspec.json.encode(body), headers=sent) as response:
        return response.status, await response.json()


async def test_an_operator_notes_and_marks_as_seen() -> None:
    """What is said is kept with name and time; a name from a login outranks the one in the body."""
    async with walk(FAN) as client:
        status_code, answer = await say(client, {"by": " ana ", "note": "fan ordered", "seen": True})
        assert status_code == 200
        said = {"by": "ana", "at": "2025-11-20T21:36:00Z"}
        assert answer["note"] == said | {"text": "fan ordered"}
        assert answer["seen"] == said | {"text": ""}
        _, answer = await say(client, {"by": "ana", "note": "fan is here"}, **{"X-Logged-In": "ben"})
        assert (answer["note"]["by"], answer["note"]["text"]) == ("ben", "fan is here")
        assert (await get_json(client, PATH))["repairs"][0]["note"]["text"] == "fan is here"


@pytest.mark.parametrize(
    ("body", "changes", "expected"),
    [
        ({"by": "ana", "seen": True}, {"Authorization": "Bearer wrong"}, (401, "a token is needed")),
        ({"by": "ana", "seen": True}, {"Content-Type": "text/plain"}, (415, "a note must be JSON")),
        ({"by": "ana"}, {}, (400, "note, seen or both are expected")),
        ({"seen": True}, {}, (400, "by is expected")),
        ({"by": "a\u202eb", "seen": True}, {}, (400, "by has characters that cannot be printed")),
        ({"by": "ana", "note": "a\x00b"}, {}, (400, "note has characters that cannot be printed")),
        ({"by": "ana", "note": "x" * (MAX_NOTE + 1)}, {}, (400, "length <= 500")),
        ({"by": "ana", "seen": True, "mine": 1}, {}, (400, "unknown field `mine`")),
        ([], {}, (400, "not a note")),
    ],
)
async def test_what_cannot_be_kept_is_refused(body: object, changes: dict[str, str], expected: tuple[int, str]) -> None:
    """Each refusal has one reason, and changes nothing."""
    async with walk(FAN) as client:
        status_code, answer = await say(client, body, **changes)
        assert (status_code, expected[1] in answer["error"]) == (expected[0], True), answer
        assert (await get_json(client, PATH))["repairs"][0]["seen"] is None


@pytest.mark.parametrize("number", ["99", "x", "9" * 30, "-7"])
async def test_only_open_entries_are_spoken_of(number: str) -> None:
    """An id that is not open, or none at all, is 404."""
    async with walk(FAN) as client:
        assert (await say(client, {"by": "ana", "seen": True}, number=number))[0] == 404


async def test_the_page_is_served_and_absent_without_a_list() -> None:
    """A server without a walk list has no such page."""
    async with walk(FAN) as client, client.get("/repairs?sort=loss") as response:
        assert response.status == 200
        assert "fan 2 at 0 rpm" in await response.text()
    async with served() as client, client.get("/repairs") as response:
        assert response.status == 404


async def test_a_units_page_shows_its_own_entries() -> None:
    """The page of a unit links its faults on the list, and no other unit's."""
    units = [status(entry(name), reading(name)) for name in ("u7", "u8")]
    app = source(units, repairs=Listed(FAN, BOARD, DARK).api)
    async with served(app) as client, client.get("/units/u8") as response:
        html = await response.text()
    assert re.findall(r'href="([^"]*#r\d+)"', html) == ["../repairs?container=C1#r8"]
    assert "board 1 absent since" in html


def test_a_row_says_where_what_since_and_how_much() -> None:
    """Place, symptom, moment, age, loss and count stand in a row; the unit's page is linked relative to this one."""
    html = page(FAN)
    assert "rack R10, slot 12" in html
    assert '<a href="units/u7">u7</a>' in html
    assert "<strong>fan 2 at 0 rpm</strong>" in html
    assert '<time datetime="2025-11-20T19:36:00Z">19:36</time> <span>2 h 00 min</span>' in html
    assert '40.0 TH/s·h <span class="before">2 before</span>' in html
    assert 'aria-label="Note or seen: u7, fan stopped"' in html


def in_rack(count: int, symptom: Symptom = Symptom.NO_ANSWER) -> list[RepairEntry]:
    """Return entries of one symptom in a rack, half a minute apart."""
    return [
        msgspec.structs.replace(
            FAN,
            id=100 + slot,
            symptom=symptom,
            unit_id=f"x{slot}",
            place=Place(container="C3", rack="R4", slot=str(slot)),
            words=SYMPTOM_WORDS[symptom],
            since=AT - 3600 + 30 * slot,
            lost_hashes=3.6e15,
        )
        for slot in range(count)
    ]


def test_a_racks_breaker_is_one_line() -> None:
    """A symptom that half of a rack's units share is one line where the first stood, with every unit's entry in it."""
    units = {("C3", "R4"): 8, ("C3", "R2"): 8, ("C3", "R10"): 8}
    html = page(FAN, BOARD, *in_rack(4), units=units)
    assert "rack R4" in html
    assert "<strong>no answer: 4 of 8 units of the rack</strong>" in html
    assert "the first since 20:36 <span>60 min</span>" in html
    assert '<span class="lost">4.0 TH/s·h</span>' in html
    places = [html.index(each) for each in ('id="r8"', "no answer: 4 of 8", 'id="r100"', 'id="r103"', 'id="r7"')]
    assert places == sorted(places)
    assert "no answer: 8 units of the rack" in page(*in_rack(8), units=units)
    # A page that ends within the rack still knows the whole of it.
    assert "<details>" in page(*in_rack(8), units=units, query=RepairQuery(limit=1))


@pytest.mark.parametrize(
    ("entries", "units"),
    [
        (in_rack(3), 3),
        (in_rack(4), 9),
        (in_rack(8, Symptom.FAN_STOPPED), 8),
        ([msgspec.structs.replace(each, place=Place(container="C3")) for each in in_rack(8)], 8),
    ],
)
def test_what_a_rack_does_not_explain_stays_one_line_a_unit(entries: list[RepairEntry], units: int) -> None:
    """Few units, less than half of a rack, faults of a unit's own, and units without a rack are not put together."""
    html = page(*entries, units={("C3", "R4"): units, ("C3", ""): units})
    assert "<details>" not in html
    assert html.count('<li id="r') == len(entries)


def test_what_people_and_ledgers_say_is_text() -> None:
    """No name, note or word becomes markup, whatever the order and the filter."""
    said = msgspec.structs.replace(ODD, note=Said(CANARY, AT, CANARY), seen=Said(CANARY, AT))
    for sort in ("place", "loss"):
        html = page(said, query=RepairQuery(sort=sort, container=CANARY))
        assert "<script>x" not in html
        assert html.count("&lt;script&gt;x&lt;/script&gt;") > 8
    assert "units/%3Cscript%3Ex%3C%2Fscript%3E%22%27%26" in page(ODD)


def test_an_empty_list_claims_no_more_than_it_knows() -> None:
    """Nothing listed, nothing that matches, a full list and a list without history are told apart."""
    assert "No fault has lasted long enough to be listed." in page()
    assert "No fault matches the filter." in page(query=RepairQuery(symptom=Symptom.HOT))
    assert "The list is full: 12 more wait." in page(FAN, unlisted=12)
    assert "a restart forgets the list" in page(FAN, is_kept=False)
    standby = page(is_standby=True)
    assert "This agent stands by: the walk list is its primary's." in standby
    assert "No fault" not in standby


def test_a_long_list_is_paged_and_small() -> None:
    """Five thousand entries are pages of 300, each far below 60 kB compressed."""
    many = [
        msgspec.structs.replace(FAN, id=number, unit_id=f"u{number}", place=Place(container="C1", slot=str(number)))
        for number in range(1, 5001)
    ]
    html = page(*many, query=RepairQuery(offset=300))
    assert "301 to 600 of 5,000" in html
    assert 'rel="prev" href="repairs?"' in html
    assert 'rel="next" href="repairs?offset=600"' in html
    assert len(zlib.compress(html.encode(), 6)) < 30_000


def test_the_filter_keeps_what_is_chosen() -> None:
    """The form shows the query, and CSV is of the same query."""
    html = page(FAN, DARK, query=RepairQuery(container="C3", sort="loss"))
    assert '<option value="C3" selected>C3</option>' in html
    assert '<option value="loss" selected>' in html
    assert 'href="repairs.csv?container=C3&amp;sort=loss"' in html
    assert parse_repair_query([("container", ""), ("symptom", ""), ("sort", "loss")]) == RepairQuery(sort="loss")
