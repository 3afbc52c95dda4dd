"""Simulated ePIC firmware: pages as recorded, with their lies, and read by the agent as the truth is."""

import asyncio
import json
from typing import Any

import pytest
from epic_units import FOLDER
from sim_cases import START, ask, make_farm, make_unit

from agent.unit.epic.conversation import PATHS
from agent.unit.epic.reader import READER
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Fault, Mode, PowerKind, UnitReading
from simulators.farm.farm import Farm
from simulators.faults.unit import Asleep, DeadBoard, FanStopped, NoBoards, PoolDead
from simulators.firmware.epic.api_program import TUNINGS, WRITE_COMMANDS, answer
from simulators.firmware.registry import firmware_of
from simulators.firmware.request import read_request
from simulators.sockets.serving import serve_farm
from simulators.unit.conditions import Change, Condition, Verb
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_NORMAL, WORK_MODE_SLEEP

HOUR = START + 3600.0
# What a simulated model does not have: the name of its boards, and the chip.
NOT_SIMULATED = {"Model Subtype", "Chip Type", "Chips Per Bank", "PerpetualTune"}


def epic(units: int = 1, *, seed: int = 1) -> Farm:
    """Return a farm of ePIC units."""
    return make_farm(units, seed=seed, mix="S21:200/epic=100%")


def page(unit: Unit, path: str, after: float = 3600.0) -> Any:
    """Return a page's JSON."""
    head, _, body = get(unit, path, after).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    return json.loads(body)


def get(unit: Unit, path: str, after: float = 3600.0) -> bytes:
    """Return a page with its head."""
    return answer(unit, read_request(f"GET {path} HTTP/1.1\r\nHost: miner\r\n\r\n".encode()), START + after)


def with_fault(unit: Unit, fault: Condition, at: float = START + 10) -> Unit:
    """Put a fault on a unit."""
    unit.schedule(Change(at, 1, Verb.INJECT, 1, fault))
    return unit


def read(unit: Unit, at: float, memory: Any = None) -> UnitReading:
    """Return the agent's reading of a simulated unit."""
    model = unit.identity.model
    nameplate = Nameplate(
        model=model.name,
        hashrate_hs=model.hashrate_hs,
        power_watts=model.power_watts,
        boards=model.boards,
        chips_per_board=model.chips_per_board,
        cooling="air",
        source="a test",
    )
    memory = READER.new_memory() if memory is None else memory
    talk = READER.converse("u", memory, nameplate=nameplate, slow_every=6, wall=lambda: at)
    request = next(talk)
    try:
        while True:
            request = talk.send(answer(unit, read_request(request), at))
    except StopIteration as over:
        reading: UnitReading = over.value
        return reading


