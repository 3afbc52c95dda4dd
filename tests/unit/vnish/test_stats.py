"""What a `stats` reply of VNish means, and what in it is not believed."""

import json

import pytest
from vnish_cases import NEW, NEW_STATS, OLD_STATS, S9_STATS, S21_PRO, polled, read, stats_with

from agent.errors import MalformedReplyError, RefusedError, UnsupportedReplyError
from agent.unit.reading import Fault, Mode
from agent.unit.vnish.conversation import STATS
from agent.unit.vnish.schema import fast_figures
from agent.unit.vnish.words import label_of

NOTHING = {"GHS__5s": "0.00", "GHS__av": 0.0, "total_rate": 0.0}
NO_CHAINS = tuple(f"{key}{slot}" for key in ("chain_acn", "chain_state", "chain_rate") for slot in (1, 2, 3))


@pytest.mark.parametrize(
    ("word", "mode", "is_starting", "faults"),
    [
        ("mining", Mode.NORMAL, False, ()),
        ("auto-tuning", Mode.NORMAL, False, ()),
        ("Auto Tuning", Mode.NORMAL, False, ()),
        ("stopped", Mode.SLEEP, False, ()),
        ("paused", Mode.SLEEP, False, ()),
        ("initializing", None, True, ()),
        ("starting", None, True, ()),
        ("restarting", None, True, ()),
        ("shutting-down", None, False, ()),
        ("failure", None, False, (Fault.UNNAMED,)),
        ("benchmarking", None, False, ()),
        ("x" * 200, None, False, ()),
    ],
)
def test_a_state_word_is_one_of_a_closed_list(
    word: str, *, mode: Mode | None, is_starting: bool, faults: tuple[Fault, ...]
) -> None:
    """Tuning hashes, a failure never sleeps, and a word that nobody knows says nothing."""
    reading = read(stats_with(state=word))
    assert (reading.mode, reading.is_starting, reading.faults) == (mode, is_starting, faults)


@pytest.mark.parametrize(
    ("words", "mode", "is_starting"),
    [
        (("mining", "stopped", "failure"), Mode.NORMAL, False),
        (("stopped", "stopped", "stopped"), Mode.SLEEP, False),
        (("disabled", "stopped", "stopped"), None, False),
        (("failure", "stopped", "stopped"), None, False),
        (("initializing", "stopped", "stopped"), None, True),
        (("unknown", "unknown", "unknown"), None, False),
    ],
)
def test_boards_speak_for_a_unit_without_a_word(
    words: tuple[str, ...], *, mode: Mode | None, is_starting: bool
) -> None:
    """A unit sleeps if all of its boards are stopped."""
    states = {f"chain_state{slot}": word for slot, word in enumerate(words, start=1)}
    reading = read(stats_with(without=("state",), **states))
    assert (reading.mode, reading.is_starting) == (mode, is_starting)


@pytest.mark.parametrize("word", ["disconnected", "failure"])
def test_a_lost_board_is_missing_at_its_slot(word: str) -> None:
    """Whatever its count says: a board that is disconnected has no chips."""
    data = stats_with(chain_state2=word, chain_acn2=0 if word == "failure" else 65, chain_rate2=0.0)
    reading = read(data)
    assert [(board.slot, board.chips) for board in reading.boards] == [(0, 65), (1, 0), (2, 65)]
    assert reading.faults == (Fault.BOARD,)


def test_a_board_that_is_not_in_the_reply_is_not_moved_up() -> None:
    """The slot comes from the key."""
    gone = tuple(f"{key}1" for key in ("chain_acn", "chain_state", "chain_rate", "temp_pcb", "temp_chip"))
    assert [board.slot for board in read(stats_with(without=gone)).boards] == [1, 2]


def test_a_position_that_the_model_has_not_is_no_board() -> None:
    """A fourth position without a figure is a connector; with chips it is a board."""
    spare = stats_with(chain_state4="disconnected", chain_acn4=0)
    assert [board.slot for board in read(spare).boards] == [0, 1, 2]
    assert [board.slot for board in read(spare, None).boards] == [0, 1, 2, 3]
    assert [board.slot for board in read(stats_with(chain_acn4=65)).boards] == [0, 1, 2, 3]


def test_a_boards_fault_is_named_beside_the_units() -> None:
    """In the order of the closed list."""
    reading = read(stats_with(state="failure", chain_fault3="no chips", **NOTHING))
    assert reading.faults == (Fault.BOARD, Fault.UNNAMED)


