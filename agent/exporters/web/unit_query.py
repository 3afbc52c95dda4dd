"""Filters, order and page of units: the query string of ``/api/v1/units``, ``/units`` and ``/units.csv``."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

from agent.errors import QueryError
from agent.exporters.web.query_string import read_parameters
from agent.site.ledger.entries import NO_OWNER
from agent.site.pools.work import PoolClass
from agent.site.reasons import REASONS, Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.text.places import place_key

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_OFFSET = 10_000_000
PIECE = 1000
"""Most items that are sorted by one call into C, for which the event loop waits."""

T = TypeVar("T")
_Key = Callable[[UnitStatus], Any]

SORTS: Mapping[str, _Key] = {
    "unit": lambda status: status.entry.unit_id,
    "state": lambda status: status.state if status.is_looked_at else None,
    "place": lambda status: place_key(status.entry.place),
    "reason": lambda status: status.why if status.is_looked_at else None,
    "model": lambda status: status.entry.nameplate.model,
    "celsius": lambda status: status.reading.hottest_chip_celsius if status.reading and status.is_fresh else None,
    "since": lambda status: status.since if status.is_looked_at else None,
    "shortfall": lambda status: status.shortfall_hs if status.is_looked_at else None,
    "unexplained": lambda status: status.unexplained_hs if status.is_looked_at else None,
    "hashrate": lambda status: status.hashrate_hs,
    "nameplate": lambda status: status.entry.nameplate.hashrate_hs,
    "reading": lambda status: status.reading.at if status.reading else None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitQuery:
    """A valid query.

    Attributes:
        state, reason: Only units in that state or with that reason; units not polled yet match none.
        cause: Only units with a loss of that cause: those whose losses the site's figures add up, polled or not.
        pool: Only units whose work goes to a destination of that class.
        container, rack, model, owner, firmware: Exact names; the firmware as the unit reports it, `NO_OWNER` for units
            without an owner.
        curtailment: Only units that the event of that id covers.
        is_simulated: Only simulated units, or only others; None for both.
        text: Words to find, each anywhere in what `searched` returns; case does not count.
        sort: A key of `SORTS`; units without that value come last in either order.
        is_descending: True for largest first.
        limit, offset: Size of the page, and number of units before it.
    """

    state: UnitState | None = None
    reason: Reason | None = None
    cause: Cause | None = None
    pool: PoolClass | None = None
    container: str | None = None
    rack: str | None = None
    model: str | None = None
    owner: str | None = None
    firmware: str | None = None
    curtailment: str | None = None
    is_simulated: bool | None = None
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
        if (self.cause is not None and not any(loss.cause is self.cause for loss in status.losses)) or (
            self.pool is not None and (status.work is None or status.work.pool_class is not self.pool)
        ):
            return False
        place = entry.place
        if (
            (self.container is not None and place.container != self.container)
            or (self.rack is not None and place.rack != self.rack)
            or (self.model is not None and entry.nameplate.model != self.model)
            or (self.owner is not None and entry.owner_name != self.owner)
            or (self.is_simulated is not None and entry.is_simulated is not self.is_simulated)
            or (self.curtailment is not None and (status.event is None or status.event.id != self.curtailment))
            or (self.firmware is not None and _firmware(status) != self.firmware)
        ):
            return False
        if not self.text:
            return True
        whole = searched(status)
        return all(word in whole for word in self.text.split())

    def select(self, statuses: Iterable[UnitStatus]) -> tuple[list[UnitStatus], int]:
        """Return the units on the page, and the number of units that match."""
        matching = [status for status in statuses if self.matches(status)]
        return self.page(matching), len(matching)

    def page(self, matching: Sequence[UnitStatus]) -> list[UnitStatus]:
        """Return the units on the page, of those that match; equal ones by id, so that no page repeats a unit."""
        key = SORTS[self.sort]
        valued = [(value, status) for status in matching if (value := key(status)) is not None]
        end = self.offset + self.limit
        ordered = _first(valued, end, is_descending=self.is_descending)
        if end > len(valued):
            blank = (status for status in matching if key(status) is None)
            ordered += sorted_in_pieces(list(blank), key=lambda status: status.entry.unit_id)
        return ordered[self.offset : end]


def _first(valued: Sequence[tuple[Any, UnitStatus]], wanted: int, *, is_descending: bool) -> list[UnitStatus]:
    """Return the first units by their values, and by id where those are equal.

    A page of a few takes a heap, all else a sort in pieces: one sort of 20,000 units holds the event loop for 40 ms.
    """
    sign = -1 if is_descending else 1
    values = {value for value, _ in valued}
    if all(isinstance(value, (int, float)) for value in values):
        places = {value: value for value in values}
    else:
        places = {value: place for place, value in enumerate(sorted_in_pieces(list(values)))}
    keyed = (((sign * places[value], status.entry.unit_id), status) for value, status in valued)
    if wanted < len(valued) // 4:
        first: Iterable[tuple[Any, UnitStatus]] = heapq.nsmallest(wanted, keyed, key=itemgetter(0))
    else:
        first = islice(sorted_in_pieces(list(keyed), key=itemgetter(0)), wanted)
    return [status for _, status in first]


def _itself(item: Any) -> Any:
    return item


def sorted_in_pieces(items: Sequence[T], *, key: Callable[[T], Any] = _itself) -> Iterator[T]:
    """Yield items in the order of `sorted`; no call into C sorts more than `PIECE` of them."""
    pieces = (sorted(items[start : start + PIECE], key=key) for start in range(0, len(items), PIECE))
    return heapq.merge(*pieces, key=key)


DEFAULTS = UnitQuery()


def searched(status: UnitStatus) -> str:
    """Return all that a search looks at, case-folded: a line each for identity, place, state, reason and workers.

    Of a pool's user only the worker's name is searched, which follows the account and a dot.
    """
    entry, reading = status.entry, status.reading
    place, mac = entry.place, entry.mac or ""
    lines = [
        entry.unit_id,
        entry.host,
        f"container {place.container} rack {place.rack} slot {place.slot}",
        entry.nameplate.model,
        entry.serial or "",
        mac,
        mac.replace(":", ""),
    ]
    if status.is_looked_at:
        lines += [status.state, status.why, REASONS[status.reason].words, *(finding.why for finding in status.also)]
    if reading is not None:
        identity = reading.identity
        lines += [identity.model or "", identity.firmware or "", identity.miner or "", reading.reader]
        lines += [pool.user.partition(".")[2] for pool in reading.pools if pool.user]
    return "\n".join(lines).casefold()


def _firmware(status: UnitStatus) -> str | None:
    return None if status.reading is None else status.reading.identity.firmware


def parse_query(parameters: Iterable[tuple[str, str]], defaults: UnitQuery = DEFAULTS) -> UnitQuery:
    """Return the query of a list of names and values.

    Args:
        parameters: Names and values.
        defaults: The query where nothing is given.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, or out of range.
    """
    fields: dict[str, Any] = {}
    for name, value in read_parameters(parameters, _PARSERS).items():
        fields |= _PARSERS[name](name, value)
    return replace(defaults, **fields)


def query_text(query: UnitQuery, defaults: UnitQuery = DEFAULTS, **changes: object) -> str:
    """Return the query string, without its question mark, that `parse_query` reads as this query.

    Args:
        query: The query.
        defaults: As for `parse_query`; what equals them is left out.
        changes: Attributes that differ from those of `query`.
    """
    changed = replace(query, **changes)  # type: ignore[arg-type]  # The caller's attributes are those of UnitQuery.
    named = {
        "q": changed.text,
        "state": changed.state,
        "reason": changed.reason,
        "cause": changed.cause,
        "pool": changed.pool,
        "container": changed.container,
        "rack": changed.rack,
        "model": changed.model,
        "owner": changed.owner,
        "firmware": changed.firmware,
        "curtailment": changed.curtailment,
    }
    given = {name: str(value) for name, value in named.items() if value}
    if changed.is_simulated is not None:
        given["simulated"] = "yes" if changed.is_simulated else "no"
    if (changed.sort, changed.is_descending) != (defaults.sort, defaults.is_descending):
        given["sort"] = f"-{changed.sort}" if changed.is_descending else changed.sort
    if changed.limit != defaults.limit:
        given["limit"] = str(changed.limit)
    if changed.offset != defaults.offset:
        given["offset"] = str(changed.offset)
    return urlencode(given)


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


def _pool(name: str, value: str) -> dict[str, object]:
    if value not in set(PoolClass):
        raise QueryError(f"{name} must be one of {', '.join(PoolClass)}, not {value!r}")
    return {"pool": PoolClass(value)}


def _name(name: str, value: str) -> dict[str, object]:
    return {name: value}


def _owner(_: str, value: str) -> dict[str, object]:
    # The ledger, and the unit's JSON, have nothing for a unit without an owner.
    return {"owner": value or NO_OWNER}


def _simulated(name: str, value: str) -> dict[str, object]:
    if value not in {"yes", "no"}:
        raise QueryError(f"{name} must be yes or no, not {value!r}")
    return {"is_simulated": value == "yes"}


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
    "pool": _pool,
    "container": _name,
    "rack": _name,
    "model": _name,
    "owner": _owner,
    "firmware": _name,
    "curtailment": _name,
    "simulated": _simulated,
    "q": _text,
    "sort": _sort,
    "limit": _whole(1, MAX_LIMIT),
    "offset": _whole(0, MAX_OFFSET),
}
