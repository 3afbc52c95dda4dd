"""The agent's own HTTP side: metrics, health, the JSON API and the landing page, for a trusted network.

All of it is for reading but what `curtailment_api` adds, which asks for a token.

Everything it shows comes from the callables of a `Source`, so it knows no other exporter. Bodies that take more than a
moment are made in a thread from values that do not change.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

import msgspec
import structlog
from aiohttp import web

from agent.errors import HistoryError, QueryError
from agent.exporters.web import page, unit_answers
from agent.exporters.web import site_answers as answers
from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.exporters.web.guard import Guard, GuardedConnection
from agent.exporters.web.history_api import HistoryAnswer, HistoryQuery, parse_history_query
from agent.exporters.web.identity_answers import identity_answer
from agent.exporters.web.unit_query import parse_query
from agent.site.energy import Energy
from agent.site.identity.figures import IdentityFigures
from agent.site.identity.whereabouts import Whereabouts
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures

log = structlog.get_logger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
MAX_HEADER_BYTES = 8 * 1024
HEADER_DEADLINE_S = 5.0
# A full scrape of 10,000 units without compression at 10 Mbit/s.
ANSWER_DEADLINE_S = 30.0
# Longer than any usual scrape interval, so that a scraper keeps its connection.
KEEPALIVE_S = 75.0
LINGER_S = 1.0
SHUTDOWN_S = 2.0

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "hashsight",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

ASSETS: Mapping[str, str] = {"page.css": "text/css", "icon.svg": "image/svg+xml"}


class Scrape(Protocol):
    """Gives an exposition and the headers that belong to it."""

    def __call__(
        self, accept: str = "", accept_encoding: str = "", *, scope: Literal["all", "site"] = "all"
    ) -> Awaitable[tuple[bytes, Mapping[str, str]]]:
        """Answer one scrape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What the web shows.

    Attributes:
        name: The site's.
        version: The agent's.
        scrape: Gives the exposition.
        site: Gives the latest figures, or None until every unit was looked at once.
        units: Gives the status of every unit that is deployed now.
        unit: Gives one of them by id, or None.
        unreadiness: Why the figures are not whole or not up to date; None when they are.
        illness: Why this process ought to be restarted; None when it is well.
        wall: Unix time, s.
        counts_simulated: Whether simulated units are in the figures like machines.
        history: Reads history, in a thread; None where none is kept.
        history_trouble: Why history is not being written; None while it is, or none is kept.
        identity: Gives who is not where the ledger says.
        whereabouts: Gives where one unit is; None where nobody is asked.
        curtailments: Declares curtailments, to who may; None where nobody may.
        energy: Gives the energy counters.
        delivered_hs: Gives what pools credited a unit over an hour and over a day, H/s.
        zone: Gives the zone in which the site's times are told.
        seen_from: Gives the Unix time from which on each unit is watched, s; None while not all are.
    """

    name: str
    version: str
    scrape: Scrape
    site: Callable[[], SiteFigures | None]
    units: Callable[[], Iterable[UnitStatus]]
    unit: Callable[[str], UnitStatus | None]
    unreadiness: Callable[[], str | None]
    illness: Callable[[], str | None]
    wall: Callable[[], float]
    counts_simulated: Callable[[], bool] = lambda: True
    history: Callable[[HistoryQuery], HistoryAnswer] | None = None
    history_trouble: Callable[[], str | None] = lambda: None
    identity: Callable[[], IdentityFigures] = IdentityFigures
    whereabouts: Callable[[str], Whereabouts | None] = lambda _: None
    curtailments: CurtailmentApi | None = None
    energy: Callable[[], Energy | None] = lambda: None
    delivered_hs: Callable[[str], tuple[float | None, float | None]] = lambda _: (None, None)
    zone: Callable[[], ZoneInfo] = lambda: ZoneInfo("UTC")
    seen_from: Callable[[], float | None] = lambda: None


_SOURCE: web.AppKey[Source] = web.AppKey("source", Source)
# Reading months takes a second of a disk and a core: one at a time, and who waits falls under the answer's deadline.
_HISTORY_TURNS: web.AppKey[asyncio.Lock] = web.AppKey("history_turns", asyncio.Lock)


def _json(answer: msgspec.Struct | Mapping[str, object], status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer), status=status, content_type="application/json")


def _text(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=text + "\n", status=status, headers=headers)


def _error(request: web.Request, status: int, reason: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Give an error as what the asker reads: JSON under /api/, one line of text elsewhere."""
    if request.path.startswith("/api/"):
        response = _json(answers.ErrorAnswer(error=reason), status)
        response.headers.update(headers or {})
        return response
    return _text(reason, status, headers)


