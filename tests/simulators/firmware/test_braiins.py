"""The simulated Braiins OS: keys, types and order as recorded, its lies as documented, its windows exact."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from capture_files import capture
from sim_cases import MILD, START

from simulators.faults.unit import Asleep, DeadBoard, FanStopped, Frozen, PoolDead
from simulators.firmware.braiins.api_program import answer, ordered_mode
from simulators.firmware.registry import FIRMWARES
from simulators.firmware.request import read_request
from simulators.unit.builds import build_for
from simulators.unit.conditions import Change, Condition, Verb
from simulators.unit.identity import Identity
from simulators.unit.models import find_model
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_NORMAL, WORK_MODE_SLEEP

REPORTS = ("version", "summary", "devs", "devdetails", "temps", "fans", "tunerstatus", "pools")
# The recorder put a blank here; the firmware prints none.
BMM = "other-bmm100-braiins-2026"


def make(*faults: Condition, model: str = "S21", tuning: float = 1.0, uptime_s: float = 86400.0, key: int = 7) -> Unit:
    """Return a unit under Braiins OS."""
    identity = Identity(
        unit_id="C1-R01-01",
        index=0,
        model=find_model(model, None),
        build=build_for(model, 0.0),
        address=0x7F0A0001,
        container="C1",
        rack="C1-R01",
        slot=1,
        key=key,
        firmware="braiins",
        tuning=tuning,
    )
    return Unit(identity, MILD, start=START, uptime_s=uptime_s, faults=faults)


def told(unit: Unit, command: str, after: float = 0.0) -> Any:
    """Return a reply as JSON."""
    return json.loads(answer(unit, read_request(b'{"command":"%s"}' % command.encode()), START + after))


def rows(unit: Unit, command: str, after: float = 0.0) -> Any:
    """Return the rows of a report."""
    return told(unit, command, after)[command.upper()]


def shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and type of every value, in order; rows of one shape count once."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from shape(item, f"{path}/{key}")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        kinds: list[list[tuple[str, str]]] = []
        for item in value:
            kind = list(shape(item, f"{path}[]"))
            if kind not in kinds:
                kinds.append(kind)
        yield from itertools.chain.from_iterable(kinds)
    else:
        yield path, type(value).__name__


@pytest.mark.parametrize("command", [name for name in REPORTS if name != "tunerstatus"])
def test_reports_have_the_recorded_keys_types_and_order(command: str) -> None:
    """As the only complete set of newer firmware has them."""
    assert list(shape(told(make(), command))) == list(shape(json.loads(capture(f"{BMM}/tcp4028-{command}.json"))))


def test_the_tuner_has_the_recorded_keys_types_and_order() -> None:
    """As an S9 of 2020 has them; newer ones were not recorded."""
    recorded = json.loads(capture("other-s9-bosminerplus-2020-tuning/tcp4028-tunerstatus.json"))
    assert list(shape(told(make(), "tunerstatus"))) == list(shape(recorded))


def test_replies_are_printed_without_blanks() -> None:
    """And without a newline."""
    reply = answer(make(), read_request(b'{"command":"temps"}'), START)
    assert b" : " not in reply
    assert b'", ' not in reply
    assert reply.endswith(b'"id":1}')


@pytest.mark.parametrize("elapsed_s", [200.0, 400.0, 2000.0])
def test_windows_are_divided_by_their_whole_length(elapsed_s: float) -> None:
    """From the start, as the exact integral of the rate."""
    unit = make(uptime_s=0.0)
    process = next(t for t in range(400) if unit.process(START + t).elapsed_s == 1 and unit.phase is Phase.ENUMERATING)
    t = process - 1 + elapsed_s
    (row,) = rows(unit, "summary", t)
    watcher = make(uptime_s=0.0)
    steps = 4000
    for name, window_s in (("MHS 1m", 60), ("MHS 5m", 300), ("MHS 15m", 900)):
        begin = max(t - window_s, process - 1)
        mean = sum(watcher.hashrate_hs(START + begin + (t - begin) * (n + 0.5) / steps) for n in range(steps)) / steps
        expected_mhs = mean * (t - begin) / window_s / 1e6
        assert row[name] == pytest.approx(expected_mhs, rel=0.015, abs=1.0), name
        watcher = make(uptime_s=0.0)
    assert row["MHS 24h"] < 0.03 * row["MHS 5s"]


def test_a_warm_unit_has_full_windows_from_the_first_second() -> None:
    """It hashed before the farm began."""
    unit = make()
    (row,) = rows(unit, "summary", 1.0)
    assert row["MHS 1m"] == pytest.approx(row["MHS 15m"], rel=1e-9)
    assert row["MHS 1m"] == pytest.approx(unit.hashrate_hs(START + 1) / 1e6, rel=0.015)


def test_windows_fade_after_a_stop() -> None:
    """A unit that freezes repeats itself; one that loses its pools fades within its windows."""
    unit = make()
    unit.schedule(Change(START + 1000, 0, Verb.INJECT, 1, PoolDead(pools=2)))
    (before,), (after,), (later,) = (rows(unit, "summary", t) for t in (999.0, 1030.0, 1061.0))
    assert after["MHS 5s"] == 0
    assert after["MHS 1m"] == pytest.approx(before["MHS 1m"] / 2, rel=0.02)
    assert (later["MHS 1m"], later["MHS 5m"] > 0) == (0, True)
    frozen = make()
    frozen.schedule(Change(START + 5, 0, Verb.INJECT, 1, Frozen()))
    (first,), (second,) = (rows(frozen, "summary", t) for t in (10.0, 300.0))
    assert first["MHS 5s"] == second["MHS 5s"] == pytest.approx(first["MHS 1m"], rel=0.02)
    assert first["Elapsed"] == second["Elapsed"]


def test_boards_sum_to_the_unit() -> None:
    """In every window; nominal follows the profile."""
    unit, tuned = make(), make(tuning=0.8)
    (total,), boards = rows(unit, "summary"), rows(unit, "devs")
    for name in ("MHS 5s", "MHS 1m", "MHS av"):
        assert sum(board[name] for board in boards) == pytest.approx(total[name])
    assert [board["ID"] for board in boards] == [1, 2, 3]
    ratio = sum(board["Nominal MHS"] for board in rows(tuned, "devs")) / sum(board["Nominal MHS"] for board in boards)
    assert ratio == pytest.approx(0.8, abs=0.01)
    assert rows(tuned, "tunerstatus")[0]["PowerLimit"] == pytest.approx(0.8 * 3500, abs=5)


def test_chips_are_the_board_and_fifteen() -> None:
    """To the last digit."""
    assert [row["Chip"] - row["Board"] for row in rows(make(), "temps")] == [15.0, 15.0, 15.0]


def test_power_is_arithmetic() -> None:
    """Equal boards and 75 W, below the limit by less than a board's watt."""
    (row,) = rows(make(), "tunerstatus")
    chains = [chain["ApproximatePowerConsumptionWatt"] for chain in row["TunerChainStatus"]]
    assert len(set(chains)) == 1
    assert row["ApproximateMinerPowerConsumption"] == sum(chains) + 75
    assert 0 <= row["PowerLimit"] - row["ApproximateMinerPowerConsumption"] < 3


