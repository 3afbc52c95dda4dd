"""The agent's HTTP server: metrics, health, the JSON API and the status page, for a trusted network.

Every address is read-only except those of `curtailment_api`, which require a token.

All data comes from the callables of a `Source`, so this module knows no other exporter. Bodies that take more than a
moment are built in a thread from immutable values. `listener` holds the limits that every request is under.
"""

import threading
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from typing import Literal

import msgspec
from aiohttp import web

from agent.errors import HistoryError, QueryError
from agent.exporters.web.csv_routes import csv_routes
from agent.exporters.web.discovery_answers import discovery_answer
from agent.exporters.web.history_api import parse_history_query
from agent.exporters.web.identity_answers import identity_answer
from agent.exporters.web.influx import INFLUX, answer_influx
from agent.exporters.web.listener import BODIES, DOOR, HEADER_DEADLINE_S, MAX_CONNECTIONS, listen, new_application
from agent.exporters.web.openapi.answer import OPENAPI, answer_openapi
from agent.exporters.web.page_routes import page_routes
from agent.exporters.web.pools_api import answer_pools
from agent.exporters.web.reload_api import reload_routes
from agent.exporters.web.responses import error_response, json_response, text_response
from agent.exporters.web.site_answers import schema, site_answer
from agent.exporters.web.source import SOURCE, Source
from agent.exporters.web.threads import in_thread
from agent.exporters.web.unit_answers import unit_answer, unit_list_answer
from agent.exporters.web.unit_query import parse_query
from agent.exporters.web.unread_answers import unread_answer

SITE_HEADER = "Hashsight-Site"
"""Names the site in answers of ``/readyz``."""
ROLE_HEADER = "Hashsight-Role"
"""The agent's part among two, as in ``/api/v1/site``."""
LEDGER_HEADER = "Hashsight-Ledger"
"""The digest of the ledger in force."""


async def _metrics(request: web.Request) -> web.Response:
    scope: Literal["all", "site"] = "site" if request.path == "/metrics/site" else "all"
    accept, accept_encoding = (",".join(request.headers.getall(name, [])) for name in ("Accept", "Accept-Encoding"))
    bodies, scrape = request.app[BODIES], request.app[SOURCE].scrape
    if scope == "site":
        # Small, and alerts are made of it: it waits for no other.
        body, headers = await scrape(accept, accept_encoding, scope=scope)
    else:
        await bodies.room()
        body, headers = await scrape(accept, accept_encoding, scope=scope)
        bodies.admit(body)
    return web.Response(body=body, headers=headers)


async def _healthz(request: web.Request) -> web.Response:
    illness = request.app[SOURCE].illness()
    return text_response("ok") if illness is None else text_response(illness, 503)


