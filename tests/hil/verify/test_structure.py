"""Two JSON documents side by side: what differs, where, and what a trial puts in."""

from typing import Any

import pytest

from agent.hil.verify.differences import Kind
from agent.hil.verify.structure import MISSING, applied, differences_of, layout_of, path_text


@pytest.mark.parametrize(
    ("first", "second", "kind", "path", "put_in"),
    [
        ({"a": {"x": 1, "y": 2}}, {"a": {"x": 1}}, Kind.KEY, "a.y", {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, Kind.KEY, "a.y", {"a": {"x": 1, "y": 2}}),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, Kind.LENGTH, "a", {"a": [1, 2, 3]}),
        ({"a": [1, 2]}, {"a": [1]}, Kind.LENGTH, "a", {"a": [1]}),
        ({"a": [{"x": "S"}]}, {"a": [{"x": "E"}]}, Kind.TEXT, "a[0].x", {"a": [{"x": "E"}]}),
        ({"a": True}, {"a": False}, Kind.TEXT, "a", {"a": False}),
        # Of another type, the type alone is put in; the value is one of its moment.
        ({"a": 12.5}, {"a": "99.1"}, Kind.TYPE, "a", {"a": "12.5"}),
        ({"a": "12.5"}, {"a": 99.1}, Kind.TYPE, "a", {"a": 12.5}),
        ({"a": 12}, {"a": 99.0}, Kind.TYPE, "a", {"a": 12.0}),
        ({"a": 12}, {"a": None}, Kind.TYPE, "a", {"a": None}),
        ({"a": 12}, {"a": [1]}, Kind.TYPE, "a", {"a": [1]}),
        ({"a": "x"}, {"a": 3}, Kind.TYPE, "a", {"a": 3}),
        ({"a": 1}, {"a": 2}, Kind.NUMBER, "a", {"a": 2}),
        ({"a": "54-54-68-68"}, {"a": "55-54--3-68"}, Kind.NUMBER, "a", {"a": "55-54--3-68"}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, Kind.ORDER, "a", {"a": {"y": 2, "x": 1}}),
    ],
)
def test_one_difference(first: Any, second: Any, kind: Kind, path: str, put_in: Any) -> None:
    """It is told by kind and path, and can be put into the first document alone."""
    [apart] = differences_of(first, second)
    assert (apart.kind, path_text(apart.steps)) == (kind, path)
    assert applied(first, apart) == put_in
    assert list(applied(first, apart)["a"]) == list(put_in["a"]) if kind is Kind.ORDER else True


def test_differences_come_in_the_order_of_the_first() -> None:
    """All of them, and a missing side is marked."""
    found = list(differences_of({"b": 1, "a": [1, "x"], "c": 3}, {"a": [2, "y"], "b": 1, "d": 4}))
    assert [(each.kind, path_text(each.steps)) for each in found] == [
        (Kind.NUMBER, "a[0]"),
        (Kind.TEXT, "a[1]"),
        (Kind.KEY, "c"),
        (Kind.KEY, "d"),
    ]
    assert (found[2].second, found[3].first) == (MISSING, MISSING)


@pytest.mark.parametrize(
    ("data", "layout"),
    [
        (b'{"a":1,"b":"x: y"}', "no blanks"),
        (b'{"a": 1, "b": 2}', "blanks after separators"),
        (b'{\n "a":1}', "several lines"),
        (b'{"a":1}\n', "no blanks"),
    ],
)
def test_the_layout_of_a_reply(data: bytes, layout: str) -> None:
    """Blanks within a text are not layout, nor is a line feed at the end."""
    assert layout_of(data) == layout
