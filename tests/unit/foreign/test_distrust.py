"""What is believed of pyasic's figures."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import entry

from agent.errors import (
    ContradictoryReplyError,
    DeadlineError,
    MalformedReplyError,
    PollError,
    UnreachableError,
    UnsupportedReplyError,
)
from agent.unit import registry
from agent.unit.foreign.distrust import reading_of
from agent.unit.foreign.protocol import LONGEST_ANSWER, Trouble, decode_answer, encode_answer, head_of
from agent.unit.foreign.reader import READER
from agent.unit.nameplate import Nameplate
from agent.unit.reading import PowerKind, UnitReading

TH = {"value": 1e12, "suffix": "TH/s"}
PLATE = Nameplate(model="M30S+", hashrate_hs=100e12, boards=3, cooling="air", source="test")


def board(slot: int, rate: float | None = 33.0, **others: Any) -> dict[str, Any]:
    """Return a board as pyasic writes one."""
    hashrate = None if rate is None else {"unit": TH, "rate": rate}
    return {"slot": slot, "hashrate": hashrate, "chips": 100, "temp": 60.0, "missing": False} | others


MISSING = {"hashrate": None, "chips": None, "temp": None, "missing": True}


def line(make: str = "WhatsMiner", total: float | None = 99.0, **data: Any) -> bytes:
    """Return an answer: three sound boards, unless said otherwise."""
    figures = {
        "hashboards": [board(0), board(1), board(2)],
        "uptime": 5000,
        "wattage": 3300,
        "fans": [{"speed": 5400}, {"speed": 5280}],
        "pools": [],
        "is_mining": True,
        "expected_hashrate": {"unit": TH, "rate": 55.0},
    } | data
    summary = None if total is None else {"unit": TH, "rate": total}
    return json.dumps({"id": 1, "make": make, "model": "M30S+ V10", "summary": summary, "data": figures}).encode()


def read(answer: bytes, plate: Nameplate | None = PLATE) -> UnitReading:
    """Return what is believed of an answer."""
    return reading_of(decode_answer(answer), "u1", plate, at=1.0)


def polled(answer: bytes, plate: Nameplate | None = PLATE) -> UnitReading:
    """Return the reading of a whole poll."""
    talk = READER.converse("u1", READER.new_memory(), nameplate=plate, slow_every=1, wall=lambda: 1.0)
    assert next(talk) == b"read"
    with pytest.raises(StopIteration) as end:
        talk.send(answer)
    reading = end.value.value
    assert isinstance(reading, UnitReading)
    return reading


def test_a_sound_unit_has_a_rate_of_an_unknown_window() -> None:
    """No window, watts as an estimate, no ideal rate, and the name of the reader."""
    reading = polled(line())
    assert (reading.rate_hs, reading.rate_window_s, reading.hashrate_5s_hs) == (99e12, None, None)
    assert (reading.power_watts, reading.power_kind) == (3300.0, PowerKind.ESTIMATED)
    assert (reading.hashrate_ideal_hs, reading.mode, reading.reader) == (None, None, "foreign")
    assert [each.slot for each in reading.boards] == [0, 1, 2]
    assert reading.fan_rpm == (5400.0, 5280.0)


@pytest.mark.parametrize("total", [0.0, None, -1.0, 1e9])
def test_a_rate_that_is_no_rate_is_none(total: float | None) -> None:
    """Zero stands for what was not told, and explains no state: neither does the uptime then."""
    reading = polled(line(total=total, hashboards=[]))
    assert (reading.rate_hs, reading.uptime_s) == (None, None)


def test_without_a_total_the_boards_sum_up_if_all_have_a_rate() -> None:
    """A sum with a gap would be a loss that is none."""
    assert read(line(total=None)).rate_hs == 99e12
    assert read(line(total=None, hashboards=[board(0), board(1, None), board(2)])).rate_hs is None


def test_an_avalons_mean_is_no_rate() -> None:
    """Idle, its boards still show the mean since its start; its own total of the last minute is zero."""
    assert read(line("AvalonMiner", total=0.0)).rate_hs is None
    assert read(line("AvalonMiner", total=None)).rate_hs is None
    reading = read(line("AvalonMiner", total=90.0))
    assert reading.rate_hs == 90e12
    assert all(each.is_average for each in reading.boards)


def test_a_whatsminers_model_is_not_held_against_its_row() -> None:
    """Its last digit was replaced; other makes' names stand."""
    assert read(line()).identity.model is None
    assert read(line("Auradine")).identity.model == "M30S+ V10"


def test_a_refused_request_is_an_error_and_no_zeros() -> None:
    """All figures empty, work state True: nothing was read."""
    empty = {"hashboards": [dict(MISSING, slot=slot) for slot in range(3)], "fans": [{"speed": None}]}
    with pytest.raises(UnsupportedReplyError, match="not one figure"):
        read(line(total=None, uptime=None, wattage=None, **empty))


def test_a_missing_board_is_missing_at_its_slot() -> None:
    """The total agrees with the boards that are left."""
    boards = [board(0), dict(MISSING, slot=1), board(2)]
    assert [each.slot for each in read(line(total=66.0, hashboards=boards)).boards] == [0, 2]


def test_boards_that_pyasic_gave_up_on_are_not_missing() -> None:
    """The total says that they hash."""
    boards = [board(0), dict(MISSING, slot=1), dict(MISSING, slot=2)]
    assert read(line(total=99.0, hashboards=boards)).boards == ()


