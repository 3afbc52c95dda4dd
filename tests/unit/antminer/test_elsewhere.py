"""Figures under the keys of other firmware, in both dialects: power, states, clocks, chip maps and rates."""

import copy
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from capture_files import S19_STATS, S21_STATS, capture
from msgspec import UNSET, UnsetType

from agent.errors import UnsupportedReplyError
from agent.unit.antminer import fast_stats, stats_schema
from agent.unit.antminer.stats import read_stats
from agent.unit.cgminer.watts import read_watts
from agent.unit.reading import Fault, Mode, PowerKind, UnitReading

AT = 1763674560.0
S19, S21 = json.loads(S19_STATS), json.loads(S21_STATS)
MEASURED, ESTIMATED = PowerKind.MEASURED, PowerKind.ESTIMATED


def read(body: Any) -> UnitReading:
    """Read a `stats` reply given as a JSON value."""
    return read_stats(json.dumps(body).encode() + b"\0", unit_id="u1", at=AT)


def legacy(**changes: Any) -> UnitReading:
    """Return the reading of the S19 Pro's reply with keys changed; two underscores stand for a blank."""
    body = copy.deepcopy(S19)
    body["STATS"][1] |= {name.replace("__", " "): value for name, value in changes.items()}
    return read(body)


def new_api(**changes: Any) -> UnitReading:
    """Return the reading of the S21's reply with keys changed, likewise; `boards` changes each board in turn."""
    body = copy.deepcopy(S21)
    for chain, of_board in zip(body["STATS"][0]["chain"], changes.pop("boards", ()), strict=False):
        chain.update(of_board)
    body["STATS"][0] |= {name.replace("__", " "): value for name, value in changes.items()}
    return read(body)


def of_boards(key: str, *values: Any) -> dict[str, Any]:
    """Return the keys of the boards of the legacy dialect, numbered from 1."""
    return {f"{key}{number}": value for number, value in enumerate(values, start=1)}


@pytest.mark.parametrize("dialect", [legacy, new_api])
@pytest.mark.parametrize(
    ("changes", "watts", "kind"),
    [
        ({"power": 3499}, 3499, ESTIMATED),
        ({"watt": "3,499"}, 3499, ESTIMATED),
        ({"power": "3499 W"}, 3499, ESTIMATED),
        ({"power": "3.5 kW"}, 3500, ESTIMATED),
        ({"power_kw": 3.5}, 3500, ESTIMATED),
        ({"power_kw": "3.5"}, 3500, ESTIMATED),
        ({"total_power": 2550.5}, 2550.5, ESTIMATED),
        ({"Total__Power": "2550"}, 2550, ESTIMATED),
        ({"Power": 3357}, 3357, ESTIMATED),
        ({"chain_power": "967.50 (AB)"}, 967.5, ESTIMATED),
        ({"power_consumption": 2800}, 2800, ESTIMATED),
        ({"PSU__Power": "3,600 W"}, 3600, MEASURED),
        ({"psu_power": 3600, "power": 3499}, 3600, MEASURED),
        ({"Input__Power": 3600}, 3600, MEASURED),
        ({"PSU__Input__Power": 3600}, 3600, MEASURED),
        ({"input_power": 3600}, 3600, MEASURED),
        ({"Power__Consumption": "2800"}, 2800, ESTIMATED),
        ({"miner_power": 2800}, 2800, ESTIMATED),
        ({"total_watt": 2800}, 2800, ESTIMATED),
        ({"power": 0, "watt": 3499}, 3499, ESTIMATED),
        ({"watt": 0, "total_power": 3499}, 3499, ESTIMATED),
        ({"watt": 0}, 0, ESTIMATED),
        ({"power": 3.5}, 3.5, ESTIMATED),
        ({"power": -5}, None, None),
        ({"total_power": "much"}, None, None),
        ({"total_power": 1e9}, None, None),
    ],
)
def test_power_of_the_unit(
    dialect: Callable[..., UnitReading], changes: dict[str, Any], watts: float | None, kind: PowerKind | None
) -> None:
    """Power stands under many keys, as a number or a text; the supply's own figure comes first, and is measured."""
    reading = dialect(**changes)
    assert (reading.power_watts, reading.power_kind) == (watts, kind)


