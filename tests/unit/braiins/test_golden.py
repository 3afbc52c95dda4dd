"""Recorded units read as whole polls: a golden file for each, and the main figures spelled out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from braiins_units import AT, BMM, BRAIINS, S9, S9_MINUTE_MHS, polls, rated, reply_in
from capture_files import capture

from agent.errors import RefusedError
from agent.unit.braiins.devdetails import read_devdetails
from agent.unit.braiins.devs import read_devs
from agent.unit.braiins.fans import read_fans
from agent.unit.braiins.summary import read_summary
from agent.unit.braiins.temps import read_temps
from agent.unit.braiins.tunerstatus import Work, read_tunerstatus
from agent.unit.reading import BoardReading, PowerKind

READERS: dict[str, Callable[[bytes], Any]] = {
    "summary": lambda data: read_summary(data, at=AT),
    "devs": lambda data: read_devs(data, set()),
    "devdetails": lambda data: read_devdetails(data, set()),
    "temps": lambda data: read_temps(data, set()),
    "fans": lambda data: read_fans(data, set()),
    "tunerstatus": lambda data: read_tunerstatus(data, set()),
}
REPORTS = [path for path in BRAIINS if path.name.split(".")[0].split("-")[1] in READERS]


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_golden_report(path: Path, golden: Callable[[str, Any], None]) -> None:
    """Each recorded report is read as its reviewed golden file says."""
    found = READERS[path.name.split(".")[0].split("-")[1]](path.read_bytes())
    fields = found._asdict() if hasattr(found, "_asdict") else found
    golden(f"braiins.{path.parent.name}.{path.name.removesuffix('.json')}", msgspec.to_builtins(fields, str_keys=True))


@pytest.mark.parametrize(("name", "unit"), [("bmm100", BMM), ("s9", S9)])
def test_golden_polls(name: str, unit: dict[bytes, bytes], golden: Callable[[str, Any], None]) -> None:
    """The reading after three polls of a recorded unit equals its reviewed golden file."""
    *_, (_, reading) = polls(unit, 3)
    golden(f"braiins.{name}.polls", msgspec.to_builtins(reading))


def test_bmm_100() -> None:
    """The only complete set of newer firmware: 1.474 TH/s over a minute, one board, a chip that is measured."""
    *_, (_, reading) = polls(BMM, 3)
    assert (reading.reader, reading.mode, reading.repairs) == ("braiins", None, ())
    assert (reading.identity.model, reading.identity.firmware) == (
        "Braiins Mini Miner BMM 100",
        "BOSer boser-openwrt 0.1.0-fc9fe388",
    )
    assert (reading.hashrate_5s_hs, reading.rate_window_s) == (1474444.6406221339e6, 60)
    assert (reading.hashrate_ideal_hs, reading.is_profile_ideal) == (1521123.651504e6, True)
    assert reading.boards == (
        BoardReading(
            slot=0,
            hashrate_hs=1474511.4927669638e6,
            chips=4,
            frequency_hz=739e6,
            chip_celsius=(68,),
            pcb_celsius=(61,),
            hw_errors=0,
        ),
    )
    assert (reading.is_chip_computed, reading.fan_rpm, reading.uptime_s) == (False, (1973,), 2_527_509)
    assert (reading.power_watts, reading.power_kind) == (None, None)
    assert [(pool.index, pool.status, pool.is_active, pool.is_fee) for pool in reading.pools] == [
        (0, "Alive", True, False),
        (1, "Alive", False, False),
        (2, "Alive", False, False),
    ]
    assert reading.shares is not None
    assert (reading.shares.accepted, reading.shares.difficulty_accepted) == (323_094, 832_065_276)


def test_s9_on_2020_firmware() -> None:
    """Boards 6, 7, 8, clocks in Hz, two fans on four connectors, power of the tuner, a minute that is not full."""
    *_, (_, reading) = polls(S9, 3, rated(boards=3, fans=2))
    assert [board.slot for board in reading.boards] == [0, 1, 2]
    assert [board.chips for board in reading.boards] == [63, 63, 63]
    assert [board.frequency_hz for board in reading.boards] == [799682118, 809812285, 770406487]
    assert [board.chip_celsius for board in reading.boards] == [(104.625,), (108.9375,), (105.4375,)]
    assert (reading.is_chip_computed, reading.fan_rpm) == (False, (5340, 4620))
    assert (reading.power_watts, reading.power_kind) == (1419, PowerKind.ESTIMATED)
    assert (reading.hashrate_5s_hs, reading.hashrate_ideal_hs) == (S9_MINUTE_MHS * 1e6, 14_004_900e6)
    assert (reading.uptime_s, reading.rate_window_s, reading.repairs) == (55, 60, ())


def test_unknown_chips_have_no_temperature() -> None:
    """Chip 0.0 is no reading; the board's own stays."""
    temps = read_temps(capture("other-s9-bosminerplus-2020/tcp4028-temps.json"), set())
    assert [tuple(sensors) for sensors in temps.sensors.values()] == [(75, None), (63, None), (70, None)]


def test_words_of_a_tuner_that_tunes() -> None:
    """A unit whose chips are being tuned hashes."""
    tuner = read_tunerstatus(capture("other-s9-bosminerplus-2020-tuning/tcp4028-tunerstatus.json"), set())
    assert tuner == (1419, Work.HASHING)


def test_a_broken_request_is_refused_by_name() -> None:
    """The error names the firmware and its code."""
    with pytest.raises(RefusedError, match=r"code 23, 'Invalid JSON' from Braiins OS") as caught:
        read_summary(reply_in("other-s9-braiins-2025", "invalid-json.subset"), at=AT)
    assert caught.value.code == 23
