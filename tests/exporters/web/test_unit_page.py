"""``/units/ID``: a unit's place, reason, advice, hardware, last 24 hours and changes."""

import re
from collections.abc import Sequence
from dataclasses import replace as swap
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from exporter_cases import AT, S21, board, entry, gone_silent, reading, status
from page_cases import Parsed, frame
from web_site import served, source

from agent.address import Endpoint
from agent.errors import HistoryError
from agent.exporters.web.pages import charts
from agent.exporters.web.pages.unit_page import UnitShown, render
from agent.exporters.web.pages.unit_parts import own_page
from agent.history.state_changes import Change
from agent.site.identity.whereabouts import Standing, Whereabouts
from agent.site.ledger.entries import Place
from agent.site.recent.day import SLOT_S, Slot
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.symptoms import Symptom
from agent.site.status import UnitState, UnitStatus
from agent.unit.reading import PoolReading

PLACE = Place(container="C3", rack="R05", slot="12")
TH = 1e12


def page(shown: UnitStatus, **changes: Any) -> Parsed:
    """Return the page of a unit."""
    framed = frame(current="units", depth=1, zone=changes.pop("zone", ZoneInfo("UTC")))
    return Parsed(render(UnitShown(frame=framed, status=shown, **changes)))


def unit(**changes: Any) -> UnitStatus:
    """Return a unit in container C3, rack R05, slot 12; `changes` are of its reading."""
    return status(entry("u1", place=PLACE), reading("u1", **changes))


def test_a_technician_reads_place_reason_since_and_advice_first() -> None:
    """Container, rack, slot, which fan at which speed, since when, and what to check first."""
    shown = page(unit(hashrate_5s_hs=0.0, fan_rpm=(6000, 0)), zone=ZoneInfo("America/Chicago"))
    first = (
        "container C3, rack R05, slot 12 stopped: fan 2 at 0 rpm since 14:36 (61 min)"
        " Check first: that fan's plug and blades; the unit does not hash until it turns. Lost: 200.00 TH/s stopped"
    )
    assert first in shown.text.replace("  ", " ").replace(" .", ".")
    assert "Fan 2 0 stands still" in shown.text
    assert "Fan 1 6,000 turns" in shown.text


def test_what_is_older_than_the_agent_says_before() -> None:
    """A state that the agent found when it started is shown as older."""
    assert "since before 21:00" in page(unit(hashrate_5s_hs=0.0), seen_from=AT - 36 * 60).text


def test_what_history_saw_begin_has_its_moment_after_a_restart() -> None:
    """A state that an earlier process saw begin keeps its start; one that history found already there does not."""
    stopped = unit(hashrate_5s_hs=0.0)
    now = Change(unit_id="u1", state="stopped", why="cause unknown", since=stopped.since)
    before = Change(unit_id="u1", state="hashing", why="hashing", since=AT - 90_000, until=stopped.since)
    assert "since 20:36 (61 min)" in page(stopped, seen_from=AT, changes=[now, before]).text
    assert "since before 21:36 (over 61 min)" in page(stopped, seen_from=AT, changes=[now]).text
    ended = swap(now, until=AT)
    assert "since 20:36 (61 min)" in page(stopped, seen_from=AT, changes=[ended, before]).text
    long_before = swap(before, until=stopped.since - 61)
    assert "since before 21:36 (over 61 min)" in page(stopped, seen_from=AT, changes=[now, long_before]).text


def test_a_unit_that_hashes_says_when_its_faults_began() -> None:
    """A unit can lose a board and hash on; the walk list has the fault's own moment."""
    fault = RepairEntry(
        id=7,
        symptom=Symptom.BOARD_MISSING,
        unit_id="u1",
        place=PLACE,
        words="board 2 absent",
        since=AT - 600,
        opened_at=AT,
        seen=Said(at=AT, by="dana"),
        note=Said(at=AT, by="dana", text="cable <swapped>"),
    )
    shown = page(unit(boards=(board(0), board(1), board(2, hashrate_hs=0.0, chips=0))), repairs=[fault])
    assert "hashing: board 2 absent hashing since 20:36 (61 min)" in shown.text
    assert "On the walk list : board 2 absent since 21:26; seen by dana; cable <swapped>" in " ".join(
        shown.text.split()
    )
    assert ("href", "../repairs?container=C3#r7") in shown.attributes
    stopped = unit(hashrate_5s_hs=0.0, fan_rpm=(6000, 0))
    same = msgspec.structs.replace(
        fault, symptom=Symptom.FAN_STOPPED, words="fan 2 at 0 rpm", since=stopped.since, note=None
    )
    assert "(61 min) On the walk list : seen by dana Check first" in " ".join(
        page(stopped, repairs=[same]).text.split()
    )
    healthy = page(unit(boards=(board(0), board(1), board(2))))
    assert "slot 12 hashing since 20:36" in healthy.text


