"""The ideal rate of other firmware: it is that of the running profile, takes what it explains, and is no bin."""

import json
from typing import Any

import pytest
from capture_files import capture

from agent.site.evidence import low_clock
from agent.site.hardware import visible_faults
from agent.site.mismatch import reported_bin
from agent.unit.antminer.stats import read_stats
from agent.unit.model_names import names_firmware
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import UnitReading

TH = 1e12
S21 = shipped_catalogue().find("S21", 200 * TH)
S21_PRO = shipped_catalogue().find("S21 Pro", 234 * TH)
STOCK, VNISH = "cgminer 1.0.0", "cgminer 4.11.1"


def read(model: str, description: str, *, ideal_th: float, boards: int = 3, **changes: Any) -> UnitReading:
    """Return the reading of a legacy reply with boards of 108 chips and an ideal rate."""
    data: dict[str, Any] = {"Elapsed": 86_400, "GHS 5s": 150_000, "total_rateideal": ideal_th * 1000}
    for number in range(1, boards + 1):
        data |= {f"chain_acn{number}": 108, f"chain_rate{number}": "50000"}
    status = {"STATUS": "S", "Code": 70, "Msg": "CGMiner stats", "Description": description}
    body = {"STATUS": [status], "STATS": [{"Type": model}, data | changes], "id": 1}
    return read_stats(json.dumps(body).encode() + b"\0", unit_id="u1", at=1e9)


PROFILES = [
    read("Antminer S21 (Vnish 1.2.6)", VNISH, ideal_th=151),
    read("Antminer S21", VNISH, ideal_th=151, state="mining"),
    read("Antminer S21 (7Miners 1.2.6-rc1)", VNISH, ideal_th=151),
    read("Antminer S21", "LUXminer 2025.7.10", ideal_th=151),
    read("Antminer S21", "BOSer boser-openwrt 0.1.0", ideal_th=151),
    read("Antminer S21 Hiveon", VNISH, ideal_th=151),
]


@pytest.mark.parametrize("reading", PROFILES)
def test_a_profile_is_no_bin_and_takes_the_shortfall(reading: UnitReading) -> None:
    """151 TH/s is also a bin of the S21, and still says nothing about this unit's."""
    assert S21 is not None
    assert reported_bin(reading) is None
    assert visible_faults(S21, reading).clocks_hs == 49 * TH
    assert low_clock(reading, S21).why == "profile of 151 of 200 TH/s"


def test_a_profile_leaves_absent_boards_to_themselves() -> None:
    """What the boards that are present could do less the profile's rate; nothing if the profile is of all boards."""
    assert S21 is not None
    two = visible_faults(S21, read("Antminer S21 (Vnish 1.2.6)", VNISH, ideal_th=100, boards=2))
    assert (two.boards_hs, two.clocks_hs) == pytest.approx((200 * TH / 3, 100 * TH / 3))
    whole = visible_faults(S21, read("Antminer S21 (Vnish 1.2.6)", VNISH, ideal_th=151, boards=2))
    assert whole.clocks_hs == 0


def test_the_ideal_of_stock_firmware_is_the_sticker() -> None:
    """It is a bin, and explains nothing."""
    assert S21 is not None
    reading = read("Antminer S21", STOCK, ideal_th=188)
    told = reported_bin(reading)
    assert told is not None
    assert told.hashrate_hs == 188 * TH
    assert visible_faults(S21, reading).clocks_hs == 0


def test_a_recorded_profile() -> None:
    """An S21 Pro, whose rated clock no source tells, runs a profile of 196.5 of 234 TH/s."""
    assert S21_PRO is not None
    reading = read_stats(capture("s21pro-vnish-2026/tcp4028-stats.json"), unit_id="u1", at=1e9)
    assert visible_faults(S21_PRO, reading).clocks_hs == pytest.approx(37.48283e12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Antminer S21 (Vnish 1.2.6)", True),
        ("S19JPRO Hiveon", True),
        ("S19 Pro Hyd [LuxOS]", True),
        ("Antminer S21 Imm. (HEM)", False),
        ("Antminer S21 XP Hyd.", False),
        ("", False),
    ],
)
def test_names_of_firmware(name: str, expected: bool) -> None:  # noqa: FBT001
    """A bracket names a firmware unless it holds a work mode."""
    assert names_firmware(name) is expected
