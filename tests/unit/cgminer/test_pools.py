"""The `pools` report: one typed decode of sound replies, and the same pools row by row."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import CAPTURES

from agent.errors import PollError
from agent.unit.cgminer import wire
from agent.unit.cgminer.pools import pools_in, read_pools
from agent.unit.cgminer.pools_shape import fast_pools
from agent.unit.vnish.words import is_fee_pool

REPLIES = sorted(CAPTURES.glob("*/tcp4028-pools.json"))


def slowly(data: bytes) -> object:
    """Return what the row-by-row way makes of a reply: pools and repairs, or its error."""
    try:
        return pools_in(wire.decode_reply(data, "pools"), data, is_fee=is_fee_pool)
    except PollError as error:
        return type(error)


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.parent.name)
def test_recorded_replies_read_alike_in_both_ways(path: Path) -> None:
    """Every recorded reply takes the fast way, and its pools are those of the slow one."""
    data = path.read_bytes()
    fast = fast_pools(data, is_fee_pool)
    assert fast
    assert slowly(data) == (fast, ())


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-2, 10**19), st.floats(), st.text(max_size=8), st.just([]))
KEYS = st.sampled_from(
    ["POOL", "URL", "User", "Status", "Stratum Active", "Accepted", "Difficulty Accepted", "Type", "Stale"]
)


@given(rows=st.lists(st.dictionaries(KEYS, VALUES), max_size=3), letter=st.sampled_from(["S", "E", "W", ""]))
def test_any_reply_reads_alike_in_both_ways(rows: list[dict[str, object]], letter: str) -> None:
    """Where the fast way takes a reply, the slow one finds the same pools and needs no repair."""
    data = json.dumps({"STATUS": [{"STATUS": letter, "Code": 7}], "POOLS": rows}).encode() + b"\0"
    fast = fast_pools(data, is_fee_pool)
    if fast is not None:
        assert slowly(data) == (fast, ())
    else:
        try:
            found: object = read_pools(data, is_fee=is_fee_pool)
        except PollError as error:
            found = type(error)
        assert found == slowly(data)
