"""Simulated LuxOS: replies as recorded, with their lies, and read by the agent as the truth is."""

import asyncio
import json
from typing import Any

import pytest
from capture_files import capture
from paths import CAPTURES
from sim_cases import START, ask, make_farm

from agent.unit.luxos.reader import READER
from agent.unit.luxos.requests import REQUESTS
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Fault, Mode, PowerKind, UnitReading
from simulators.farm.farm import Farm
from simulators.faults.unit import Asleep, DeadBoard, FanStopped, NoBoards, PoolDead
from simulators.firmware.luxos.api_program import TUNINGS, WRITE_COMMANDS, answer
from simulators.firmware.registry import firmware_of
from simulators.firmware.request import Request, read_request
from simulators.sockets.replay import read_captures
from simulators.sockets.serving import serve_farm
from simulators.unit.conditions import Change, Condition, Verb
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit

# A key of one recording that the other does not have.
KNOWN_DIFFERENCES = {"PIC"}


def luxos(units: int = 1, *, seed: int = 1) -> Farm:
    """Return a farm of LuxOS units."""
    return make_farm(units, seed=seed, mix="S21:200/luxos=100%")


def reply(unit: Unit, command: str, after: float = 0.0) -> Any:
    """Return a reply as JSON."""
    return json.loads(answer(unit, Request(command, is_new_api=False), START + after))


def shape(value: Any) -> Any:
    """Return the types of a tree; the first item stands for a list, and whole and other numbers are one type."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key not in KNOWN_DIFFERENCES}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def with_fault(unit: Unit, fault: Condition, at: float = START + 10) -> None:
    """Put a fault on a unit."""
    unit.schedule(Change(at, 1, Verb.INJECT, 1, fault))


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
            request = talk.send(answer(unit, read_request(request), at) + b"\0")
    except StopIteration as over:
        reading: UnitReading = over.value
        return reading


@pytest.mark.parametrize(
    "name",
    [
        "s19jpro-luxos-2025/tcp4028-version.json",
        "s19jpro-luxos-2025/tcp4028-summary.json",
        "s19jpro-luxos-2025/tcp4028-devdetails.json",
        "s19jpro-luxos-2025/tcp4028-config.json",
        "s19jpro-luxos-2025/tcp4028-temps.json",
        "s19jpro-luxos-2025/tcp4028-pools.json",
        "s19kpro-luxos-2025/tcp4028-devs.json",
        "s19kpro-luxos-2025/tcp4028-fans.json",
        "s19kpro-luxos-2025/tcp4028-power.json",
    ],
)
def test_replies_have_the_recorded_keys_and_types(name: str) -> None:
    """Key by key, whatever the model; keys are sorted as in the recording that came as it was sent."""
    unit = luxos().units[0]
    command = name.rpartition("-")[2].removesuffix(".json")
    printed = reply(unit, command)
    assert shape(printed) == shape(json.loads(capture(name)))
    assert list(printed) == sorted(printed)
    assert (
        printed["STATUS"][0]["Msg"].split(" ", 1)[-1] == json.loads(capture(name))["STATUS"][0]["Msg"].split(" ", 1)[-1]
    )


def test_stats_has_the_recorded_keys_and_lies() -> None:
    """Board rates are averages, the total is their mean, and three temperatures are one."""
    unit = luxos().units[0]
    printed, recorded = reply(unit, "stats", 5000.0), json.loads(capture("s19kpro-luxos-2025/tcp4028-stats.json"))
    row = printed["STATS"][1]
    # These say the same as `temp_max`, and a client that reads them is none that is known.
    missing = {"temp1", "temp2", "temp3", "temp2_1", "temp2_2", "temp2_3"}
    assert recorded["STATS"][1].keys() - row.keys() == missing
    assert row.keys() <= recorded["STATS"][1].keys()
    means = [float(row[f"chain_rate{number}"]) for number in (1, 2, 3)]
    assert sum(means) == pytest.approx(row["GHS av"], rel=1e-4)
    assert row["total rate"] == pytest.approx(sum(means) / 3, rel=1e-4)
    assert (row["total_acn"], row["chain_rate4"], row["temp_pcb4"]) == (4, "0", "0-0-0-0")
    assert row["temp_pcb1"] == row["temp_chip1"] == row["temp_pic1"]


def test_joined_requests() -> None:
    """Each part is what it is alone; an unknown one is refused inside."""
    unit = luxos().units[0]
    joined = reply(unit, "power+nonsense+summary")
    assert joined["power"] == [reply(unit, "power")]
    assert joined["summary"] == [reply(unit, "summary")]
    assert joined["nonsense"][0]["STATUS"][0]["Code"] == 14
    assert joined["id"] == 1


def test_windows_longer_than_the_run() -> None:
    """A quarter of an hour after a start, `30m` is the mean of the run, `24h` less, and `Total MH` no total."""
    unit = luxos().units[0]
    unit.schedule(Change(START + 10, 1, Verb.REBOOT, 0))
    at = START + 10 + 900
    row = reply(unit, "summary", at - START)["SUMMARY"][0]
    assert row["GHS 30m"] == row["GHS av"]
    assert row["GHS 24h"] < row["GHS av"] < row["GHS 5s"]
    assert row["Total MH"] == row["GHS av"] * 1000
    assert read(unit, at).hashrate_30m_hs is None


def test_profiles_scale_the_rate() -> None:
    """Units of a farm run different profiles; nominal and power follow, the nameplate does not."""
    farm = luxos(60)
    tunings = {unit.identity.tuning for unit in farm.units}
    assert tunings == {ratio for ratio, _ in TUNINGS}
    for unit in farm.units[:20]:
        reading = read(unit, START + 600)
        tuning, model = unit.identity.tuning, unit.identity.model
        assert reading.hashrate_ideal_hs == pytest.approx(tuning * model.hashrate_hs)
        assert reading.hashrate_5s_hs == pytest.approx(unit.hashrate_hs(START + 600), rel=0.05)
        assert reading.power_watts == pytest.approx(unit.power_watts(START + 600), rel=0.05)
        assert reading.power_kind is PowerKind.ESTIMATED
        assert (reading.mode, reading.repairs) == (Mode.NORMAL, ())


def test_operating_is_the_truth() -> None:
    """Over 200 units the agent's sum of 5 s rates is within half a percent of the true rate."""
    farm = luxos(200, seed=3)
    for at in (START + 60, START + 600, START + 3000):
        told = sum(read(unit, at).rate_hs or 0.0 for unit in farm.units)
        assert told == pytest.approx(sum(unit.hashrate_hs(at) for unit in farm.units), rel=0.005)