def shape(value: Any) -> Any:
    """Return the types of a tree; the first item stands for a list, and whole and other numbers are one type."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key not in NOT_SIMULATED}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/capabilities", "capabilities"),
        ("/network", "network"),
        ("/temps", "temps"),
        ("/temps/chip", "chip_temps"),
        ("/voltages", "chip_voltages"),
        ("/hashrate", "chip_hashrates"),
        ("/clocks", "chip_clocks"),
    ],
)
def test_pages_have_the_recorded_keys_and_types(path: str, file: str) -> None:
    """Key by key, whatever the model, and indented alike."""
    recorded = (FOLDER / f"http4028-{file}.json").read_bytes()
    unit = make_unit("S21", firmware="epic")
    assert shape(page(unit, path)) == shape(json.loads(recorded))
    assert get(unit, path).partition(b"\r\n\r\n")[2].split(b"\n")[1][:2] == b"  "


def test_summary_has_the_recorded_keys_and_types() -> None:
    """Sorted as recorded; a unit whose fans all turn has no null but in the eight places without one."""
    recorded = json.loads((FOLDER / "http4028-summary.json").read_bytes())
    del recorded["PerpetualTune"]
    printed = page(epic().units[0], "/summary")
    assert list(printed) == sorted(printed)
    assert shape(printed) == shape(recorded)
    assert [speed for speed in printed["Fans Rpm"].values() if speed is None] == [None] * 8


def test_operating_is_the_truth() -> None:
    """Over 200 units the agent's sum is within half a percent of the true rate, and the supply's watts are theirs."""
    farm = epic(200, seed=3)
    for at in (START + 60, START + 600, START + 3000):
        readings = [read(unit, at) for unit in farm.units]
        told = sum(reading.rate_hs or 0.0 for reading in readings)
        assert told == pytest.approx(sum(unit.hashrate_hs(at) for unit in farm.units), rel=0.005)
        watts = sum(reading.power_watts or 0.0 for reading in readings)
        assert watts == pytest.approx(sum(unit.power_watts(at) for unit in farm.units), rel=1e-6)


def test_presets_scale_the_rate() -> None:
    """Units of a farm run different presets; the ideal of the clocks follows, the nameplate does not."""
    farm = epic(60)
    assert {unit.identity.tuning for unit in farm.units} == {ratio for ratio, _ in TUNINGS}
    for unit in farm.units[:20]:
        reading = read(unit, HOUR)
        assert reading.hashrate_ideal_hs == pytest.approx(unit.hashrate_hs(HOUR), rel=0.03)
        assert reading.rate_hs == pytest.approx(unit.hashrate_hs(HOUR), rel=0.05)
        assert reading.power_kind is PowerKind.MEASURED
        assert (reading.mode, reading.repairs, reading.identity.model) == (Mode.NORMAL, (), "AntMiner S21")
        assert [board.slot for board in reading.boards] == [0, 1, 2]


def test_the_mac_address_is_the_ledgers() -> None:
    """`/network` tells it to the first poll."""
    unit = epic().units[0]
    info = read(unit, HOUR).system_info
    assert info is not None
    assert (info.mac or "").casefold() == unit.identity.mac.casefold()


def test_a_dead_board_is_missing_at_its_slot() -> None:
    """It is in `HBStatus` and not in `HBs`."""
    unit = with_fault(epic().units[0], DeadBoard(board=1))
    assert [board.slot for board in read(unit, HOUR).boards] == [0, 2]
    assert [row["Enabled"] for row in page(unit, "/summary")["HBStatus"]] == [True, False, True]
    assert len(page(unit, "/capabilities")["Board Serial Numbers"]) == 2


@pytest.mark.parametrize(
    ("fault", "mode", "faults"),
    [
        (Asleep(), Mode.SLEEP, ()),
        (NoBoards(), None, (Fault.UNNAMED,)),
        (FanStopped(fan=0), None, (Fault.UNNAMED,)),
        (PoolDead(pools=2), None, (Fault.POOLS,)),
        (PoolDead(pools=1), Mode.NORMAL, ()),
    ],
    ids=str,
)
def test_states(fault: Condition, mode: Mode | None, faults: tuple[Fault, ...]) -> None:
    """Ordered sleep sleeps; a failure never does, and says what it is as far as the page tells."""
    unit = with_fault(epic().units[0], fault)
    reading = read(unit, HOUR)
    assert (reading.mode, reading.faults) == (mode, faults)
    assert bool(reading.rate_hs) == bool(unit.hashrate_hs(HOUR))


def test_waking_starts() -> None:
    """After a sleep it initializes, before its boards hash; then it mines."""
    unit, memory = with_fault(epic().units[0], Asleep()), READER.new_memory()
    assert read(unit, START + 600, memory).mode is Mode.SLEEP
    unit.withdraw(1, START + 600)
    at = START + 600
    while unit.phase is not Phase.ENUMERATING:
        at += 5
        unit.advance(at)
    assert read(unit, at, memory).is_starting
    assert read(unit, at + 900, memory).mode is Mode.NORMAL


def test_orders_of_the_mining_program() -> None:
    """`/miner` stops and starts a unit; what is already so changes nothing."""
    unit, firmware = epic().units[0], firmware_of(epic().units[0])

    def ordered(parameter: str, path: str = "miner") -> int | None:
        body = json.dumps({"param": parameter, "password": "x"})
        return firmware.ordered_mode(unit, read_request(f"POST /{path} HTTP/1.1\r\nHost: u\r\n\r\n{body}".encode()))

    assert [ordered(word) for word in ("Stop", "Autostart", "Dance")] == [WORK_MODE_SLEEP, None, None]
    assert ordered("Stop", "reboot") is None
    with_fault(unit, Asleep())
    unit.advance(HOUR)
    assert [ordered(word) for word in ("Stop", "Autostart")] == [None, WORK_MODE_NORMAL]


async def test_over_sockets_the_agent_writes_nothing() -> None:
    """GETs are no writes, a POST is one; no NUL ends a page, and what is no HTTP gets 400."""
    farm = epic()
    host = farm.units[0].identity.host
    async with asyncio.timeout(10), serve_farm(farm, port=0) as server:
        pages = [await ask(host, server.port, f"GET {path} HTTP/1.1\r\nHost: u\r\n\r\n".encode()) for path in PATHS]
        assert not any(entry.is_write for entry in server.journal.entries)
        assert [entry.request for entry in server.journal.entries] == [f"GET {path}" for path in PATHS]
        refused = await ask(host, server.port, b'{"command":"version"}')
        missing = await ask(host, server.port, b"GET /absent HTTP/1.1\r\n\r\n")
        await ask(host, server.port, b"POST /reboot HTTP/1.1\r\n\r\n{}")
        assert server.journal.entries[-1].is_write
    assert all(each.startswith(b"HTTP/1.1 200 OK\r\n") and each.endswith((b"}", b"]")) for each in pages)
    assert refused.startswith(b"HTTP/1.1 400 ")
    assert missing.startswith(b"HTTP/1.1 404 ")
    assert not {f"GET {path}" for path in PATHS} & WRITE_COMMANDS
