"""Replies without a whole capture: documented layouts, shapes of sleep and start, and one bad field at a time."""

import copy
import json
from typing import Any

import pytest
from capture_files import S19_STATS, S21_POOLS, S21_STATS, S21_SUMMARY

from agent.errors import MalformedReplyError, PollError, RefusedError, UnsupportedReplyError
from agent.unit import limits
from agent.unit.antminer import stats as antminer
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.summary import read_summary
from agent.unit.reading import BoardReading, Dialect, Identity, Mode, UnitReading

AT = 1763674560.0
S21 = json.loads(S21_STATS)
S19 = json.loads(S19_STATS)


def read(body: Any, identity: Identity | None = None) -> UnitReading:
    """Read a `stats` reply given as JSON text or as a JSON value."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return antminer.read_stats(data + b"\0", unit_id="u1", at=AT, identity=identity or Identity())


def new_api(**changes: Any) -> Any:
    """Return the hashing S21's reply with keys of its one element changed; `...` deletes one."""
    body = copy.deepcopy(S21)
    _change(body["STATS"][0], changes)
    return body


def new_api_board(**changes: Any) -> BoardReading:
    """Return the first board of the S21's reply after a change to it."""
    body = copy.deepcopy(S21)
    _change(body["STATS"][0]["chain"][0], changes)
    return read(body).boards[0]


def legacy(**changes: Any) -> Any:
    """Return the S19 Pro's reply with keys of its second element changed; `...` deletes one."""
    body = copy.deepcopy(S19)
    _change(body["STATS"][1], {name.replace("__", " "): value for name, value in changes.items()})
    return body


