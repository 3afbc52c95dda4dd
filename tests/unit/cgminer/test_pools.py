"""The `pools` report: one typed decode of sound replies, and the same pools row by row."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import CAPTURES

from agent.errors import PollError
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import MAX_POOL_CHARS
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


def reply_of(*rows: dict[str, object], is_exact: bool) -> bytes:
    """Return a reply that is read in one way or, if not exact, with a pool's place as text, in the other."""
    places: list[dict[str, object]] = [
        {"POOL": place if is_exact else str(place), "Stratum Active": False} | row for place, row in enumerate(rows)
    ]
    return json.dumps({"STATUS": [{"STATUS": "S", "Code": 7}], "POOLS": places}).encode() + b"\0"


@pytest.mark.parametrize("is_exact", [True, False])
def test_the_pool_in_use_is_read_however_far_down_it_stands(*, is_exact: bool) -> None:
    """Many listed pools in front of it hide nothing, and the number that is kept stays bounded."""
    rows = [{"URL": f"pool{place}.example:1"} for place in range(40)]
    rows[30]["Stratum Active"] = True  # type: ignore[assignment]
    pools, _ = read_pools(reply_of(*rows, is_exact=is_exact))
    assert [pool.index for pool in pools] == [*range(15), 30]
    assert [pool.url for pool in pools if pool.is_active] == ["pool30.example:1"]


@pytest.mark.parametrize("is_exact", [True, False])
def test_what_is_held_against_the_list_is_read_whole(*, is_exact: bool) -> None:
    """No host ends in the middle, no account loses a character, and 4 kB of path cost no more than what counts."""
    host = f"stratum+tcp://{'a' * 37}.pool.example.stranger.example:3333"
    rows = ({"URL": host, "User": "si\u0001te\u202e.rig"}, {"URL": f"pool.example:1/{'a' * 4096}", "User": " "})
    first, second = read_pools(reply_of(*rows, is_exact=is_exact))[0]
    assert (first.url, first.user) == (host, "si\N{REPLACEMENT CHARACTER}te\N{REPLACEMENT CHARACTER}.rig")
    assert (second.url, second.user) == (f"pool.example:1/{'a' * 4096}"[:MAX_POOL_CHARS], None)
