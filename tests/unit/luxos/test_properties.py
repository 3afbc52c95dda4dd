"""For any bytes a poll of a LuxOS unit ends in a reading within bounds or a declared error."""

import json
import math
from contextlib import suppress
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import example, given, settings
from luxos_unit import AT, LuxosUnit, recorded

from agent.errors import PollError
from agent.unit import limits
from agent.unit.cgminer.shapes import Shape
from agent.unit.luxos import reports, summary
from agent.unit.nameplate import Nameplate
from agent.unit.reading import UnitReading
from agent.unit.repairs import REPAIRS

FOLDERS = ("s19kpro-luxos-2025", "s19jpro-luxos-2025")
STATE, SLOW = "power+temps+fans+config", "pools+devdetails+events"
ASKED = ("summary", "devs", STATE, SLOW, "power", "temps", "fans", "config", "pools", "devdetails", "events")
NAMEPLATE = Nameplate(model="S19k Pro", hashrate_hs=120e12, power_watts=2760, boards=3, cooling="air", source="a test")
NASTY = st.sampled_from(
    [
        None,
        True,
        False,
        "",
        "x",
        "nan",
        "12",
        "1_0",
        -1,
        0,
        1.5,
        1e15,
        10**30,
        10**25,
        2**64,
        [],
        {},
        ["x"],
        [[]],
        [{}],
        "Sleep",
    ]
)
SHAPES: dict[str, Shape[Any]] = {
    "summary": reports.SUMMARY_SHAPE,
    "devs": reports.DEVS_SHAPE,
    "power": reports.POWER_SHAPE,
    "temps": reports.TEMPS_SHAPE,
    "fans": reports.FANS_SHAPE,
    "config": reports.CONFIG_SHAPE,
    "devdetails": reports.DETAILS_SHAPE,
    STATE: reports.STATE_SHAPE,
}


def whole(folder: str) -> dict[str, Any]:
    """Return a capture's replies, with the joined ones made of its parts."""
    replies = recorded(folder)
    for joined in (STATE, SLOW):
        replies[joined] = {part: [replies[part]] for part in joined.split("+") if part in replies} | {"id": 1}
    return replies


WHOLE = {folder: whole(folder) for folder in FOLDERS}


def check(unit: LuxosUnit) -> None:
    """Poll twice, with and without a nameplate, and hold each outcome to the bounds."""
    for nameplate in (None, NAMEPLATE):
        with suppress(PollError):
            hold(unit.poll(nameplate=nameplate, slow_every=1))
        assert len(unit.asked[-1]) <= 5


def hold(reading: UnitReading) -> None:
    """Hold a reading to the bounds of any reading."""
    encoded = msgspec.to_builtins(reading)
    msgspec.json.decode(msgspec.json.encode(reading), type=UnitReading)
    assert len(json.dumps(encoded, allow_nan=False)) < 20_000
    boards = reading.boards
    rates = [reading.hashrate_5s_hs, reading.hashrate_30m_hs, reading.hashrate_avg_hs, reading.stand_in_hs]
    for rate in [*rates, *[board.hashrate_hs for board in boards]]:
        assert rate is None or (math.isfinite(rate) and 0 <= rate <= limits.MAX_HASHRATE_HS)
    assert [board.slot for board in boards] == sorted({board.slot for board in boards})
    assert len(boards) <= limits.MAX_BOARDS
    for board in boards:
        for value in (*board.pcb_celsius, *board.chip_celsius, *board.coolant_celsius):
            assert value is None or limits.MIN_CELSIUS <= value <= limits.MAX_CELSIUS
        assert board.chips is None or 0 <= board.chips <= limits.MAX_CHIPS
    assert all(rpm is None or 0 <= rpm <= limits.MAX_RPM for rpm in reading.fan_rpm)
    assert reading.power_watts is None or 0 < reading.power_watts <= limits.MAX_WATTS
    assert set(reading.repairs) <= REPAIRS.keys()


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of every value in a JSON tree except the root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, item in items for found in paths_of(item, (*path, key))]


