"""For any bytes a reader returns a value within bounds or raises a declared error; fast and slow path agree."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import msgspec
import pytest
from capture_files import FILES, S19_STATS, S21_STATS, is_whole
from hypothesis import example, given, settings

from agent.errors import MalformedReplyError, RefusedError, UnsupportedReplyError
from agent.unit import limits
from agent.unit.antminer import stats as antminer
from agent.unit.antminer import stats_schema
from agent.unit.antminer.fast_stats import fast_reading
from agent.unit.antminer.reply_context import Known
from agent.unit.cgminer import wire
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.summary import read_summary
from agent.unit.cgminer.version import read_version
from agent.unit.nameplate import shipped_layouts
from agent.unit.reading import Identity, UnitReading
from agent.unit.repairs import REPAIRS

AT = 1763674560.0
DECLARED = (MalformedReplyError, RefusedError, UnsupportedReplyError)
READERS: dict[str, Callable[[bytes], Any]] = {
    "stats": lambda data: antminer.read_stats(data, unit_id="u1", at=AT),
    "summary": lambda data: read_summary(data, at=AT),
    "pools": read_pools,
    "version": read_version,
}
CAPTURES = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in FILES}
WHOLE = {f"{path.parent.name}/{path.name}": json.loads(path.read_bytes()) for path in FILES if is_whole(path)}

# Placeholders in JSON text for tokens that no JSON library writes.
RAW = {f"@{number}@": token for number, token in enumerate(("nan", "1e999", "-Infinity", "9" * 400, "9" * 5000, "}{"))}
NASTY_VALUES = st.sampled_from(
    [
        *RAW,
        None,
        True,
        False,
        0,
        -1,
        5,
        10**18,
        10**30,
        -(10**30),
        1e15,
        1e300,
        -0.5,
        "",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "5",
        "-5",
        "0x10",
        "GH/s",
        "TH/s",
        "S",
        "E",
        "-",
        "1-2-3",
        "1--2",
        "\ud800",
        "\x00\x1b[2J",
        "x" * 300,
        [],
        {},
        [[]],
        [None],
        ["7000", 5],
        [{}],
        [{"index": "1"}, {"index": 1}],
        {"STATUS": "S"},
    ]
)


def read_all(data: bytes, readers: Iterable[str]) -> Iterator[Any]:
    """Yield each reader's value, or the class of its declared error; any other exception passes through."""
    for reader in map(READERS.__getitem__, readers):
        message = ""
        try:
            value = reader(data)
        except DECLARED as error:
            value, message = type(error), str(error)
        assert message.isprintable()
        yield value


def numbers_of(value: Any) -> Iterator[float]:
    """Yield all numbers in a reading."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers_of(item)
    elif isinstance(value, int | float):
        yield value


def check(data: bytes, readers: Iterable[str] = READERS) -> None:
    """Assert the guarantees of every reading: finite numbers, bounds, ordered boards, declared repairs."""
    for value in read_all(data, readers):
        encoded = msgspec.json.decode(msgspec.json.encode(value if not isinstance(value, type) else None))
        assert all(math.isfinite(number) for number in numbers_of(encoded))
        if not isinstance(value, UnitReading):
            continue
        boards = value.boards
        rates = [value.hashrate_5s_hs, value.hashrate_30m_hs, value.hashrate_avg_hs, value.hashrate_ideal_hs]
        assert all(
            rate is None or 0 <= rate <= limits.MAX_HASHRATE_HS
            for rate in rates + [board.hashrate_hs for board in boards]
        )
        sensors = [celsius for board in boards for celsius in (*board.chip_celsius, *board.pcb_celsius)]
        assert all(celsius is None or limits.MIN_CELSIUS <= celsius <= limits.MAX_CELSIUS for celsius in sensors)
        assert len(boards) <= limits.MAX_BOARDS
        assert [board.slot for board in boards] == sorted({board.slot for board in boards})
        assert all(rpm is None or 0 <= rpm <= limits.MAX_RPM for rpm in value.fan_rpm)
        assert len(value.fan_rpm) <= limits.MAX_FANS
        assert len(json.dumps(encoded)) < 20_000
        assert set(value.repairs) <= REPAIRS.keys()


def leaves_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value in a JSON tree except the root."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves_of(item, (*path, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from leaves_of(item, (*path, position))


PATHS = {name: list(leaves_of(body)) for name, body in WHOLE.items()}


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


def text_of(body: Any) -> bytes:
    """Return the JSON text, with raw tokens in place of their placeholders."""
    text = json.dumps(body)
    for name, token in RAW.items():
        text = text.replace(f'"{name}"', token)
    return text.encode()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a whole capture with up to four values replaced or deleted."""
    name = draw(st.sampled_from(sorted(WHOLE)))
    body = WHOLE[name]
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PATHS[name]))
        try:
            body = changed(body, path, draw(NASTY_VALUES | st.just(...)))
        except (LookupError, TypeError):
            continue
    return text_of(body)


