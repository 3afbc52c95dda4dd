"""The agent's HTTP server: metrics, health, the JSON API and the landing page, for a trusted network.

Every address is read-only except those of `curtailment_api`, which require a token.

All data comes from the callables of a `Source`, so this module knows no other exporter. Bodies that take more than a
moment are built in a thread from immutable values. `listener` holds the limits that every request is under.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from aiohttp import web

from agent.errors import HistoryError, QueryError
from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.exporters.web.history_api import HistoryAnswer, HistoryQuery, parse_history_query
from agent.exporters.web.identity_answers import identity_answer
from agent.exporters.web.listener import HEADER_DEADLINE_S, MAX_CONNECTIONS, listen, new_application
from agent.exporters.web.page import Shown, render
from agent.exporters.web.responses import error_response, json_response, text_response
from agent.exporters.web.site_answers import schema, site_answer
from agent.exporters.web.unit_answers import unit_answer, units_answer
from agent.exporters.web.unit_query import parse_query
from agent.site.energy import Energy
from agent.site.identity.figures import IdentityFigures
from agent.site.identity.whereabouts import Whereabouts
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures

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


async def _metrics(request: web.Request) -> web.Response:
    scope: Literal["all", "site"] = "site" if request.path == "/metrics/site" else "all"
    accept, accept_encoding = (",".join(request.headers.getall(name, [])) for name in ("Accept", "Accept-Encoding"))
    body, headers = await request.app[_SOURCE].scrape(accept, accept_encoding, scope=scope)
    return web.Response(body=body, headers=headers)


async def _healthz(request: web.Request) -> web.Response:
    illness = request.app[_SOURCE].illness()
    return text_response("ok") if illness is None else text_response(illness, 503)


async def _readyz(request: web.Request) -> web.Response:
    unreadiness = request.app[_SOURCE].unreadiness()
    return text_response("ready") if unreadiness is None else text_response(unreadiness, 503)


async def _site(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    # In a thread, because it looks at every unit; all it is given stays as it is.
    answer = await asyncio.to_thread(
        site_answer,
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
    return json_response(answer)


async def _units(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    try:
        query = parse_query(request.query.items())
    except QueryError as error:
        return error_response(request, 400, str(error))
    statuses, now = list(source.units()), source.wall()

    def answer() -> web.Response:
        chosen, total = query.select(statuses)
        return json_response(units_answer(chosen, total, offset=query.offset, limit=query.limit, now=now))

    return await asyncio.to_thread(answer)


async def _unit(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    status = source.unit(request.match_info["unit_id"])
    if status is None:
        return error_response(request, 404, "no unit of that id is deployed now")
    where = source.whereabouts(status.entry.unit_id)
    delivered_hs = source.delivered_hs(status.entry.unit_id)
    return json_response(unit_answer(source.name, status, source.wall(), where, delivered_hs))


async def _identity(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    return json_response(identity_answer(source.identity(), source.wall()))


async def _history(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    if source.history is None:
        return error_response(request, 404, "no history is kept here (history.keep)")
    try:
        query = parse_history_query(request.query.items(), now=source.wall())
        async with request.app[_HISTORY_TURNS]:
            answer = await asyncio.to_thread(source.history, query)
    except QueryError as error:
        return error_response(request, 400, str(error))
    except HistoryError as error:
        return error_response(request, 503, str(error))
    return json_response(answer)


async def _schema(_: web.Request) -> web.Response:
    return json_response(schema())


async def _page(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    shown = Shown(
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
    html = await asyncio.to_thread(render, shown)
    return web.Response(text=html, content_type="text/html")


async def _asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    body = files("agent.exporters.web").joinpath("assets", name).read_bytes()
    return web.Response(body=body, content_type=ASSETS[name], headers={"Cache-Control": "max-age=3600"})


def _application(source: Source) -> web.Application:
    app = new_application()
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
        max_connections: Limit of open connections; further ones are closed at once.
        header_deadline_s: How long the head of a request may take to arrive.

    Raises:
        OSError: If the address cannot be bound, on entering the block.
    """
    return listen(
        _application(source), host, port, max_connections=max_connections, header_deadline_s=header_deadline_s
    )
