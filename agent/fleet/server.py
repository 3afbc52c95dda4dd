"""The fleet's HTTP server: its page and JSON, and below ``/sites/NAME/`` each agent's own, all of it read-only."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache, partial

import msgspec
import structlog
from aiohttp import web

from agent.errors import QueryError
from agent.exporters.http_refusals import new_counts
from agent.exporters.web.asset_files import answer_asset
from agent.exporters.web.door.door import Door
from agent.exporters.web.listener import BODIES, HEADER_DEADLINE_S, listen, new_application
from agent.exporters.web.query_string import read_parameters
from agent.exporters.web.responses import error_response, json_response, text_response
from agent.exporters.web.threads import in_thread
from agent.fleet.addresses import PREFIX, read_passed
from agent.fleet.answers import fleet_answer, schema, unreadiness
from agent.fleet.figures import fleet_figures
from agent.fleet.page import page
from agent.fleet.passing import Passing
from agent.fleet.watch import Watch
from agent.fleet.words import ORDERS

log = structlog.get_logger("agent.fleet")


class FleetServer:
    """The handlers of all addresses.

    Args:
        watch: The fleet's sites.
        passing: Passes requests on to their agents.
        wall: Unix time, s.
    """

    def __init__(self, watch: Watch, passing: Passing, *, wall: Callable[[], float] = time.time) -> None:
        self._watch = watch
        self._passing = passing
        self._wall = wall
        setup = watch.setup
        self._door = Door(setup.web_file, listen=setup.config.fleet.listen)
        if self.exposure is not None:
            log.warning("web server is open", missing=self.exposure)

    @property
    def exposure(self) -> str | None:
        """What this server lacks where it listens beyond this machine; None if it lacks nothing."""
        missing = self._door.exposure
        return None if missing is None else missing.replace("web.config_file", "fleet.web_config_file")

    def serve(self) -> AbstractAsyncContextManager[tuple[str, int]]:
        """Serve while the block runs; the block gets the address that is bound.

        Raises:
            AgentError: The address cannot be bound, on entering the block.
        """
        fleet = self._watch.setup.config.fleet
        app = new_application(lambda: self._watch.setup.config.fleet.hosts, new_counts(), self._door, section="fleet")
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/assets/{name}", answer_asset),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/-/healthy", self._healthz),
                web.get("/-/ready", self._readyz),
                web.get("/api/v1/fleet", self._fleet),
                web.get("/api/v1/schema", self._schema),
                web.get(f"{PREFIX}{{passed:.*}}", self._pass_on),
            ]
        )
        return listen(
            app,
            fleet.listen.host,
            fleet.listen.port,
            max_connections=fleet.max_connections,
            header_deadline_s=HEADER_DEADLINE_S,
        )

    async def _page(self, request: web.Request) -> web.Response:
        try:
            given = read_parameters(request.query.items(), ("sort",))
        except QueryError as error:
            return error_response(request, 400, str(error))
        order = given.get("sort", ORDERS[0])
        if order not in ORDERS:
            return error_response(request, 400, f"sort is one of {', '.join(ORDERS)}")
        async with request.app[BODIES].turn("answer"):
            made = partial(
                page,
                self._watch.setup,
                self._watch.views(),
                order=order,
                now=self._wall(),
                exposure=self.exposure,
                refused_file=self._door.trouble,
            )
            return await in_thread(lambda: web.Response(text=made(), content_type="text/html"))

    async def _fleet(self, request: web.Request) -> web.Response:
        async with request.app[BODIES].turn("answer"):
            made = partial(fleet_answer, self._watch.setup, self._watch.views(), now=self._wall())
            return await in_thread(lambda: json_response(made()))

    async def _schema(self, _: web.Request) -> web.Response:
        return web.Response(body=_schema_body(), content_type="application/json")

    async def _healthz(self, _: web.Request) -> web.Response:
        illness = self._watch.illness
        return text_response("ok") if illness is None else text_response(illness, 503)

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = unreadiness(fleet_figures(self._watch.views()))
        return text_response("ready") if reason is None else text_response(reason, 503)

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        passed = read_passed(request.raw_path)
        if passed is None:
            return error_response(request, 400, "not an address of a site's pages: sites/NAME/...")
        view = next((view for view in self._watch.views() if view.name == passed.site), None)
        site = self._watch.setup.sites.get(passed.site)
        if view is None or site is None:
            return error_response(request, 404, "no site of this fleet has that name")
        if passed.path is None:
            # Links of the page are relative to a folder.
            query = f"?{passed.query}" if passed.query else ""
            return web.Response(status=307, headers={"Location": f"{passed.site}/{query}"})
        return await self._passing.pass_on(request, site, view.url, passed)


@cache
def _schema_body() -> bytes:
    return msgspec.json.encode(schema())
