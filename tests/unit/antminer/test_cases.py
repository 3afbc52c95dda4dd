"""Cases from the field, read over loopback by the real client: the figures a technician wanted."""

from typing import Any

import pytest
from field_cases import behaving, field_case
from loopback import unit
from patience import PATIENT_S

from agent.errors import ForeignProtocolError, PollError, RefusedError
from agent.unit.antminer.conversation import Memory, converse
from agent.unit.cgminer.client import Client
from agent.unit.coolant import CoolantLayout
from agent.unit.reading import Mode, PowerKind, UnitReading

TH = 1e12


async def outcome(name: str) -> UnitReading | PollError:
    """Return what one poll of a case's unit gives."""
    case = field_case(name)
    async with unit(behaving(case)) as address:
        client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S)
        try:
            talk = converse("u1", Memory(), nameplate=case.nameplate, slow_every=1, wall=lambda: 1e9)
            return await client.run(address, talk)
        except PollError as error:
            return error
        finally:
            client.close()


READ: list[tuple[str, dict[str, Any]]] = [
    ("01-zero-watts-while-hashing", {"rate_hs": 484 * TH, "power_watts": None, "repairs": ("watts_refuted",)}),
    ("02-told-to-sleep-still-hashing", {"rate_hs": 200 * TH, "mode": None, "repairs": ("mode_refuted",)}),
    ("03-s21e-hyd-coolant", {"rate_hs": 310 * TH, "coolant_layout": CoolantLayout.TEMP_PCB}),
    (
        "04-s23-hyd-temp-in-out",
        {
            "rate_hs": 572.8 * TH,
            "hashrate_sale_hs": 563 * TH,
            "power_watts": 5525,
            "coolant_layout": CoolantLayout.TEMP_PIC,
        },
    ),
    ("05-unknown-models-and-bins", {"rate_hs": 245 * TH, "hashrate_ideal_hs": 245 * TH, "power_watts": 3499}),
    ("06-braiins-rate-in-summary", {"hashrate_5s_hs": 202 * TH, "hashrate_avg_hs": 201 * TH, "uptime_s": 260_281}),
    (
        "07-vnish-preset",
        {
            "rate_hs": 155 * TH,
            "mode": Mode.NORMAL,
            "power_watts": 2550,
            "power_kind": PowerKind.ESTIMATED,
            "repairs": ("number_in_string",),
        },
    ),
    ("08-vnish-stopped-in-event", {"rate_hs": 0, "mode": Mode.SLEEP}),
    (
        "11-rate-spike",
        {"hashrate_5s_hs": pytest.approx(200.001 * TH), "stand_in_hs": None, "repairs": ("total_from_boards",)},
    ),
    ("12-null-in-an-array", {"rate_hs": 200 * TH, "fan_rpm": (5000, None, 5000, 5000), "repairs": ()}),
    ("13-pass-asleep-fans-turning", {"rate_hs": 0, "mode": Mode.SLEEP, "fan_rpm": (960,) * 4, "repairs": ()}),
    ("14-pass-freezing", {"rate_hs": 200 * TH, "repairs": ()}),
    ("15-pass-no-boards", {"rate_hs": 0, "mode": Mode.NORMAL, "boards": (), "repairs": ()}),
    ("16-pass-overheated", {"rate_hs": 0, "mode": Mode.NORMAL, "hottest_chip_celsius": 97, "repairs": ()}),
    ("17-pass-luxos-two-groups", {"rate_hs": 200 * TH, "repairs": ()}),
    ("18-pass-bad-utf8-worker", {"rate_hs": 200 * TH, "repairs": ("bad_utf8",)}),
]


@pytest.mark.parametrize(("name", "expected"), READ, ids=[name for name, _ in READ])
async def test_a_case_is_read(name: str, expected: dict[str, Any]) -> None:
    """The figures that the report is about are as its reader wanted them."""
    reading = await outcome(name)
    assert isinstance(reading, UnitReading)
    assert {field: getattr(reading, field) for field in expected} == expected


async def test_boards_of_the_cases() -> None:
    """Clocks, sensors in their places, and bad chips are read off the boards."""
    boards = {}
    for name, _ in READ:
        reading = await outcome(name)
        assert isinstance(reading, UnitReading)
        boards[name[:2]] = reading.boards
    (s21e,), (s23,) = boards["03"], boards["04"]
    assert (s21e.chip_celsius, s21e.pcb_celsius, s21e.coolant_celsius) == ((58,), (47, 43, 47, 41, 48), (33, 40))
    assert (s23.coolant_celsius, s23.pcb_celsius) == ((34, 42), (44, 44, 52, 52))
    assert [board.frequency_hz for board in boards["07"]] == [380.1e6] * 3
    assert boards["12"][0].pcb_celsius == (30, None, 40, None)
    assert boards["14"][0].pcb_celsius == (2, -1, 20, 22)
    assert (boards["16"][0].chips, boards["16"][0].bad_chips) == (108, 9)
    assert boards["17"][0].is_average


async def test_both_pools_of_a_case_are_in_use() -> None:
    """LuxOS works for one pool of each group."""
    reading = await outcome("17-pass-luxos-two-groups")
    assert isinstance(reading, UnitReading)
    assert [pool.is_active for pool in reading.pools] == [True, True]


async def test_a_refusal_names_firmware() -> None:
    """Its code is kept, and the firmware that is known to keep its figures elsewhere is named."""
    error = await outcome("09-refused-counts-as-covered")
    assert isinstance(error, RefusedError)
    assert (error.reason, error.code) == ("refused", 14)
    assert "Braiins OS (BOSer)" in str(error)


async def test_a_web_server_is_named() -> None:
    """HTTP is no reply that was cut short."""
    error = await outcome("10-http-on-4028")
    assert isinstance(error, ForeignProtocolError)
    assert (error.reason, error.speaker) == ("foreign", "HTTP")
    assert str(error).startswith("something that speaks HTTP answers on 4028 (ePIC firmware does)")
