"""For any bytes a poll of Braiins OS ends in a reading within bounds or a declared error; both decoders agree."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import msgspec
import pytest
from braiins_units import AT, BMM, BRAIINS, NAMES, S9, poll, rated
from hypothesis import example, given, settings

from agent.errors import PollError
from agent.unit import limits
from agent.unit.braiins import reports, summary
from agent.unit.braiins.conversation import REQUESTS
from agent.unit.braiins.devdetails import read_devdetails
from agent.unit.braiins.devs import read_devs
from agent.unit.braiins.fans import read_fans
from agent.unit.braiins.memory import Memory
from agent.unit.braiins.temps import read_temps
from agent.unit.braiins.tunerstatus import read_tunerstatus
from agent.unit.cgminer.shapes import Shape
from agent.unit.reading import UnitReading
from agent.unit.repairs import REPAIRS

READERS: dict[str, Callable[[bytes, set[str]], Any]] = {
    "summary": lambda data, _: summary.read_summary(data, at=AT),
    "devs": read_devs,
    "devdetails": read_devdetails,
    "temps": read_temps,
    "fans": read_fans,
    "tunerstatus": read_tunerstatus,
}
SHAPES: dict[str, Shape[Any]] = {
    "summary": reports.SUMMARY_SHAPE,
    "devs": reports.DEVS_SHAPE,
    "devdetails": reports.DETAILS_SHAPE,
    "temps": reports.TEMPS_SHAPE,
    "fans": reports.FANS_SHAPE,
    "tunerstatus": reports.TUNER_SHAPE,
}
UNITS = {"BMM 100": BMM, "S9": S9}
WHOLE = {f"{path.parent.name}/{path.name}": json.loads(path.read_bytes()) for path in BRAIINS}
RAW = {f"@{number}@": token for number, token in enumerate(("nan", "1e999", "-Infinity", "9" * 400, "}{"))}
NASTY = st.sampled_from(
    [
        *(*RAW, None, True, False, 0, -1, 5, 0.5, 6.0, 63, 64, 10**18, 10**30, 1e15, 1e300, -0.5, 15.0),
        *("", "nan", "5", "-5", "0x10", "S", "E", "Not ready", "paused", "BOSer", "cgminer 1.0.0", "\ud800"),
        *("\x00\x1b[2J", "x" * 300, [], {}, [[]], [None], [{}], [{"ID": 1}, {"ID": 1}], {"STATUS": "S"}),
    ]
)


def leaves_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value in a JSON tree except the root."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from leaves_of(item, (*path, key))


def altered(body: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of a JSON tree with one value replaced, or deleted for `...`."""
    first, *rest = path
    copy = dict(body) if isinstance(body, dict) else list(body)
    if rest:
        copy[first] = altered(body[first], tuple(rest), value)
    elif value is ...:
        del copy[first]
    else:
        copy[first] = value
    return copy


def text_of(body: Any) -> bytes:
    """Return the JSON text, with raw tokens in place of their placeholders."""
    text = json.dumps(body)
    for name, token in RAW.items():
        text = text.replace(f'"{name}"', token)
    return text.encode()


@st.composite
def mutated(draw: st.DrawFn, *, command: str = "") -> bytes:
    """Draw a recorded reply, of one command or of any, with up to four values replaced or deleted."""
    names = sorted(name for name in WHOLE if f"tcp4028-{command}" in name)
    body = WHOLE[draw(st.sampled_from(names))]
    for _ in range(draw(st.integers(1, 4))):
        try:
            body = altered(body, draw(st.sampled_from(list(leaves_of(body)))), draw(NASTY | st.just(...)))
        except (LookupError, TypeError):
            continue
        if not isinstance(body, dict) or not body:
            break
    return text_of(body)