@pytest.mark.parametrize(
    ("reading", "watts"),
    [
        (legacy(**of_boards("chain_consumption", 850, 850, 850)), 2550),
        (legacy(**of_boards("chain_power", "850 W", "850", 850.5)), 2550.5),
        (legacy(**of_boards("chain_consumption", 850, 850)), None),
        (legacy(**of_boards("chain_consumption", 850, 850), chain_rate3=0.0), 1700),
        (legacy(**of_boards("chain_consumption", 850, 850, 0)), None),
        (legacy(**of_boards("chain_consumption", 850, 850, 0), chain_rate3=0.0), 1700),
        (legacy(**of_boards("chain_watt", 850, 850, 850)), 2550),
        (legacy(**of_boards("chain_consumption", 0, 0, 0)), 0),
        (legacy(**of_boards("chain_consumption", 850, 850, 850), total_power=2600), 2600),
        (new_api(boards=[{"consumption": 850}] * 3), 2550),
        (new_api(boards=[{"power": 850}, {"watt": 850}, {"chain_power": "850 W"}]), 2550),
        (new_api(boards=[{"consumption": 850}] * 2), None),
    ],
)
def test_power_of_boards(reading: UnitReading, watts: float | None) -> None:
    """Boards' figures are summed if every board that hashes has one; they are the firmware's estimate."""
    assert reading.power_watts == watts
    assert reading.power_kind is (None if watts is None else ESTIMATED)


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        ("3250", 3250),
        (" 3250W ", 3250),
        ("3,250.5 W", 3250.5),
        ("1,234,567", 1_234_567),
        ("3250,5", 3250.5),
        ("3.25kW", 3250),
        ("3,25 kilowatts", 3250),
        ("-5 W", -5),
        ("34.65 (AB)", 34.65),
        ("1.2.3", None),
        ("W", None),
        ("", None),
        (True, None),
        ([3250], None),
        (10**40, None),
    ],
)
def test_texts_of_power(text: Any, watts: float | None) -> None:
    """Thousands, decimals, and the unit that a text names."""
    assert read_watts(text) == watts


WORDS: list[tuple[str, Mode | None, tuple[Fault, ...]]] = [
    ("mining", Mode.NORMAL, ()),
    ("running", Mode.NORMAL, ()),
    ("auto-tuning", Mode.NORMAL, ()),
    ("stopped", Mode.SLEEP, ()),
    ("Paused", Mode.SLEEP, ()),
    ("SLEEPING", Mode.SLEEP, ()),
    ("suspended", Mode.SLEEP, ()),
    ("failure", None, (Fault.UNNAMED,)),
    ("error", None, (Fault.UNNAMED,)),
    ("initializing", None, ()),
    ("starting", None, ()),
    ("restarting", None, ()),
    ("shutting-down", None, ()),
]


@pytest.mark.parametrize("dialect", [legacy, new_api])
@pytest.mark.parametrize("key", ["state", "miner_state", "status", "work_mode"])
@pytest.mark.parametrize(("word", "mode", "faults"), WORDS)
def test_state_words(
    dialect: Callable[..., UnitReading], key: str, word: str, mode: Mode | None, faults: tuple[Fault, ...]
) -> None:
    """Stopped and paused are asleep; a failure never is, and is told; starting is awake."""
    reading = dialect(**{key: word})
    assert (reading.mode, reading.faults) == (mode, faults)


