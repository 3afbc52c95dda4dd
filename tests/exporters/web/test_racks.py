"""The map: what a cell shows, where it stands, and how large a page of very many units is."""

import re
import zlib

import msgspec
import pytest
from exporter_cases import AT, board, entry, gone_silent, reading, status
from web_site import served

from agent.errors import DeadlineError
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.rack_cells import FILL_WORDS, STATE_CLASS, STATE_MARK, heat_cell, rate_cell
from agent.exporters.web.pages.rack_layout import containers_of
from agent.exporters.web.pages.racks_page import LINKED_UNITS, ShownRacks, render_racks
from agent.site.ledger.entries import Place
from agent.site.status import UnitState, UnitStatus

CANARY = "<script>x</script>\"'&"


def at(unit_id: str, container: str = "C1", rack: str = "R1", slot: str = "1", rate_hs: float = 198e12) -> UnitStatus:
    """Return a unit at a place."""
    place = Place(container=container, rack=rack, slot=slot)
    return status(entry(unit_id, place=place), reading(unit_id, hashrate_5s_hs=rate_hs))


def drawn(*statuses: UnitStatus, container: str | None = None, fill: str = "rate") -> str:
    """Return the page."""
    frame = Frame(site="nd-1", version="1", now=AT, figures_at=AT)
    return render_racks(ShownRacks(frame=frame, statuses=statuses, container=container, fill=fill))


@pytest.mark.parametrize(
    ("rate_hs", "fill", "words"),
    [
        (0.0, "f0", "stopped 0 %: cause unknown"),
        (50e12, "f1", "hashing 25 %"),
        (150e12, "f2", "hashing 75 %"),
        (170e12, "f3", "hashing 85 %"),
        (198e12, "f4", "hashing 99 %"),
    ],
)
def test_a_cell_is_filled_by_operating_over_nameplate(rate_hs: float, fill: str, words: str) -> None:
    """The fill is a step of the ratio; the words say state and ratio."""
    cell = rate_cell(at("u1", rate_hs=rate_hs))
    assert (cell.fill, cell.words.startswith(words)) == (fill, True), cell


def test_what_is_not_known_is_no_zero() -> None:
    """A unit without a reading has the fill of what is not known, and says why."""
    assert rate_cell(gone_silent("u1"))[:2] == ("n", UnitState.UNREACHABLE)
    assert rate_cell(status(entry("u1"), error=DeadlineError("half")))[:2] == ("n", UnitState.UNREADABLE)
    assert rate_cell(status(entry("u1"))) == ("n", None, "not looked at yet")


@pytest.mark.parametrize(
    ("celsius", "fill"), [(40.0, "h0"), (60.0, "h1"), (70.0, "h2"), (80.0, "h3"), (90.0, "h4"), (None, "n")]
)
def test_a_cell_is_filled_by_its_hottest_chip(celsius: float | None, fill: str) -> None:
    """A temperature that firmware works out is shown and marked; without one nothing is claimed."""
    boards = tuple(board(slot, chip_celsius=() if celsius is None else (celsius - 3, celsius)) for slot in range(3))
    cell = heat_cell(status(entry("u1"), reading("u1", boards=boards)))
    assert cell.fill == fill
    computed = heat_cell(status(entry("u1"), reading("u1", boards=boards, is_chip_computed=True)))
    assert ("worked out by its firmware" in computed.words) == (celsius is not None)


def test_nothing_is_told_by_colour_alone() -> None:
    """Every state but hashing has a mark of its own, and every fill has words in the legend."""
    assert set(STATE_MARK) == set(UnitState) - {UnitState.HASHING}
    assert len(set(STATE_MARK.values())) == len(STATE_MARK)
    assert len(set(STATE_CLASS.values())) == len(UnitState)
    for fill, steps in FILL_WORDS.items():
        html = drawn(at("u1"), fill=fill)
        assert all(f"</svg>{words}</li>" in html for _, words in steps)
        assert len({name for name, _ in steps}) == len(steps)


