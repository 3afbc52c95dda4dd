"""What history holds of the time before this process: read once at the start, in a thread. Blocking."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from agent.errors import HistoryError
from agent.history.minutes import Values
from agent.history.reader import HistoryReader, read_history
from agent.site.curtailment.occurrences import Happening, Told
from agent.statement.unseen import RUN_KINDS, Gap, Runs, UnseenBook, watched_until

READ_S = 20.0
"""The longest that one look may take, s."""
_EDGE_S = 180


class Past(NamedTuple):
    """What an earlier process left.

    Attributes:
        seen_until: When the last row ends before the start, without the part of it that was not watched; Unix time, s.
            None without rows.
        ledger: Digest of the ledger of the latest fact; None without one.
        told: What was told of curtailments last, by the event's id.
    """

    seen_until: int | None = None
    ledger: str | None = None
    told: Mapping[str, Told] = MappingProxyType({})


class _CurtailmentBody(msgspec.Struct, frozen=True):
    id: str
    event: Happening
    start: float = msgspec.field(name="from")
    until: float | None


class _LedgerBody(msgspec.Struct, frozen=True):
    digest: str


def read_past(path: Path, started_at: float) -> Past:
    """Return what the history at `path` holds of the time before Unix time `started_at`, s.

    A fact that no agent writes, as an edited file may have one, tells nothing.

    Raises:
        HistoryError: It cannot be read.
    """
    with _opened(path) as reader:
        ledger, told = None, dict[str, Told]()
        for fact in reader.facts(kinds=("ledger", "curtailment")):
            with suppress(msgspec.ValidationError):
                if fact.kind == "ledger":
                    ledger = msgspec.convert(fact.body, _LedgerBody).digest
                else:
                    body = msgspec.convert(fact.body, _CurtailmentBody)
                    told[body.id] = Told(body.event, body.start, body.until)
        return Past(_seen_until(reader, started_at), ledger, told)


@contextmanager
def _opened(path: Path) -> Iterator[HistoryReader]:
    """Open a history for one look; rows that no agent writes are damage, as an edited file may have them."""
    with closing(read_history(path)) as reader:
        reader.interrupt_after(READ_S)
        try:
            yield reader
        except (TypeError, ValueError, OverflowError) as error:
            raise HistoryError("damaged", f"{path}: a row that no agent writes: {error}") from error


def _seen_until(reader: HistoryReader, started_at: float) -> int | None:
    span = reader.span()
    if span is None:
        return None
    last: Values | None = None
    for chunk in reader.chunks(min(span[1], started_at) - _EDGE_S, started_at):
        last = chunk[-1]
    return None if last is None else watched_until(last)


def read_gap(path: Path, start: int, end: int) -> Gap | None:
    """Return the gap that a statement lists between two moments, with its reason; None if it lists none.

    Args:
        path: The history.
        start: When figures ended, Unix time, s.
        end: When they began again, Unix time, s.

    Raises:
        HistoryError: It cannot be read.
    """
    with _opened(path) as reader:
        since = start - _EDGE_S
        book = UnseenBook(
            since,
            course=None,
            set_aside_at=reader.set_aside_times(),
            is_first=False,
            runs=Runs.of(reader.facts(since, end + _EDGE_S, kinds=RUN_KINDS)),
        )
        rows: Sequence[Values] = [row for chunk in reader.chunks(since, end + _EDGE_S) for row in chunk]
        book.add(rows)
        return next((gap for gap in book.gaps if gap.start < end and gap.end > start), None)