@pytest.mark.parametrize(
    ("reading", "mode"),
    [
        (legacy(state="Alive"), Mode.NORMAL),
        (legacy(state="Alive", Mode=1), Mode.SLEEP),
        (legacy(Mode="sleep"), Mode.SLEEP),
        (legacy(Mode="1"), Mode.SLEEP),
        (legacy(Mode="odd"), None),
        (legacy(**of_boards("chain_state", "stopped", "stopped", "stopped")), Mode.SLEEP),
        (legacy(**of_boards("chain_state", "mining", "failure", "mining")), Mode.NORMAL),
        (legacy(**of_boards("chain_state", "stopped", "failure", "stopped")), None),
        (legacy(state="mining", **of_boards("chain_state", "stopped", "stopped", "stopped")), Mode.NORMAL),
        (new_api(**{"miner-mode": "sleep"}), Mode.SLEEP),
        (new_api(**{"miner-mode": 1, "state": "mining"}), Mode.NORMAL),
    ],
)
def test_states_beside_modes(reading: UnitReading, mode: Mode | None) -> None:
    """The state word goes before the mode's number; a word that says nothing leaves it to the number or the boards."""
    assert reading.mode is mode


def test_a_header_with_a_state_is_not_asleep() -> None:
    """A header alone means asleep only if it says nothing else."""
    for word, mode in (("stopped", Mode.SLEEP), ("failure", None)):
        body = {**S19, "STATS": [{**S19["STATS"][0], "state": word}]}
        if mode is None:
            with pytest.raises(UnsupportedReplyError):
                read(body)
        else:
            assert read(body).mode is mode


@pytest.mark.parametrize(
    ("reading", "mhz"),
    [
        (legacy(**of_boards("freq", None, None, None), **of_boards("freq_avg", 380.1, 380.1, "380.1")), 380.1),
        (legacy(**of_boards("freq", None, None, None), **of_boards("frequency", 381, 381, 381)), 381),
        (legacy(**of_boards("freq", None, None, None), **of_boards("chain_freq", "380.1", 380.1, 380.1)), 380.1),
        (legacy(**of_boards("freq_avg", 1, 1, 1)), 525),
        (new_api(boards=[{"freq_avg": None, "freq": 380}] * 3), 380),
        (new_api(boards=[{"freq_avg": None, "frequency": "381"}] * 3), 381),
        (new_api(boards=[{"freq": 1}] * 3), 490),
    ],
)
def test_clocks(reading: UnitReading, mhz: float) -> None:
    """A board's clock has three spellings; stock firmware's comes first."""
    assert [board.frequency_hz for board in reading.boards] == [mhz * 1e6] * 3


@pytest.mark.parametrize(
    ("chip_map", "chips", "bad"),
    [
        (" ooo ooo", 114, 0),
        ("oooo oxxo", 114, 2),
        (" xxx xxx xxx", 114, 9),
        ("x" * 114, 114, 114),
        ("x" * 200, 114, 114),
        ("o" * 96 + "x" * 12, 96, 0),
        ("o" * 90 + "x" * 12 + "-" * 6, 96, 6),
        ("O" * 102 + "X" * 12, 114, 12),
        ("", 114, None),
    ],
)
def test_bad_chips(chip_map: str, chips: int, bad: int | None) -> None:
    """Bad chips are those of the board's count that the map marks; chips missing from the count are not counted."""
    of_legacy = legacy(**of_boards("chain_acs", chip_map), **of_boards("chain_acn", chips))
    of_new = new_api(boards=[{"asic": chip_map, "asic_num": chips}])
    assert (of_legacy.boards[0].bad_chips, of_new.boards[0].bad_chips) == (bad, bad)


