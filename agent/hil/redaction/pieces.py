"""A reply or page cut into quoted texts and what stands between them, each with its path. Pure.

The scanner takes every text: what is not JSON (an HTTP head, HTML, a log, a reply that was cut, one in Python's
notation) has fewer paths, never fewer pieces. Pieces and the quotes around them cover the whole input; stretches
without a letter or digit are left out. It looks at each character a bounded number of times.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.hil.redaction.cells import Cells, read_cells

Path = tuple[str | int, ...]
# Deeper levels add nothing to a path, so that its length is bounded.
DEEPEST: Final = 24
# Python's notation quotes with ' where no text contains one; elsewhere an apostrophe stands within a word.
_OPENING: Final = re.compile(r"""[{\[,:=(]\s{0,60}'|\"""")
_DOUBLE: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)("?)', re.DOTALL)
_SINGLE: Final = re.compile(r"'([^'\\\n]*(?:\\.[^'\\\n]*)*)('?)")
_COLON: Final = re.compile(r"\s{0,60}:")
ATTRIBUTE: Final = re.compile(r"([A-Za-z][\w-]{0,40})\s{0,10}=\s{0,10}\Z")
_STRUCTURE: Final = re.compile(r"[{}\[\],]")
_SAYING: Final = re.compile(r"[^\x00-/:-@\[-`{-\x7f]")


class Role(StrEnum):
    """Kind of a piece."""

    KEY = "key"
    QUOTED = "quoted"
    BARE = "bare"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One stretch.

    Attributes:
        role: A key, another quoted text, or what stands outside of quotes.
        start: Where it begins, without its quote.
        end: Where it ends, without its quote.
        cells: Its text.
        path: Where it stands: keys and positions in lists from the outside in. A key's path ends with itself.
    """

    role: Role
    start: int
    end: int
    cells: Cells
    path: Path


class _Nesting:
    """The keys and positions around a place. Tolerates brackets without partners."""

    def __init__(self) -> None:
        self._frames: list[tuple[str, str | int | None]] = [("", None)]
        self._deeper = 0

    def path(self) -> Path:
        """Return where we are."""
        return tuple(value for _, value in self._frames if value is not None)

    def is_list(self) -> bool:
        """Return True within a list."""
        return self._frames[-1][0] == "["

    def key(self, key: str) -> None:
        """Take note of a key."""
        if not self._deeper:
            self._frames[-1] = (self._frames[-1][0], key)

    def follow(self, between: str) -> None:
        """Follow the structure in a stretch between quoted texts."""
        for found in _STRUCTURE.finditer(between):
            sign = found.group()
            kind, value = self._frames[-1]
            if sign in "{[":
                if self._deeper or len(self._frames) > DEEPEST:
                    self._deeper += 1
                else:
                    self._frames.append((sign, 0 if sign == "[" else None))
            elif sign == ",":
                if not self._deeper:
                    self._frames[-1] = (kind, value + 1 if isinstance(value, int) else None)
            elif self._deeper:
                self._deeper -= 1
            elif len(self._frames) > 1:
                self._frames.pop()


def read_pieces(data: str) -> Iterator[Piece]:
    """Yield the pieces of a reply or page, in order.

    Args:
        data: Its bytes as Latin-1.
    """
    nesting = _Nesting()
    at = 0
    while opening := _OPENING.search(data, at):
        quote = opening.end() - 1
        between = data[at:quote]
        yield from _bare(at, between, nesting)
        nesting.follow(between)
        literal = (_DOUBLE if data[quote] == '"' else _SINGLE).match(data, quote)
        if literal is None:  # pragma: no cover - both patterns match wherever their quote stands
            raise AssertionError(quote)
        start, end = literal.span(1)
        cells = read_cells(literal[1])
        is_key = literal[2] != "" and not nesting.is_list() and _COLON.match(data, literal.end()) is not None
        if is_key:
            nesting.key(cells.text)
        path = nesting.path()
        if not is_key and (attribute := ATTRIBUTE.search(between[-64:])):
            path = (*path, attribute[1])
        if _SAYING.search(cells.text):
            yield Piece(role=Role.KEY if is_key else Role.QUOTED, start=start, end=end, cells=cells, path=path)
        at = literal.end()
    yield from _bare(at, data[at:], nesting)


def _bare(start: int, between: str, nesting: _Nesting) -> Iterator[Piece]:
    if _SAYING.search(between):
        cells = read_cells(between)
        yield Piece(role=Role.BARE, start=start, end=start + len(between), cells=cells, path=nesting.path())
