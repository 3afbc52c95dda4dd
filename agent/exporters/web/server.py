"""The agent's HTTP server: metrics, health, the JSON API and the status page, for a trusted network.

Every address is read-only except those of `curtailment_api` and `reload_api`, which operators alone may change.

All data comes from the callables of a `Source`, so this module knows no other exporter. Bodies that take more than a
moment are built in a thread from immutable values. `listener` holds the limits that every request is under.
"""

import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from agent.errors import HistoryError, QueryError
from agent.exporters.http_refusals import new_counts
from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.exporters.web.discovery_answers import discovery_answer
from agent.exporters.web.door.door import Door
from agent.exporters.web.history_api import HistoryAnswer, HistoryQuery, parse_history_query
from agent.exporters.web.identity_answers import identity_answer
from agent.exporters.web.listener import BODIES, HEADER_DEADLINE_S, MAX_CONNECTIONS, listen, new_application
from agent.exporters.web.page import Shown, render
from agent.exporters.web.reload_api import reload_routes
from agent.exporters.web.responses import error_response, json_response, text_response
from agent.exporters.web.site_answers import Role, schema, site_answer
from agent.exporters.web.threads import in_thread
from agent.exporters.web.unit_answers import unit_answer, unit_list_answer
from agent.exporters.web.unit_query import parse_query
from agent.exporters.web.unread_answers import unread_answer
from agent.hil.discovery.figures import DiscoveryFigures
from agent.site.energy import Energy
from agent.site.identity.figures import IdentityFigures
from agent.site.identity.whereabouts import Whereabouts
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.site.unread import UnreadFigures

SITE_HEADER = "Hashsight-Site"
"""Names the site in answers of ``/readyz``."""
ROLE_HEADER = "Hashsight-Role"
"""The agent's part among two, as in ``/api/v1/site``."""
LEDGER_HEADER = "Hashsight-Ledger"
"""The digest of the ledger in force."""
ASSETS: Mapping[str, str] = {"page.css": "text/css", "icon.svg": "image/svg+xml"}


