"""Simulated VNish against recorded: keys, types and order, and the lies it is known for."""

import json
from typing import Any

import pytest
from capture_files import capture
from sim_cases import START, make_unit

from simulators.faults.unit import Asleep, BadChips, DeadBoard, NoBoards, WorkDiverted
from simulators.firmware.registry import FIRMWARES
from simulators.firmware.request import Request, read_request
from simulators.firmware.vnish.generation import FEE_DIFFICULTY, NEW, OLD, generation_of
from simulators.unit.conditions import Change, Verb
from simulators.unit.physics import Climate
from simulators.unit.unit import Unit

VNISH = FIRMWARES["vnish"]
NEW_KEY, OLD_KEY = 7, 2


def unit_of(key: int = NEW_KEY, **changes: Any) -> Unit:
    """Return an S21 Pro under VNish; the key draws the generation."""
    return make_unit("S21 Pro", hashrate_th=234.0, key=key, firmware="vnish", **changes)


def reply(unit: Unit, command: str, at: float = START) -> Any:
    """Return a reply as JSON."""
    return json.loads(VNISH.answer(unit, Request(command, is_new_api=False), at))


def shape(value: Any) -> Any:
    """Return a reply with types for values; whole numbers where the recorded one has a fraction are the same."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value[:2]]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_the_keys_of_these_tests_draw_both_generations() -> None:
    """The cases below count on it."""
    assert generation_of(unit_of(NEW_KEY).identity) is NEW
    assert generation_of(unit_of(OLD_KEY).identity) is OLD


@pytest.mark.parametrize("command", ["stats", "summary", "pools", "devdetails"])
def test_the_newer_generation_prints_the_recorded_keys_types_and_order(command: str) -> None:
    """As s21pro-vnish-2026."""
    recorded = json.loads(capture(f"s21pro-vnish-2026/tcp4028-{command}.json"))
    assert shape(reply(unit_of(), command)) == shape(recorded)


@pytest.mark.parametrize("command", ["stats", "summary", "pools"])
def test_the_older_generation_prints_the_recorded_keys_types_and_order(command: str) -> None:
    """As s19xp-vnish-2023, blanks after the names of lists included."""
    recorded = capture(f"s19xp-vnish-2023/tcp4028-{command}.json")
    simulated = VNISH.answer(unit_of(OLD_KEY), Request(command, is_new_api=False), START)
    assert shape(json.loads(simulated)) == shape(json.loads(recorded))
    assert simulated[:12] == recorded[:12]


def test_version_tells_the_generations_apart() -> None:
    """Refused with code 0 and no id, to the byte but for the time; answered with the model by the older one."""
    refused = VNISH.answer(unit_of(), Request("version", is_new_api=False), 1773783713.0)
    assert refused == capture("s21pro-vnish-2026/tcp4028-unknown-command.json").strip()
    answered = reply(unit_of(OLD_KEY), "version")
    assert shape(answered) == shape(json.loads(capture("other-s9-vnish-2020/tcp4028-version.json")))
    assert answered["VERSION"][0]["Type"] == "Antminer S21 Pro (Vnish 1.2.0-rc1)"


def test_its_lies() -> None:
    """Chips are boards plus 15; boards share one figure of watts; the window of 30 minutes is the average."""
    unit = unit_of()
    stats, summary = reply(unit, "stats")["STATS"][1], reply(unit, "summary")["SUMMARY"][0]
    for slot in (1, 2, 3):
        chips, boards = (stats[f"temp_{part}{slot}"].split("-") for part in ("chip", "pcb"))
        assert [int(chip) - int(board) for chip, board in zip(chips, boards, strict=True)] == [15] * 4
    assert len({stats[f"chain_consumption{slot}"] for slot in (1, 2, 3)}) == 1
    assert len({stats[f"chain_rate{slot}"] for slot in (1, 2, 3)}) == 3
    assert summary["GHS 30m"] == summary["GHS av"]
    assert stats["total_rate"] == float(stats["GHS 5s"])
    assert reply(unit_of(OLD_KEY), "stats")["STATS"][1]["chain_consumption1"] == 0


def test_watts_are_shared_among_the_boards_that_run() -> None:
    """A board that is not found has none, and the others' sum is what the unit draws."""
    unit = unit_of()
    unit.schedule(Change(START + 1, 2, Verb.INJECT, 1, DeadBoard(board=1)))
    stats = reply(unit, "stats", START + 60)["STATS"][1]
    watts = [stats[f"chain_consumption{slot}"] for slot in (1, 2, 3)]
    assert watts[1] == 0
    assert watts[0] == watts[2] > 0
    assert sum(watts) == pytest.approx(0.93 * unit.snapshot(START + 60).power_watts, rel=0.05)


