"""Handlers of the pages: each collects immutable values on the event loop and draws in a thread."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from agent.errors import QueryError
from agent.exporters.web.asset_files import answer_asset
from agent.exporters.web.listener import BODIES
from agent.exporters.web.pages.frame import frame_of
from agent.exporters.web.pages.racks_page import FILLS, ShownRacks, render_racks
from agent.exporters.web.pages.repairs_page import ShownRepairs, render_repairs
from agent.exporters.web.pages.site_page import Shown, render
from agent.exporters.web.pages.wall_page import ShownWall, render_wall
from agent.exporters.web.query_string import read_parameters
from agent.exporters.web.repair_query import parse_repair_query
from agent.exporters.web.responses import error_response
from agent.exporters.web.source import SOURCE, Source
from agent.exporters.web.threads import in_thread

Draw = Callable[[], str]
"""Draws a page as HTML, in a thread."""
Page = Callable[[web.Request, Source], Draw]
"""Collects what a page shows, on the event loop; raises QueryError for a bad parameter and HTTPNotFound for no page."""


def depth_of(request: web.Request) -> int:
    """Return how many folders below the site's pages the page of a request is."""
    resource = request.match_info.route.resource
    return 0 if resource is None else resource.canonical.count("/") - 1


def _site(request: web.Request, source: Source) -> Draw:
    shown = Shown(
        frame=frame_of(source, current="", depth=depth_of(request)),
        figures=source.site(),
        statuses=tuple(source.units()),
        is_late=source.unreadiness() is not None,
        counts_simulated=source.counts_simulated(),
        events=source.curtailments.figures() if source.curtailments else (),
        seen_from=source.seen_from(),
        discovery=source.discovery(),
        unread=source.unread(),
    )
    return lambda: render(shown)


def _racks(request: web.Request, source: Source) -> Draw:
    given = read_parameters(request.query.items(), ("container", "fill"))
    fill = given.get("fill", "rate")
    if fill not in FILLS:
        raise QueryError(f"fill must be one of {', '.join(FILLS)}, not {fill!r}")
    shown = ShownRacks(
        frame=frame_of(source, current="racks", depth=depth_of(request)),
        statuses=tuple(source.units()),
        container=given.get("container") or None,
        fill=fill,
    )
    return lambda: render_racks(shown)


def _repairs(request: web.Request, source: Source) -> Draw:
    if source.repairs is None:
        raise web.HTTPNotFound
    shown = ShownRepairs(
        frame=frame_of(source, current="repairs", depth=depth_of(request)),
        entries=source.repairs.entries(),
        unlisted=source.repairs.unlisted(),
        query=parse_repair_query(request.query.items()),
        unit=source.unit,
        is_kept=source.history is not None,
    )
    return lambda: render_repairs(shown)


def _wall(request: web.Request, source: Source) -> Draw:
    counts_simulated = source.counts_simulated()
    shown = ShownWall(
        frame=frame_of(source, current="wall", depth=depth_of(request)),
        figures=source.site(),
        statuses=tuple(each for each in source.units() if counts_simulated or not each.entry.is_simulated),
        repairs=() if source.repairs is None else tuple(source.repairs.entries()),
        unreadiness=source.unreadiness(),
        lateness=source.lateness(),
        history_trouble=source.history_trouble(),
        is_standby_active=source.role() == "active",
    )
    return lambda: render_wall(shown)


PAGES: tuple[tuple[str, Page], ...] = (("/", _site), ("/racks", _racks), ("/repairs", _repairs), ("/wall", _wall))
"""Address and page, one line each; an address that people go to by itself also has an entry in `frame.NAVIGATION`."""


def page_routes() -> list[web.RouteDef]:
    """Return the routes of all pages and of the files that they load."""
    return [*(web.get(path, _handler(page)) for path, page in PAGES), web.get("/assets/{name}", answer_asset)]


def _handler(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            async with request.app[BODIES].turn("answer"):
                draw = page(request, request.app[SOURCE])
                return await in_thread(lambda: web.Response(text=draw(), content_type="text/html"))
        except QueryError as error:
            return error_response(request, 400, str(error))

    return answer
