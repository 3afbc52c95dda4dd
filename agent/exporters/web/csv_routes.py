"""CSV twins of the JSON addresses: ``/api/v1/units.csv`` and others, with the same parameters and fields."""

import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import msgspec
from aiohttp import web

from agent.errors import HistoryError, QueryError
from agent.exporters.web.csv_answers import csv_text
from agent.exporters.web.curtailment_answers import CurtailmentAnswer, curtailment_list_answer
from agent.exporters.web.discovery_answers import MachineAnswer, discovery_answer
from agent.exporters.web.history_api import HistoryRow, parse_history_query
from agent.exporters.web.identity_answers import WhereaboutsAnswer, identity_answer
from agent.exporters.web.listener import BODIES, DOOR, REFUSED
from agent.exporters.web.pools_api import pools_of
from agent.exporters.web.responses import error_response
from agent.exporters.web.source import SOURCE, Source
from agent.exporters.web.threads import in_thread
from agent.exporters.web.unit_answers import UnitRow, unit_row
from agent.exporters.web.unit_query import MAX_OFFSET, parse_query
from agent.exporters.web.work_answers import DestinationAnswer

Rows = Callable[[], Iterable[msgspec.Struct]]
"""Returns the rows of an answer, in a thread."""


def _units(request: web.Request, source: Source) -> Rows:
    query = parse_query(request.query.items())
    if "limit" not in request.query:
        # A file has no pages.
        query = replace(query, limit=MAX_OFFSET)
    statuses, now, is_whole = list(source.units()), source.wall(), request.app[DOOR].may_see_accounts(request)
    return lambda: (unit_row(status, now, is_whole=is_whole) for status in query.select(statuses)[0])


def _curtailments(_: web.Request, source: Source) -> Rows:
    figures, now = source.curtailments.figures() if source.curtailments else tuple, source.wall()
    return lambda: curtailment_list_answer(source.name, figures(), now).curtailments


def _discovery(_: web.Request, source: Source) -> Rows:
    figures, statuses, now = source.discovery(), tuple(source.units()), source.wall()
    return lambda: discovery_answer(figures, statuses, now).machines


def _identity(_: web.Request, source: Source) -> Rows:
    figures, now = source.identity(), source.wall()
    return lambda: identity_answer(figures, now).units


TWINS: tuple[tuple[str, Callable[[web.Request, Source], Rows], type[msgspec.Struct]], ...] = (
    ("/api/v1/units.csv", _units, UnitRow),
    ("/api/v1/discovery.csv", _discovery, MachineAnswer),
    ("/api/v1/identity.csv", _identity, WhereaboutsAnswer),
)
CURTAILMENTS = "/api/v1/curtailments.csv"
HISTORY = "/api/v1/history.csv"
POOLS = "/api/v1/pools.csv"


def csv_routes() -> list[web.RouteDef]:
    """Return the routes of all CSV twins."""
    twins = [web.get(path, _handler(rows, kind)) for path, rows, kind in TWINS]
    return [*twins, web.get(CURTAILMENTS, _curtailment_list), web.get(HISTORY, _history), web.get(POOLS, _pools)]


def _handler(
    rows_of: Callable[[web.Request, Source], Rows], kind: type[msgspec.Struct]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            async with request.app[BODIES].turn("answer"):
                rows = rows_of(request, request.app[SOURCE])
                return await in_thread(lambda: _csv_response(request, rows(), kind))
        except QueryError as error:
            return error_response(request, 400, str(error))

    return answer


async def _curtailment_list(request: web.Request) -> web.Response:
    # As of the JSON: who did not log in is not told.
    refusal = request.app[DOOR].stranger_refusal(request, request.app[REFUSED])
    return refusal or await _handler(_curtailments, CurtailmentAnswer)(request)


async def _history(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    history = source.history
    if history is None:
        return error_response(request, 404, "this agent keeps no history (history.keep)")
    try:
        query = parse_history_query(request.query.items(), now=source.wall())
        is_left = threading.Event()
        async with request.app[BODIES].turn("history"):
            return await in_thread(
                lambda: _csv_response(request, history(query, lambda: not is_left.is_set()).rows, HistoryRow),
                on_left=is_left.set,
            )
    except QueryError as error:
        return error_response(request, 400, str(error))
    except HistoryError as error:
        return error_response(request, 503, str(error))


async def _pools(request: web.Request) -> web.Response:
    async with request.app[BODIES].turn("answer"):
        answer = await pools_of(request, request.app[SOURCE])
        return await in_thread(lambda: _csv_response(request, answer().destinations, DestinationAnswer))


def _csv_response(request: web.Request, rows: Iterable[msgspec.Struct], kind: type[msgspec.Struct]) -> web.Response:
    name = request.path.rpartition("/")[2]
    headers = {"Content-Disposition": f'inline; filename="{name}"'}
    body = csv_text(rows, kind).encode()
    return web.Response(body=body, content_type="text/csv", charset="utf-8", headers=headers)
