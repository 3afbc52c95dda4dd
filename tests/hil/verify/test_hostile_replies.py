"""Whatever a unit sends, a verification ends with a verdict: no check and no comparison raises."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observed_units import observed
from sim_cases import START, make_unit

from agent.hil.capture.form import Capture, Ending
from agent.hil.verify.against import held_against
from agent.hil.verify.checks.catalogue import verdicts_of

SOUND = observed(make_unit("S21", build="s21-202604"), START, name="sound", polls=12)
CHECKS = len(verdicts_of(SOUND))
NASTY: tuple[Any, ...] = ([], {}, [{}], [[1]], "x", "", None, -1, 1e308, True)
FILES = sorted(file for file in SOUND.data if "/" not in file)


def with_reply(file: str, data: bytes) -> Capture:
    """Return the sound capture with one reply of other bytes."""
    return msgspec.structs.replace(SOUND, data={**SOUND.data, file: data}, name="hostile")


def places(value: Any, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield every place in a document but the top."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield (*steps, key)
        yield from places(each, (*steps, key))


def put(body: Any, steps: tuple[str | int, ...], new: Any) -> Any:
    """Put a value in a place."""
    parent = body
    for step in steps[:-1]:
        parent = parent[step]
    parent[steps[-1]] = new
    return body


# Fixed, as one value of one key is what broke a check before: a list cannot be asked for in a set.
ALL = [(file, steps) for file in FILES for steps in places(json.loads(SOUND.data[file]))]


@given(place=st.sampled_from(ALL), new=st.sampled_from(NASTY))
@settings(max_examples=150)
def test_any_value_anywhere(place: tuple[str, tuple[str | int, ...]], new: Any) -> None:
    """One value of one reply is another, of any type."""
    file, steps = place
    hostile = with_reply(file, json.dumps(put(json.loads(SOUND.data[file]), steps, new)).encode())
    assert len(verdicts_of(hostile)) == CHECKS


@pytest.mark.parametrize(
    "key", ["Status", "rate_unit", "fan", "chain", "Elapsed", "miner-mode", "rate_ideal", "STATUS"]
)
def test_one_key_everywhere(key: str) -> None:
    """A key that checks rest on has any value in each reply that has it."""
    for new in NASTY:
        for file in FILES:
            for steps in [steps for name, steps in ALL if name == file and steps[-1] == key][:1]:
                hostile = with_reply(file, json.dumps(put(json.loads(SOUND.data[file]), steps, new)).encode())
                assert len(verdicts_of(hostile)) == CHECKS


@given(file=st.sampled_from(FILES), data=st.binary(min_size=1, max_size=300))
@settings(max_examples=15)
def test_any_bytes(file: str, data: bytes) -> None:
    """One reply is no reply at all."""
    hostile = with_reply(file, data)
    held_against(SOUND, hostile)
    held_against(hostile, SOUND)


@given(file=st.sampled_from(FILES), size=st.integers(1, 3000), ending=st.sampled_from([None, *Ending]))
@settings(max_examples=15)
def test_any_cut_and_any_ending(file: str, size: int, ending: Ending | None) -> None:
    """A reply is cut anywhere and ends in any way."""
    hostile = with_reply(file, SOUND.data[file][:size])
    replies = tuple(msgspec.structs.replace(reply, ending=ending) for reply in SOUND.manifest.replies)
    hostile = msgspec.structs.replace(hostile, manifest=msgspec.structs.replace(SOUND.manifest, replies=replies))
    held_against(SOUND, hostile)
    held_against(hostile, SOUND)