def _change(item: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        item[name] = value
        if value is ...:
            del item[name]


def test_line_c_asleep() -> None:
    """A sleeping S21+ of line C has Mode 1, fans and rates of 0, an uptime of 0, and sensors at ambient."""
    sensors = {f"temp_chip{n}": "27-27-27-27" for n in (1, 2, 3)} | {"temp_chip4": "0-0-0-0"}
    boards = {f"chain_acn{n}": 0 for n in (1, 2, 3, 4)} | {f"chain_rate{n}": "" for n in (1, 2, 3, 4)}
    fans = dict.fromkeys(("fan1", "fan2", "fan3", "fan4"), 0)
    temps = {f"temp{n}": 22 for n in (1, 2, 3)} | {f"temp2_{n}": 27 for n in (1, 2, 3)}
    reading = read(legacy(Mode=1, Elapsed=0, GHS__5s=0.0, GHS__av=0.0, **sensors, **boards, **fans, **temps))
    assert (reading.dialect, reading.mode, reading.uptime_s) == (Dialect.LEGACY, Mode.SLEEP, 0)
    assert (reading.hashrate_5s_hs, reading.hashrate_avg_hs) == (0, 0)
    assert reading.fan_rpm == (0, 0, 0, 0)
    assert [(board.slot, board.chips, board.hashrate_hs, board.chip_celsius) for board in reading.boards] == [
        (slot, 0, None, (27, 27, 27, 27)) for slot in (0, 1, 2)
    ]


def test_starting_unit() -> None:
    """A starting unit has boards with zero chips and no temperatures, and no fans."""
    chain = [
        {"index": n, "rate_real": 0.0, "asic_num": 0, "temp_pic": [], "temp_pcb": [], "temp_chip": [], "sn": f"S{n}"}
        for n in range(3)
    ]
    reading = read(new_api(elapsed=0, rate_5s=0.0, rate_avg=0.0, fan_num=0, fan=[], chain=chain, **{"miner-mode": 0}))
    assert (reading.mode, reading.uptime_s, reading.hashrate_5s_hs) == (Mode.NORMAL, 0, 0)
    assert (reading.fan_rpm, reading.repairs) == ((), ())
    assert [(board.slot, board.chips, board.chip_celsius, board.serial) for board in reading.boards] == [
        (0, 0, (), "S0"),
        (1, 0, (), "S1"),
        (2, 0, (), "S2"),
    ]


@pytest.mark.parametrize(
    ("number", "mode"), [(0, "normal"), (1, "sleep"), (2, "high"), (3, "low"), (5, None), (..., None)]
)
def test_mode_of_the_new_dialect(number: Any, mode: str | None) -> None:
    """miner-mode 0 to 3 is normal, sleep, high, low; another number is no known mode."""
    assert read(new_api(**{"miner-mode": number})).mode == mode


@pytest.mark.parametrize(("number", "mode"), [(2, "normal"), (1, "sleep"), (0, None), (3, None), (..., None)])
def test_mode_of_the_legacy_dialect(number: Any, mode: str | None) -> None:
    """Mode 1 is sleep and 2 is normal; another number is no known mode."""
    assert read(legacy(Mode=number)).mode == mode


def test_asleep_without_a_rate_is_a_reading() -> None:
    """The rate may be missing only if the mode is sleep."""
    reading = read(new_api(rate_5s=..., **{"miner-mode": 1}))
    assert (reading.mode, reading.hashrate_5s_hs) == (Mode.SLEEP, None)
    with pytest.raises(UnsupportedReplyError, match="no usable rate_5s"):
        read(new_api(rate_5s=...))


@pytest.mark.parametrize(
    ("unit", "hs"), [("GH/s", 200e12), ("GH", 200e12), (..., 200e12), ("H/s", 200e3), ("MH/s", 200e9), ("TH/s", 200e15)]
)
def test_unit_of_rate(unit: Any, hs: float) -> None:
    """rate_unit scales the rate, with GH/s as the default; a rate beyond any unit is malformed."""
    body = new_api(rate_5s=200_000, rate_unit=unit)
    if hs > limits.MAX_HASHRATE_HS:
        with pytest.raises(MalformedReplyError, match="rate_5s = 200000 is beyond what a unit can do"):
            read(body)
    else:
        assert read(body).hashrate_5s_hs == pytest.approx(hs)


def test_unknown_unit_of_rate_is_not_guessed() -> None:
    """A rate with an unknown rate_unit is unsupported."""
    with pytest.raises(UnsupportedReplyError, match="rate_unit 'kS/s' is not known"):
        read(new_api(rate_unit="kS/s"))


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (new_api(rate_5s=-1), MalformedReplyError, "rate_5s = -1 is beyond"),
        (new_api(rate_5s=1e30), MalformedReplyError, "rate_5s = 1e\\+30 is beyond"),
        (new_api(rate_5s=10**400), UnsupportedReplyError, "no usable rate_5s"),
        (new_api(rate_5s="nan"), UnsupportedReplyError, "no usable rate_5s"),
        (new_api(rate_5s="inf"), UnsupportedReplyError, "no usable rate_5s"),
        (new_api(rate_5s=True), UnsupportedReplyError, "no usable rate_5s"),
        (new_api(rate_5s=[206901.8]), UnsupportedReplyError, "no usable rate_5s"),
        (new_api(rate_5s=""), UnsupportedReplyError, "no usable rate_5s"),
        (legacy(GHS__5s="many"), UnsupportedReplyError, "no usable GHS 5s"),
        (legacy(GHS__5s=...), UnsupportedReplyError, "no usable GHS 5s"),
        ({**S21, "STATS": []}, UnsupportedReplyError, "no element in STATS"),
        ({**S19, "STATS": []}, UnsupportedReplyError, "no element in STATS"),
        ({**S21, "STATS": {}}, MalformedReplyError, "STATS is not a list of objects"),
        ({**S21, "STATS": None}, UnsupportedReplyError, "no STATS"),
        ({**S21, "STATS": ["x", 5]}, MalformedReplyError, "STATS is not a list of objects"),
        ({**S19, "STATUS": []}, MalformedReplyError, "STATUS is empty"),
        ({**S19, "STATUS": [{}]}, MalformedReplyError, "no STATUS"),
        ({**S19, "STATUS": "S"}, MalformedReplyError, "no STATUS"),
        ({**S21, "STATUS": {"STATUS": "E", "Msg": "no"}}, RefusedError, "code None, 'no'"),
        ({**S19, "STATUS": [{"STATUS": "F", "Code": 14}]}, RefusedError, "code 14"),
        ({**S19, "STATUS": [{"STATUS": "Q"}]}, MalformedReplyError, "STATUS is 'Q'"),
    ],
)
def test_without_a_rate_there_is_no_reading(body: Any, error: type[PollError], message: str) -> None:
    """A reply without a usable rate or STATUS is an error, never a unit at zero."""
    with pytest.raises(error, match=message):
        read(body)