def test_people_count_racks_and_slots() -> None:
    """C2 is before C10 and R9 before R10, and what has no name comes last."""
    containers, homeless = containers_of(
        [at("a", "C10"), at("b", "C2", "R10"), at("c", "C2", "R9"), at("e", "C2", ""), at("d", "", "", "")]
    )
    assert [(each.name, [rack.name for rack in each.racks]) for each in containers] == [
        ("C2", ["R9", "R10", ""]),
        ("C10", ["R1"]),
    ]
    assert [each.entry.unit_id for each in homeless] == ["d"]


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        (["1", "2", "4"], ["1", "2", "-3", "4"]),
        (["2"], ["-1", "2"]),
        (["0", "2"], ["0", "-1", "2"]),
        (["04", "2"], ["-1", "2", "-3", "04"]),
        (["A2", "A10", "A1"], ["A1", "A2", "A10"]),
        (["1", "900"], ["1", "900"]),
        (["1", ""], ["1", ""]),
        (["1", "01"], ["01", "1"]),
        ([""], [""]),
    ],
)
def test_empty_slots_are_shown_where_slots_are_numbers(slots: list[str], expected: list[str]) -> None:
    """A gap in numbered slots is an empty slot (with a minus here); names, and numbers far apart, have none."""
    ((container,), _) = containers_of([at(f"u{slot}", slot=slot) for slot in slots])
    (rack,) = container.racks
    assert [slot.name if slot.status else f"-{slot.name}" for slot in rack.slots] == expected
    assert container.units == len(slots)


def test_a_tap_opens_the_unit() -> None:
    """Each unit is a link with id, slot, state and ratio as its name; the heading repeats no container."""
    html = drawn(at("a/1", rack="C1-R05", slot="10"))
    assert re.search(r'<a href="units/a%2F1"><title>a/1 slot 10, hashing 99 %</title><path class="c s0"', html)
    assert '<figcaption>R05</figcaption><svg viewBox="0 0 30 75" role="group" aria-label="Rack C1-R05">' in html
    assert html.count("<title>slot ") == 9


def test_one_container_can_be_chosen() -> None:
    """The chooser links each container with its count, and the map shows the chosen one alone."""
    html = drawn(at("a", "C1"), at("b", "C2 & co", rate_hs=0.0), container="C2 & co")
    assert '<a href="racks?container=C2+%26+co" aria-current="true">C2 &amp; co <small>0 of 1</small></a>' in html
    assert "units/b" in html
    assert "units/a" not in html
    assert 'class="map one"' in html
    assert "No unit is in container C9." in drawn(at("a"), container="C9")
    assert "Nothing is deployed." in drawn()


def test_units_without_a_place_have_a_section() -> None:
    """What the ledger gives no place is shown apart, and a unit without a container is not lost."""
    html = drawn(at("a", "", "", ""), at("b", "", "R1", "1"))
    assert "<h2>Without a place in the ledger</h2>" in html
    assert "No container" in html
    assert html.count('<a href="units/') == 2
    assert "units/b" in drawn(at("b", "", "R1", "1"), container="(no container)")


def test_names_are_text() -> None:
    """No name of a unit, container, rack or slot becomes markup."""
    html = drawn(at(CANARY, CANARY, CANARY, CANARY), container=CANARY)
    assert "<script>x" not in html
    assert html.count("&lt;script&gt;x") >= 6


def fleet(units: int) -> list[UnitStatus]:
    """Return units over containers of 800 in racks of 40, every tenth with a rate of its own and every 50th silent."""
    kinds = [at("u", rate_hs=rate * 1e12) for rate in range(150, 200, 5)]
    silent = gone_silent("u")
    made = []
    for number in range(units):
        kind = silent if not number % 50 else kinds[number * 7 % 10]
        container, rack, slot = number // 800, number % 800 // 40, number % 40 + 1
        name = f"C{container:02}-R{rack:02}-{slot:02}"
        place = Place(container=f"C{container:02}", rack=f"R{rack:02}", slot=str(slot))
        made.append(msgspec.structs.replace(kind, entry=msgspec.structs.replace(kind.entry, unit_id=name, place=place)))
    return made


def test_a_map_of_very_many_units_stays_small() -> None:
    """Units are links up to 12,000; beyond, every unit is drawn and racks are links. Either is below 150 kB."""
    for units, links in ((LINKED_UNITS, "units/C"), (20_000, "racks?container=C")):
        html = drawn(*fleet(units))
        assert html.count(f'<a href="{links}') >= min(units, 500)
        assert html.count("h13v13h-13z") == units
        assert len(zlib.compress(html.encode(), 6)) < 150_000


async def test_the_page_takes_known_parameters_only() -> None:
    """The page is served, and a fill that does not exist is named."""
    async with served() as client:
        async with client.get("/racks?container=C1&fill=heat") as response:
            text = await response.text()
            assert response.status == 200
        assert "units/a1" in text
        assert "are simulated" in text or "is simulated" in text
        async with client.get("/racks?fill=age") as response:
            assert (response.status, await response.text()) == (400, "fill must be one of rate, heat, not 'age'\n")