async def _metrics(request: web.Request) -> web.Response:
    scope: Literal["all", "site"] = "site" if request.path == "/metrics/site" else "all"
    accept, accept_encoding = (",".join(request.headers.getall(name, [])) for name in ("Accept", "Accept-Encoding"))
    body, headers = await request.app[_SOURCE].scrape(accept, accept_encoding, scope=scope)
    return web.Response(body=body, headers=headers)


async def _healthz(request: web.Request) -> web.Response:
    illness = request.app[_SOURCE].illness()
    return _text("ok") if illness is None else _text(illness, 503)


async def _readyz(request: web.Request) -> web.Response:
    unreadiness = request.app[_SOURCE].unreadiness()
    return _text("ready") if unreadiness is None else _text(unreadiness, 503)


async def _site(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    # In a thread, because it looks at every unit; all it is given stays as it is.
    answer = await asyncio.to_thread(
        answers.site_answer,
        source.name,
        source.version,
        source.site(),
        tuple(source.units()),
        unreadiness=source.unreadiness(),
        now=source.wall(),
        counts_simulated=source.counts_simulated(),
        events=source.curtailments.figures() if source.curtailments else (),
        energy=source.energy(),
        zone=source.zone(),
        seen_from=source.seen_from(),
    )
    return _json(answer)


async def _units(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    try:
        query = parse_query(request.query.items())
    except QueryError as error:
        return _error(request, 400, str(error))
    statuses, now = list(source.units()), source.wall()

    def answer() -> web.Response:
        chosen, total = query.select(statuses)
        return _json(unit_answers.units_answer(chosen, total, offset=query.offset, limit=query.limit, now=now))

    return await asyncio.to_thread(answer)


async def _unit(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    status = source.unit(request.match_info["unit_id"])
    if status is None:
        return _error(request, 404, "no unit of that id is deployed now")
    where = source.whereabouts(status.entry.unit_id)
    delivered_hs = source.delivered_hs(status.entry.unit_id)
    return _json(unit_answers.unit_answer(source.name, status, source.wall(), where, delivered_hs))


async def _identity(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    return _json(identity_answer(source.identity(), source.wall()))


async def _history(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    if source.history is None:
        return _error(request, 404, "no history is kept here (history.keep)")
    try:
        query = parse_history_query(request.query.items(), now=source.wall())
        async with request.app[_HISTORY_TURNS]:
            answer = await asyncio.to_thread(source.history, query)
    except QueryError as error:
        return _error(request, 400, str(error))
    except HistoryError as error:
        return _error(request, 503, str(error))
    return _json(answer)


async def _schema(_: web.Request) -> web.Response:
    return _json(answers.schema())


async def _page(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    shown = page.Shown(
        site=source.name,
        version=source.version,
        now=source.wall(),
        figures=source.site(),
        statuses=tuple(source.units()),
        unreadiness=source.unreadiness(),
        illness=source.illness(),
        counts_simulated=source.counts_simulated(),
        history_trouble=source.history_trouble(),
        events=source.curtailments.figures() if source.curtailments else (),
        zone=source.zone(),
        seen_from=source.seen_from(),
    )
    html = await asyncio.to_thread(page.render, shown)
    return web.Response(text=html, content_type="text/html")


async def _asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    body = files("agent.exporters.web").joinpath("assets", name).read_bytes()
    return web.Response(body=body, content_type=ASSETS[name], headers={"Cache-Control": "max-age=3600"})


@web.middleware
async def _watch(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer within a deadline, down to the last byte, and show no traceback to anybody."""
    transport = request.transport
    connection = transport.get_protocol() if transport is not None else None
    if not isinstance(connection, GuardedConnection):
        raise web.HTTPServiceUnavailable
    connection.begin_request()
    response: web.StreamResponse = web.Response(status=503)
    try:
        async with asyncio.timeout(ANSWER_DEADLINE_S):
            response = await _answer(request, handler)
            response.headers.setdefault("Cache-Control", "no-store")
            for name, value in SECURITY_HEADERS.items():
                response.headers[name] = value
            # Sent here and not by aiohttp, so that a reader who takes too long falls under the deadline.
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        connection.abort()
    except ConnectionError:
        log.debug("reader left", path=request.path[:200])
    finally:
        connection.end_request()
    return response


async def _answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    refused = request.match_info.http_exception
    if request.method not in {"GET", "HEAD"} and refused is not None:
        allowed = refused.allowed_methods if isinstance(refused, web.HTTPMethodNotAllowed) else {"GET", "HEAD"}
        methods = ", ".join(sorted(allowed))
        return _error(request, 405, f"only {methods.replace(', ', ' and ')} are served here", {"Allow": methods})
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _error(request, error.status, _REASONS.get(error.status, error.reason))
    except TimeoutError:
        raise
    except Exception:
        log.exception("request failed", path=request.path[:200])
        return _error(request, 500, "internal error; the agent's log has the details")


_REASONS = {404: "there is nothing at this address"}


class _Connection(web.RequestHandler):
    """aiohttp's side of one connection, which answers what is no request without repeating, or logging, what it was."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the overridden method's; it quotes the client.
    ) -> web.StreamResponse:
        """Give one line of text and close the connection; what was begun cannot be taken back, so that only closes."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was under way") from exc
        words = "this is not a request" if status < 500 else "internal error"
        response = _text(words, status, SECURITY_HEADERS)
        response.force_close()
        return response


def _application(source: Source) -> web.Application:
    app = web.Application(middlewares=[_watch], client_max_size=MAX_REQUEST_BYTES)
    app[_SOURCE] = source
    app[_HISTORY_TURNS] = asyncio.Lock()
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/assets/{name}", _asset),
            web.get("/metrics", _metrics),
            web.get("/metrics/site", _metrics),
            web.get("/healthz", _healthz),
            web.get("/readyz", _readyz),
            web.get("/api/v1/site", _site),
            web.get("/api/v1/units", _units),
            web.get("/api/v1/units/{unit_id}", _unit),
            web.get("/api/v1/history", _history),
            web.get("/api/v1/identity", _identity),
            web.get("/api/v1/schema", _schema),
            *(source.curtailments.routes() if source.curtailments else ()),
        ]
    )
    return app


@asynccontextmanager
async def serve(
    source: Source,
    host: str,
    port: int,
    *,
    max_connections: int = 256,
    header_deadline_s: float = HEADER_DEADLINE_S,
) -> AsyncIterator[tuple[str, int]]:
    """Serve while the block runs; give the address that is listened at.

    Args:
        source: What is shown.
        host: Address to listen at.
        port: Where to listen; 0 takes a free one.
        max_connections: Connections beyond these are closed at once.
        header_deadline_s: How long a request's head may take to arrive.

    Raises:
        OSError: When the address cannot be had.
    """
    runner = web.AppRunner(_application(source), access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        if runner.server is None:
            raise RuntimeError("aiohttp gave no server")
        loop = asyncio.get_running_loop()
        factory = partial(
            _Connection,
            runner.server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None turns it off, as it does for AppRunner.
            keepalive_timeout=KEEPALIVE_S,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            lingering_time=LINGER_S,
        )
        guard = Guard(factory, max_connections=max_connections, header_deadline_s=header_deadline_s)
        server = await loop.create_server(guard, host, port)
        try:
            bound: Any = server.sockets[0].getsockname()
            log.info("web listening", host=bound[0], port=bound[1])
            yield bound[0], bound[1]
        finally:
            server.close()
    finally:
        await runner.cleanup()