async def _readyz(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    unreadiness = source.unreadiness()
    # A standby tells by this header whether its primary answers, or a proxy in front of nothing.
    headers = {SITE_HEADER: source.name, ROLE_HEADER: source.role(), LEDGER_HEADER: source.ledger_digest()}
    return text_response("ready", 200, headers) if unreadiness is None else text_response(unreadiness, 503, headers)


async def _site(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    async with request.app[BODIES].turn("answer"):
        # In a thread, because it visits every unit; its arguments are immutable.
        events = source.curtailments.figures() if source.curtailments else tuple
        answer = partial(
            site_answer,
            source.name,
            source.version,
            source.site(),
            tuple(source.units()),
            unreadiness=source.unreadiness(),
            lateness=source.lateness(),
            stretch_ratio=source.stretch_ratio(),
            now=source.wall(),
            counts_simulated=source.counts_simulated(),
            energy=source.energy(),
            zone=source.zone(),
            seen_from=source.seen_from(),
            role=source.role(),
        )
        return await in_thread(lambda: json_response(answer(events=events())))


async def _unit_list(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    try:
        query = parse_query(request.query.items())
    except QueryError as error:
        return error_response(request, 400, str(error))
    async with request.app[BODIES].turn("answer"):
        statuses, now, is_whole = list(source.units()), source.wall(), request.app[DOOR].may_see_accounts(request)

        def answer() -> web.Response:
            chosen, total = query.select(statuses)
            return json_response(
                unit_list_answer(chosen, total, offset=query.offset, limit=query.limit, now=now, is_whole=is_whole)
            )

        return await in_thread(answer)


async def _unit(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    status = source.unit(request.match_info["unit_id"])
    if status is None:
        return error_response(request, 404, "no deployed unit has that id")
    where = source.whereabouts(status.entry.unit_id)
    delivered_hs = source.delivered_hs(status.entry.unit_id)
    is_whole = request.app[DOOR].may_see_accounts(request)
    return json_response(unit_answer(source.name, status, source.wall(), where, delivered_hs, is_whole=is_whole))


async def _identity(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    async with request.app[BODIES].turn("answer"):
        figures, now = source.identity(), source.wall()
        return await in_thread(lambda: json_response(identity_answer(figures, now)))


async def _discovery(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    async with request.app[BODIES].turn("answer"):
        figures, statuses, now = source.discovery(), tuple(source.units()), source.wall()
        return await in_thread(lambda: json_response(discovery_answer(figures, statuses, now)))


async def _unread(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    async with request.app[BODIES].turn("answer"):
        return json_response(unread_answer(source.unread(), source.wall()))


async def _history(request: web.Request) -> web.Response:
    source = request.app[SOURCE]
    if source.history is None:
        return error_response(request, 404, "this agent keeps no history (history.keep)")
    try:
        query = parse_history_query(request.query.items(), now=source.wall())
        is_left = threading.Event()
        read = partial(source.history, query, lambda: not is_left.is_set())
        async with request.app[BODIES].turn("history"):
            return await in_thread(lambda: json_response(read()), on_left=is_left.set)
    except QueryError as error:
        return error_response(request, 400, str(error))
    except HistoryError as error:
        return error_response(request, 503, str(error))


async def _schema(_: web.Request) -> web.Response:
    return web.Response(body=_schema_body(), content_type="application/json")


@cache
def _schema_body() -> bytes:
    # It takes six milliseconds and never changes.
    return msgspec.json.encode(schema())


def _application(source: Source) -> web.Application:
    app = new_application(source.hosts, source.refused, source.door)
    app[SOURCE] = source
    app.add_routes(
        [
            *page_routes(),
            *csv_routes(),
            web.get(OPENAPI, answer_openapi),
            web.get(INFLUX, answer_influx),
            web.get("/metrics", _metrics),
            web.get("/metrics/site", _metrics),
            web.get("/healthz", _healthz),
            web.get("/readyz", _readyz),
            web.get("/-/healthy", _healthz),
            web.get("/-/ready", _readyz),
            *(reload_routes(source.reload) if source.reload else ()),
            web.get("/api/v1/site", _site),
            web.get("/api/v1/units", _unit_list),
            web.get("/api/v1/units/{unit_id}", _unit),
            web.get("/api/v1/pools", answer_pools),
            web.get("/api/v1/history", _history),
            web.get("/api/v1/identity", _identity),
            web.get("/api/v1/discovery", _discovery),
            web.get("/api/v1/unread", _unread),
            web.get("/api/v1/schema", _schema),
            *(source.curtailments.routes() if source.curtailments else ()),
            *(source.repairs.routes() if source.repairs else ()),
        ]
    )
    return app


def serve(
    source: Source,
    host: str,
    port: int,
    *,
    max_connections: int = MAX_CONNECTIONS,
    header_deadline_s: float = HEADER_DEADLINE_S,
) -> AbstractAsyncContextManager[tuple[str, int]]:
    """Serve `source` while the block runs; the block gets the address that is bound.

    Args:
        source: The data that is served.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        max_connections: Limit of open connections; one address may have three quarters of them.
        header_deadline_s: How long the head of a request may take to arrive.

    Raises:
        AgentError: If the address cannot be bound, on entering the block.
    """
    return listen(
        _application(source), host, port, max_connections=max_connections, header_deadline_s=header_deadline_s
    )