@pytest.mark.parametrize("board", [0, 1, 2])
def test_a_dead_board(board: int) -> None:
    """Not found: no row anywhere. Found: a row of noughts, and no temperature."""
    unit = make(DeadBoard(board=board, is_listed=False))
    kept = [number for number in (1, 2, 3) if number != board + 1]
    for command in ("devs", "devdetails", "temps"):
        assert [row["ID"] for row in rows(unit, command)] == kept
    listed = make(DeadBoard(board=board))
    assert [row["Nominal MHS"] > 0 for row in rows(listed, "devs")] == [number in kept for number in (1, 2, 3)]
    assert [row["Chips"] > 0 for row in rows(listed, "devdetails")] == [number in kept for number in (1, 2, 3)]
    assert [row["ID"] for row in rows(listed, "temps")] == kept


def test_a_paused_unit() -> None:
    """Nominal 0, sensors not ready, a text; the constants stay."""
    unit = make(Asleep())
    assert [row["Nominal MHS"] for row in rows(unit, "devs")] == [0.0, 0.0, 0.0]
    assert {row["Status"] for row in rows(unit, "devs")} == {"Alive"}
    assert told(unit, "temps")["STATUS"][0]["Msg"] == "Not ready"
    assert {chain["Status"] for chain in rows(unit, "tunerstatus")[0]["TunerChainStatus"]} == {"paused"}
    assert rows(unit, "tunerstatus")[0]["ApproximateMinerPowerConsumption"] == 0


def test_connectors_without_fans_are_listed() -> None:
    """Four at least, on a hydro unit too; a stopped fan reads 0 as well."""
    assert [row["RPM"] for row in rows(make(model="S21 Hyd."), "fans")] == [0, 0, 0, 0]
    speeds = [row["RPM"] for row in rows(make(FanStopped(fan=2)), "fans")]
    assert (speeds[2], min(speeds[:2]) > 0) == (0, True)


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b'{"command":"nonsense"}', 14, "Invalid command"),
        (b'{"command":"stats"} x', 23, "Invalid JSON"),
        (b"summary", 23, "Invalid JSON"),
        (b"\xff", 23, "Invalid JSON"),
        (b'{"x":1}', 24, "Missing JSON 'command'"),
        (b'{"command":"summary","parameter":"1"}', 45, "Access denied to 'summary' command"),
        (b'{"command":"addpool","parameter":"a,b,c"}', 45, "Access denied to 'addpool' command"),
    ],
)
def test_refusals(data: bytes, code: int, message: str) -> None:
    """By code and words, with the program's name."""
    (status,) = json.loads(answer(make(), read_request(data), START))["STATUS"]
    assert (status["STATUS"], status["Code"], status["Msg"]) == ("E", code, message)
    assert status["Description"].startswith("BOSer boser-buildroot 0.1.0-")


def test_joined_commands() -> None:
    """One list each; a part may be a refusal."""
    reply = told(make(), "summary+nonsense+fans")
    assert list(reply) == ["summary", "nonsense", "fans", "id"]
    assert reply["nonsense"][0]["STATUS"][0]["Code"] == 14
    assert len(reply["fans"][0]["FANS"]) == 4


def test_pause_and_resume_are_writes_that_act() -> None:
    """Without a login, as recorded on an S17."""
    unit = make()
    pause, resume = (read_request(b'{"command":"%s"}' % name) for name in (b"pause", b"resume"))
    assert told(unit, "pause")["PAUSE"] == [True]
    assert (ordered_mode(unit, pause), ordered_mode(unit, resume)) == (WORK_MODE_SLEEP, None)
    unit.schedule(Change(START + 1, 0, Verb.MODE, WORK_MODE_SLEEP))
    unit.advance(START + 2)
    assert ordered_mode(unit, resume) == WORK_MODE_NORMAL
    firmware = FIRMWARES["braiins"]
    assert all(firmware.is_write(request) for request in (pause, resume, read_request(b'{"command":"summary+pause"}')))
    assert not any(firmware.is_write(read_request(b'{"command":"%s"}' % name.encode())) for name in REPORTS)