def test_a_unit_that_never_answered() -> None:
    """Without a reading the page says so, with the error of the latest poll, and shows no figure as a nought."""
    shown = page(gone_silent("u1"))
    text = shown.text
    assert "unreachable: no answer" in text
    assert "Measured - no fresh rate" in text
    never = page(status(entry("u1"), error=gone_silent("u1").error))
    assert "Never read since this agent started. Latest poll: " in never.text
    assert "Boards" not in never.text


def test_a_unit_not_looked_at() -> None:
    """Before the first poll there is a place and no judgement."""
    shown = page(status(entry("u1", place=PLACE)))
    assert "container C3, rack R05, slot 12 Not looked at yet." in shown.text
    assert "since" not in shown.text.split("Ledger row")[0].replace("Never read since this agent started", "")


def test_old_figures_say_how_old_they_are() -> None:
    """The figures of a unit that fell silent are marked as those of then."""
    assert "What follows is as it was then." in page(gone_silent("u1")).text
    assert "as it was then" not in page(unit()).text


def test_boards_show_what_is_missing_and_what_is_bad() -> None:
    """Chips are counted against the nameplate, bad ones told, and a board that is not listed is named."""
    shown = page(unit(boards=(board(0, chips=105, bad_chips=3), board(2, serial="B<2>")), hashrate_5s_hs=133 * TH))
    assert "0 66.00 TH/s 105 of 108, 3 marked bad 55 60 45 51.5 490 MHz 7 -" in shown.text
    assert "1 not listed" in shown.text
    assert "2 66.00 TH/s 108 of 108 55 60 45 51.5 490 MHz 7 B<2>" in shown.text


def test_computed_temperatures_are_marked() -> None:
    """Chip temperatures that firmware works out are called computed wherever they stand."""
    slots = [Slot(int(AT), 200 * TH, 60.0, UnitState.HASHING)]
    shown = page(unit(is_chip_computed=True), slots=slots)
    assert "Chips °C, computed" in shown.text
    assert "worked out by the firmware from those of the board, not measured" in shown.text
    assert "most 60 °C around 21:41; computed by the firmware, not measured" in shown.text
    assert "computed" not in page(unit(), slots=slots).text


def test_pools_hide_address_and_user() -> None:
    """Pools show status, use and shares; neither address nor user is on the page."""
    pools = (
        PoolReading(index=0, status="Alive", is_active=True, url="stratum+tcp://secret", user="who.7", accepted=1234),
        PoolReading(index=1, status="Dead", is_active=False, is_fee=True),
        PoolReading(index=2, status="Deed", is_active=False),
    )
    shown = page(unit(pools=pools))
    assert "0 Alive shares go here 1,234 - -" in shown.text
    assert "1, the firmware's own Dead spare - - -" in shown.text
    assert "2 Deed no pool set - - -" in shown.text
    assert "secret" not in shown.text
    assert "who" not in shown.text.replace("who sent", "")


def test_power_has_its_source() -> None:
    """Watts say where they come from, and a unit without has the reason instead."""
    assert re.search(r"Power \d\.\d\d kW modelled \+-5 %", page(unit()).text)
    without = page(status(entry("u1", nameplate=swap(S21, power_watts=None)), reading("u1")))
    assert "Power - " in without.text


def test_the_past_is_listed_latest_first() -> None:
    """Each state with its start, end, length and reason; the one that lasts says now."""
    changes = (
        Change(unit_id="u1", state="stopped", why="fan 2 at 0 rpm", since=AT - 600),
        Change(unit_id="u1", state="hashing", why="hashing", since=AT - 90_000, until=AT - 600),
    )
    text = page(unit(), changes=changes).text
    assert "21:26 stopped fan 2 at 0 rpm now 11 min" in text
    assert "2025-11-19 20:36 hashing 21:26 24 h 50 min" in text
    assert "This agent keeps no history (history.keep)." in page(unit(), changes=None).text
    assert "No state was recorded in the last 7 days." in page(unit(), changes=()).text
    assert "History could not be read: slow." in page(unit(), changes_trouble="slow").text


@pytest.mark.parametrize(
    ("host", "web_port", "own", "address"),
    [
        ("10.0.0.9", 80, None, "http://10.0.0.9/"),
        ("10.0.0.9", 8080, None, "http://10.0.0.9:8080/"),
        ("10.0.0.9", 80, 81, "http://10.0.0.9:81/"),
        ("fd00::9", 80, None, "http://[fd00::9]/"),
    ],
)
def test_the_units_own_page(host: str, web_port: int, own: int | None, address: str) -> None:
    """The link leads to the unit's literal address, and tells it nothing of this page."""
    shown = status(entry("u1", host=host, web_port=own), reading("u1"))
    page_of = page(shown, web_port=web_port)
    assert page_of.foreign_addresses == [address]
    assert ("rel", "noreferrer noopener external") in page_of.attributes


