"""Which units somebody wants to see, in what order: the query string of ``/api/v1/units``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import QueryError
from agent.site.status import Cause, UnitState, UnitStatus

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_OFFSET = 10_000_000
_VALUE_CHARS = 128

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
    """A checked query.

    Attributes:
        state, cause: Only units in that state, or with a loss to that cause; units not looked at yet are in none.
        container, rack, model: Exact names.
        text: Anywhere in id, host, container, rack, serial or MAC, in any case.
        sort: A key of `SORTS`; units without that value come last either way.
        is_descending: Largest first.
        limit, offset: The page.
    """

    state: UnitState | None = None
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
        """Say whether one unit is asked for."""
        entry = status.entry
        if self.state is not None and (status.state is not self.state or not status.is_looked_at):
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
        """Give the page that is asked for, and how many match in all."""
        key = SORTS[self.sort]
        # Any: strings for one sort, numbers for another, never both in one list.
        valued: list[tuple[Any, str, UnitStatus]] = []
        blank: list[tuple[None, str, UnitStatus]] = []
        for status in statuses:
            if self.matches(status):
                value = key(status)
                if value is None:
                    blank.append((value, status.entry.unit_id, status))
                else:
                    valued.append((value, status.entry.unit_id, status))
        # By id first, which a second, stable sort keeps among equals: pages never show a unit twice.
        valued.sort(key=lambda item: item[1])
        valued.sort(key=lambda item: item[0], reverse=self.is_descending)
        blank.sort(key=lambda item: item[1])
        ordered = [*valued, *blank]
        return [status for _, _, status in ordered[self.offset : self.offset + self.limit]], len(ordered)


def parse_query(parameters: Iterable[tuple[str, str]]) -> UnitQuery:
    """Give the query that name and value pairs stand for.

    Raises:
        QueryError: For the first that is unknown, given twice, or has a value there is not.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in _PARSERS:
            raise QueryError(f"unknown parameter {name[:_VALUE_CHARS]!r}: there are {', '.join(_PARSERS)}")
        if name in given:
            raise QueryError(f"{name} is given twice")
        if len(value) > _VALUE_CHARS:
            raise QueryError(f"{name} is longer than {_VALUE_CHARS} characters")
        given[name] = value
    fields: dict[str, object] = {}
    for name, value in given.items():
        fields |= _PARSERS[name](name, value)
    return UnitQuery(**fields)  # type: ignore[arg-type]  # Each parser gives its own fields.


def _state(name: str, value: str) -> dict[str, object]:
    if value not in set(UnitState):
        raise QueryError(f"{name} is one of {', '.join(UnitState)}, not {value!r}")
    return {"state": UnitState(value)}


def _cause(name: str, value: str) -> dict[str, object]:
    if value not in set(Cause):
        raise QueryError(f"{name} is one of {', '.join(Cause)}, not {value!r}")
    return {"cause": Cause(value)}


def _name(name: str, value: str) -> dict[str, object]:
    return {name: value}


def _text(_: str, value: str) -> dict[str, object]:
    return {"text": value.casefold()}


def _sort(name: str, value: str) -> dict[str, object]:
    key = value.removeprefix("-")
    if key not in SORTS:
        raise QueryError(f"{name} is one of {', '.join(SORTS)}, with a - before it for largest first, not {value!r}")
    return {"sort": key, "is_descending": value.startswith("-")}


def _whole(least: int, most: int) -> Callable[[str, str], dict[str, object]]:
    def parse(name: str, value: str) -> dict[str, object]:
        # ASCII first: str.isdigit takes digits of other scripts, and int takes even more.
        is_number = value.isascii() and value.isdigit() and len(value) <= len(str(most))
        if not is_number or not least <= int(value) <= most:
            raise QueryError(f"{name} is a whole number from {least} to {most}, not {value!r}")
        return {name: int(value)}

    return parse


_PARSERS: Mapping[str, Callable[[str, str], dict[str, object]]] = {
    "state": _state,
    "cause": _cause,
    "container": _name,
    "rack": _name,
    "model": _name,
    "q": _text,
    "sort": _sort,
    "limit": _whole(1, MAX_LIMIT),
    "offset": _whole(0, MAX_OFFSET),
}