@st.composite
def scratched(draw: st.DrawFn) -> bytes:
    """Draw a capture with some of its bytes replaced."""
    data = draw(st.sampled_from(sorted(CAPTURES.values())))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 2, 40]))
        patch = draw(
            st.binary(max_size=4) | st.sampled_from([b"}{", b",", b"nan", b'"', b"\\", b"\0", b"[", b"-", b"e9"])
        )
        data = data[:start] + patch + data[start + length :]
    return data


@given(data=st.binary(max_size=200))
@example(data=b"")
@example(data=b"\0")
@example(data=b"}{")
@example(data=b"nan")
@example(data=b"[" * 100_000)
@example(data=b'{"STATUS":[{"STATUS":"S"}],"STATS":[' + b"{}," * 100_000 + b"{}]}")
@example(data=b'{"STATUS":[{"STATUS":"S"}],"STATS":[nan,' + b"{}," * 100_000 + b"{}]}")
@example(data=b'{"STATUS":{"STATUS":"S"},"STATS":[{"rate_5s":1,"fan":[' + b"1," * 100_000 + b"1]}]}")
@example(data=b'{"STATUS":{"STATUS":"S"},"STATS":[{"rate_5s":1,"chain":[{"temp_chip":[' + b"1," * 100_000 + b"1]}]}]}")
def test_any_bytes(data: bytes) -> None:
    """Any bytes give a value within bounds or a declared error."""
    check(data)


@given(data=scratched())
@settings(max_examples=400)
def test_captures_with_scratches(data: bytes) -> None:
    """Captures with altered bytes give a value within bounds or a declared error."""
    check(data)


@given(data=mutated())
@settings(max_examples=600)
def test_captures_with_other_values(data: bytes) -> None:
    """Captures with altered values give a value within bounds or a declared error."""
    check(data)


def is_later_row(path: Sequence[str | int]) -> bool:
    """Return True for a field of a pool or device that is not the first."""
    return path[0] in {"POOLS", "DEVS"} and len(path) > 1 and bool(path[1])


def is_later_cell(path: Sequence[str | int]) -> bool:
    """Return True for a number in a list of lists, but for the first two of its first two lists."""
    match path:
        case [*_, int(row), int(cell)]:
            return row > 1 or cell > 1
    return False


def is_later_key(body: Any, path: Sequence[str | int]) -> bool:
    """Return True for a numbered key with the same value as the one before it, as of the places without a board."""
    key, numbered = path[-1], re.fullmatch(r"(.*?)([1-9]\d*)", str(path[-1]))
    if isinstance(key, int) or numbered is None:
        return False
    for step in path[:-1]:
        body = body[step]
    return bool(body[key] == body.get(f"{numbered[1]}{int(numbered[2]) - 1}", ...))


@pytest.mark.parametrize("name", WHOLE)
def test_every_field_in_turn(name: str) -> None:
    """Every field of every whole capture may be missing, of a wrong type, or out of range.

    It is read by the reader of such captures. All readers refuse the other captures, whatever is in a field.
    """
    read = zip(READERS, read_all(CAPTURES[name], READERS), strict=True)
    readers = [reader for reader, value in read if not isinstance(value, type)]
    values = [..., None, True, "x", "nan", -1, 10**30, 1e15, [], {}, ["x"], *RAW] if readers else [..., "x", "@0@"]
    body = WHOLE[name]
    # The rows of a list have the same keys, so only the first is changed; a map of chips has cells that are all alike.
    paths = [
        path for path in PATHS[name] if not (is_later_row(path) or is_later_cell(path) or is_later_key(body, path))
    ]
    for path in paths:
        for value in values:
            check(text_of(changed(body, path, value)), readers or READERS)


def from_before(identity: Identity) -> Known:
    """Return the values from before a reply of a unit that is in no ledger."""
    return Known("u1", AT, identity, (), None, None, shipped_layouts())