def test_a_unit_that_moved_is_linked_where_it_is() -> None:
    """The link follows a unit that was seen at another address."""
    home, place = Endpoint("10.0.0.9", 4028), Endpoint("10.0.0.30", 4028)
    where = Whereabouts(unit_id="u1", standing=Standing.MOVED, home=home, place=place, seen=None, occupant=None)
    assert own_page(entry("u1", host="10.0.0.9"), where, 80) == "http://10.0.0.30/"
    assert "seen at another address: 10.0.0.30" in page(unit(), whereabouts=where).text


def slots(*rates: float | None, state: UnitState | None = UnitState.HASHING) -> Sequence[Slot]:
    """Return slots that end at `AT`, with these rates in TH/s."""
    first = int(AT) - SLOT_S * len(rates)
    return [
        Slot(first + SLOT_S * index, None if rate is None else rate * TH, 60.0, None if rate is None else state)
        for index, rate in enumerate(rates)
    ]


def test_a_gap_is_no_line() -> None:
    """The line of a chart breaks where nothing was measured, and a lone point is a dot."""
    points = [(0.0, 1.0), (600.0, 2.0), (1200.0, None), (1800.0, 3.0)]
    assert charts.runs(points, 600) == [[(0.0, 1.0), (600.0, 2.0)], [(1800.0, 3.0)]]
    scale = charts.Scale(first=0, last=1800, low=0, high=4, step_s=600)
    drawn = charts.line(points, scale, "rate")
    assert drawn.count("M") == 2
    assert drawn.endswith('h1"/>')
    assert charts.gaps_text(points) == ", 1 gap"
    assert charts.line([(0.0, None)], scale, "rate") == ""


def test_a_missing_step_is_a_gap_too() -> None:
    """Points that are further apart than a step are not joined."""
    assert len(charts.runs([(0.0, 1.0), (1800.0, 1.0)], 600)) == 2


def test_the_day_is_told_in_words() -> None:
    """What a chart shows stands beside it in words, states included."""
    day = [*slots(200, 190, None, 180), Slot(int(AT), 0.0, None, UnitState.STOPPED)]
    text = page(unit(), slots=day).text
    assert "Hashrate over 24 hours: 0 H/s at the end, least 0 H/s around 21:41, 1 gap; nameplate 200.00 TH/s" in text
    assert "worst state of each ten minutes: stopped 21:36 to 21:46" in text
    assert "Nothing was recorded yet." in page(unit()).text


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)"])
def test_text_from_outside_is_never_markup(text: str) -> None:
    """Names, serials, firmware, pools and reasons appear literally."""
    place = Place(container=text, rack=text, slot=text)
    declared = entry(text, place=place, nameplate=swap(S21, model=text, make=text), serial=text, mac=text, reader=text)
    pools = (PoolReading(index=0, status=text, is_active=True, url=text, user=text),)
    hostile = msgspec.structs.replace(
        status(declared, reading(text, pools=pools, boards=(board(0, serial=text),), reader=text)), why=text
    )
    shown = page(hostile, changes=[Change(unit_id=text, state=text, why=text, since=AT)], changes_trouble=None)
    assert shown.is_inert
    assert shown.foreign_addresses == ["http://127.0.0.2/"]
    assert shown.words.count(text) >= 6


async def test_the_page_over_sockets() -> None:
    """The page is at the unit's id, whatever its letters; links climb; an unknown id is 404."""
    asked: list[tuple[str, float]] = []

    def changes(unit_id: str, start: float) -> list[Change]:
        asked.append((unit_id, start))
        return [Change(unit_id=unit_id, state="hashing", why="hashing", since=AT - 60)]

    units = [status(entry("a/1"), reading("a/1"))]
    async with served(source(units, unit_changes=changes, recent=lambda _: slots(200))) as client:
        async with client.get("/units/a%2F1") as answer:
            shown = Parsed(await answer.text())
        assert answer.status == 200
        async with client.get("/units/none") as answer:
            assert (answer.status, await answer.text()) == (404, "no deployed unit has that id\n")
    assert "Changes of state" in shown.text
    assert "../units" in shown.addresses
    assert "../api/v1/units/a%2F1" in shown.addresses
    assert asked == [("a/1", AT + 12.34 - 7 * 86_400)]


async def test_history_that_cannot_be_read_is_said_on_the_page() -> None:
    """A slow disk costs a line of the page, not the page."""

    def changes(unit_id: str, start: float) -> list[Change]:
        raise HistoryError("slow", f"{unit_id} {start}")

    async with (
        served(source([unit()], unit_changes=changes)) as client,
        client.get("/units/u1") as answer,
    ):
        assert answer.status == 200
        assert "History could not be read: slow." in await answer.text()
