"""Units under other firmware: where their figures are, and that these are the true ones."""

import json
from typing import Any

import pytest
from sim_cases import START, make_farm

from simulators.farm.farm import Farm
from simulators.farm.truth import unit_truth
from simulators.faults.unit import DeadBoard
from simulators.faults.vocabulary import read_fault
from simulators.firmware.request import Request
from simulators.sockets.station import LiveUnit
from simulators.unit.delivery import Delivery
from simulators.unit.snapshot import Phase

STATS, SUMMARY, VERSION = (Request(name, is_new_api=False) for name in ("stats", "summary", "version"))
NEW = Request("stats", is_new_api=True)


def farm_with(name: str, **values: object) -> Farm:
    """Return a farm of one unit under one fault."""
    farm = make_farm(1)
    farm.inject(read_fault(name, values))
    farm.units[0].advance(START)
    return farm


def asked(farm: Farm, request: Request, at: float = START) -> Any:
    """Return the parsed reply of the farm's unit."""
    reply = LiveUnit(farm, farm.units[0]).answer(request, at)
    return json.loads((reply.reply if isinstance(reply, Delivery) else reply).rstrip(b"\0"))


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("chain_consumption", {"chain_consumption1", "chain_consumption2", "chain_consumption3"}),
        ("total_power", {"chain_power1", "chain_power2", "chain_power3", "chain_power4", "total_power"}),
        ("chain_power", {"chain_power1", "chain_power2", "chain_power3", "chain_power4", "chain_power"}),
        ("PSU Power", {"PSU Power"}),
        ("power", {"power"}),
        ("watt", {"watt"}),
    ],
)
def test_power_under_another_key_is_the_true_power(key: str, shown: set[str]) -> None:
    """The new keys are those of their firmware, and what they add up to is the power at the wall."""
    farm = farm_with("watts_elsewhere", key=key)
    sound = asked(make_farm(1), NEW if key in {"power", "watt"} else STATS)["STATS"][-1]
    figures = asked(farm, NEW)["STATS"][-1]
    assert figures.keys() - sound.keys() == shown
    parts = [
        value for name, value in figures.items() if name in shown and name[:-1] in {"chain_consumption", "chain_power"}
    ]
    watts = unit_truth(farm.units[0], START)["power_watts"]
    if parts:
        assert sum(parts) == pytest.approx(watts, abs=3.0)
    if key == "chain_power":
        assert figures[key] == f"{watts:.2f} (AB)"
    elif key in figures:
        assert figures[key] == pytest.approx(watts, abs=1.0)


def test_a_dead_board_draws_nothing() -> None:
    """The boards that are up share the power; the dead one has no key, or a nought."""
    farm = farm_with("watts_elsewhere")
    farm.inject(DeadBoard(board=1))
    farm.units[0].advance(START)
    figures = asked(farm, STATS)["STATS"][1]
    assert figures["chain_consumption1"] == figures["chain_consumption3"] == pytest.approx(1170, abs=60)
    assert "chain_consumption2" not in figures


def test_a_unit_whose_rate_is_in_summary_has_none_in_stats() -> None:
    """`stats` is empty in either dialect; `summary` has the true rate in MH/s, and no key in GH/s."""
    farm = farm_with("rate_in_summary")
    assert asked(farm, STATS)["STATS"] == asked(farm, NEW)["STATS"] == []
    summary = asked(farm, SUMMARY)
    assert summary["STATUS"][0]["Description"].startswith("BOSer ")
    figures = summary["SUMMARY"][0]
    assert not [key for key in figures if key.startswith("GHS")]
    assert {key for key in figures if key.startswith("MHS")} == {
        f"MHS {window}" for window in ("5s", "1m", "5m", "15m", "24h", "av")
    }
    true_hs = unit_truth(farm.units[0], START)["hashrate_hs"]
    assert figures["MHS 5s"] == pytest.approx(true_hs / 1e6, rel=0.04)
    assert figures["Elapsed"] == asked(make_farm(1), SUMMARY)["SUMMARY"][0]["Elapsed"]
    assert asked(farm, VERSION)["VERSION"] == [{"API": "3.7", "BOSer": "boser-buildroot 0.1.0-26ba61b9"}]


def test_a_window_longer_than_the_uptime_is_too_low() -> None:
    """Two minutes after a start a window of 24 h holds two minutes of work, divided by its whole length."""
    farm = farm_with("rate_in_summary", unit="GHS")
    farm.inject(read_fault("rebooting", {}))
    figures = asked(farm, SUMMARY, START + 45.0 + 120.0)["SUMMARY"][0]
    assert figures["Elapsed"] == 120
    assert figures["GHS 24h"] == pytest.approx(figures["GHS av"] * 120 / 86400, rel=0.01)
    assert figures["GHS 1m"] == figures["GHS 5s"]


@pytest.mark.parametrize(
    ("state", "phase", "cause"),
    [
        ("stopped", Phase.ASLEEP, "asleep"),
        ("paused", Phase.ASLEEP, "asleep"),
        ("failure", Phase.HASHING, "stopped"),
        ("mining", Phase.HASHING, None),
        ("auto-tuning", Phase.HASHING, None),
    ],
)
def test_a_state_in_words_is_what_the_unit_does(state: str, phase: Phase, cause: str | None) -> None:
    """Word, rate and truth agree; the reply has the shape of that firmware."""
    farm = farm_with("state_words", state=state)
    at = START + 600.0
    header, figures = asked(farm, NEW, at)["STATS"]
    assert header["Type"] == "Antminer S21 (Vnish 1.2.6)"
    assert (figures["state"], figures["chain_state1"], figures["chain_state3"]) == (state,) * 3
    truth = unit_truth(farm.units[0], at)
    assert (truth["state"], truth["cause"]) == (phase, cause)
    assert float(figures["GHS 5s"]) * 1e9 == pytest.approx(truth["hashrate_hs"], rel=0.04)
    assert isinstance(figures["GHS 5s"], str)
    refusal = asked(farm, VERSION, at)
    assert refusal["STATUS"][0]["Code"] == 0
    assert "id" not in refusal
    if phase is Phase.HASHING:
        assert (figures["freq_avg1"], figures["chain_acn1"]) == (490.0, 108)


def test_a_unit_that_initialises_says_so() -> None:
    """Before its boards are up, the word is neither mining nor stopped."""
    farm = farm_with("state_words", state="mining")
    farm.inject(read_fault("rebooting", {}))
    assert asked(farm, STATS, START + 60.0)["STATS"][1]["state"] == "initializing"


@pytest.mark.parametrize("name", ["watts_elsewhere", "rate_in_summary", "state_words"])
def test_other_firmware_answers_legacy_whatever_is_asked(name: str) -> None:
    """A request in the new dialect, the switch for sleep included, is taken for a legacy one."""
    farm = farm_with(name)
    assert isinstance(asked(farm, NEW)["STATUS"], list)
    assert asked(farm, Request("sleep", is_new_api=True))["STATUS"][0]["Code"] == 14
    farm.units[0].advance(START + 60.0)
    assert farm.units[0].work_mode == (1 if name == "state_words" else 0)
