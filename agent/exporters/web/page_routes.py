"""Handlers of the pages: each collects immutable values on the event loop and draws in a thread."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from agent.errors import HistoryError, QueryError
from agent.exporters.web import walk_routes
from agent.exporters.web.asset_files import answer_asset
from agent.exporters.web.listener import BODIES, DOOR
from agent.exporters.web.pages import unit_page, units_page
from agent.exporters.web.pages.frame import frame_of
from agent.exporters.web.pages.site_page import Shown, render
from agent.exporters.web.responses import error_response
from agent.exporters.web.source import SOURCE, Source
from agent.exporters.web.threads import in_thread
from agent.exporters.web.unit_query import MAX_OFFSET, UnitQuery, parse_query
from agent.exporters.web.units_csv import units_csv
from agent.site.curtailment.events import Curtailments
from agent.site.event_figures import event_figures

CHANGES_DAYS = 7

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
        seen_from=source.seen_from(),
        sees_accounts=request.app[DOOR].may_see_accounts(request),
        discovery=source.discovery(),
        unread=source.unread(),
    )
    declared = source.curtailments.declared() if source.curtailments else Curtailments()
    read, now = source.trends, source.wall()

    def draw() -> str:
        # It visits every unit.
        events = event_figures(declared, shown.counted, now)
        if read is None:
            return render(replace(shown, events=events))
        try:
            return render(replace(shown, events=events, trends=read(now)))
        except HistoryError as error:
            return render(replace(shown, events=events, trends_trouble=error.reason))

    return draw


def _page_query(request: web.Request) -> UnitQuery:
    """Return the query of a page of units; a field of its form that is left empty is no filter.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, or out of range.
    """
    query = parse_query([(name, value) for name, value in request.query.items() if value], units_page.DEFAULTS)
    if query.limit > units_page.MOST:
        raise QueryError(f"limit must be a whole number from 1 to {units_page.MOST} on a page, not {query.limit}")
    return query


def _units(request: web.Request, source: Source) -> Draw:
    shown = units_page.UnitsShown(
        frame=frame_of(source, current="units", depth=depth_of(request)),
        query=_page_query(request),
        statuses=tuple(source.units()),
        counts_simulated=source.counts_simulated(),
        seen_from=source.seen_from(),
    )
    return lambda: units_page.render(shown)


def _unit(request: web.Request, source: Source) -> Draw:
    status = source.unit(request.match_info["unit_id"])
    if status is None:
        raise web.HTTPNotFound(reason="no deployed unit has that id")
    unit_id, now, read = status.entry.unit_id, source.wall(), source.unit_changes
    shown = unit_page.UnitShown(
        frame=frame_of(source, current="units", depth=depth_of(request)),
        status=status,
        whereabouts=source.whereabouts(unit_id),
        delivered_hs=source.delivered_hs(unit_id),
        slots=source.recent(unit_id),
        repairs=[entry for entry in source.repairs.entries() if entry.unit_id == unit_id] if source.repairs else (),
        counts_simulated=source.counts_simulated(),
        seen_from=source.seen_from(),
        web_port=source.web_port(),
        sees_accounts=request.app[DOOR].may_see_accounts(request),
    )

    def draw() -> str:
        if read is None:
            return unit_page.render(shown)
        try:
            changes = read(unit_id, now - CHANGES_DAYS * 86_400)
        except HistoryError as error:
            return unit_page.render(replace(shown, changes_trouble=error.reason))
        return unit_page.render(replace(shown, changes=changes, changes_days=CHANGES_DAYS))

    return draw


PAGES: tuple[tuple[str, Page], ...] = (
    ("/", _site),
    ("/units", _units),
    ("/units/{unit_id}", _unit),
    ("/racks", walk_routes.racks),
    ("/repairs", walk_routes.repairs),
    ("/wall", walk_routes.wall),
)
"""Address and page, one line each; an address that people go to by itself also has an entry in `frame.NAVIGATION`."""


def page_routes() -> list[web.RouteDef]:
    """Return the routes of all pages and of the files that they load."""
    return [
        *(web.get(path, _handler(page)) for path, page in PAGES),
        web.get("/units.csv", _units_csv),
        web.get("/assets/{name}", answer_asset),
    ]


async def _units_csv(request: web.Request) -> web.Response:
    """Answer with the units of a query as CSV: all that match, unless the query has a limit."""
    source = request.app[SOURCE]
    try:
        everything = replace(units_page.DEFAULTS, limit=MAX_OFFSET)
        query = parse_query([(name, value) for name, value in request.query.items() if value], everything)
    except QueryError as error:
        return error_response(request, 400, str(error))
    async with request.app[BODIES].turn("answer"):
        statuses, now, zone = tuple(source.units()), source.wall(), source.zone()
        is_whole = request.app[DOOR].may_see_accounts(request)

        def answer() -> web.Response:
            chosen, _ = query.select(statuses)
            headers = {"Content-Disposition": 'attachment; filename="units.csv"'}
            return web.Response(
                body=units_csv(chosen, now, zone, is_whole=is_whole),
                content_type="text/csv",
                charset="utf-8",
                headers=headers,
            )

        return await in_thread(answer)


def _handler(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        try:
            async with request.app[BODIES].turn("answer"):
                draw = page(request, request.app[SOURCE])
                return await in_thread(lambda: web.Response(text=draw(), content_type="text/html"))
        except QueryError as error:
            return error_response(request, 400, str(error))

    return answer
