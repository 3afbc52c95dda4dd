"""Shapes: what is new about a reply, and what is only another value."""

import json

from capture_files import S21_ASLEEP_STATS, S21_POOLS, S21_STATS
from hypothesis import given
from hypothesis import strategies as st

from agent.hil.capture import shapes
from agent.hil.capture.shapes import SeenShapes, features


def new(*documents: object) -> list[list[tuple[str, str, str]]]:
    """Return what each document brings that those before it had not."""
    seen = SeenShapes()
    return [[feature[1:] for feature in seen.take("stats", json.dumps(each).encode())] for each in documents]


def test_values_alone_are_not_new() -> None:
    """Other numbers, texts and chip maps of the same types are the same shape."""
    first = {"rate": 206.9, "chips": 108, "map": "oooo ooox", "id": "a1b2", "text": "3 Pool(s)"}
    second = {"rate": 1.5, "chips": 0, "map": "xxxx oooo", "id": "c3d4", "text": "2 Pool(s)"}
    assert new(first, second)[1] == []


def test_keys_types_lengths_and_words_are_new() -> None:
    """Each once, at its path."""
    first = {"watt": 1, "chain": [{"sn": "x1"}], "state": "mining", "on": True}
    assert new(first, {**first, "jt": 17.5})[1] == [
        ("", "keys", "'chain' 'jt' 'on' 'state' 'watt'"),
        ("jt", "type", "number"),
    ]
    assert new(first, {**first, "watt": "1"})[1] == [("watt", "type", "number in text")]
    assert new(first, {**first, "watt": None})[1] == [("watt", "type", "null")]
    assert new(first, {**first, "chain": []})[1] == [("chain", "length", "0")]
    assert new(first, {**first, "state": "stopped"})[1] == [("state", "word", "stopped")]
    assert new(first, {**first, "on": False})[1] == [("on", "word", "false")]
    assert new(first, {**first, "state": "stopped"}, first)[2] == []


def test_missing_key_is_new() -> None:
    """A sleeping unit that leaves keys out has another shape."""
    assert new({"a": 1, "b": 2}, {"a": 1})[1] == [("", "keys", "'a'")]


def test_ending_and_status_are_new() -> None:
    """The same bytes that end otherwise are worth keeping."""
    seen = SeenShapes()
    seen.take("stats", b"{}", ending="nul_close")
    assert [each.value for each in seen.take("stats", b"{}", ending="reset")] == ["reset"]
    assert seen.take("stats", b"{}", ending="reset") == ()


def test_free_text_stops_being_new() -> None:
    """A field with ever new words is new sixteen times."""
    documents = [{"worker": word} for word in (f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh")]
    assert sum(any(kind == "word" for _, kind, _ in each) for each in new(*documents)) == shapes.MOST_WORDS


def test_memory_is_bounded() -> None:
    """A unit with ever new keys is remembered up to a bound."""
    seen = SeenShapes()
    for number in range(30):
        seen.take("stats", json.dumps({f"key{number}x{each}": 1 for each in range(900)}).encode())
    assert len(seen) <= shapes.MOST_FEATURES


def test_recorded_replies() -> None:
    """A sleeping S21 is another shape than a hashing one, and pools are not stats."""
    seen = SeenShapes()
    assert seen.take("stats", S21_STATS)
    assert seen.take("stats", S21_STATS) == ()
    assert seen.take("stats", S21_ASLEEP_STATS)
    assert seen.take("pools", S21_POOLS)


@given(st.binary(max_size=300))
def test_any_bytes_have_features(data: bytes) -> None:
    """No reply raises."""
    assert features("stats", data)


def test_deep_replies_have_features() -> None:
    """Nesting costs no stack."""
    assert features("stats", b"[" * 900 + b"]" * 900)
    assert [each.value for each in features("stats", b"[" * 100_000)] == ["no JSON"]
