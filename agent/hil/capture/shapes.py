"""The shape of a reply: its keys, types, list lengths and state words; what of it was not seen before. Pure.

A shape is a set of features, each at a path. A reply is new if one of its features is: a key that appears now and then
is new once, not with each other field that also comes and goes.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

MOST_FEATURES: Final = 20_000
"""Features remembered of one unit; nothing is new beyond them."""
MOST_WORDS: Final = 16
"""State words at one path; a field with more of them is free text."""
LONGEST_WORD: Final = 24
MOST_SHAPED_BYTES: Final = 256 * 1024
"""A longer reply has no shape but its length: ten times what any unit sends."""

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z _-]{0,23}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?")
# `oooo xo` shows each chip of a board; its length belongs to the hardware, its letters to the moment.
_CHIP_MAP: Final = re.compile(r"[ox -]+")


class Feature(NamedTuple):
    """One thing about a reply.

    Attributes:
        request: The request that it answers.
        path: Where it stands, such as ``STATS[].chain[].sn``; empty for the whole reply.
        kind: ``keys``, ``type``, ``length``, ``word``, ``status`` or ``ending``.
        value: What it is there.
    """

    request: str
    path: str
    kind: str
    value: str


class SeenShapes:
    """The features of all replies so far."""

    def __init__(self) -> None:
        self._seen: set[Feature] = set()
        self._words: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, request: str, data: bytes, *, ending: str = "", status: str = "") -> tuple[Feature, ...]:
        """Remember a reply's features and return those that were not seen before, at most `MOST_FEATURES` in all."""
        found = [Feature(request, "", "ending", ending), Feature(request, "", "status", status)]
        if data:
            found += features(request, data)
        new = []
        for feature in found:
            if feature in self._seen or len(self._seen) >= MOST_FEATURES:
                continue
            if feature.kind == "word" and not self._counts_as_word(feature):
                continue
            self._seen.add(feature)
            new.append(feature)
        return tuple(new)

    def _counts_as_word(self, feature: Feature) -> bool:
        place = feature.request, feature.path
        self._words[place] = self._words.get(place, 0) + 1
        return self._words[place] <= MOST_WORDS


def features(request: str, data: bytes) -> list[Feature]:
    """Return the features of one reply; one that is no JSON, or too long, has a type and nothing else."""
    if len(data) > MOST_SHAPED_BYTES:
        return [Feature(request, "", "type", "too long")]
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [Feature(request, "", "type", "no JSON")]
    return [Feature(request, *each) for each in dict.fromkeys(_walk(document))]


def _walk(document: Any) -> Iterator[tuple[str, str, str]]:
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            yield path, "keys", " ".join(sorted(map(repr, value)))
            waiting += [(f"{path}.{key}" if path else str(key), each) for key, each in value.items()]
        elif isinstance(value, list):
            yield path, "length", str(len(value))
            waiting += [(f"{path}[]", each) for each in value]
        else:
            yield path, "type", _type(value)
            if (word := _word(value)) is not None:
                yield path, "word", word


def _type(value: Any) -> str:
    if isinstance(value, str):
        if not value:
            return "empty text"
        return "number in text" if _NUMBER.fullmatch(value) else "text"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "integer" if isinstance(value, int) else "number"


def _word(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and len(value) <= LONGEST_WORD and _WORD.fullmatch(value):
        return None if _CHIP_MAP.fullmatch(value) else value
    return None