def changed(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of a JSON tree with one value replaced, or deleted for `...`."""
    first, *rest = path
    copy = dict(body) if isinstance(body, dict) else list(body)
    if rest:
        copy[first] = changed(body[first], tuple(rest), value)
    elif value is ...:
        del copy[first]
    else:
        copy[first] = value
    return copy


PATHS = {(folder, name): paths_of(reply) for folder, replies in WHOLE.items() for name, reply in replies.items()}


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, str, Any]:
    """Draw a capture, one of its replies, and that reply with up to four values replaced or deleted."""
    folder, name = draw(st.sampled_from(sorted(key for key in PATHS if key[1] in ASKED)))
    body = WHOLE[folder][name]
    for _ in range(draw(st.integers(1, 4))):
        try:
            body = changed(body, draw(st.sampled_from(PATHS[folder, name])), draw(NASTY | st.just(...)))
        except (LookupError, TypeError):
            continue
    return folder, name, body


@given(command=st.sampled_from(ASKED), data=st.binary(max_size=200))
@example(command="summary", data=b"")
@example(command=STATE, data=b"\0")
@example(command=STATE, data=b"}{")
@example(command=STATE, data=b"nan")
@example(command="devs", data=b"[" * 100_000)
@example(command=STATE, data=b'{"temps":[{"TEMPS":[' + b"{}," * 100_000 + b"{}]}]}")
@example(command=STATE, data=b'{"fans":[{"FANS":[nan,' + b"{}," * 1000 + b"{}]}]}")
@example(command=SLOW, data=b'{"pools":[{"POOLS":[{}]}],"devdetails":[{"DEVDETAILS":[[]]}],"events":[{"EVENTS":3}]}')
@example(command=SLOW, data=b'{"STATUS":[{"STATUS":"E","Code":1e400}]}')
@example(command="devs", data=b'{"STATUS":[{"STATUS":"E","Code":null}]}')
def test_any_bytes(command: str, data: bytes) -> None:
    """Any bytes in place of any reply."""
    for is_joining in (True, False):
        unit = LuxosUnit(
            WHOLE["s19kpro-luxos-2025"] if is_joining else recorded("s19kpro-luxos-2025"), is_joining=is_joining
        )
        unit.replies[command] = data
        check(unit)


@given(drawn=mutated())
@settings(max_examples=400)
def test_captures_with_other_values(drawn: tuple[str, str, Any]) -> None:
    """Captures with altered values."""
    folder, name, body = drawn
    unit = LuxosUnit(WHOLE[folder])
    unit.replies[name] = body
    check(unit)
    single = LuxosUnit(recorded(folder), is_joining=False)
    single.replies[name] = body
    check(single)


@pytest.mark.parametrize("name", ["summary", "devs", STATE])
def test_every_field_in_turn(name: str) -> None:
    """Every field of the reports of each poll may be missing, of a wrong type, or out of range."""
    folder = "s19kpro-luxos-2025"
    for path in PATHS[folder, name]:
        if path[0] == "DEVS" and len(path) > 1 and path[1]:
            continue
        for value in (..., None, True, "x", -1, 10**30, [], {}):
            unit = LuxosUnit(WHOLE[folder])
            unit.replies[name] = changed(WHOLE[folder][name], path, value)
            check(unit)


@given(drawn=mutated())
@settings(max_examples=400)
def test_strict_and_lenient_agree(drawn: tuple[str, str, Any]) -> None:
    """What the strict decode takes, the lenient one reads alike, and without a repair."""
    _, name, body = drawn
    shape = SHAPES.get(name)
    strict = None if shape is None else shape.strictly(json.dumps(body).encode())
    if shape is not None and strict is not None:
        repairs: set[str] = set()
        assert shape.convert(body, repairs) == strict
        assert not repairs


@given(drawn=mutated())
@settings(max_examples=300)
def test_summary_is_read_alike_by_both_paths(drawn: tuple[str, str, Any]) -> None:
    """The fast path makes the rates, the uptime and the counters that the shared report makes."""
    _, name, body = drawn
    if name != "summary":
        return
    data = json.dumps(body).encode()
    if summary.SUMMARY_SHAPE.strictly(data) is None:
        return
    try:
        fast = summary.read(data, at=AT)
    except PollError:
        return
    with mock.patch.object(Shape, "strictly", return_value=None):
        slow = summary.read(data, at=AT)
    assert (slow.uptime_s, slow.program, slow.shares) == (fast.uptime_s, fast.program, fast.shares)
    for run_s in (None, 100.0, 5000.0):
        assert slow.rates(run_s) == fast.rates(run_s)
