"""The seam of firmwares: who runs which, what the truth says of it, and which requests are writes."""

import asyncio

import pytest
from sim_cases import START, ask, make_farm

from simulators.farm.plan import FarmError, Kind, read_kind, read_mix
from simulators.farm.truth import unit_truth
from simulators.firmware.registry import FIRMWARES, Firmware, firmware_of, is_any_write
from simulators.firmware.request import Request, read_request
from simulators.scenario.scenario import read_scenario
from simulators.sockets.serving import serve_farm
from simulators.sockets.web_server import serve_web
from simulators.unit.identity import STOCK
from simulators.unit.models import find_model


def test_a_kind_of_unit_names_its_firmware_after_the_model() -> None:
    """Stock firmware needs no name."""
    s21 = find_model("S21", 200.0)
    assert read_kind("S21:200") == Kind(s21, STOCK) == read_kind(f"S21:200/{STOCK}")
    assert read_mix("S21:200=60%,S21:200/antminer=40%") == {Kind(s21): 1.0}


@pytest.mark.parametrize("text", ["S21:200/cgminerx", "S21/", "S21:200/antminer/antminer"])
def test_an_unknown_firmware_is_named(text: str) -> None:
    """The error says which are known."""
    with pytest.raises(FarmError, match=r"unknown firmware '.*' of '.*'; known: antminer"):
        read_kind(text)


def test_a_file_mixes_firmwares_too() -> None:
    """The same words as on the command line."""
    text = 'about = "x"\nstart = 2025-10-14T00:00:00Z\nduration = "1h"\n[farm]\nunits = 4\n[farm.mix]\n'
    plan = read_scenario(text + '"S21:200/antminer" = "100%"\n', file="t.toml").plan()
    assert list(plan.mix) == [Kind(find_model("S21", 200.0))]


def test_the_truth_names_the_firmware() -> None:
    """Stock firmware runs its model at the rated clock."""
    unit = make_farm(1).units[0]
    truth = unit_truth(unit, START)
    assert (truth["firmware"], truth["tuning_ratio"]) == ("antminer", 1.0)
    assert firmware_of(unit) is FIRMWARES[STOCK]


def test_a_mixed_farm_has_its_shares_and_profiles() -> None:
    """By largest remainder, as with models; a unit's profile is one of its firmware's."""
    farm = make_farm(40, mix="S21:200=70%,S21:200/vnish=30%")
    truths = [unit_truth(unit, START) for unit in farm.units]
    assert [truth["firmware"] for truth in truths].count("vnish") == 12
    profiles = {truth["tuning_ratio"] for truth in truths if truth["firmware"] == "vnish"}
    assert len(profiles) > 1
    assert profiles <= {ratio for ratio, _ in FIRMWARES["vnish"].tunings}
    assert {truth["tuning_ratio"] for truth in truths if truth["firmware"] == STOCK} == {1.0}


def test_another_firmware_leaves_its_neighbours_as_they_are() -> None:
    """The same seed gives the same stock units beside it."""
    plain, mixed = (make_farm(10, mix=mix) for mix in ("S21:200=100%", "S21:200=50%,S21:200/vnish=50%"))
    for before, after in zip(plain.units, mixed.units, strict=True):
        assert before.identity.serial == after.identity.serial
        if after.identity.firmware == STOCK:
            assert unit_truth(before, START) == unit_truth(after, START)


async def test_a_unit_of_another_firmware_has_no_stock_pages() -> None:
    """Its own pages are not simulated: the connection is reset."""
    farm = make_farm(1, mix="S21:200/vnish=100%")
    host = farm.units[0].identity.host
    async with asyncio.timeout(10), serve_farm(farm, port=0) as server, serve_web(farm, server, port=0) as web:
        with pytest.raises(ConnectionError):
            await ask(host, web.port, b"GET /cgi-bin/get_system_info.cgi HTTP/1.1\r\nHost: x\r\n\r\n")


def test_profiles_are_shared_out_by_a_draw() -> None:
    """Shares are those of the table; rounding goes to the last."""
    firmware = Firmware(
        name="x", answer=FIRMWARES[STOCK].answer, write_commands=frozenset(), tunings=((0.8, 0.25), (1.1, 0.7))
    )
    assert [firmware.tuning_for(draw) for draw in (0.0, 0.24, 0.26, 0.94, 0.99)] == [0.8, 0.8, 1.1, 1.1, 1.1]


@pytest.mark.parametrize(
    ("data", "is_write"),
    [
        (b'{"command":"stats"}', False),
        (b'{"command":"sleep","new_api":true}', True),
        (b'{"command":"summary+sleep+pools"}', True),
        (b"reload|", True),
        (b'{"command":"summary+pools"}', False),
        (b"{", False),
    ],
)
def test_writes_are_told_within_joined_commands(data: bytes, *, is_write: bool) -> None:
    """One part that acts makes the whole a write."""
    request = read_request(data)
    assert FIRMWARES[STOCK].is_write(request) is is_write
    assert is_any_write(request) is is_write


def test_a_request_keeps_its_parameter() -> None:
    """In JSON and in plain text."""
    assert read_request(b'{"command":"healthchipget","parameter":"0"}').parameter == "0"
    assert read_request(b'{"command":"healthchipget","parameter":0}').parameter == "0"
    assert read_request(b"healthchipget|0")[:2] == ("healthchipget", False)
    assert read_request(b"healthchipget|0").parameter == "0"
    assert Request("a+b", is_new_api=False).commands == ("a", "b")


async def test_the_journal_marks_the_writes_of_the_firmware_found_there() -> None:
    """A report is none."""
    farm = make_farm(1)
    host = farm.units[0].identity.host
    async with asyncio.timeout(10), serve_farm(farm, port=0) as server:
        for request in (b'{"command":"stats"}', b'{"command":"summary+network"}'):
            await ask(host, server.port, request)
    assert [(entry.request, entry.is_write) for entry in server.journal.entries] == [
        ("stats", False),
        ("summary+network", True),
    ]