def test_a_dead_board_is_nowhere() -> None:
    """It is in no list, and an event names it; the agent has the others at their slots."""
    unit = luxos().units[0]
    with_fault(unit, DeadBoard(board=1))
    at = START + 900
    reading = read(unit, at)
    assert [board.slot for board in reading.boards] == [0, 2]
    assert (reading.faults, reading.mode) == ((Fault.BOARD,), Mode.NORMAL)
    assert [row["ID"] for row in reply(unit, "temps", 900)["TEMPS"]] != [0, 1, 2]


def test_no_boards() -> None:
    """`temps` is refused with 426, and the model is not known."""
    unit = luxos().units[0]
    with_fault(unit, NoBoards())
    assert reply(unit, "temps", 900)["STATUS"][0]["Code"] == 426
    assert reply(unit, "version", 900)["VERSION"][0]["Type"] == "Unknown"
    reading = read(unit, START + 900)
    assert (reading.boards, reading.faults) == ((), (Fault.BOARD,))


@pytest.mark.parametrize(("fault", "named"), [(FanStopped(fan=0), Fault.FAN), (PoolDead(pools=2), Fault.POOLS)])
def test_faults_are_named(fault: Condition, named: Fault) -> None:
    """By an event, for as long as they last."""
    unit = luxos().units[0]
    with_fault(unit, fault)
    assert named in read(unit, START + 900).faults


def test_sleep_and_waking() -> None:
    """Asleep with its supply off; then waking, before its boards hash; then awake."""
    unit = luxos().units[0]
    memory = READER.new_memory()
    with_fault(unit, Asleep())
    reading = read(unit, START + 600, memory)
    assert (reading.mode, reading.hashrate_5s_hs, bool(reading.boards)) == (Mode.SLEEP, 0.0, True)
    unit.withdraw(1, START + 600)
    at = START + 600
    while unit.phase is not Phase.ENUMERATING:
        at += 5
        unit.advance(at)
    reading = read(unit, at, memory)
    assert (reading.mode, reading.is_starting) == (None, True)
    unit.advance(at + 900)
    reading = read(unit, at + 900, memory)
    assert (reading.mode, reading.is_starting) == (Mode.NORMAL, False)


async def test_the_agent_writes_nothing() -> None:
    """The journal has no write of the agent's; a command that acts is marked, and refused."""
    farm = luxos(1)
    host = farm.units[0].identity.host
    assert firmware_of(farm.units[0]).name == "luxos"
    async with asyncio.timeout(10), serve_farm(farm, port=0) as server:
        for request in REQUESTS:
            await ask(host, server.port, request)
        assert not any(entry.is_write for entry in server.journal.entries)
        refused = json.loads((await ask(host, server.port, b'{"command":"summary+addpool"}')).rstrip(b"\0"))
        assert server.journal.entries[-1].is_write
    assert refused["addpool"][0]["STATUS"][0]["STATUS"] == "E"
    assert WRITE_COMMANDS.isdisjoint({part for request in REQUESTS for part in read_request(request).commands})


def test_a_recorded_unit_joins_its_reports() -> None:
    """The replay of a LuxOS capture answers the agent's joined requests; that of a stock one refuses them."""
    recorded = read_captures([CAPTURES / "s19kpro-luxos-2025", CAPTURES / "s21-stock-aml-202407"], "127.0.0.1")
    joined = json.loads(recorded[0].answer(read_request(b'{"command":"power+fans+events"}'), START))
    assert joined["power"][0]["POWER"] == [{"PSU": False, "Watts": 1051}]
    assert joined["events"][0]["STATUS"][0]["Code"] == 14
    assert list(joined) == ["power", "fans", "events", "id"]
    refused = json.loads(recorded[1].answer(read_request(b'{"command":"summary+pools"}'), START))
    assert refused["STATUS"][0]["Code"] == 14