@pytest.mark.parametrize("second", [None, "x", 5, [], True])
def test_header_beside_rubbish_is_not_asleep(second: Any) -> None:
    """Only a header alone means sleep; a header beside an unreadable element does not."""
    with pytest.raises(UnsupportedReplyError, match="no usable GHS 5s"):
        read({**S19, "STATS": [S19["STATS"][0], second]})


def test_numbers_in_strings_are_numbers() -> None:
    """Numbers sent as text are read, with one repair for all of them."""
    reading = read(legacy(GHS__5s="110566.89", Elapsed="50474", fan1="6000"))
    assert (reading.hashrate_5s_hs, reading.uptime_s, reading.fan_rpm[0]) == (110_566.89e9, 50_474, 6000)
    assert reading.repairs == ("number_in_string",)


@pytest.mark.parametrize(
    ("changes", "field", "value", "repairs"),
    [
        ({"elapsed": "soon"}, "uptime_s", None, ("wrong_type",)),
        ({"elapsed": -5}, "uptime_s", None, ("implausible",)),
        ({"elapsed": True}, "uptime_s", None, ("wrong_type",)),
        ({"elapsed": ...}, "uptime_s", None, ()),
        ({"elapsed": None}, "uptime_s", None, ()),
        ({"rate_avg": 1e18}, "hashrate_avg_hs", None, ("implausible",)),
        ({"rate_30m": {}}, "hashrate_30m_hs", None, ("wrong_type",)),
        ({"rate_ideal": "1e999"}, "hashrate_ideal_hs", None, ("out_of_range",)),
        ({"power": 3500}, "power_watts", 3500, ()),
        ({"watt": 3651}, "power_watts", 3651, ()),
        ({"power": "3250 W"}, "power_watts", 3250, ()),
        ({"power": "high"}, "power_watts", None, ("wrong_type",)),
        ({"power": [3250]}, "power_watts", None, ("wrong_type",)),
        ({"power": 1e9}, "power_watts", None, ("implausible",)),
        ({"fan": [7000, 0, 7000, 7000]}, "fan_rpm", (7000, 0, 7000, 7000), ()),
        ({"fan": [7000, -1, 7000, 7000]}, "fan_rpm", (7000, None, 7000, 7000), ("implausible",)),
        ({"fan": [7000, None, 7000, 7000]}, "fan_rpm", (7000, None, 7000, 7000), ()),
        ({"fan": [7000, "x", 7000, 7000]}, "fan_rpm", (7000, None, 7000, 7000), ("wrong_type",)),
        ({"fan": [None, None]}, "fan_rpm", (), ()),
        ({"fan": ["7000", 7000]}, "fan_rpm", (7000, 7000), ("number_in_string",)),
        ({"fan": "7000"}, "fan_rpm", (), ("wrong_type",)),
        ({"fan": [7000] * 17}, "fan_rpm", (), ("implausible",)),
        ({"fan": ...}, "fan_rpm", (), ()),
        ({"miner-mode": "0"}, "mode", Mode.NORMAL, ("number_in_string",)),
        ({"miner-mode": []}, "mode", None, ("wrong_type",)),
        ({"chain": "none"}, "boards", (), ("wrong_type",)),
        ({"chain": ...}, "boards", (), ()),
    ],
)
def test_bad_optional_field_costs_that_field(
    changes: dict[str, Any], field: str, value: Any, repairs: tuple[str, ...]
) -> None:
    """A bad optional field is absent, a repair says why, and every other field is unchanged."""
    reading = read(new_api(**changes))
    assert (getattr(reading, field), reading.repairs) == (value, repairs)
    sound = read(S21)
    untouched = set(UnitReading.__struct_fields__) - {field, "repairs", "power_kind"}
    assert (reading.power_kind is None) is (reading.power_watts is None)
    assert {name: getattr(reading, name) for name in untouched} == {name: getattr(sound, name) for name in untouched}


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"rate_real": "x"}, "hashrate_hs", None),
        ({"rate_real": 9e15}, "hashrate_hs", None),
        ({"asic_num": 108.0}, "chips", 108),
        ({"asic_num": 5000}, "chips", None),
        ({"asic_num": ...}, "chips", None),
        ({"temp_chip": [59, 59, 500, 73]}, "chip_celsius", (59, 59, None, 73)),
        ({"temp_chip": [-20, -19, -3, -2]}, "chip_celsius", (-20, -19, -3, -2)),
        ({"temp_chip": [0, 0, 0, 0]}, "chip_celsius", ()),
        ({"temp_chip": [59, "hot", 73, 73]}, "chip_celsius", (59, None, 73, 73)),
        ({"temp_pcb": [20] * 17}, "pcb_celsius", ()),
        ({"freq_avg": "490"}, "frequency_hz", 490e6),
        ({"hw": 1e300}, "hw_errors", None),
        ({"sn": 5}, "serial", None),
        ({"sn": " A\x1b[31m\u202eB "}, "serial", "A[31mB"),
        ({"sn": "x" * 100}, "serial", "x" * 64),
        ({"index": ...}, "slot", 0),
        ({"index": 99}, "slot", 0),
    ],
)
def test_bad_field_of_a_board_costs_that_field(changes: dict[str, Any], field: str, value: Any) -> None:
    """A board with a bad field stays, without that field."""
    board = new_api_board(**changes)
    assert getattr(board, field) == value
    sound = read(S21).boards[0]
    assert [name for name in BoardReading.__struct_fields__ if getattr(board, name) != getattr(sound, name)] in (
        [field],
        [],
    )