@pytest.mark.parametrize(("chip_map", "kept"), [("oooo oxoo --", "oooooxoo"), ("OOXO", "ooxo"), ("ooo ooo", UNSET)])
def test_a_map_is_kept_where_it_marks_a_bad_chip(chip_map: str, kept: str | UnsetType) -> None:
    """Padding is left out and both dialects keep the same; a board without a bad chip keeps none."""
    of_legacy = legacy(**of_boards("chain_acs", chip_map), **of_boards("chain_acn", 8))
    of_new = new_api(boards=[{"asic": chip_map, "asic_num": 8}])
    assert (of_legacy.boards[0].chip_map, of_new.boards[0].chip_map) == (kept, kept)


@pytest.mark.parametrize(
    ("changes", "five_s_th", "stand_in"),
    [
        ({"MHS 5s": 202e6}, 202, (None, None)),
        ({"THS 5s": "202"}, 202, (None, None)),
        ({"KHS 5s": 202e9}, 202, (None, None)),
        ({"MHS 5s": 202e6, "MHS 1m": 100e6}, 202, (None, None)),
        ({"MHS 1m": 201e6, "MHS 15m": 199e6}, None, (201e12, 60)),
        ({"MHS 24h": 20e6, "MHS 15m": 199e6}, None, (199e12, 900)),
    ],
)
def test_rates_under_other_agents(
    changes: dict[str, Any], five_s_th: float | None, stand_in: tuple[float | None, float | None]
) -> None:
    """A rate over another window than 5 s stands in with its window, and is no 5 s rate."""
    body = copy.deepcopy(S19)
    del body["STATS"][1]["GHS 5s"]
    body["STATS"][1] |= changes
    if five_s_th is None:
        with pytest.raises(UnsupportedReplyError):
            read(body)
        return
    reading = read(body)
    assert reading.hashrate_5s_hs == five_s_th * 1e12
    assert (reading.stand_in_hs, reading.stand_in_window_s) == stand_in


def test_luxos_boards_are_averages() -> None:
    """The board rates of LuxOS are means since the start, and marked so."""
    reading = read_stats(capture("s19kpro-luxos-2025/tcp4028-stats.json"), unit_id="u1", at=AT)
    assert all(board.is_average for board in reading.boards)
    assert sum(board.hashrate_hs or 0 for board in reading.boards) == pytest.approx(reading.hashrate_avg_hs, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("disconnected", "disconnected", "disabled"), Fault.BOARD),
        (("disconnected", "failure", "stopped"), Fault.BOARD),
        (("disconnected", "mining", "mining"), None),
    ],
)
def test_disconnected_boards(words: tuple[str, ...], fault: Fault | None) -> None:
    """The word is a fault of the boards, unless another board hashes."""
    reading = legacy(**of_boards("chain_state", *words))
    assert reading.faults == (() if fault is None else (fault,))


@pytest.mark.parametrize("rate_unit", ["GH/s", "GH", "Gh/s", "gh", "GHS", "GH/S"])
def test_spellings_of_the_unit_of_rates(rate_unit: str) -> None:
    """Case and signs do not count."""
    assert new_api(rate_unit=rate_unit).hashrate_5s_hs == new_api().hashrate_5s_hs


def test_another_unit_of_rates() -> None:
    """The legacy dialect leaves the seconds out."""
    rate_hs = legacy().hashrate_5s_hs
    assert rate_hs is not None
    assert legacy(rate_unit="TH", GHS__5s=rate_hs / 1e12, GHS__av=100, rate_30m=100).hashrate_5s_hs == rate_hs


def other_agents(shape: type[msgspec.Struct]) -> set[str]:
    """Return the keys that a strict decode refuses."""
    return {field.encode_name for field in msgspec.structs.fields(shape) if field.type is type(None)}


def test_both_paths_refuse_the_same_keys() -> None:
    """The fast path leaves a reply to the slow path if that would look for its keys elsewhere."""
    numbered = {key for key in other_agents(stats_schema.Stats) if key[-1].isdigit()}
    assert other_agents(stats_schema.Stats) - numbered == other_agents(fast_stats._Stats)
    assert other_agents(stats_schema.Chain) == other_agents(fast_stats._Chain)