def test_boards_that_all_fail_repeat_the_units_word() -> None:
    """No board is blamed for what happened to all of them."""
    words = {f"chain_state{slot}": "failure" for slot in (1, 2, 3)}
    assert read(stats_with(state="failure", **words, **NOTHING)).faults == (Fault.UNNAMED,)


def test_a_failed_start_hashes_nothing_and_sleeps_not() -> None:
    """No chains, no fans, all zeros; with or without a rate."""
    fans = {f"fan{number}": 0 for number in range(1, 5)}
    failed = stats_with(state="failure", without=NO_CHAINS, **NOTHING, **fans)
    bare = stats_with(state="failure", without=(*NO_CHAINS, "GHS__5s", "total_rate"))
    for data in (failed, bare):
        reading = read(data)
        assert (reading.rate_hs, reading.mode, reading.boards) == (0.0, None, ())
        assert reading.faults == (Fault.UNNAMED,)
    assert read(failed).fan_rpm == ()


@pytest.mark.parametrize("state", ["stopped", "starting"])
def test_a_unit_that_does_not_hash_may_have_no_rate(state: str) -> None:
    """Absent is not zero."""
    reading = read(stats_with(state=state, without=("GHS__5s", "total_rate")))
    assert reading.rate_hs is None


@pytest.mark.parametrize("state", ["mining", "auto-tuning", "shutting-down", "benchmarking", ""])
def test_a_unit_that_hashes_must_have_a_rate(state: str) -> None:
    """Without one, and without that of each board, the reply is of no known shape."""
    with pytest.raises(UnsupportedReplyError, match="no usable GHS 5s"):
        read(stats_with(state=state, without=("GHS__5s", "total_rate", "chain_rate2")))


def test_boards_that_all_tell_a_rate_make_up_for_a_missing_total() -> None:
    """Their sum, as of other firmware."""
    reading, _ = polled({**NEW, STATS: stats_with(without=("GHS__5s", "total_rate"))})
    assert reading.rate_hs == pytest.approx(173.87e12, rel=1e-3)
    assert "total_from_boards" in reading.repairs


@pytest.mark.parametrize(("key", "value"), [("THS__5s", 173.87094), ("MHS__5s", "173870940"), ("KHS__5s", 173.87094e9)])
def test_a_rate_in_another_unit_is_read_by_its_key(key: str, value: float | str) -> None:
    """It is the key that tells the unit."""
    reading = read(stats_with(without=("GHS__5s", "total_rate"), **{key: value}))
    assert reading.rate_hs == pytest.approx(173.87094e12)


def test_the_total_stands_for_a_rate_that_is_missing() -> None:
    """`total_rate` is the 5 s rate on VNish; on other firmware it is another."""
    assert read(stats_with(without=("GHS__5s",))).rate_hs == 173_870.94e9


def test_a_rate_beyond_any_unit_is_malformed() -> None:
    """No other figure replaces it."""
    with pytest.raises(MalformedReplyError, match="beyond what a unit can do"):
        read(stats_with(GHS__5s="99999999999"))


@pytest.mark.parametrize(
    ("figures", "watts"),
    [
        ({}, 2583),
        ({"chain_consumption1": 0}, None),
        ({"chain_consumption1": 0, "chain_rate1": 0.0}, 1722),
        ({f"chain_consumption{slot}": 0 for slot in (1, 2, 3)}, None),
        # Half of what its profile should give: it ramps up, and the watts are the profile's.
        ({"GHS__5s": "98000"}, None),
    ],
)
def test_watts_are_the_boards_sum_or_no_value(figures: dict[str, float], watts: float | None) -> None:
    """A nought is no value; the sum leaves out no board that hashes."""
    assert read(stats_with(**figures)).power_watts == watts


def test_measured_chips_are_not_marked() -> None:
    """One sensor that is not 15 above its board's, and the firmware measures after all."""
    assert read(NEW_STATS).is_chip_computed
    assert read(OLD_STATS).is_chip_computed
    assert not read(stats_with(temp_chip2="71-58-66-69")).is_chip_computed
    assert not read(stats_with(temp_chip1="", temp_chip2="", temp_chip3="")).is_chip_computed


