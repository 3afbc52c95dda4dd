"""Every address that programs may use: method, parameters, answer and refusals, one entry each.

`document` makes OpenAPI of it; a test compares it with the routes that the server has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agent.exporters.web.curtailment_answers import CurtailmentAnswer
from agent.exporters.web.openapi import parameters
from agent.exporters.web.repair_answers import RepairAnswer
from agent.exporters.web.repair_api import RepairOrder
from agent.exporters.web.site_answers import ANSWERS
from agent.site.curtailment.orders import StartOrder

JSON, CSV, TEXT = "application/json", "text/csv", "text/plain"
REFUSALS: Mapping[int, str] = {
    400: "A parameter is wrong; the text names what is expected.",
    401: "A login is needed, or it is wrong.",
    403: "The caller may not do this, or no caller may.",
    404: "There is nothing of this name.",
    405: "The method is not allowed here.",
    409: "It contradicts another event, or there are too many.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    421: "The server does not answer for this name.",
    429: "Too many requests; see Retry-After.",
    500: "It was tried and failed; the text says why.",
    503: "Not now: the text says why.",
}
# At every address.
COMMON = (400, 401, 405, 421, 429, 503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address.

    Attributes:
        method, path: As a client uses them.
        name: Its identifier, by which generated clients call it.
        about: What it does, in one line.
        answer: Type of the answer, for JSON.
        media: Type of the answer's content.
        parameters: Parameters in path and query.
        body: Type of the request's body; None if there is none.
        statuses: Statuses of success, with what they mean.
        refusals: Statuses of refusal beside `COMMON`.
        for_operators: True if only operators may use it.
    """

    path: str
    name: str
    about: str
    method: str = "get"
    answer: type[msgspec.Struct] | None = None
    media: str = JSON
    parameters: tuple[dict[str, Any], ...] = ()
    body: type[msgspec.Struct] | None = None
    statuses: Mapping[int, str] = field(default_factory=lambda: {200: "The answer."})
    refusals: tuple[int, ...] = ()
    for_operators: bool = False


_UNIT_ID = parameters.in_path("unit_id", "Id in the ledger.")
_EVENT_ID = parameters.in_path("id", "Id of the event.")
_ENTRY_ID = parameters.in_path("id", "Number of the entry.")
_CURTAILMENTS = "/api/v1/curtailments"
_REPAIRS = "/api/v1/repairs"


def _json(path: str, name: str, about: str, **more: Any) -> Operation:
    return Operation(path=path, name=name, about=about, answer=ANSWERS[path.replace("{unit_id}", "{id}")], **more)


def _text(path: str, name: str, about: str, **more: Any) -> Operation:
    return Operation(path=path, name=name, about=about, media=TEXT, **more)


def _csv(path: str, name: str, about: str, **more: Any) -> Operation:
    return Operation(path=path, name=name, about=about, media=CSV, **more)


OPERATIONS: tuple[Operation, ...] = (
    _json("/api/v1/site", "get_site", "The site's figures"),
    _json("/api/v1/units", "list_units", "Units, filtered, in order, page by page", parameters=parameters.UNITS),
    _csv("/api/v1/units.csv", "list_units_csv", "The same as CSV, on one page", parameters=parameters.UNITS),
    _csv("/units.csv", "list_shown_units_csv", "Units as their page shows them", parameters=parameters.UNITS),
    _json("/api/v1/units/{unit_id}", "get_unit", "One unit in full", parameters=(_UNIT_ID,), refusals=(404,)),
    _json("/api/v1/pools", "get_pools", "Where the work of the site's units goes"),
    _csv("/api/v1/pools.csv", "list_pools_csv", "The destinations of it as CSV"),
    _json("/api/v1/history", "get_history", "Means over past steps", parameters=parameters.HISTORY, refusals=(404,)),
    _csv("/api/v1/history.csv", "get_history_csv", "The same as CSV", parameters=parameters.HISTORY, refusals=(404,)),
    _json("/api/v1/identity", "get_identity", "Units away from their ledger address, and unknown machines there"),
    _csv("/api/v1/identity.csv", "get_identity_csv", "The units of it as CSV"),
    _json("/api/v1/discovery", "get_discovery", "The latest look at addresses that are not polled"),
    _csv("/api/v1/discovery.csv", "get_discovery_csv", "The machines of it as CSV"),
    _json("/api/v1/unread", "get_unread", "Fields of units' replies that no reader uses"),
    _text("/api/v1/influx", "get_influx", "The figures in InfluxDB's line protocol", parameters=parameters.INFLUX),
    _json(_CURTAILMENTS, "list_curtailments", "Declared curtailments; needs a login or token", refusals=(403,)),
    _csv(f"{_CURTAILMENTS}.csv", "list_curtailments_csv", "The same as CSV", refusals=(403,)),
    Operation(
        method="post",
        path=_CURTAILMENTS,
        name="start_curtailment",
        about="Declare a curtailment; nothing is sent to a unit",
        answer=CurtailmentAnswer,
        body=StartOrder,
        statuses={200: "It was declared before, under the same id.", 201: "It is declared."},
        refusals=(403, 404, 409, 413, 415),
        for_operators=True,
    ),
    Operation(
        method="delete",
        path=f"{_CURTAILMENTS}/{{id}}",
        name="stop_curtailment",
        about="Stop an event, or call it off before its start",
        answer=CurtailmentAnswer,
        parameters=(_EVENT_ID,),
        refusals=(403, 404, 409, 415),
        for_operators=True,
    ),
    _json(_REPAIRS, "list_repairs", "The walk list: faults that last", parameters=parameters.REPAIRS),
    _csv("/repairs.csv", "list_repairs_csv", "The same as CSV", parameters=parameters.REPAIRS),
    Operation(
        method="post",
        path=f"{_REPAIRS}/{{id}}",
        name="note_repair",
        about="Note an open entry of the walk list, or mark it as seen",
        answer=RepairAnswer,
        parameters=(_ENTRY_ID,),
        body=RepairOrder,
        refusals=(403, 404, 413, 415),
        for_operators=True,
    ),
    Operation(path="/api/v1/schema", name="get_schema", about="JSON Schema of the answers"),
    Operation(path="/api/v1/openapi.json", name="get_openapi", about="This description"),
    _text("/metrics", "get_metrics", "Prometheus text or OpenMetrics: everything"),
    _text("/metrics/site", "get_site_metrics", "The same of the site and the agent alone"),
    _text("/healthz", "get_health", "200 if the process is alive; 503 if it should be restarted"),
    _text("/readyz", "get_readiness", "200 if every unit was polled and the figures can be trusted"),
    _text("/-/healthy", "get_health_as_prometheus", "As /healthz, under the name that Prometheus has for it"),
    _text("/-/ready", "get_readiness_as_prometheus", "As /readyz, likewise"),
    _text(
        "/-/reload",
        "reload",
        "Read configuration and ledger again, all or nothing",
        method="post",
        refusals=(403, 415, 500),
        for_operators=True,
    ),
)
