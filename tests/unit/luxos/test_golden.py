"""Recorded LuxOS units to readings, as whole polls: a golden file each, and the main figures spelled out."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from capture_files import capture
from luxos_unit import LuxosUnit, recorded

from agent.unit.luxos.faults import faults_of
from agent.unit.luxos.reports import EVENTS_SHAPE
from agent.unit.reading import Dialect, Fault, Mode, PowerKind

S19K, S19J = "s19kpro-luxos-2025", "s19jpro-luxos-2025"
EVENTS = capture("other-luxos-2026-events/tcp4028-events.json")


@pytest.mark.parametrize("folder", [S19K, S19J])
@pytest.mark.parametrize("is_joining", [True, False], ids=["joined", "single"])
def test_golden_reading(folder: str, is_joining: bool, golden: Callable[[str, Any], None]) -> None:  # noqa: FBT001
    """The reading is the reviewed one, whether the unit joins its reports or is asked for them one by one."""
    unit = LuxosUnit(recorded(folder), is_joining=is_joining)
    golden(f"{folder}.luxos", msgspec.to_builtins(unit.polls(1 if is_joining else 4, slow_every=6)))
    assert all(len(asked) <= 5 for asked in unit.asked)


def test_s19k_pro() -> None:
    """59.8 TH/s now of a profile of 62.0; three boards of now, an estimated 1,051 W, two active pools of the owner."""
    reading = LuxosUnit(recorded(S19K)).poll()
    assert (reading.reader, reading.dialect, reading.mode, reading.is_starting) == (
        "luxos",
        Dialect.LEGACY,
        Mode.NORMAL,
        False,
    )
    assert (reading.identity.model, reading.identity.firmware, reading.identity.miner) == (
        "Antminer S19k Pro",
        "LUXminer 2025.4.8.220305-57b389c7",
        "2025.4.8.220305",
    )
    assert (reading.uptime_s, reading.rate_window_s) == (3453, 5)
    assert reading.hashrate_5s_hs == 59_756.06e9
    assert (reading.hashrate_30m_hs, reading.hashrate_avg_hs) == (61_154.22e9, 56_917.91e9)
    assert (reading.hashrate_ideal_hs, reading.is_profile_ideal, reading.hashrate_sale_hs) == (61_954.2e9, True, None)
    assert (reading.power_watts, reading.power_kind) == (1051, PowerKind.ESTIMATED)
    assert [board.slot for board in reading.boards] == [0, 1, 2]
    # The boards' own 5 s rates, which sum to the total: not the averages under `chain_rateN` of `stats`.
    assert [round((board.hashrate_hs or 0) / 1e9, 2) for board in reading.boards] == [19_773.83, 19_230.59, 20_751.65]
    assert not any(board.is_average for board in reading.boards)
    assert [board.pcb_celsius for board in reading.boards] == [(34, 34, 47, 47), (33, 33, 47, 47), (34, 34, 47, 47)]
    assert {board.chip_celsius for board in reading.boards} == {()}
    # FAN1 to FAN4; the list begins with FAN4.
    assert reading.fan_rpm == (2340, 1920, 2340, 1920)
    assert [(pool.index, pool.is_active, pool.is_fee, pool.accepted) for pool in reading.pools] == [
        (0, True, False, 724),
        (1, False, False, 0),
        (2, True, False, 759),
        (3, False, False, 0),
    ]
    assert reading.shares is not None
    assert reading.shares.difficulty_accepted == sum(pool.difficulty_accepted or 0 for pool in reading.pools)
    assert (reading.faults, reading.repairs) == ((), ())


def test_s19j_pro() -> None:
    """68.1 TH/s, three boards of 126 chips, each at its slot; `devs` and `power` were not recorded."""
    reading = LuxosUnit(recorded(S19J)).poll()
    assert (reading.identity.model, reading.uptime_s) == ("Antminer S19j Pro", 273_540)
    assert (reading.hashrate_5s_hs, reading.hashrate_30m_hs) == (68_104.52 * 1e9, 67_091.32 * 1e9)
    assert [(board.slot, board.chips, board.frequency_hz) for board in reading.boards] == [
        (0, 126, 350e6),
        (1, 126, 335e6),
        (2, 126, 354e6),
    ]
    # Intake (top), intake (bottom), exhaust (top), exhaust (bottom).
    assert [board.pcb_celsius for board in reading.boards] == [(42, 40, 48, 47), (43, 40, 50, 47), (46, 41, 52, 48)]
    assert (reading.power_watts, reading.fan_rpm, reading.mode) == (None, (), Mode.NORMAL)
    assert [(pool.is_active, pool.difficulty_accepted) for pool in reading.pools] == [(True, 4_001_824_768)]


def test_the_joined_reply_of_the_s19j_pro() -> None:
    """The recorded joined reply reads as its parts do: each is the only item of a list under its command."""
    name = "atm+autotunerget+config+devdetails+pools+summary+tempctrl+temps+version"
    joined = msgspec.json.decode(capture(f"{S19J}/tcp4028-joined-{name}.json"))
    parts = recorded(S19J)
    assert {command: [parts[command]] for command in parts} == {command: joined[command] for command in parts}
    unit = LuxosUnit(parts)
    unit.replies["power+temps+fans+config"] = unit.replies["pools+devdetails+events"] = joined
    assert unit.poll() == LuxosUnit(parts).poll()


def test_recorded_events() -> None:
    """A board that was restarted because it did not hash, and a protection that shut the miner down."""
    report, repairs = EVENTS_SHAPE.read(EVENTS)
    assert (faults_of(report), repairs) == ((Fault.BOARD, Fault.UNNAMED), ())


@pytest.mark.parametrize(
    ("folder", "chips", "default_mhz", "ghs_per_mhz"), [(S19K, 3 * 77, 590, 0.894), (S19J, 3 * 126, 525, 0.514)]
)
def test_its_nameplate_is_arithmetic_and_no_bin(folder: str, chips: int, default_mhz: int, ghs_per_mhz: float) -> None:
    """`NameplateTHS` is chips x clock of the default profile, whatever the unit was sold as: no bin."""
    told = recorded(folder)["config"]["CONFIG"][0]["NameplateTHS"]
    assert told == pytest.approx(chips * default_mhz * ghs_per_mhz / 1000, abs=0.06)
    assert LuxosUnit(recorded(folder)).poll().hashrate_sale_hs is None
