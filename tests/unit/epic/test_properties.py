"""For any bytes a poll of ePIC firmware ends in a reading within bounds or a declared error."""

import json
import math
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from epic_units import CAPABILITIES, PAGES, S19_XP, SUMMARY, EpicUnit, page
from hypothesis import example, given, settings

from agent.errors import PollError
from agent.unit import limits
from agent.unit.cgminer.page_reply import body_of
from agent.unit.epic.conversation import CAPABILITIES_PATH, SUMMARY_PATH
from agent.unit.epic.reports import SUMMARY_SHAPE
from agent.unit.repairs import REPAIRS

BODY = json.loads(SUMMARY)
NASTY = st.sampled_from(
    [
        *(None, True, False, 0, -1, 5, 0.5, 10**18, 10**30, 1e300, -0.5, "", "nan", "5", "Mining", "Idling", "\ud800"),
        *("x" * 300, [], {}, [[]], [None], [{}], [{"Index": 1}, {"Index": 1}], {"Index": 99}, [1e9, 0.0, "x"]),
    ]
)


def paths_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value in a JSON tree except the root."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths_of(item, (*path, key))


PATHS = list(paths_of(BODY))


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


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Draw the recorded page with up to four values replaced or deleted."""
    body = BODY
    for _ in range(draw(st.integers(1, 4))):
        try:
            body = changed(body, draw(st.sampled_from(PATHS)), draw(NASTY | st.just(...)))
        except (LookupError, TypeError):
            continue
    return body


def check(pages: dict[str, bytes]) -> None:
    """Assert the guarantees of two polls in a row."""
    for nameplate in (S19_XP, None):
        unit = EpicUnit({**PAGES, **pages})
        for _ in range(2):
            try:
                reading = unit.poll(nameplate=nameplate)
            except PollError:
                continue
            body = msgspec.to_builtins(reading)
            rates = [reading.rate_hs, reading.hashrate_avg_hs, *(board.hashrate_hs for board in reading.boards)]
            assert all(rate is None or 0 <= rate <= limits.MAX_HASHRATE_HS for rate in rates)
            assert [board.slot for board in reading.boards] == sorted({board.slot for board in reading.boards})
            assert len(reading.boards) <= limits.MAX_BOARDS
            assert reading.power_watts is None or 0 < reading.power_watts <= limits.MAX_WATTS
            assert set(reading.repairs) <= REPAIRS.keys()
            assert len(json.dumps(body)) < 20_000
            assert all(math.isfinite(rpm) for rpm in reading.fan_rpm if rpm is not None)


@given(data=st.binary(max_size=200), path=st.sampled_from([SUMMARY_PATH, CAPABILITIES_PATH]), is_page=st.booleans())
@example(data=b"", path=SUMMARY_PATH, is_page=True)
@example(data=b"[" * 30_000, path=SUMMARY_PATH, is_page=True)
@example(data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", path=SUMMARY_PATH, is_page=False)
@example(data=b'{"HBs":[' + b"{}," * 9000 + b"{}]}", path=SUMMARY_PATH, is_page=True)
def test_any_bytes(data: bytes, path: str, is_page: bool) -> None:  # noqa: FBT001
    """As a page, or in place of one."""
    check({path: page(data) if is_page else data})


@given(body=mutated())
@settings(max_examples=400)
def test_the_recorded_page_with_other_values(body: Any) -> None:
    """Other types, missing keys, other numbers."""
    check({SUMMARY_PATH: page(json.dumps(body).encode())})


@given(body=mutated())
@settings(max_examples=300)
def test_strict_and_lenient_agree(body: Any) -> None:
    """What the strict decode takes, the lenient one reads alike, and without a repair."""
    strict = SUMMARY_SHAPE.strictly(json.dumps(body).encode())
    if strict is not None:
        repairs: set[str] = set()
        assert SUMMARY_SHAPE.convert(body, repairs) == strict
        assert not repairs


@pytest.mark.parametrize("path", PATHS, ids=str)
def test_every_field_in_turn(path: tuple[str | int, ...]) -> None:
    """Every field may be missing, of a wrong type, or out of range."""
    for value in (..., None, True, "x", -1, 10**30, [], {}):
        check({SUMMARY_PATH: page(json.dumps(changed(BODY, path, value)).encode())})


@given(data=st.binary(max_size=300))
@example(data=b"HTTP/1.1 200 OK\r\n\r\n")
@example(data=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}")
@example(data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
def test_any_bytes_have_a_body_or_an_error(data: bytes) -> None:
    """Without a whole head there is no page."""
    try:
        body = body_of(data, "/summary")
    except PollError:
        return
    assert isinstance(body, bytes)


def test_recorded_pages_take_the_strict_decode() -> None:
    """No recorded page is walked field by field."""
    assert SUMMARY_SHAPE.strictly(SUMMARY) is not None
    assert json.loads(CAPABILITIES)["Model"] == "AntMiner S19 XP"
