"""JSON text taken apart without a change: where every value stands, so that some can be replaced and the rest stay."""

import json
import re
from typing import Final, NamedTuple

MAX_DEPTH: Final = 32

Path = tuple[str | int, ...]

_BLANK = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null")


class Leaf(NamedTuple):
    """A value that is neither list nor object.

    Attributes:
        path: Keys and positions that lead to it.
        start: Its first character.
        end: The character after its last one.
        raw: Its text, with its quotes.
        value: What it means.
    """

    path: Path
    start: int
    end: int
    raw: str
    value: str | float | bool | None


class Item(NamedTuple):
    """An object in a list; fields as for `Leaf`."""

    path: Path
    start: int
    end: int


class Parsed(NamedTuple):
    """A text taken apart.

    Attributes:
        leaves: Its plain values, in order.
        items: The objects in its lists, in the order in which they end.
    """

    leaves: list[Leaf]
    items: list[Item]


def parse(text: str) -> Parsed:
    """Take a JSON text apart.

    Raises:
        ValueError: It is not JSON, or nests too deeply.
    """
    parsed = Parsed([], [])
    end = _value(text, _blank(text, 0), (), parsed)
    if _blank(text, end) != len(text):
        raise ValueError(f"more than one value, at character {end}")
    return parsed


def _blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def _value(text: str, at: int, path: Path, parsed: Parsed) -> int:
    """Read the value that begins at `at`, and return where it ends."""
    if len(path) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    opener = text[at : at + 1]
    if opener in ("{", "["):
        return _container(text, at, path, parsed, closer="}" if opener == "{" else "]")
    match = (_STRING if opener == '"' else _PLAIN).match(text, at)
    if match is None:
        raise ValueError(f"no value at character {at}")
    parsed.leaves.append(Leaf(path, at, match.end(), match[0], json.loads(match[0], strict=False)))
    return match.end()


def _container(text: str, at: int, path: Path, parsed: Parsed, *, closer: str) -> int:
    place = _blank(text, at + 1)
    position = 0
    while text[place : place + 1] != closer:
        if position:
            if text[place : place + 1] != ",":
                raise ValueError(f"no comma at character {place}")
            place = _blank(text, place + 1)
        step: str | int = position
        if closer == "}":
            key = _STRING.match(text, place)
            colon = -1 if key is None else _blank(text, key.end())
            if key is None or text[colon : colon + 1] != ":":
                raise ValueError(f"no key at character {place}")
            step, place = json.loads(key[0], strict=False), _blank(text, colon + 1)
        end = _value(text, place, (*path, step), parsed)
        if closer == "]" and text[place : place + 1] == "{":
            parsed.items.append(Item((*path, step), place, end))
        place = _blank(text, end)
        position += 1
    return place + 1
