"""Filters, order and page of the walk list: the query string of ``/api/v1/repairs`` and ``/repairs``."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.errors import QueryError
from agent.exporters.web.query_string import read_parameters
from agent.site.repairs.entries import RepairEntry
from agent.site.repairs.symptoms import Symptom
from agent.text.natural import NaturalKey, natural_key

DEFAULT_LIMIT = 300
MAX_LIMIT = 5000
_NAMES = ("container", "symptom", "sort", "limit", "offset")
_ORDER = {symptom: number for number, symptom in enumerate(Symptom)}


def _by_place(entry: RepairEntry) -> tuple[Any, ...]:
    # A dark container stands before its units.
    place, is_unit = entry.place, entry.symptom is not Symptom.CONTAINER_DARK
    return _key(place.container), is_unit, _key(place.rack), _key(place.slot), _ORDER[entry.symptom], entry.id


def _key(name: str) -> tuple[bool, NaturalKey]:
    # What has no name comes last.
    return not name, natural_key(name)


SORTS: Mapping[str, Callable[[RepairEntry], Any]] = {
    "place": _by_place,
    "loss": lambda entry: (-entry.lost_hashes, *_by_place(entry)),
    "since": lambda entry: (entry.since, *_by_place(entry)),
}
"""Orders of the walk list: for walking, for deciding, and by age."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairQuery:
    """A valid query.

    Attributes:
        container: Exact name; None for all.
        symptom: Only this symptom; None for all.
        sort: A key of `SORTS`.
        limit, offset: Size of the page, and number of entries before it.
    """

    container: str | None = None
    symptom: Symptom | None = None
    sort: str = "place"
    limit: int = DEFAULT_LIMIT
    offset: int = 0

    def select(self, entries: Iterable[RepairEntry]) -> tuple[list[RepairEntry], int]:
        """Return the entries on the page, and the number of entries that match."""
        chosen = [
            entry
            for entry in entries
            if (self.container is None or entry.place.container == self.container)
            and (self.symptom is None or entry.symptom is self.symptom)
        ]
        chosen.sort(key=SORTS[self.sort])
        return chosen[self.offset : self.offset + self.limit], len(chosen)

    def parameters(self, **changes: str | int | None) -> dict[str, str]:
        """Return the query as names and values, with changes; what is the default is left out."""
        given: dict[str, str | int | None] = {
            "container": self.container,
            "symptom": self.symptom,
            "sort": None if self.sort == "place" else self.sort,
            "limit": None if self.limit == DEFAULT_LIMIT else self.limit,
            "offset": self.offset or None,
        }
        return {name: str(value) for name, value in (given | changes).items() if value is not None}


def parse_repair_query(parameters: Iterable[tuple[str, str]]) -> RepairQuery:
    """Return the query of a list of names and values; an empty value is none.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, or out of range.
    """
    # A form sends what was left open as an empty value.
    given = {name: value for name, value in read_parameters(parameters, _NAMES).items() if value}
    symptom, sort = given.get("symptom"), given.get("sort", "place")
    if symptom is not None and symptom not in set(Symptom):
        raise QueryError(f"symptom must be one of {', '.join(Symptom)}, not {symptom!r}")
    if sort not in SORTS:
        raise QueryError(f"sort must be one of {', '.join(SORTS)}, not {sort!r}")
    return RepairQuery(
        container=given.get("container"),
        symptom=None if symptom is None else Symptom(symptom),
        sort=sort,
        limit=_whole(given, "limit", DEFAULT_LIMIT, least=1, most=MAX_LIMIT),
        offset=_whole(given, "offset", 0, least=0, most=10_000_000),
    )


def _whole(given: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    value = given.get(name)
    if value is None:
        return default
    # ASCII first: str.isdigit accepts digits of other scripts.
    is_number = value.isascii() and value.isdigit() and len(value) <= len(str(most))
    if not is_number or not least <= int(value) <= most:
        raise QueryError(f"{name} must be a whole number from {least} to {most}, not {value!r}")
    return int(value)