def numbers_of(value: Any) -> Iterator[float]:
    """Yield all numbers in a reading."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers_of(item)
    elif isinstance(value, int | float):
        yield value


def check(unit: dict[bytes, bytes]) -> None:
    """Assert the guarantees of three polls in a row."""
    memory = Memory()
    for turn in range(3):
        try:
            asked, reading = poll(unit, memory, rated(), at=AT + 10 * turn, slow_every=2)
        except PollError as error:
            message = str(error)
        else:
            message = ""
            assert len(asked) <= 5
            check_reading(reading)
        assert message.isprintable()


def check_reading(reading: UnitReading) -> None:
    """Assert finite numbers, bounds, boards in order, declared repairs."""
    encoded = msgspec.json.decode(msgspec.json.encode(reading))
    assert all(math.isfinite(number) for number in numbers_of(encoded))
    boards = reading.boards
    rates = [reading.hashrate_5s_hs, reading.stand_in_hs, *(board.hashrate_hs for board in boards)]
    assert all(rate is None or 0 <= rate <= limits.MAX_HASHRATE_HS for rate in rates)
    sensors = [celsius for board in boards for celsius in (*board.chip_celsius, *board.pcb_celsius)]
    assert all(celsius is None or 0 < celsius <= limits.MAX_CELSIUS for celsius in sensors)
    assert [board.slot for board in boards] == sorted({board.slot for board in boards})
    assert all(0 <= board.slot < limits.MAX_BOARDS for board in boards)
    assert len(reading.fan_rpm) <= limits.MAX_FANS
    assert reading.power_watts is None or 0 < reading.power_watts <= limits.MAX_WATTS
    assert (reading.power_kind is None) is (reading.power_watts is None)
    assert set(reading.repairs) <= REPAIRS.keys()
    assert len(json.dumps(encoded)) < 20_000


@pytest.mark.parametrize("name", UNITS)
@given(data=st.binary(max_size=200), place=st.integers(0, len(REQUESTS) - 1))
@example(data=b"", place=0)
@example(data=b"[" * 100_000, place=1)
@example(data=b'{"STATUS":[{"STATUS":"S","Description":"BOSer"}],"DEVS":[' + b'{"ID":1},' * 9000 + b"{}]}", place=1)
@example(data=b'{"STATUS":[{"STATUS":"S","Description":"BOSer"}],"TEMPS":[' + b"[]," * 9000 + b"{}]}", place=5)
def test_any_bytes_for_any_report(name: str, data: bytes, place: int) -> None:
    """Any bytes in answer to any one request give a reading within bounds or a declared error."""
    check({**UNITS[name], REQUESTS[place]: data})


@pytest.mark.parametrize("name", UNITS)
@given(data=mutated(), place=st.integers(0, len(REQUESTS) - 1))
@settings(max_examples=300)
def test_recorded_replies_with_other_values(name: str, data: bytes, place: int) -> None:
    """So does any recorded reply with altered values, in answer to any request."""
    check({**UNITS[name], REQUESTS[place]: data})


@pytest.mark.parametrize("command", READERS)
@given(data=st.data())
@settings(max_examples=300)
def test_both_decoders_agree(command: str, data: st.DataObject) -> None:
    """If the typed decoder accepts a reply, reading it field by field finds the same and repairs nothing."""
    reply = data.draw(mutated(command=command))
    fast = outcome(command, reply)
    with mock.patch.object(Shape, "strictly", return_value=None):
        slow = outcome(command, reply)
    # The typed decoder looks at fewer fields: what it does not need may be broken.
    if SHAPES[command].strictly(reply) is not None and fast != slow:
        assert fast[0] == without_repairs(slow[0])


def without_repairs(found: Any) -> Any:
    """Return a `summary` without the repairs of fields that a reading does not have."""
    return found._replace(repairs=()) if isinstance(found, summary.Summary) else found


def outcome(command: str, data: bytes) -> tuple[Any, set[str]]:
    """Return what is found, or the class of the error, and the repairs."""
    repairs: set[str] = set()
    try:
        return READERS[command](data, repairs), repairs
    except PollError as error:
        return type(error), repairs


@pytest.mark.parametrize("path", BRAIINS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_recorded_reports_take_the_fast_path(path: Any) -> None:
    """No recorded report is walked field by field."""
    command = path.name.split(".")[0].split("-")[1]
    if command not in READERS or "invalid" in path.name:
        return
    assert SHAPES[command].strictly(path.read_bytes()) is not None


@pytest.mark.parametrize("junk", ["junk", {}, [[]], True, 10**30], ids=str)
@pytest.mark.parametrize("request_", REQUESTS[1:], ids=NAMES.get)
def test_one_bad_field_costs_one_field(request_: bytes, junk: Any) -> None:
    """A bad field leaves the rate alone, and a repair says that it was there if it was needed."""
    body = json.loads(S9[request_].rstrip(b"\0"))
    for path in leaves_of(body):
        if path[0] in {"STATUS", "id"} or len(path) < 3:
            continue
        memory = Memory()
        unit = {**S9, request_: text_of(altered(body, path, junk))}
        for turn in range(3):
            _, reading = poll(unit, memory, at=AT + 10 * turn, slow_every=1)
        assert reading.rate_hs is not None
        assert reading.rate_hs > 7e12, path


def test_every_field_of_the_details() -> None:
    """Every field of it may be anything."""
    body = json.loads(S9[REQUESTS[2]].rstrip(b"\0"))
    for path in leaves_of(body):
        for value in [..., None, True, "x", -1, 10**30, 1e15, [], {}, *RAW]:
            try:
                details = read_devdetails(text_of(altered(body, path, value)), set())
            except PollError:
                continue
            assert all(hz is None or 0 < hz <= limits.MAX_FREQUENCY_HZ for _, hz in details.boards.values())
