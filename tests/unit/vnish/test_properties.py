"""For any bytes VNish's reader gives a reading within bounds or a declared error; both ways of reading agree."""

import json
import math
from collections.abc import Iterator
from typing import Any
from unittest import mock

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import example, given, settings
from vnish_cases import NEW_POOLS, NEW_STATS, OLD_POOLS, OLD_STATS, S9_POOLS, S9_STATS, S21_PRO, polled

from agent.errors import PollError
from agent.unit import limits
from agent.unit.reading import UnitReading
from agent.unit.repairs import REPAIRS
from agent.unit.vnish import stats as vnish_stats
from agent.unit.vnish.conversation import POOLS, STATS
from agent.unit.vnish.stats import Known, read_stats

RECORDED = [NEW_STATS, OLD_STATS, S9_STATS, NEW_POOLS, OLD_POOLS, S9_POOLS]
BODIES = [json.loads(data.replace(b"}{", b"},{")) for data in RECORDED]
KEYS = sorted({key for body in BODIES[:3] for item in body["STATS"] for key in item} | {"fan5", "chain_acn5"})
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [
            *(None, True, False, 0, -1, 1, 65, 10**18, 1e300, -0.5, "", "0", "nan", "-inf", "1e999", "5", "2_0", "٣"),
            *("mining", "failure", "disconnected", "stopped", "auto-tuning", "o x", "xxxx", "50-40-50-50", "0-0"),
            *("-1--2", "1-" * 90, "x" * 9000, [], {}, [5], {"a": 1}),
        ]
    ),
    st.floats(allow_nan=False),
    st.text(max_size=12),
)


def numbers_of(value: Any) -> Iterator[float]:
    """Yield all numbers in a reading."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list | tuple):
            yield from numbers_of(item)
        elif isinstance(item, int | float):
            yield item


def check(stats: bytes, pools: bytes = NEW_POOLS) -> None:
    """Assert the guarantees of a whole poll."""
    for nameplate in (S21_PRO, None):
        try:
            reading, asked = polled({STATS: stats, POOLS: pools}, nameplate=nameplate)
        except PollError:
            continue
        assert len(asked) <= 2
        body = msgspec.to_builtins(reading)
        assert all(math.isfinite(number) for number in numbers_of(body))
        rates = [reading.hashrate_5s_hs, reading.hashrate_avg_hs, reading.hashrate_ideal_hs]
        rates += [board.hashrate_hs for board in reading.boards]
        assert all(rate is None or 0 <= rate <= limits.MAX_HASHRATE_HS for rate in rates)
        assert [board.slot for board in reading.boards] == sorted({board.slot for board in reading.boards})
        assert len(reading.boards) <= limits.MAX_BOARDS
        assert len(reading.fan_rpm) <= limits.MAX_FANS
        assert reading.power_watts is None or reading.power_watts > 0
        assert len(json.dumps(body)) < 40_000
        assert set(reading.repairs) <= REPAIRS.keys()


@given(data=st.binary(max_size=200))
@example(data=b"")
@example(data=b"[" * 100_000)
@example(data=b'{"STATUS":[{"STATUS":"S"}],"STATS":[' + b"{}," * 100_000 + b"{}]}")
@example(data=b'{"STATUS":[{"STATUS":"S"}],"STATS":[{},{"GHS 5s":"1","chain_acs1":"' + b"x" * 60_000 + b'"}]}')
def test_any_bytes(data: bytes) -> None:
    """As either answer."""
    check(data)
    check(NEW_STATS, data)


@st.composite
def scratched(draw: st.DrawFn) -> bytes:
    """Draw a recorded reply with some of its bytes replaced."""
    data = draw(st.sampled_from(RECORDED))
    for _ in range(draw(st.integers(1, 3))):
        start, length = draw(st.integers(0, len(data))), draw(st.sampled_from([0, 1, 2, 40]))
        patch = draw(st.binary(max_size=4) | st.sampled_from([b"}{", b",", b"nan", b'"', b"\\", b"\0", b"-", b"e9"]))
        data = data[:start] + patch + data[start + length :]
    return data


@given(data=scratched())
@settings(max_examples=300)
def test_scratched_replies(data: bytes) -> None:
    """Altered bytes give a reading within bounds or a declared error."""
    check(data, data)


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """Draw a recorded `stats` with up to four figures replaced or deleted."""
    body = json.loads(json.dumps(draw(st.sampled_from(BODIES[:3]))))
    for _ in range(draw(st.integers(0, 4))):
        item, key = draw(st.sampled_from(body["STATS"])), draw(st.sampled_from(KEYS))
        if draw(st.booleans()):
            item[key] = draw(VALUES)
        else:
            item.pop(key, None)
    return json.dumps(body).encode()


@given(data=altered())
@settings(max_examples=600)
def test_altered_figures(data: bytes) -> None:
    """Other figures give a reading within bounds or a declared error."""
    check(data)


def outcome(data: bytes, *, is_slow: bool = False) -> Any:
    """Return the reading, or the class of its error."""
    patched = {"return_value": None} if is_slow else {"side_effect": vnish_stats.fast_figures}
    try:
        with mock.patch.object(vnish_stats, "fast_figures", **patched):
            return read_stats(data, Known("u1", 1e9))[0]
    except PollError as error:
        return type(error)


@given(data=altered())
@example(data=NEW_STATS.replace(b'"fan_num":4', b'"fan_num":17'))
@settings(max_examples=600)
def test_both_ways_read_alike(data: bytes) -> None:
    """If one decode accepts a reply, reading it field by field makes the same of it."""
    if vnish_stats.fast_figures(data) is not None:
        assert outcome(data, is_slow=True) == outcome(data)


@pytest.mark.parametrize("junk", ["junk", {}, [[]], True, 10**30])
def test_one_bad_field_costs_one_field(junk: Any) -> None:
    """But for the rate, without which there is no reading, and the state, whose words are open."""
    sound = msgspec.to_builtins(outcome(NEW_STATS))
    for key in BODIES[0]["STATS"][1]:
        if key in {"GHS 5s", "state", "total_rate"} or (
            key.startswith(("chain_state", "chain_fault")) and junk == "junk"
        ):
            continue
        body = json.loads(NEW_STATS)
        body["STATS"][1][key] = junk
        read = outcome(json.dumps(body).encode())
        assert isinstance(read, UnitReading), key
        lost = {name for name, value in msgspec.to_builtins(read).items() if value != sound[name]} - {"repairs"}
        # Watts are a sum over boards, and chips that are not all computed are measured.
        assert (
            lost <= {"boards"} or len(lost) == 1 or lost <= {"power_watts", "power_kind"} or key.startswith("temp")
        ), key
        assert not lost or read.repairs, key