def test_two_boards_in_one_slot_are_one() -> None:
    """Of two boards that claim a slot the first stays, and a repair is counted."""
    reading = read(new_api(chain=[{"index": 1, "asic_num": 8}, {"index": 0}, {"index": 1, "asic_num": 9}]))
    assert [(board.slot, board.chips) for board in reading.boards] == [(0, None), (1, 8)]
    assert reading.repairs == ("implausible",)


def test_boards_are_bounded() -> None:
    """At most sixteen boards are read from a reply."""
    reading = read(new_api(chain=[{}] * 1000))
    assert [board.slot for board in reading.boards] == list(range(16))
    assert reading.repairs == ("implausible",)


def test_board_that_is_no_object_keeps_its_place() -> None:
    """An element that is no object leaves its slot empty; later boards keep theirs."""
    chain = copy.deepcopy(S21["STATS"][0]["chain"])
    for board in chain:
        del board["index"]
    chain[1] = "gone"
    reading = read(new_api(chain=chain))
    assert [(board.slot, board.chips) for board in reading.boards] == [(0, 108), (1, None), (2, 108)]
    assert reading.repairs == ("wrong_type",)


def test_missing_fan_keeps_its_place() -> None:
    """A fan without a speed costs itself, and no other fan appears at its position."""
    assert read(legacy(fan2=...)).fan_rpm == (6000, None, 5040, 5040)
    assert read(legacy(fan2="broken")).fan_rpm == (6000, None, 5040, 5040)
    assert read(legacy(fan4=...)).fan_rpm == (6000, 5880, 5040)


@pytest.mark.parametrize(
    ("text", "celsius", "repairs"),
    [
        ("54-54-68-68", (54, 54, 68, 68), ()),
        ("-3--4-10-12", (-3, -4, 10, 12), ()),
        ("-10--10--8--8", (-10, -10, -8, -8), ()),
        ("0-0-0-0", (), ()),
        ("", (), ()),
        ("27", (27,), ()),
        ("54-x-68-68", (54, None, 68, 68), ("wrong_type",)),
        ("54-nan-68", (54, None, 68), ("out_of_range",)),
        ("54-999-68-68", (54, None, 68, 68), ("implausible",)),
        (54, (), ("wrong_type",)),
    ],
)
def test_dashed_temperatures(text: Any, celsius: tuple[float | None, ...], repairs: tuple[str, ...]) -> None:
    """The legacy dialect joins four sensors with dashes; below zero a minus sign follows the dash."""
    reading = read(legacy(temp_chip1=text))
    assert (reading.boards[0].chip_celsius, reading.repairs) == (celsius, repairs)


