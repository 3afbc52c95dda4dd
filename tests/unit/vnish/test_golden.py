"""Recorded units under VNish as whole polls: a golden file each, and the main figures spelled out."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from capture_files import capture
from vnish_cases import NEW, NEW_VERSION, OLD, S9_POOLS, S9_STATS, S9_VERSION, S21_PRO, polled

from agent.unit import registry
from agent.unit.cgminer import wire
from agent.unit.choice import VERSION, Told
from agent.unit.nameplate import Nameplate, shipped_catalogue
from agent.unit.reading import Mode, PowerKind
from agent.unit.vnish.conversation import POOLS, STATS
from agent.unit.vnish.reader import is_spoken

REFUSED = {VERSION: NEW_VERSION}
# The S19 XP's answer to `version` was not recorded; older builds answer it as the S9's does, with the model in it.
OF_THE_XP = S9_VERSION.replace(b"Antminer S9 (vnish 3.8.6)", b"Antminer S19 XP (Vnish 1.2.0-rc1)")
UNITS: dict[str, tuple[Mapping[bytes, bytes], Nameplate | None]] = {
    "s21pro-vnish-2026": ({**NEW, **REFUSED}, S21_PRO),
    "s19xp-vnish-2023": ({**OLD, VERSION: OF_THE_XP}, None),
    "other-s9-vnish-2020": ({STATS: S9_STATS, POOLS: S9_POOLS, VERSION: S9_VERSION}, None),
}


@pytest.mark.parametrize("name", UNITS)
def test_golden_poll(name: str, golden: Callable[[str, Any], None]) -> None:
    """The reader that chooses reads each recorded unit with this reader, in at most four requests."""
    answers, nameplate = UNITS[name]
    reading, asked = polled(answers, reader=registry.CHOOSING, nameplate=nameplate)
    assert reading.reader == "vnish"
    assert len(asked) <= 4
    golden(f"{name}.poll", msgspec.to_builtins(reading))


def test_the_s21_pro_hashes_while_it_tunes() -> None:
    """174 TH/s, three boards of 65 chips at 495 MHz, 2,583 W by the firmware's model, profile of 196.5 TH/s."""
    reading, asked = polled(NEW)
    assert asked == [STATS, POOLS]
    assert (reading.mode, reading.is_starting, reading.faults) == (Mode.NORMAL, False, ())
    assert (reading.rate_hs, reading.rate_window_s) == (173_870.94e9, 5.0)
    assert (reading.hashrate_avg_hs, reading.hashrate_30m_hs) == (174_374.75e9, None)
    assert (reading.hashrate_ideal_hs, reading.is_profile_ideal) == (196_517.17e9, True)
    assert (reading.power_watts, reading.power_kind) == (2583, PowerKind.ESTIMATED)
    assert [(board.slot, board.chips, board.frequency_hz) for board in reading.boards] == [
        (slot, 65, 495e6) for slot in range(3)
    ]
    assert reading.boards[0].pcb_celsius == (50, 40, 50, 50)
    assert reading.boards[0].chip_celsius == (65, 55, 65, 65)
    assert reading.is_chip_computed
    assert reading.fan_rpm == (5850, 5850, 5940, 5940)
    assert (reading.identity.model, reading.identity.firmware) == ("Antminer S21 Pro (Vnish 1.2.7)", "VNish 1.2.7")
    assert reading.repairs == ()


def test_the_s21_pro_owners_shares_are_without_the_fee() -> None:
    """1,599 shares are the owner's; `summary` says 1,823. Two pools have an active stratum, and one is the maker's."""
    reading, _ = polled(NEW)
    assert reading.shares is not None
    assert (reading.shares.accepted, reading.shares.rejected, reading.shares.hw_errors) == (1599, 9, 57)
    assert reading.shares.difficulty_accepted == 159_888_384
    assert [(pool.url, pool.is_active, pool.is_fee) for pool in reading.pools] == [
        ("stratum.braiins.com:3333", True, False),
        ("stratum.braiins.com:3333", False, False),
        ("DevFee", True, True),
    ]


def test_the_older_s19_xp_reports_no_power() -> None:
    """140 TH/s with 0 W on each board: no value. 92 % of the shares in `summary` are the maker's."""
    reading, _ = polled(OLD, nameplate=shipped_catalogue().find("S19 XP", 140e12))
    assert (reading.rate_hs, reading.mode) == (140_258.58 * 1e9, Mode.NORMAL)
    assert (reading.power_watts, reading.power_kind) == (None, None)
    assert [(board.slot, board.chips, board.bad_chips, board.hw_errors) for board in reading.boards] == [
        (0, 110, 0, 0),
        (1, 110, 0, 7994),
        (2, 110, 0, 0),
    ]
    assert reading.identity.firmware == "VNish 1.2.0-rc1"
    assert [pool.is_fee for pool in reading.pools] == [False, False, False, True]
    assert reading.shares is not None
    assert (reading.shares.accepted, reading.shares.difficulty_accepted) == (19_335, 10_636_623_872)


def test_the_oldest_leaves_a_comma_out_and_names_its_slots_from_six() -> None:
    """The S9's boards are those of its keys; it names no state, which stays unknown."""
    reading, _ = polled({STATS: S9_STATS, POOLS: S9_POOLS}, nameplate=None)
    assert (reading.rate_hs, reading.mode, reading.faults) == (12_795.48e9, None, ())
    assert [(board.slot, board.chips, board.pcb_celsius, board.chip_celsius) for board in reading.boards] == [
        (5, 63, (65,), (80,)),
        (6, 63, (56,), (71,)),
        (7, 63, (63,), (78,)),
    ]
    assert reading.fan_rpm == (5400, 5880)
    assert (reading.power_watts, reading.is_chip_computed) == (1485, True)
    assert [pool.is_fee for pool in reading.pools] == [False, False, False, True]
    assert reading.repairs == ("missing_comma",)


@pytest.mark.parametrize(
    "folder",
    ["s19kpro-luxos-2025", "s21-stock-aml-202407", "other-bmm100-braiins-2026", "other-s19jpro-hiveon-2024"],
)
def test_no_unit_of_another_firmware_is_taken_for_it(folder: str) -> None:
    """LuxOS, Braiins OS, Hiveon and stock keep their readers."""
    assert not is_spoken(Told(wire.decode_reply(capture(f"{folder}/tcp4028-version.json"), "version")))
