"""Replies by a declared shape: the strict decode and the lenient one, type by type."""

import json
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta

from agent.unit.cgminer.shapes import Shape


class _Row(msgspec.Struct, frozen=True, gc=False):
    rate: Annotated[float, Meta(ge=0, le=100)] | None = None
    count: Annotated[int, Meta(ge=0, le=10)] | None = None
    word: Annotated[str, Meta(max_length=4)] | None = None
    text: str | None = None
    flag: bool | None = None


class _Reply(msgspec.Struct, frozen=True, gc=False):
    rows: Annotated[tuple[_Row, ...], Meta(max_length=2)] = ()


class _Unbounded(msgspec.Struct, frozen=True, gc=False):
    value: dict[str, int] | None = None


SHAPE = Shape(_Reply)
TEXT_SHAPE = Shape(_Reply, is_text_normal=True)


@pytest.mark.parametrize(
    ("row", "expected", "repairs"),
    [
        (
            {"rate": 5, "count": 3, "word": "word", "text": "longer", "flag": True},
            _Row(5, 3, "word", "longer", flag=True),
            (),
        ),
        ({"rate": "5"}, _Row(rate=5), ("number_in_string",)),
        ({"rate": 101}, _Row(), ("implausible",)),
        ({"rate": True}, _Row(), ("wrong_type",)),
        ({"count": 3.0}, _Row(count=3), ()),
        ({"count": 3.9}, _Row(count=3), ()),
        ({"count": -1}, _Row(), ("implausible",)),
        ({"word": "words"}, _Row(word="word"), ()),
        ({"word": 5, "flag": 1}, _Row(), ("wrong_type",)),
        ({"rate": None, "count": "", "other": []}, _Row(), ()),
        ([], _Row(), ("wrong_type",)),
    ],
)
def test_what_a_field_becomes(row: Any, expected: _Row, repairs: tuple[str, ...]) -> None:
    """A value that does not fit is absent, with a repair; a count is whole, a text is cut to its bound."""
    assert SHAPE.read(json.dumps({"rows": [row]}).encode()) == (_Reply((expected,)), repairs)


def test_numeric_text_is_normal_where_declared() -> None:
    """It is no repair then; other text still is."""
    assert TEXT_SHAPE.read(b'{"rows":[{"rate":"5","count":"3"}]}') == (_Reply((_Row(5, 3),)), ())
    assert TEXT_SHAPE.read(b'{"rows":[{"rate":"x"}]}') == (_Reply((_Row(),)), ("wrong_type",))
    assert SHAPE.read(b'{"rows":[{"rate":"5"}]}') == (_Reply((_Row(5),)), ("number_in_string",))


@pytest.mark.parametrize(("rows", "repair"), [([{}] * 3, "implausible"), ({}, "wrong_type"), ("x", "wrong_type")])
def test_what_is_no_list_of_hardware_is_empty(rows: Any, repair: str) -> None:
    """A longer list than any unit has, and another type."""
    assert SHAPE.read(json.dumps({"rows": rows}).encode()) == (_Reply(), (repair,))


def test_a_shape_of_other_types_is_a_mistake_in_the_program() -> None:
    """It is told at the first reply that the strict decode does not take."""
    with pytest.raises(TypeError, match="no shape may have"):
        Shape(_Unbounded).read(b'{"value":5}')