def outcome(data: bytes, *, is_lenient: bool = False, identity: Identity | None = None) -> Any:
    """Return the reading or the class of its error; `is_lenient` disables the fast path and the strict decoder."""
    try:
        with ExitStack() as stack:
            if is_lenient:
                stack.enter_context(mock.patch.object(stats_schema, "_decode_strictly", side_effect=ValueError))
                stack.enter_context(mock.patch.object(antminer, "fast_reading", return_value=None))
            return antminer.read_stats(data, unit_id="u1", at=AT, identity=identity or Identity())
    except DECLARED as error:
        return type(error)


@pytest.mark.parametrize("name", WHOLE)
def test_both_decoders_read_captures_alike(name: str) -> None:
    """The strict and the lenient decoder make the same reading of every capture."""
    data = CAPTURES[name]
    assert outcome(data, is_lenient=True) == outcome(data)


@given(data=mutated())
@settings(max_examples=400)
def test_both_decoders_agree(data: bytes) -> None:
    """If the strict decoder accepts a reply, the lenient one makes the same reading of it.

    It may count more repairs: the strict one does not look at the number under a key that no reader uses.
    """
    try:
        stats_schema._decode_strictly(wire.unframe(data))
    except (ValueError, *DECLARED):
        return
    strict, lenient = outcome(data), outcome(data, is_lenient=True)
    if isinstance(strict, UnitReading) and isinstance(lenient, UnitReading):
        assert set(strict.repairs) <= set(lenient.repairs)
        lenient = msgspec.structs.replace(lenient, repairs=strict.repairs)
    assert lenient == strict


def known_of(data: bytes) -> Identity | None:
    """Return the identity that an earlier poll of this unit would have left."""
    reading = outcome(data, is_lenient=True)
    return reading.identity if isinstance(reading, UnitReading) else None


@given(data=mutated(), is_known=st.booleans())
@settings(max_examples=600)
def test_fast_path_reads_like_the_slow_one(data: bytes, is_known: bool) -> None:  # noqa: FBT001 - Hypothesis passes it by name.
    """If the fast path accepts a reply, the slow path makes the same reading of it."""
    identity = known_of(data) if is_known else Identity(model="Antminer S21")
    fast = fast_reading(data, from_before(identity or Identity()))
    if fast is not None:
        assert fast == outcome(data, is_lenient=True, identity=identity)


STATS = [name for name in WHOLE if "stats" in name and isinstance(outcome(CAPTURES[name]), UnitReading)]


@pytest.mark.parametrize("name", STATS)
def test_which_captures_take_the_fast_path(name: str) -> None:
    """Only new_api captures of a known unit without coolant sensors take the fast path."""
    data = CAPTURES[name]
    told = known_of(data)
    assert told is not None
    fast = fast_reading(data, from_before(told))
    is_air_cooled = "Hyd." not in (told.model or "")
    assert (fast is not None) is (b'"miner-mode"' in data and is_air_cooled)
    if fast is not None:
        assert fast == outcome(data, is_lenient=True, identity=told)


EXCEPTED = {
    S21_STATS: {"rate_5s", "rate_unit", "chain", "index"},
    S19_STATS: {"GHS 5s", "rate_unit", "miner_count", "Mode"},
}


@pytest.mark.parametrize("reply", EXCEPTED, ids=["new_api", "legacy"])
@pytest.mark.parametrize("junk", ["junk", {}, [[]], True, 10**30])
def test_one_bad_field_costs_one_field(reply: bytes, junk: Any) -> None:
    """A bad field changes at most one field of the reading, and a repair says why.

    Exceptions: the rate and its unit, without which there is no reading; the slots of boards; and a mode with another
    number, which is an unknown mode and not a defect.
    """
    body = json.loads(reply)
    sound = msgspec.to_builtins(READERS["stats"](reply))
    data_at = ("STATS", len(body["STATS"]) - 1)
    for path in leaves_of(body):
        if path[:2] != data_at or len(path) == 2 or path[-1] in EXCEPTED[reply]:
            continue
        read = msgspec.to_builtins(READERS["stats"](json.dumps(changed(body, path, junk)).encode()))
        lost = [where for where in leaves_of(sound) if _at(read, where) != _at(sound, where)]
        fields = {where[:3] if where[0] == "boards" else where[:1] for where in lost if where != ("boards",)}
        fields = {where for where in fields if where != ("repairs",) and not (where[0] == "boards" and len(where) < 3)}
        assert len(fields) <= 1, path
        assert not fields or read["repairs"], path


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return ...
    return value