@pytest.mark.parametrize(
    ("changes", "slots"),
    [
        ({}, [0, 1, 2]),
        ({"chain_acn2": 0, "chain_rate2": ""}, [0, 1, 2]),
        ({"chain_acn4": 114, "chain_rate4": "30000.0", "miner_count": 4}, [0, 1, 2, 3]),
        ({"chain_acn4": 114}, [0, 1, 2, 3]),
        ({"miner_count": 2, "chain_acn3": 0, "chain_rate3": ""}, [0, 1]),
        ({"miner_count": 2, "chain_acn3": 0, "chain_rate3": "0.00"}, [0, 1]),
        ({"miner_count": ...}, [0, 1, 2]),
    ],
)
def test_legacy_slots(changes: dict[str, Any], slots: list[int]) -> None:
    """A slot is a board if miner_count covers it, or if it has chips or a rate."""
    assert [board.slot for board in read(legacy(**changes)).boards] == slots


def test_dead_board_of_the_legacy_dialect_is_a_measured_zero_of_chips() -> None:
    """A counted board whose chips do not answer stays in the list, with zero chips."""
    board = read(legacy(chain_acn2=0, chain_rate2="")).boards[1]
    assert (board.chips, board.hashrate_hs) == (0, None)


def test_identity_known_before_is_kept_as_one_object() -> None:
    """A reply that adds nothing to the known identity keeps its object."""
    known = read(S21).identity
    assert read(S21, known).identity is known
    less = copy.deepcopy(S21)
    del less["INFO"]["miner_version"]
    assert read(less, known).identity is known
    del less["INFO"]
    assert read(less, known).identity is known


def test_new_firmware_is_a_new_identity() -> None:
    """A new firmware clears the API version, which belonged to the old one."""
    known = Identity(model="Antminer S21", firmware="old", api="3.1", miner="uart_trans.1.2")
    assert read(S21, known).identity == Identity(
        model="Antminer S21", firmware="Thu Jul 11 16:38:25 CST 2024", api=None, miner="uart_trans.1.3"
    )


def test_last_known_pools_and_shares_pass_through() -> None:
    """A reading carries the pools and shares that were passed in."""
    pools, _ = read_pools(S21_POOLS)
    shares = read_summary(S21_SUMMARY, at=AT).shares
    reading = antminer.read_stats(S19_STATS, unit_id="u1", at=AT, pools=pools, shares=shares)
    assert reading.pools is pools
    assert reading.shares is shares


def test_pools_are_bounded_and_kept_apart() -> None:
    """At most sixteen pools are read; an element that is no object is skipped with a repair."""
    body = {"STATUS": [{"STATUS": "S"}], "POOLS": [{"POOL": 0}, "x", {"POOL": "2"}, *[{}] * 100]}
    pools, repairs = read_pools(json.dumps(body).encode())
    assert [pool.index for pool in pools] == [0, 2, *range(3, 16)]
    assert repairs == ("number_in_string", "wrong_type")


@pytest.mark.parametrize("value", [-1, 1e300, "x", True, [], 10**400])
def test_implausible_counter_is_absent(value: Any) -> None:
    """A counter or difficulty out of bounds or of a wrong type is absent."""
    body = json.loads(S21_SUMMARY)
    body["SUMMARY"][0] |= {"Accepted": value, "Difficulty Accepted": value, "Best Share": value}
    shares = read_summary(json.dumps(body).encode(), at=AT).shares
    assert (shares.accepted, shares.difficulty_accepted, shares.best_share) == (None, None, None)
    assert shares.rejected == 9
