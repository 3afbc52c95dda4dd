"""Regular expressions whose time is in proportion to the text, whatever the expression and the text. Pure.

Python's own engine may try a text in more ways than there are seconds in a year: ``(a+)+$`` takes twice as long with
each further letter. Worker names come from units, which may send any name, so rules do not use that engine.

An expression is parsed into a program of steps. At each place of the text each step is tried once: if it failed there,
it fails there again, whatever came before. So a search takes at most steps times characters. What is found is what
Python's engine finds: leftmost, and by the same order of preference. Single characters and anchors are left to `re`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

MOST_STEPS: Final = 500
_SINGLE: Final = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|\D)|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\]", re.DOTALL)
_REPEAT: Final = re.compile(r"([*+?])|\{(?!\})([0-9]*)(,?)([0-9]*)\}")
_ANCHORS: Final = frozenset({"^", "$", r"\A", r"\Z", r"\b", r"\B"})
_GROUP: Final = re.compile(r"\((?:\?(?:(:)|P<([^>]*)>))?(?!\?)")
_FLAGS: Final = re.compile(r"\(\?i\)")
_TIMES: Final[Mapping[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_UNKNOWN: Final = "look-around, references to groups, and flags other than (?i) at the beginning are not known here"

_Test = Callable[[str, int], object]


class _Step(NamedTuple):
    """One step of a program.

    Attributes:
        kind: ``one`` character, ``anchor``, ``save`` the place in a slot, ``go`` on at any of some steps, ``end``.
        test: Of a character or an anchor.
        slot: Of a saved place.
        to: The steps to go on with, the preferred one first.
    """

    kind: str
    test: _Test | None = None
    slot: int = 0
    to: tuple[int, ...] = ()


class _One(NamedTuple):
    """One character, or an anchor, which takes none."""

    test: _Test
    is_anchor: bool


class _All(NamedTuple):
    """Parts one after the other."""

    parts: "tuple[_Node, ...]"


class _Any(NamedTuple):
    """Alternatives, the preferred one first."""

    parts: "tuple[_Node, ...]"


class _Group(NamedTuple):
    """A group that is remembered, by its number from 1."""

    number: int
    part: "_Node"


class _Repeat(NamedTuple):
    """A part from `least` to `most` times, or without end; as few as possible if it is lazy."""

    part: "_Node"
    least: int
    most: int | None
    is_lazy: bool


_Node = _One | _All | _Any | _Group | _Repeat


class Pattern:
    """A regular expression as `re` knows it, without look-around and references.

    Args:
        text: The expression.

    Attributes:
        names: The names of its groups.

    Raises:
        ValueError: It is no regular expression, has one of the parts that are left out, repeats a part that may be
            empty, or takes more than `MOST_STEPS` steps.
    """

    def __init__(self, text: str) -> None:
        try:
            self._slots = re.compile(text).groupindex
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"not a regular expression: {error}") from None
        self.names = tuple(self._slots)
        self._steps: list[_Step] = []
        _add(self._steps, _Parser(text).whole())
        _step(self._steps, _Step("end"))

    def search(self, text: str) -> dict[str, str] | None:
        """Return the texts of the named groups at the first place that fits, empty for one that took no part."""
        tried = bytearray(len(self._steps) * (len(text) + 1))
        for start in range(len(text) + 1):
            places = self._run(text, start, tried)
            if places is not None:
                found = ((name, 2 * group, 2 * group + 1) for name, group in self._slots.items())
                return {name: text[places.get(begin, 0) : places.get(end, 0)] for name, begin, end in found}
        return None

    def _run(self, text: str, start: int, tried: bytearray) -> dict[int, int] | None:
        """Return the saved places of a match that begins at `start`; None if there is none."""
        places: dict[int, int] = {}
        # Steps to try and their places, the preferred last; or a slot to give its earlier place back.
        waiting: list[tuple[int, int | None, bool]] = [(0, start, False)]
        while waiting:
            number, at, is_undone = waiting.pop()
            if is_undone or at is None:
                if at is None:
                    places.pop(number, None)
                else:
                    places[number] = at
                continue
            key = number * (len(text) + 1) + at
            if tried[key]:
                continue
            tried[key] = 1
            step = self._steps[number]
            if step.kind == "end":
                return places
            if step.kind == "go":
                waiting.extend((to, at, False) for to in reversed(step.to))
            elif step.kind == "save":
                waiting.append((step.slot, places.get(step.slot), True))
                places[step.slot] = at
                waiting.append((number + 1, at, False))
            elif step.test is not None and step.test(text, at):
                waiting.append((number + 1, at + (step.kind == "one"), False))
        return None


class _Parser:
    """Reads one expression that `re` has accepted already."""

    def __init__(self, text: str) -> None:
        flags = _FLAGS.match(text)
        self._flags = re.IGNORECASE if flags else re.NOFLAG
        self._text, self._at = text, flags.end() if flags else 0
        self._groups = 0

    def whole(self) -> _Node:
        """Return the expression as a tree.

        Raises:
            ValueError: It has a part that is left out, or repeats what may be empty.
        """
        parts = [self._sequence()]
        while self._text.startswith("|", self._at):
            self._at += 1
            parts.append(self._sequence())
        return _Any(tuple(parts)) if len(parts) > 1 else parts[0]

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            begin = self._at
            part = self._group() if self._text[begin] == "(" else self._one()
            repeat = _REPEAT.match(self._text, self._at)
            if repeat is not None:
                part = self._repeated(part, repeat, self._text[begin : repeat.end()])
            parts.append(part)
        return _All(tuple(parts))

    def _one(self) -> _Node:
        single = _SINGLE.match(self._text, self._at)
        if single is None:
            raise ValueError(_UNKNOWN)
        self._at = single.end()
        return _One(re.compile(single[0], self._flags).match, single[0] in _ANCHORS)

    def _group(self) -> _Node:
        opened = _GROUP.match(self._text, self._at)
        if opened is None:
            raise ValueError(_UNKNOWN)
        self._at = opened.end()
        number = 0
        if not opened[1]:
            self._groups += 1
            number = self._groups
        part = self.whole()
        self._at += 1
        return _Group(number, part) if number else part

    def _repeated(self, part: _Node, repeat: re.Match[str], shown: str) -> _Node:
        sign, low, comma, high = repeat.groups()
        if sign:
            least, most = _TIMES[sign]
        else:
            least = int(low or 0)
            most = int(high) if high else None if comma else least
        self._at = repeat.end()
        is_lazy = self._text.startswith("?", self._at)
        self._at += is_lazy
        if self._text.startswith("+", self._at):
            raise ValueError(_UNKNOWN)
        if most != 1 and _may_be_empty(part):
            # Engines differ in what such a part finds.
            raise ValueError(f"{shown!r} repeats what may be empty")
        return _Repeat(part, least, most, is_lazy)


def _may_be_empty(node: _Node) -> bool:
    match node:
        case _One(is_anchor=is_anchor):
            return is_anchor
        case _All(parts=parts):
            return all(map(_may_be_empty, parts))
        case _Any(parts=parts):
            return any(map(_may_be_empty, parts))
        case _Group(part=part):
            return _may_be_empty(part)
        case _Repeat(part=part, least=least):
            return not least or _may_be_empty(part)


def _step(steps: list[_Step], step: _Step) -> int:
    """Add a step and return its number.

    Raises:
        ValueError: There are `MOST_STEPS` already.
    """
    if len(steps) >= MOST_STEPS:
        raise ValueError(f"the expression takes more than {MOST_STEPS} steps; repeat less")
    steps.append(step)
    return len(steps) - 1


def _add(steps: list[_Step], node: _Node) -> None:
    """Add the steps of a part; those after it follow."""
    match node:
        case _One(test=test, is_anchor=is_anchor):
            _step(steps, _Step("anchor" if is_anchor else "one", test=test))
        case _All(parts=parts):
            for part in parts:
                _add(steps, part)
        case _Any(parts=parts):
            ends = []
            for part in parts[:-1]:
                fork = _step(steps, _Step("go"))
                _add(steps, part)
                ends.append(_step(steps, _Step("go")))
                steps[fork] = _Step("go", to=(fork + 1, len(steps)))
            _add(steps, parts[-1])
            for end in ends:
                steps[end] = _Step("go", to=(len(steps),))
        case _Group(number=number, part=part):
            _step(steps, _Step("save", slot=2 * number))
            _add(steps, part)
            _step(steps, _Step("save", slot=2 * number + 1))
        case _Repeat():
            _add_repeat(steps, node)


def _add_repeat(steps: list[_Step], node: _Repeat) -> None:
    part, least, most, is_lazy = node
    for _ in range(least):
        _add(steps, part)
    forks = []
    # Without end it is one part that leads back to the choice before it.
    for _ in range(1 if most is None else most - least):
        forks.append(_step(steps, _Step("go")))
        _add(steps, part)
    if most is None:
        _step(steps, _Step("go", to=(forks[0],)))
    for fork in forks:
        ways = (fork + 1, len(steps))
        steps[fork] = _Step("go", to=ways[::-1] if is_lazy else ways)
