"""Exported rows and an exported chain in the place of a history: what a machine without one verifies with. Pure.

Both are read strictly: a line that `hashsight history export` would not have printed is refused with its number.
"""

import math
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, TypedDict

import msgspec

from agent.history.chain.file import Base
from agent.history.chain.heads import SignedHead
from agent.history.chain.links import MALFORMED, Fact, Link, LinkKind, fact_of
from agent.history.credits import PoolCredit
from agent.history.export import HEADER, row_line
from agent.history.minutes import COLUMNS, Values
from agent.history.reader import CHUNK
from agent.statement.errors import StatementError
from agent.statement.parts import Part
from agent.statement.unseen import GapReason

_KINDS = {kind.name.lower(): kind for kind in LinkKind}


def _digest(text: str | None) -> bytes | None:
    return bytes.fromhex(text) if text else None


class _Base(TypedDict):
    """The base, as the first line of the exported chain."""

    seq: int
    hash: str


class _Line(msgspec.Struct, frozen=True):
    """A link as a line of the exported chain."""

    seq: int
    kind: str
    at: int
    digest: str | None = None
    containers: str | None = None
    body: str | None = None


class ExportedChain:
    """The links of a file, as a source of facts.

    Args:
        text: The file.
        file: Its name in errors.

    Attributes:
        heads: Its heads, in their order.

    Raises:
        StatementError: The file is not what `history export --what chain` prints.
    """

    def __init__(self, text: str, file: str) -> None:
        self.heads: list[SignedHead] = []
        self._links: list[Link] = []
        self._base: Base | None = None
        # Not splitlines: texts of a fact may have other ends of lines in them.
        for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
            try:
                self._add(msgspec.json.decode(line))
            except (msgspec.MsgspecError, RecursionError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise StatementError(f"{file}: line {number}: not a line of an exported chain: {error}") from error

    def _add(self, content: dict[str, Any]) -> None:
        if self._base is None:
            self._base = Base(**msgspec.convert(content["base"], _Base))
        elif "head" in content:
            self.heads.append(SignedHead.of(content))
        else:
            found = msgspec.convert(content, _Line)
            digest, containers = map(_digest, (found.digest, found.containers))
            self._links.append(Link(found.seq, _KINDS[found.kind], found.at, digest, containers, found.body))

    def chain_base(self) -> Base:
        """Return the link before the first one."""
        return self._base or Base()

    @property
    def chain_end(self) -> tuple[int, str]:
        """Number of the last link; its hash is not looked at."""
        return (self._links[-1].seq if self._links else 0), ""

    def links(self, after: int = 0) -> Iterator[Link]:
        """Yield the links behind number `after`, in their order."""
        return (link for link in self._links if link.seq > after)

    def facts(
        self,
        start: float = -math.inf,
        end: float = math.inf,
        *,
        kinds: Collection[str] = (),
        last: float = math.inf,
    ) -> Iterator[Fact]:
        """Yield facts as a history's reader does."""
        found = [link for link in self._links if link.kind is LinkKind.FACT and link.seq <= last]
        for link in sorted(found, key=lambda link: (link.at, link.seq)):
            try:
                fact = fact_of(link.at, link.body or "")
            except ValueError as error:
                fact = Fact(MALFORMED, link.at, {"reason": str(error)})
            if start <= fact.at < end and (not kinds or fact.kind in kinds):
                yield fact


class ExportedRows:
    """The rows of a file, as a source of a part.

    Args:
        text: The file.
        file: Its name in errors.
        part: The part that they are held against. Whether history has rows before the period is taken from it.
        chain: The exported chain over them, for its facts; None without one.

    Raises:
        StatementError: The file is not what `history export` prints.
    """

    def __init__(self, text: str, file: str, part: Part, chain: ExportedChain | None = None) -> None:
        self.site, self._chain = part.site, chain
        self._rows = list(_rows(text, file))
        gaps = part.unseen.gaps
        self._is_first = bool(gaps) and gaps[0].reason is GapReason.LATE_START
        self._start = part.start

    def chunks(self, start: float, end: float) -> Iterator[list[Values]]:
        """Yield the rows that begin in [start, end), in the chunks of a history: the same sums to the last bit."""
        found = [values for values in self._rows if start <= (values[0] or 0) < end]
        for place in range(0, len(found), CHUNK):
            yield found[place : place + CHUNK]

    def span(self) -> tuple[int, int] | None:
        """Return when the rows begin and end; before the period unless the part says that nothing is there."""
        if not self._rows:
            return None
        first, last = self._rows[0], self._rows[-1]
        begin = int(first[0] or 0)
        return begin if self._is_first else min(begin, self._start - 1), int(last[0] or 0) + int(last[1] or 0)

    def container_sums(self, start: int, end: int) -> list[tuple[int, float, float]]:
        """Return nothing: containers are not in the file."""
        del start, end
        return []

    def set_aside_times(self) -> tuple[float, ...]:
        """Return nothing: what was set aside is not in the file."""
        return ()

    def pool_credits(self, start: float, end: float, *, known_by: float) -> list[PoolCredit]:
        """Return nothing: what pools credited is not in the file."""
        del start, end, known_by
        return []

    def facts(self, start: float, end: float, *, kinds: Collection[str]) -> Iterator[Fact]:
        """Yield the facts of the exported chain, if there is one."""
        if self._chain is not None:
            yield from self._chain.facts(start, end, kinds=kinds)


def _rows(text: str, file: str) -> Iterator[Values]:
    header, *lines = text.splitlines(keepends=True) or [""]
    if header != HEADER:
        raise StatementError(f"{file}: line 1: the header that `hashsight history export` prints is expected")
    for number, line in enumerate(lines, start=2):
        try:
            values = tuple(_value(cell) for cell in line.rstrip("\n").split(",")[1:])
            is_same = len(values) == len(COLUMNS) and row_line(values) == line
            if is_same:
                # Where it ends is looked up in a calendar later on.
                datetime.fromtimestamp((values[0] or 0) + (values[1] or 0), UTC)
        except (ValueError, OverflowError, OSError, TypeError) as error:
            raise StatementError(f"{file}: line {number}: not a row of a history: {error}") from error
        if not is_same:
            raise StatementError(f"{file}: line {number}: not as `hashsight history export` prints a row")
        yield values


def _value(cell: str) -> float | None:
    if not cell:
        return None
    try:
        return int(cell)
    except ValueError:
        return float(cell)
