"""Parameters of addresses, described as they are checked."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from agent.exporters.web import repair_query
from agent.exporters.web.query_string import MAX_VALUE_CHARS
from agent.exporters.web.unit_query import DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, SORTS
from agent.site.ledger.entries import NO_OWNER
from agent.site.pools.work import PoolClass
from agent.site.reasons import Reason
from agent.site.repairs.symptoms import Symptom
from agent.site.status import Cause, UnitState

Schema = Mapping[str, Any]


def _query(name: str, about: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}


def _text() -> Schema:
    return {"type": "string", "maxLength": MAX_VALUE_CHARS}


def _one_of(words: Iterable[str]) -> Schema:
    return {"type": "string", "enum": list(words)}


def _words(kind: type[StrEnum]) -> Schema:
    return _one_of(word.value for word in kind)


def _whole(least: int, most: int, default: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


INFLUX = (_query("units", "Also the figures of single units; default: no.", _one_of(("yes", "no"))),)
UNITS = (
    _query("state", "Only units in this state.", _words(UnitState)),
    _query("reason", "Only units with this reason.", _words(Reason)),
    _query("cause", "Only units with a loss of this cause.", _words(Cause)),
    _query("pool", "Only units whose work goes to a destination of this class.", _words(PoolClass)),
    _query("container", "Only units of this container.", _text()),
    _query("rack", "Only units of this rack.", _text()),
    _query("model", "Only units of this model.", _text()),
    _query("owner", f"Only units of this owner; `{NO_OWNER}` for those without one.", _text()),
    _query("firmware", "Only units under this firmware.", _text()),
    _query("curtailment", "Only units that this event curtails.", _text()),
    _query("simulated", "Only simulated units, or only the others.", _one_of(("yes", "no"))),
    _query("q", "Words, each anywhere in what is known of a unit.", _text()),
    _query(
        "sort",
        "Order; with a leading minus, largest first.",
        _one_of([*SORTS, *(f"-{name}" for name in SORTS)]),
    ),
    _query("limit", "Units on a page.", _whole(1, MAX_LIMIT, DEFAULT_LIMIT)),
    _query("offset", "Units before the page.", _whole(0, MAX_OFFSET, 0)),
)
"""As `unit_query` checks them."""

REPAIRS = (
    _query("container", "Only entries of this container.", _text()),
    _query("symptom", "Only entries with this symptom.", _words(Symptom)),
    _query("sort", "Order: along the racks, by loss, or by age.", _one_of(repair_query.SORTS)),
    _query("limit", "Entries on a page.", _whole(1, repair_query.MAX_LIMIT, repair_query.DEFAULT_LIMIT)),
    _query("offset", "Entries before the page.", _whole(0, MAX_OFFSET, 0)),
)
"""As `repair_query` checks them."""

HISTORY = (
    _query("from", "Beginning: Unix time, or ISO 8601; by default a day before `to`.", _text()),
    _query("to", "End, which is not included: likewise; by default now.", _text()),
    _query("step", "Seconds from row to row.", {"type": "integer", "minimum": 60, "multipleOf": 60}),
    _query("container", "One container instead of the site.", _text()),
    _query("owner", f"One owner instead of the site; `{NO_OWNER}` for units without one.", _text()),
)
"""As `history_api` checks them."""


def in_path(name: str, about: str) -> dict[str, Any]:
    """Return a parameter that is a part of the path."""
    return {"name": name, "in": "path", "required": True, "description": about, "schema": {"type": "string"}}