def test_fewer_places_than_the_unit_has_boards_say_nothing() -> None:
    """By default, pyasic counts by the model it takes the unit for."""
    assert read(line(hashboards=[board(0, 99.0)])).boards == ()
    assert len(read(line(hashboards=[board(0, 99.0)]), None).boards) == 1


def test_an_unknown_models_rate_is_in_hashes() -> None:
    """Documented (D264): the unit of an Auradine's rate is H/s."""
    answer = {"id": 1, "make": "Auradine", "summary": {"unit": {"value": 1}, "rate": 20.6e12}, "data": {"uptime": 5}}
    assert read(json.dumps(answer).encode()).rate_hs == 20.6e12


def test_empty_places_of_fans_are_left_out() -> None:
    """Documented (D265): ePIC has twelve."""
    fans = [{"speed": 5000}, *({"speed": None} for _ in range(10)), {"speed": 0}]
    assert read(line("AntMiner", fans=fans)).fan_rpm == (5000.0,)


def test_a_rate_beyond_twice_the_rating_is_refuted() -> None:
    """As for every other reader."""
    with pytest.raises(ContradictoryReplyError):
        polled_error(line(total=900.0, hashboards=[]))


def polled_error(answer: bytes) -> None:
    """Hold a whole poll that fails."""
    talk = READER.converse("u1", READER.new_memory(), nameplate=PLATE, slow_every=1, wall=lambda: 1.0)
    next(talk)
    talk.send(answer)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({"error": "silent"}, UnreachableError, "no machine answers"),
        ({"error": "refused"}, UnreachableError, "nothing listens"),
        ({"error": "deadline"}, DeadlineError, "in time"),
        ({"error": "unknown"}, UnsupportedReplyError, "does not know"),
        ({"error": "own", "text": "VNish"}, UnsupportedReplyError, "VNish: leave its column `reader` empty"),
        ({"error": "failed", "text": "APIError: no"}, UnsupportedReplyError, "APIError: no"),
        ({"error": "new one"}, UnsupportedReplyError, "cannot read it"),
        ({}, UnsupportedReplyError, "cannot read it"),
    ],
)
def test_trouble_is_a_declared_error(answer: Mapping[str, str], error: type[PollError], words: str) -> None:
    """Each of the closed list, and one that it does not have."""
    with pytest.raises(error, match=words) as caught:
        read(json.dumps({"id": 1, **answer}).encode())
    assert getattr(caught.value, "is_refusal", False) is (answer.get("error") == Trouble.REFUSED)


@given(st.binary(max_size=300) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(repr).map(str.encode))
def test_any_bytes_end_in_a_declared_error(data: bytes) -> None:
    """A line that is no answer is malformed, and has no id or an unexpected one."""
    head_of(data)
    with suppress(MalformedReplyError, UnsupportedReplyError):
        read(data)


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | st.just([])
KEYS = ("hashboards", "uptime", "wattage", "fans", "pools", "mac", "fw_ver")


@given(
    data=st.dictionaries(st.sampled_from(KEYS), VALUES | st.lists(st.dictionaries(st.text(max_size=8), VALUES))),
    boards=st.lists(st.dictionaries(st.sampled_from(("slot", "chips", "temp", "missing")), VALUES), max_size=40),
    total=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_figures_end_in_a_reading_or_a_declared_error(
    data: dict[str, Any], boards: list[Any], total: float | None
) -> None:
    """Whatever pyasic makes of a unit's bytes."""
    answer = line(total=total, **({"hashboards": boards} | data))
    talk = READER.converse("u1", READER.new_memory(), nameplate=PLATE, slow_every=1, wall=lambda: 1.0)
    next(talk)
    readings: list[UnitReading] = []
    with suppress(PollError):
        try:
            talk.send(answer)
        except StopIteration as end:
            readings.append(end.value)
    assert all(reading.rate_hs is None or reading.rate_hs > 0 for reading in readings)


def test_the_registry_has_it_and_no_choice_leads_to_it() -> None:
    """`auto` asks TCP 4028, where this reader says nothing."""
    assert registry.READERS["foreign"] is READER
    assert READER.name not in {rule.reader for rule in registry._RULES}


def test_a_row_leads_here_by_its_reader_or_its_make() -> None:
    """A pinned reader outranks the make; Bitmain's models go elsewhere."""
    other = replace(PLATE, make="MicroBT")
    assert [
        entry(reader=reader, nameplate=plate).is_foreign
        for reader, plate in (("foreign", PLATE), ("", other), ("antminer", other), ("", PLATE), ("luxos", PLATE))
    ] == [True, True, False, False, False]


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"summary": {"unit": {"value": 1e6}, "rate": float("inf")}}, "its figures are not finite"),
        ({"summary": {"unit": {"value": 1e6}, "rate": float("nan")}}, "its figures are not finite"),
        ({"model": "x" * LONGEST_ANSWER}, f"its figures take {LONGEST_ANSWER + 22} characters"),
    ],
)
def test_figures_of_one_unit_do_not_end_the_process(figures: dict[str, object], text: str) -> None:
    """JSON has no infinity, and the pipe has a bound: such an answer is that unit's error, in a line as any other."""
    line = encode_answer(7, figures)
    answer = decode_answer(line.encode())
    assert (answer.id, answer.error, answer.text) == (7, Trouble.FAILED, text)
    assert line.endswith("\n")
    assert len(line) < 200


def test_an_answer_of_the_process_is_one_line() -> None:
    """As it was decoded before it is written."""
    line = encode_answer(7, {"make": "WhatsMiner", "text": "a\nb"})
    assert line.count("\n") == 1
    assert decode_answer(line.encode()).make == "WhatsMiner"
