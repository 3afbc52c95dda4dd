"""Recorded replies to readings: a golden file for every whole capture, and the main figures spelled out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from capture_files import (
    FILES,
    INVALID_COMMAND,
    S19_STATS,
    S21_ASLEEP_STATS,
    S21_POOLS,
    S21_STATS,
    S21_SUMMARY,
    T21_ASLEEP_STATS,
    capture,
    is_whole,
)

from agent.errors import MalformedReplyError, PollError, RefusedError, UnsupportedReplyError
from agent.unit.antminer import stats as antminer
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.summary import read_summary
from agent.unit.cgminer.version import read_version
from agent.unit.reading import Dialect, Mode, UnitReading

AT = 1763674560.0


def read(data: bytes) -> UnitReading:
    """Read a `stats` reply of unit u1."""
    return antminer.read_stats(data, unit_id="u1", at=AT)


READERS: dict[str, Callable[[bytes], Any]] = {
    "stats": read,
    "summary": lambda data: read_summary(data, at=AT)._asdict(),
    "pools": read_pools,
    "version": read_version,
}


def command_of(path: Path) -> str:
    """Return the command that a capture answers: ``tcp4028-stats.subset.json`` is `stats`."""
    return path.name.split(".")[0].split("-")[1]


GOLDEN = [path for path in FILES if is_whole(path) and command_of(path) in READERS and path.name != "http-summary.json"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_golden_reading(path: Path, golden: Callable[[str, Any], None]) -> None:
    """The reading of a whole capture equals its reviewed golden file."""
    reading = READERS[command_of(path)](path.read_bytes())
    golden(f"{path.parent.name}.{path.name.removesuffix('.json')}", msgspec.to_builtins(reading))


def test_every_whole_capture_is_read_or_known_not_to_be() -> None:
    """A new whole capture that no reader accepts fails here."""
    left_out = {path.name for path in FILES if is_whole(path)} - {path.name for path in GOLDEN}
    assert left_out == {
        "http-summary.json",
        "tcp4028-unknown-command.json",
        "tcp4028-devs.json",
        # Of LuxOS; its own golden readings are of whole polls.
        "tcp4028-config.json",
        "tcp4028-events.json",
        "tcp4028-fans.json",
        "tcp4028-power.json",
        "tcp4028-temps.json",
        "tcp4028-joined-atm+autotunerget+config+devdetails+pools+summary+tempctrl+temps+version.json",
        "tcp4028-config-denied.json",
        "tcp4028-devdetails.json",
        "tcp4028-devdetails-denied.json",
        "tcp4028-invalid-json.subset.json",
        # Read by `agent.unit.braiins`, whose own tests have it.
        "tcp4028-tunerstatus.json",
    }


def test_hashing_s21() -> None:
    """The recorded hashing S21: 206.9 TH/s now, 203.9 on average, 200 ideal, three boards of 108 chips."""
    reading = read(S21_STATS)
    assert reading.dialect is Dialect.NEW_API
    assert (reading.identity.model, reading.identity.firmware, reading.identity.miner) == (
        "Antminer S21",
        "Thu Jul 11 16:38:25 CST 2024",
        "uart_trans.1.3",
    )
    assert reading.uptime_s == 8152
    assert reading.hashrate_5s_hs == 206_901.8e9
    assert reading.hashrate_30m_hs == 204_393.1e9
    assert reading.hashrate_avg_hs == 203_856.36e9
    assert reading.hashrate_ideal_hs == 200e12
    assert reading.fan_rpm == (7000, 7000, 7000, 7000)
    assert [(board.slot, board.chips, board.frequency_hz, board.hw_errors) for board in reading.boards] == [
        (0, 108, 490e6, 0),
        (1, 108, 490e6, 1),
        (2, 108, 490e6, 1),
    ]
    assert [board.hashrate_hs for board in reading.boards] == [67_293.41e9, 68_916.75e9, 70_691.63e9]
    assert [board.chip_celsius for board in reading.boards] == [(59, 59, 73, 73), (59, 59, 72, 72), (59, 59, 73, 73)]
    assert [board.pcb_celsius for board in reading.boards] == [(54, 54, 68, 68), (54, 54, 67, 67), (54, 54, 68, 68)]
    # The capture has no mode, and stock firmware reports no watts; both are absent.
    assert (reading.mode, reading.power_watts, reading.repairs) == (None, None, ())


def test_summary_of_the_s21() -> None:
    """The `summary` of an S21 has rates in H/s and share counters."""
    summary = read_summary(S21_SUMMARY, at=AT)
    assert summary.uptime_s == 59_129
    assert summary.rates == (203_007.01e9, 203_915.73e9, 203_675.66e9, ())
    assert (summary.shares.accepted, summary.shares.rejected, summary.shares.stale) == (11_187, 9, 0)
    assert summary.shares.difficulty_accepted == 2_785_931_264
    assert (summary.shares.hw_errors, summary.shares.best_share) == (61, 5_254_813_688)
    assert (summary.shares.at, summary.repairs) == (AT, ())


def test_pools_of_the_s21() -> None:
    """The recorded S21 has one active pool and two empty slots, with status Deed."""
    pools, repairs = read_pools(S21_POOLS)
    assert [(pool.index, pool.status, pool.is_active, pool.url) for pool in pools] == [
        (0, "Alive", True, "stratum+tcp://stratum.braiins.com:3333"),
        (1, "Deed", False, None),
        (2, "Deed", False, None),
    ]
    assert (pools[0].accepted, pools[0].difficulty_accepted, repairs) == (11_187, 2_785_931_264, ())


@pytest.mark.parametrize(
    ("data", "model", "firmware"),
    [
        (S21_ASLEEP_STATS, "Antminer S21", "Fri Oct 11 16:34:48 CST 2024"),
        (T21_ASLEEP_STATS, "Antminer T21", "Sun Jan 26 18:50:43 CST 2025"),
    ],
)
def test_sleeping_unit_reports_only_its_identity(data: bytes, model: str, firmware: str) -> None:
    """A header alone is a sleeping unit; its boards, fans, rates and uptime are absent."""
    reading = read(data)
    assert (reading.mode, reading.dialect) == (Mode.SLEEP, Dialect.LEGACY)
    assert (reading.identity.model, reading.identity.firmware) == (model, firmware)
    assert (reading.boards, reading.fan_rpm) == ((), ())
    assert (reading.hashrate_5s_hs, reading.hashrate_30m_hs, reading.hashrate_avg_hs) == (None, None, None)
    assert (reading.hashrate_ideal_hs, reading.uptime_s, reading.power_watts) == (None, None, None)


def test_legacy_s19_pro() -> None:
    """The legacy S19 Pro has three boards of 114 chips; its fourth slot is empty."""
    reading = read(S19_STATS)
    assert (reading.dialect, reading.mode, reading.identity.model) == (Dialect.LEGACY, Mode.NORMAL, "Antminer S19 Pro")
    assert reading.uptime_s == 50_474
    assert reading.hashrate_5s_hs == 110_566.89e9
    assert reading.hashrate_avg_hs == 111_834.63e9
    assert reading.hashrate_30m_hs == 111_878.26e9
    assert reading.hashrate_ideal_hs == 110e12
    assert reading.fan_rpm == (6000, 5880, 5040, 5040)
    assert [(board.slot, board.chips, board.hashrate_hs) for board in reading.boards] == [
        (0, 114, 37_603.30e9),
        (1, 114, 35_536.22e9),
        (2, 114, 37_427.38e9),
    ]
    assert [board.chip_celsius for board in reading.boards] == [(78, 50, 69, 70), (52, 55, 70, 71), (51, 49, 69, 68)]
    assert [board.pcb_celsius for board in reading.boards] == [(73, 45, 64, 65), (47, 50, 65, 66), (46, 44, 64, 63)]
    assert [(board.frequency_hz, board.hw_errors) for board in reading.boards] == [
        (525e6, 183),
        (525e6, 195),
        (525e6, 184),
    ]
    assert reading.repairs == ()


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            "s19pro-stock-2023-issue50/tcp4028-stats.python-repr.truncated.txt",
            MalformedReplyError,
            "reply is not JSON at byte 0: \"'chain_acs4': '',",
        ),
        (
            "s19pro-stock-2023-issue50/tcp4028-invalid-command.python-repr.txt",
            MalformedReplyError,
            "reply is not JSON at byte 1: \"{'STATUS': [{'Code': 14,",
        ),
        ("s19proplus-hyd-stock-202303/http-stats.truncated.txt", MalformedReplyError, '"temp_pic": [64, 42, 50, 0]'),
        ("stock-antminer-2024-pr151/tcp4028-pools.truncated.txt", MalformedReplyError, '"Rejected": 0'),
        ("other-s19jpro-hiveon-2024/tcp4028-stats.truncated.txt", MalformedReplyError, '"GHS av":103914.'),
        ("other-s9-stock-2018/tcp4028-stats.malformed.truncated.txt", MalformedReplyError, '"freq_avg13":0.00,"fre'),
        (
            "other-z9mini-stock-2018/tcp4028-joined-summary+devs+pools.truncated.txt",
            MalformedReplyError,
            '"Remote Failures":4,',
        ),
        (
            "other-s9-stock-2016/tcp4028-config-denied.json",
            RefusedError,
            "code 45, \"Access denied to 'config' command\"",
        ),
        ("other-s19jpro-hiveon-2024/tcp4028-devdetails-denied.json", RefusedError, 'code 45, "Access denied'),
        ("s21-stock-aml-202407/tcp4028-devs.json", UnsupportedReplyError, "no STATS"),
        ("s19pro-stock-202212/tcp4028-pools.json", UnsupportedReplyError, "no STATS"),
    ],
)
def test_other_replies_say_why(name: str, error: type[PollError], message: str) -> None:
    """The error of a cut reply shows where it broke, of a refusal the code, of another report what is missing."""
    with pytest.raises(error) as caught:
        read(capture(name))
    assert message in str(caught.value)


def test_unknown_command() -> None:
    """Only code 14 means an unknown command; code 45 is a denied access."""
    with pytest.raises(RefusedError) as refused:
        read(INVALID_COMMAND)
    assert (refused.value.code, antminer.is_invalid_command(refused.value)) == (14, True)
    with pytest.raises(RefusedError) as denied:
        read(capture("other-s9-stock-2016/tcp4028-config-denied.json"))
    assert (denied.value.code, antminer.is_invalid_command(denied.value)) == (45, False)


@pytest.mark.parametrize("reader", ["summary", "pools", "version"])
def test_another_report_is_not_read_as_this_one(reader: str) -> None:
    """A reader raises for the wrong report, instead of returning an empty one."""
    with pytest.raises(UnsupportedReplyError):
        READERS[reader](S21_STATS)


def test_summary_in_the_other_dialect() -> None:
    """A `summary` of the new dialect has rates and uptime; it names no fault while all is fine."""
    summary = read_summary(capture("s21-stock-aml-202407/http-summary.json"), at=AT)
    assert summary.uptime_s == 3817
    assert summary.rates == (206_238.69e9, 204_185.62e9, 203_719.72e9, ())
    assert (summary.faults, summary.shares.accepted, summary.shares.hw_errors) == ((), None, 2)