class Scrape(Protocol):
    """Returns an exposition and its headers."""

    def __call__(
        self, accept: str = "", accept_encoding: str = "", *, scope: Literal["all", "site"] = "all"
    ) -> Awaitable[tuple[bytes, Mapping[str, str]]]:
        """Answer one scrape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The data that the server shows.

    Attributes:
        name: Name of the site.
        version: Version of the agent.
        scrape: Returns the exposition for Prometheus.
        site: Returns the latest figures; None until every unit was polled once.
        units: Returns the status of every unit deployed now.
        unit: Returns the status of one unit by id; None if it is not deployed.
        unreadiness: Returns why the figures are incomplete or out of date; None if they are neither.
        illness: Returns why this process should be restarted; None if it is healthy.
        lateness: Returns how many units were not looked at in time, in words; None if all were.
        stretch_ratio: Returns achieved over configured interval of the polls.
        wall: Returns Unix time, s.
        refused: Counts of the clients turned away, by reason (`HttpRefusal`).
        hosts: Returns the names under which the server answers, besides IP addresses and the names of this machine.
        counts_simulated: Returns True if the figures include simulated units.
        history: Reads history, called in a thread with a function that returns False once the answer is no longer
            wanted; None if no history is kept.
        history_trouble: Returns why history is not being written; None while it is, or if none is kept.
        identity: Returns the units that are not at their ledger address.
        discovery: Returns what was found at addresses that are not polled.
        unread: Returns the fields of units' replies that nobody reads.
        whereabouts: Returns where one unit is; None if identities are not checked.
        curtailments: The API for curtailments; None leaves out its routes.
        energy: Returns the energy counters.
        delivered_hs: Returns the hashrate that pools credited to a unit over an hour and over a day, H/s.
        zone: Returns the site's time zone.
        seen_from: Returns the Unix time since which every unit has been watched, s; None before that.
        ledger_digest: Returns the digest of the ledger in force.
        role: Returns the agent's part among two: the first, a standby, or a standby that took over.
        standby: Returns that in words; None for the first, and for an agent alone.
        door: TLS, users, tokens and roles.
        reload: Reads the agent's files again; returns why they were refused, or None. None if nothing can be reloaded.
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
    refused: Counter[str] = field(default_factory=new_counts)
    hosts: Callable[[], Collection[str]] = tuple
    lateness: Callable[[], str | None] = lambda: None
    stretch_ratio: Callable[[], float] = lambda: 1.0
    counts_simulated: Callable[[], bool] = lambda: True
    history: Callable[[HistoryQuery, Callable[[], bool]], HistoryAnswer] | None = None
    history_trouble: Callable[[], str | None] = lambda: None
    identity: Callable[[], IdentityFigures] = IdentityFigures
    discovery: Callable[[], DiscoveryFigures] = DiscoveryFigures
    unread: Callable[[], UnreadFigures] = UnreadFigures
    whereabouts: Callable[[str], Whereabouts | None] = lambda _: None
    curtailments: CurtailmentApi | None = None
    energy: Callable[[], Energy | None] = lambda: None
    delivered_hs: Callable[[str], tuple[float | None, float | None]] = lambda _: (None, None)
    zone: Callable[[], ZoneInfo] = lambda: ZoneInfo("UTC")
    seen_from: Callable[[], float | None] = lambda: None
    ledger_digest: Callable[[], str] = str
    role: Callable[[], Role] = lambda: "primary"
    standby: Callable[[], str | None] = lambda: None
    door: Door = field(default_factory=Door)
    reload: Callable[[], Awaitable[str | None]] | None = None


_SOURCE: web.AppKey[Source] = web.AppKey("source", Source)


async def _metrics(request: web.Request) -> web.Response:
    scope: Literal["all", "site"] = "site" if request.path == "/metrics/site" else "all"
    accept, accept_encoding = (",".join(request.headers.getall(name, [])) for name in ("Accept", "Accept-Encoding"))
    bodies, scrape = request.app[BODIES], request.app[_SOURCE].scrape
    if scope == "site":
        # Small, and alerts are made of it: it waits for no other.
        body, headers = await scrape(accept, accept_encoding, scope=scope)
    else:
        await bodies.room()
        body, headers = await scrape(accept, accept_encoding, scope=scope)
        bodies.admit(body)
    return web.Response(body=body, headers=headers)


async def _healthz(request: web.Request) -> web.Response:
    illness = request.app[_SOURCE].illness()
    return text_response("ok") if illness is None else text_response(illness, 503)


async def _readyz(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    unreadiness = source.unreadiness()
    # A standby tells by this header whether its primary answers, or a proxy in front of nothing.
    headers = {SITE_HEADER: source.name, ROLE_HEADER: source.role(), LEDGER_HEADER: source.ledger_digest()}
    return text_response("ready", 200, headers) if unreadiness is None else text_response(unreadiness, 503, headers)


async def _site(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    async with request.app[BODIES].turn("answer"):
        # In a thread, because it visits every unit; its arguments are immutable.
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
            events=source.curtailments.figures() if source.curtailments else (),
            energy=source.energy(),
            zone=source.zone(),
            seen_from=source.seen_from(),
            role=source.role(),
        )
        return await in_thread(lambda: json_response(answer()))


async def _unit_list(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    try:
        query = parse_query(request.query.items())
    except QueryError as error:
        return error_response(request, 400, str(error))
    async with request.app[BODIES].turn("answer"):
        statuses, now = list(source.units()), source.wall()

        def answer() -> web.Response:
            chosen, total = query.select(statuses)
            return json_response(unit_list_answer(chosen, total, offset=query.offset, limit=query.limit, now=now))

        return await in_thread(answer)


async def _unit(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    status = source.unit(request.match_info["unit_id"])
    if status is None:
        return error_response(request, 404, "no deployed unit has that id")
    where = source.whereabouts(status.entry.unit_id)
    delivered_hs = source.delivered_hs(status.entry.unit_id)
    return json_response(unit_answer(source.name, status, source.wall(), where, delivered_hs))


async def _identity(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    async with request.app[BODIES].turn("answer"):
        return json_response(identity_answer(source.identity(), source.wall()))


async def _discovery(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    async with request.app[BODIES].turn("answer"):
        figures, statuses, now = source.discovery(), tuple(source.units()), source.wall()
        return await in_thread(lambda: json_response(discovery_answer(figures, statuses, now)))


async def _unread(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    async with request.app[BODIES].turn("answer"):
        return json_response(unread_answer(source.unread(), source.wall()))


async def _history(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
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


async def _page(request: web.Request) -> web.Response:
    source = request.app[_SOURCE]
    async with request.app[BODIES].turn("answer"):
        shown = Shown(
            site=source.name,
            version=source.version,
            now=source.wall(),
            figures=source.site(),
            statuses=tuple(source.units()),
            unreadiness=source.unreadiness(),
            lateness=source.lateness(),
            illness=source.illness(),
            counts_simulated=source.counts_simulated(),
            history_trouble=source.history_trouble(),
            events=source.curtailments.figures() if source.curtailments else (),
            zone=source.zone(),
            seen_from=source.seen_from(),
            standby=source.standby(),
            discovery=source.discovery(),
            unread=source.unread(),
        )
        return await in_thread(lambda: web.Response(text=render(shown), content_type="text/html"))


async def _asset(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    body = files("agent.exporters.web").joinpath("assets", name).read_bytes()
    return web.Response(body=body, content_type=ASSETS[name], headers={"Cache-Control": "max-age=3600"})


def _application(source: Source) -> web.Application:
    app = new_application(source.hosts, source.refused, source.door)
    app[_SOURCE] = source
    app.add_routes(
        [
            web.get("/", _page),
            web.get("/assets/{name}", _asset),
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
            web.get("/api/v1/history", _history),
            web.get("/api/v1/identity", _identity),
            web.get("/api/v1/discovery", _discovery),
            web.get("/api/v1/unread", _unread),
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
        max_connections: Limit of open connections; one address may have three quarters of them.
        header_deadline_s: How long the head of a request may take to arrive.

    Raises:
        AgentError: If the address cannot be bound, on entering the block.
    """
    return listen(
        _application(source), host, port, max_connections=max_connections, header_deadline_s=header_deadline_s
    )
