"""Content of the map, the walk list and the wall: collected on the event loop, drawn in a thread."""

from collections.abc import Callable, Collection
from dataclasses import replace

from aiohttp import web

from agent.errors import QueryError
from agent.exporters.web.pages.banners import simulated_banners
from agent.exporters.web.pages.frame import Frame, frame_of
from agent.exporters.web.pages.rack_groups import units_by_rack
from agent.exporters.web.pages.racks_page import FILLS, ShownRacks, render_racks
from agent.exporters.web.pages.repairs_page import ShownRepairs, render_repairs
from agent.exporters.web.pages.wall_page import ShownWall, render_wall
from agent.exporters.web.query_string import read_parameters
from agent.exporters.web.repair_query import parse_repair_query
from agent.exporters.web.source import Source
from agent.site.status import UnitStatus

Draw = Callable[[], str]


def _with_simulated(frame: Frame, statuses: Collection[UnitStatus], *, counts_simulated: bool) -> Frame:
    """Return a frame that also says which units are simulated; it visits every unit."""
    simulated = simulated_banners(statuses, counts_simulated=counts_simulated)
    return replace(frame, banners=(*frame.banners, *simulated))


def racks(request: web.Request, source: Source) -> Draw:
    """Return the drawing of the map.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, or not a fill.
    """
    given = read_parameters(request.query.items(), ("container", "fill"))
    fill = given.get("fill", "rate")
    if fill not in FILLS:
        raise QueryError(f"fill must be one of {', '.join(FILLS)}, not {fill!r}")
    frame = frame_of(source, current="racks", depth=0)
    statuses, counts_simulated, container = tuple(source.units()), source.counts_simulated(), given.get("container")

    def draw() -> str:
        framed = _with_simulated(frame, statuses, counts_simulated=counts_simulated)
        return render_racks(ShownRacks(frame=framed, statuses=statuses, container=container or None, fill=fill))

    return draw


def repairs(request: web.Request, source: Source) -> Draw:
    """Return the drawing of the walk list.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, or out of range.
        HTTPNotFound: There is no walk list here.
    """
    if source.repairs is None:
        raise web.HTTPNotFound
    shown = ShownRepairs(
        frame=frame_of(source, current="repairs", depth=0),
        entries=source.repairs.entries(),
        unlisted=source.repairs.unlisted(),
        query=parse_repair_query(request.query.items()),
        unit=source.unit,
        is_kept=source.history is not None,
        is_standby=source.role() == "standby",
    )
    statuses, counts_simulated = tuple(source.units()), source.counts_simulated()

    def draw() -> str:
        framed = _with_simulated(shown.frame, statuses, counts_simulated=counts_simulated)
        return render_repairs(replace(shown, frame=framed, units=units_by_rack(statuses)))

    return draw


def wall(_: web.Request, source: Source) -> Draw:
    """Return the drawing of the wall."""
    counts_simulated, statuses = source.counts_simulated(), tuple(source.units())
    shown = ShownWall(
        frame=frame_of(source, current="wall", depth=0),
        figures=source.site(),
        statuses=statuses,
        counts_simulated=counts_simulated,
        repairs=() if source.repairs is None else tuple(source.repairs.entries()),
        unlisted=0 if source.repairs is None else source.repairs.unlisted(),
        events=source.curtailments.declared().near(source.wall()) if source.curtailments else (),
        unreadiness=source.unreadiness(),
        lateness=source.lateness(),
        history_trouble=source.history_trouble(),
        is_standby_active=source.role() == "active",
        firing=source.firing(),
    )

    def draw() -> str:
        framed = _with_simulated(shown.frame, statuses, counts_simulated=counts_simulated)
        return render_wall(replace(shown, frame=framed))

    return draw