def test_chips_of_a_board_without_a_sensor_are_no_measurement() -> None:
    """15 C is the sum of nothing and 15; a chip alone cannot be known to be measured, so nothing alarms on it."""
    reading = read(stats_with(temp_pcb2="0-0-0-0", temp_chip2="15-15-15-15"))
    assert (reading.boards[1].chip_celsius, reading.is_chip_computed) == ((), True)
    reading = read(stats_with(temp_pcb2="50-0--1-50", temp_chip2="65-15-15-65"))
    assert reading.boards[1].pcb_celsius == (50, None, None, 50)
    assert reading.boards[1].chip_celsius == (65, None, None, 65)
    alone = read(stats_with(**{f"temp_pcb{slot}": "0" for slot in (1, 2, 3)}, temp_chip1="90-91"))
    assert (alone.boards[0].chip_celsius, alone.is_chip_computed) == ((90, 91), True)
    tenths = read(stats_with(temp_pcb1="48.1", temp_chip1="63.1"))
    assert tenths.is_chip_computed


@pytest.mark.parametrize("mhz", [0.495, 4.95, "0.495"])
def test_a_clock_that_is_not_in_mhz_is_none(mhz: float | str) -> None:
    """No chip runs at half a megahertz; the unit that was meant is not told."""
    reading = read(stats_with(freq_avg1=mhz))
    assert reading.boards[0].frequency_hz is None
    assert "implausible" in reading.repairs


@pytest.mark.parametrize(
    ("speeds", "state", "expected"),
    [
        ((0, 5850, 5850, 5850), "mining", (0, 5850, 5850, 5850)),
        ((0, 0, 0, 0), "mining", ()),
        ((0, 0, 0, 0), "failure", ()),
        ((0, 0, 0, 0), "stopped", (0, 0, 0, 0)),
    ],
)
def test_fans_that_all_stand_are_no_value(speeds: tuple[int, ...], state: str, expected: tuple[int, ...]) -> None:
    """In immersion all stand while the unit hashes; only a unit that is switched off explains it."""
    fans = {f"fan{number}": rpm for number, rpm in enumerate(speeds, start=1)}
    assert read(stats_with(state=state, **fans)).fan_rpm == expected


def test_noughts_are_no_temperature_and_no_clock() -> None:
    """Each in its place."""
    reading = read(stats_with(temp_pcb1="0-40-50-50", freq_avg1=0.0))
    assert reading.boards[0].pcb_celsius == (None, 40, 50, 50)
    assert reading.boards[0].frequency_hz is None


@pytest.mark.parametrize(("data", "is_fast"), [(NEW_STATS, True), (OLD_STATS, True), (S9_STATS, False)])
def test_which_replies_take_one_decode(data: bytes, *, is_fast: bool) -> None:
    """Both generations since 1.2 do, with and without a NUL at the end; an S9's does not."""
    assert (fast_figures(data) is not None) is is_fast
    assert fast_figures(data + b"\0") == fast_figures(data)
    assert read(data + b"\0") == read(data)


def test_a_refusal_says_so() -> None:
    """Code 0, as VNish refuses."""
    refusal = b'{"STATUS":[{"STATUS":"E","When":1,"Code":0,"Msg":"Invalid command","Description":"cgminer 4.11.1"}]}'
    with pytest.raises(RefusedError):
        read(refusal)


@pytest.mark.parametrize("items", [[], ["x"], 5])
def test_stats_without_an_object_is_malformed(items: object) -> None:
    """It is not read as a unit without figures."""
    with pytest.raises(MalformedReplyError):
        read(json.dumps({"STATUS": [{"STATUS": "S"}], "STATS": items}).encode())


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ("Antminer S21 Pro (vnish)", "VNish"),
        ("Antminer S19j Pro (88) (VNISH v1.3.4-beta)", "VNish 1.3.4-beta"),
        ("Antminer S19 (Anthill OS 1.2.7)", "AnthillOS 1.2.7"),
        ("Antminer S19j Pro (88)", None),
        ("Antminer S19 (Hydro 1.2)", None),
    ],
)
def test_labels_of_builds(model: str, label: str | None) -> None:
    """Without a version too; other brackets are the model's own."""
    assert label_of(model) == label


def test_the_firmware_is_read_off_the_model() -> None:
    """White labels of the same maker keep their own name; without a label the build's date stands."""
    for model, firmware in (
        ("Antminer T21 (7Miners 1.2.6-rc1)", "7Miners 1.2.6-rc1"),
        ("Antminer S21 (AnthillOS 1.3.0)", "AnthillOS 1.3.0"),
        ("Antminer S21 Imm. (HEM)", "2025-12-22 19:12:30"),
    ):
        body = json.loads(NEW_STATS)
        body["STATS"][0]["Type"] = model
        reading = read(json.dumps(body).encode(), S21_PRO)
        assert (reading.identity.model, reading.identity.firmware) == (model, firmware)
