"""Filters, order and page of units: the query string of ``/api/v1/units``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import QueryError
from agent.exporters.web.query_string import read_parameters
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState, UnitStatus

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_OFFSET = 10_000_000

_Key = Callable[[UnitStatus], float | str | None]

SORTS: Mapping[str, _Key] = {
    "unit": lambda status: status.entry.unit_id,
    "state": lambda status: status.state if status.is_looked_at else None,
    "since": lambda status: status.since if status.is_looked_at else None,
    "shortfall": lambda status: status.shortfall_hs if status.is_looked_at else None,
    "hashrate": lambda status: status.hashrate_hs,
    "nameplate": lambda status: status.entry.nameplate.hashrate_hs,
    "reading": lambda status: status.reading.at if status.reading else None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitQuery:
    """A valid query.

    Attributes:
        state, reason, cause: Only units in that state, with that reason, or with a loss of that cause; units not polled
            yet match none.
        container, rack, model: Exact names.
        text: Case-folded text to find anywhere in id, host, container, rack, serial or MAC.
        sort: A key of `SORTS`; units without that value come last in either order.
        is_descending: True for largest first.
        limit, offset: Size of the page, and number of units before it.
    """

    state: UnitState | None = None
    reason: Reason | None = None
    cause: Cause | None = None
    container: str | None = None
    rack: str | None = None
    model: str | None = None
    text: str = ""
    sort: str = "unit"
    is_descending: bool = False
    limit: int = DEFAULT_LIMIT
    offset: int = 0

    def matches(self, status: UnitStatus) -> bool:
        """Return True if a unit passes every filter."""
        entry = status.entry
        if (self.state is not None or self.reason is not None) and not status.is_looked_at:
            return False
        if (self.state is not None and status.state is not self.state) or (
            self.reason is not None and status.reason is not self.reason
        ):
            return False
        if self.cause is not None and not (
            status.is_looked_at and any(loss.cause is self.cause for loss in status.losses)
        ):
            return False
        place = entry.place
        if (
            (self.container is not None and place.container != self.container)
            or (self.rack is not None and place.rack != self.rack)
            or (self.model is not None and entry.nameplate.model != self.model)
        ):
            return False
        if not self.text:
            return True
        words = (entry.unit_id, entry.host, place.container, place.rack, entry.serial or "", entry.mac or "")
        return any(self.text in word.casefold() for word in words)

    def select(self, statuses: Iterable[UnitStatus]) -> tuple[list[UnitStatus], int]:
        """Return the units on the page, and the number of units that match."""
        key = SORTS[self.sort]
        # Any: a sort's values are all strings or all numbers.
        valued: list[tuple[Any, str, UnitStatus]] = []
        blank: list[tuple[None, str, UnitStatus]] = []
        for status in statuses:
            if self.matches(status):
                value = key(status)
                if value is None:
                    blank.append((value, status.entry.unit_id, status))
                else:
                    valued.append((value, status.entry.unit_id, status))
        # By id first: the second sort is stable, so equal units keep that order and no page repeats a unit.
        valued.sort(key=lambda item: item[1])
        valued.sort(key=lambda item: item[0], reverse=self.is_descending)
        blank.sort(key=lambda item: item[1])
        ordered = [*valued, *blank]
        return [status for _, _, status in ordered[self.offset : self.offset + self.limit]], len(ordered)


def parse_query(parameters: Iterable[tuple[str, str]]) -> UnitQuery:
    """Return the query of a list of names and values.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, or out of range.
    """
    fields: dict[str, object] = {}
    for name, value in read_parameters(parameters, _PARSERS).items():
        fields |= _PARSERS[name](name, value)
    return UnitQuery(**fields)  # type: ignore[arg-type]  # Each parser returns its own fields.


def _state(name: str, value: str) -> dict[str, object]:
    if value not in set(UnitState):
        raise QueryError(f"{name} must be one of {', '.join(UnitState)}, not {value!r}")
    return {"state": UnitState(value)}


def _reason(name: str, value: str) -> dict[str, object]:
    if value not in set(Reason):
        raise QueryError(f"{name} must be one of {', '.join(Reason)}, not {value!r}")
    return {"reason": Reason(value)}


def _cause(name: str, value: str) -> dict[str, object]:
    if value not in set(Cause):
        raise QueryError(f"{name} must be one of {', '.join(Cause)}, not {value!r}")
    return {"cause": Cause(value)}


def _name(name: str, value: str) -> dict[str, object]:
    return {name: value}


def _text(_: str, value: str) -> dict[str, object]:
    return {"text": value.casefold()}


def _sort(name: str, value: str) -> dict[str, object]:
    key = value.removeprefix("-")
    if key not in SORTS:
        raise QueryError(f"{name} must be one of {', '.join(SORTS)}, with a leading - for largest first, not {value!r}")
    return {"sort": key, "is_descending": value.startswith("-")}


def _whole(least: int, most: int) -> Callable[[str, str], dict[str, object]]:
    def parse(name: str, value: str) -> dict[str, object]:
        # ASCII first: str.isdigit accepts digits of other scripts, and int accepts even more.
        is_number = value.isascii() and value.isdigit() and len(value) <= len(str(most))
        if not is_number or not least <= int(value) <= most:
            raise QueryError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
        return {name: int(value)}

    return parse


_PARSERS: Mapping[str, Callable[[str, str], dict[str, object]]] = {
    "state": _state,
    "reason": _reason,
    "cause": _cause,
    "container": _name,
    "rack": _name,
    "model": _name,
    "q": _text,
    "sort": _sort,
    "limit": _whole(1, MAX_LIMIT),
    "offset": _whole(0, MAX_OFFSET),
}
