"""Orders to start a curtailment: checked to the last field, then turned into an event.

The same order may come over HTTP, from the command line, or on a broker's topic. The receiver calls `read_order` on the
bytes and passes the result to `book.CurtailmentBook`. An order declares what happens; nothing is ever sent to a unit.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from agent.config.mistakes import NearMatches
from agent.errors import AgentError
from agent.site.curtailment.events import Event, Scope
from agent.site.ledger.entries import LedgerEntry
from agent.strict_json import decode_strictly
from agent.unit.model_names import near_model

MAX_ORDER_BYTES = 16 * 1024
MAX_DURATION_S = 366 * 86400.0
MAX_AHEAD_S = 366 * 86400.0
# An order may be entered late; figures that were already published stay as they are.
MAX_LATE_S = 86400.0

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Refusal(StrEnum):
    """The closed list of reasons why an order changes nothing; callers may act on it."""

    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    FULL = "full"
    NOT_KEPT = "not_kept"


class OrderError(AgentError):
    """An order that cannot be followed; nothing was changed.

    Attributes:
        refusal: ``malformed``: correct it and send it again; ``unknown``: there is no such event; ``conflict``: it
            contradicts what was declared before; ``full``: too many events; ``not_kept``: it could not be written.
    """

    def __init__(self, refusal: Refusal, reason: str) -> None:
        super().__init__(reason)
        self.refusal = refusal


class ScopeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The units an order covers, by names as in the ledger; the whole site if none is given."""

    container: _Name | None = None
    rack: _Name | None = None
    model: _Name | None = None
    unit: _Name | None = None


class StartOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order to start a curtailment.

    Attributes:
        target_percent: Hashrate that is left, percent of the nameplate.
        scope: The units it covers.
        start: With its offset; now if left out.
        end: With its offset; without it and a duration, the event lasts until it is stopped.
        duration_s: Seconds from the start to the end, instead of the end.
        source: The declaring party, in a few words.
        id: The caller's own name for the event: the same order under the same id is followed once.
    """

    target_percent: Annotated[float, msgspec.Meta(ge=0, lt=100)]
    scope: ScopeOrder = ScopeOrder()
    start: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    end: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    duration_s: Annotated[float, msgspec.Meta(gt=0, le=MAX_DURATION_S)] | None = None
    source: _Name | None = None
    id: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{1,64}\Z")] | None = None


def read_order(payload: bytes) -> StartOrder:
    """Parse an order from JSON.

    Raises:
        OrderError: For anything that is not exactly an order, with the field and what is expected.
    """
    if len(payload) > MAX_ORDER_BYTES:
        raise OrderError(Refusal.MALFORMED, f"longer than {MAX_ORDER_BYTES} bytes")
    try:
        return decode_strictly(payload, StartOrder)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderError(Refusal.MALFORMED, str(error)) from error


def order_event(order: StartOrder, *, at: float, source: str, is_taken: Callable[[str], bool]) -> Event:
    """Return the event that an order declares.

    Args:
        order: The order as received.
        at: Unix time now, s.
        source: The declaring party, for an order that names none.
        is_taken: Returns True if an id is in use. Without an id in the order, one is made from the start.

    Raises:
        OrderError: For times that contradict each other or the clock, and for names that cannot be printed.
    """
    start = at if order.start is None else _unix(order.start)
    end = None if order.end is None else _unix(order.end)
    if order.duration_s is not None:
        if end is not None:
            raise OrderError(Refusal.MALFORMED, "end or duration_s is expected, not both")
        end = start + order.duration_s
    if start < at - MAX_LATE_S or start > at + MAX_AHEAD_S:
        raise OrderError(Refusal.MALFORMED, "start: a time from a day ago to a year ahead is expected")
    if end is not None and end <= max(start, at):
        raise OrderError(Refusal.MALFORMED, "end: a time after the start and after now is expected")
    if end is not None and end - start > MAX_DURATION_S:
        raise OrderError(Refusal.MALFORMED, "end: at most a year after the start is expected")
    scope = Scope(**{name: getattr(order.scope, name) for name in ScopeOrder.__struct_fields__})
    named = order.source or source
    if not all(text.isprintable() for text in (named, *scope.names().values())):
        raise OrderError(Refusal.MALFORMED, "source and scope: printable characters are expected")
    return Event(
        id=order.id or _new_id(start, is_taken),
        start=start,
        end=end,
        target_ratio=order.target_percent / 100,
        scope=scope,
        source=named,
        is_started=start <= at,
    )


class KnownScopes:
    """The scopes in which a ledger has units. Each set of names is gathered once, however many scopes are looked up.

    Args:
        entries: The ledger's, of all times.
    """

    def __init__(self, entries: Iterable[LedgerEntry]) -> None:
        self._entries = tuple(entries)
        self._filled: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        self._matches: dict[str, NearMatches] = {}

    def is_empty(self, scope: Scope) -> bool:
        """Return True if no unit is in `scope`."""
        names = scope.names()
        return tuple(names.values()) not in self._filled_by(tuple(names))

    def reason(self, scope: Scope) -> str:
        """Return why an empty scope is empty; an unknown name is taken for a typing error."""
        for kind, name in scope.names().items():
            known = self._filled_by((kind,))
            if not name or (name,) not in known:
                return f"no unit of the ledger is in {kind} {name}{self._suggestion(kind, name)}"
        return f"no unit of the ledger is in {scope}"

    def _suggestion(self, kind: str, name: str) -> str:
        known = [each for (each,) in self._filled_by((kind,)) if each]
        if kind == "model":  # One letter tells `S19 XP` from `S21 XP`.
            near = near_model(name, known)
            return "" if near is None else f"; did you mean {near}?"
        return self._matches.setdefault(kind, NearMatches(known)).near(name)

    def _filled_by(self, kinds: tuple[str, ...]) -> set[tuple[str, ...]]:
        filled = self._filled.get(kinds)
        if filled is None:
            filled = {tuple(_name(entry, kind) for kind in kinds) for entry in self._entries}
            self._filled[kinds] = filled
        return filled


def empty_scope(scope: Scope, entries: Iterable[LedgerEntry]) -> str | None:
    """Return the reason why no unit of `entries`, the ledger's of all times, is in `scope`; None if one is."""
    known = KnownScopes(entries)
    return known.reason(scope) if known.is_empty(scope) else None


def _name(entry: LedgerEntry, kind: str) -> str:
    names = {
        "container": entry.place.container,
        "rack": entry.place.rack,
        "model": entry.nameplate.model,
        "unit": entry.unit_id,
    }
    return names[kind]


def _unix(moment: datetime) -> float:
    try:
        return moment.timestamp()
    except (OverflowError, ValueError) as error:
        raise OrderError(Refusal.MALFORMED, f"there is no such time: {moment.isoformat()}") from error


def _new_id(start: float, is_taken: Callable[[str], bool]) -> str:
    """Return a readable id: the start in UTC, with a number if several start in one second."""
    base = datetime.fromtimestamp(start, UTC).strftime("%Y%m%dT%H%M%SZ")
    number, name = 1, base
    while is_taken(name):
        number += 1
        name = f"{base}-{number}"
    return name