def test_a_profile_lowers_rate_ideal_clock_and_watts() -> None:
    """The ideal rate follows it; the truth calls the difference derated."""
    full, low = unit_of(), unit_of(tuning=0.83)
    before, after = (reply(unit, "stats")["STATS"][1] for unit in (full, low))
    for key in ("total_rateideal", "freq_avg1", "total_rate"):
        assert after[key] / before[key] == pytest.approx(0.83, rel=0.01)
    assert after["chain_consumption1"] < 0.83 * before["chain_consumption1"]
    losses = {str(cause): lost for cause, lost in low.losses_hs(START).items()}
    assert losses["derated"] == pytest.approx(0.17 * 234e12, rel=0.1)


def test_the_summary_counts_the_makers_shares() -> None:
    """The owner's pools have 97 % of the work; the maker's easy shares are a third of all shares."""
    unit = unit_of()
    rows, summary = reply(unit, "pools")["POOLS"], reply(unit, "summary")["SUMMARY"][0]
    assert [(row["URL"], row["Type"], row["Stratum Active"]) for row in rows[-1:]] == [("DevFee", 1, True)]
    assert sum(row["Accepted"] for row in rows) == summary["Accepted"]
    assert sum(row["Difficulty Accepted"] for row in rows) == summary["Difficulty Accepted"]
    fee = rows[-1]["Difficulty Accepted"] / summary["Difficulty Accepted"]
    assert fee == pytest.approx(NEW.fee_ratio, rel=0.02)
    assert rows[-1]["Last Share Difficulty"] == FEE_DIFFICULTY


@pytest.mark.parametrize("at", [0.0, 7200.0])
def test_diverted_work_goes_to_the_maker_while_it_lasts(at: float) -> None:
    """The owner's counters stand, alive and in use, and go on where they stood."""
    unit = unit_of()
    before = reply(unit, "pools", START)["POOLS"]
    unit.schedule(Change(START + 60.0, 0, Verb.INJECT, 1, WorkDiverted()))
    unit.schedule(Change(START + 7260.0, 1, Verb.CLEAR, 1))
    begun, later = (reply(unit, "pools", START + 61.0 + seconds)["POOLS"] for seconds in (0.0, at + 1.0))
    assert later[0]["Status"] == "Alive"
    owner = later[0]["Accepted"] - begun[0]["Accepted"]
    fee = later[-1]["Difficulty Accepted"] - begun[-1]["Difficulty Accepted"]
    assert before[0]["Accepted"] <= begun[0]["Accepted"]
    assert 0 <= owner <= 2
    assert (fee > 0.9 * 234e12 * 7200.0 / 2**32) is (at > 0.0)
    after = reply(unit, "pools", START + 7260.0 + 3600.0)["POOLS"]
    expected = 3600.0 * 234e12 / 2**32 * (1.0 - NEW.fee_ratio)
    assert after[0]["Difficulty Accepted"] - later[0]["Difficulty Accepted"] == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("faults", "word", "board"),
    [
        ((), {"mining", "auto-tuning"}, "mining"),
        ((Asleep(),), {"stopped"}, "stopped"),
        ((DeadBoard(board=1),), {"mining", "auto-tuning"}, "disconnected"),
        ((DeadBoard(board=1, is_listed=False),), {"mining", "auto-tuning"}, "disconnected"),
        ((BadChips(board=1, chips=9),), {"mining", "auto-tuning"}, "mining"),
        ((NoBoards(),), {"failure"}, None),
    ],
)
def test_faults_of_the_unit_show_in_its_words(faults: tuple[Any, ...], word: set[str], board: str | None) -> None:
    """In both generations; a failed start lists no chain."""
    for key in (NEW_KEY, OLD_KEY):
        stats = reply(unit_of(key, faults=faults), "stats")["STATS"][1]
        assert stats["state"] in word
        assert stats.get("chain_state2") == board
        if board == "disconnected":
            assert (stats["chain_acn2"], stats["chain_rate2"], stats["chain_acn1"]) == (0, 0.0, 65)


def test_heat_is_a_failure_and_no_sleep() -> None:
    """At 50 C of inlet air."""
    stats = reply(unit_of(climate=Climate(mean_celsius=50.0, swing_celsius=0.0)), "stats")["STATS"][1]
    assert (stats["state"], stats["GHS 5s"]) == ("failure", "0.00")


@pytest.mark.parametrize("command", ["addpool", "restart", "summary+quit", "stats+pools"])
def test_nothing_on_its_api_changes_it(command: str) -> None:
    """What would is refused like an unknown command, and known as a write."""
    unit = unit_of()
    assert reply(unit, command)["STATUS"][0]["Code"] == 0
    request = read_request(json.dumps({"command": command}).encode())
    assert VNISH.is_write(request) is (command != "stats+pools")
    assert VNISH.ordered_mode(unit, request) is None
