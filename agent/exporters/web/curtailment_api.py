"""Curtailments over HTTP: callers with a login or token may list them, operators may start and stop them.

    GET    /api/v1/curtailments         all declared events, with stragglers and units that were not restored
    POST   /api/v1/curtailments         an order as in `agent.site.curtailment.orders.StartOrder`; 201 with the event
    DELETE /api/v1/curtailments/{id}    stops an event, or calls it off before its start; 200 with the event

Without a configured token or operator every change is refused. An order only changes the cause assigned to a shortfall:
the agent never writes to a unit.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from aiohttp import web

from agent.exporters.web.curtailment_answers import curtailment_answer, curtailment_list_answer
from agent.exporters.web.listener import BODIES, DOOR, REFUSED
from agent.exporters.web.rate_limit import Limiter
from agent.exporters.web.responses import json_error, json_response
from agent.exporters.web.threads import in_thread, retrieve
from agent.site.curtailment.book import CurtailmentBook
from agent.site.curtailment.events import Curtailments, Event
from agent.site.curtailment.orders import OrderError, Refusal, read_order
from agent.site.event_figures import EventFigures, event_figures
from agent.site.status import UnitStatus

T = TypeVar("T")

PATH = "/api/v1/curtailments"
SOURCE = "api"
# Every order costs a write and a flush of the disk.
CHANGE_BURST, CHANGE_REFILL_S = 30, 2.0

_STATUS = {
    Refusal.MALFORMED: 400,
    Refusal.UNKNOWN: 404,
    Refusal.CONFLICT: 409,
    Refusal.FULL: 409,
    Refusal.NOT_KEPT: 503,
}


class CurtailmentApi:
    """The routes for curtailments and their rate limit.

    Args:
        site: Name of the site.
        book: Carries out orders.
        units: Returns the status of every deployed unit.
        wall: Unix time, s.
        clock: Monotonic clock, s.
        passive: Returns why changes are not taken here now, such as by a standby; None if they are.
    """

    def __init__(
        self,
        site: str,
        book: CurtailmentBook,
        *,
        units: Callable[[], Iterable[UnitStatus]],
        wall: Callable[[], float],
        clock: Callable[[], float],
        passive: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._passive = passive
        self._site = site
        self._book = book
        self._units = units
        self._wall = wall
        self._orders: set[asyncio.Task[Any]] = set()
        self._changes = Limiter(burst=CHANGE_BURST, refill_s=CHANGE_REFILL_S, clock=clock)

    def routes(self) -> tuple[web.RouteDef, ...]:
        """Return the routes for the application that serves them."""
        return (
            web.get(PATH, self._list),
            web.post(PATH, self._start),
            web.delete(f"{PATH}/{{id}}", self._stop),
        )

    def figures(self) -> Callable[[], tuple[EventFigures, ...]]:
        """Return work for a thread, since it visits every unit: the figures of all declared events as of now."""
        return partial(event_figures, self.declared(), tuple(self._units()), self._wall())

    def change_refusal(self, request: web.Request) -> web.Response | None:
        """Return the answer that turns away a caller who may not change anything; None for one who may."""
        return self._refusal(request, is_change=True)

    def declared(self) -> Curtailments:
        """Return a copy of all declared events, for work in a thread: looking events up changes the object."""
        declared = self._book.curtailments
        return Curtailments(declared.windows, declared.events)

    async def _list(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        figures, now = self.figures(), self._wall()
        async with request.app[BODIES].turn("answer"):
            return await in_thread(lambda: json_response(curtailment_list_answer(self._site, figures(), now)))

    async def _start(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request, is_change=True)
        if refusal is not None:
            return refusal
        if request.content_type != "application/json":
            return json_error(415, "an order must be JSON (Content-Type: application/json)")
        try:
            order = read_order(await request.read())
            event, is_new = await self._carry_out(self._book.start(order, source=SOURCE))
        except OrderError as error:
            return json_error(_STATUS[error.refusal], str(error))
        location = f"{PATH}/{quote(event.id, safe='')}"
        return await self._event(event, status=201 if is_new else 200, headers={"Location": location})

    async def _stop(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request, is_change=True)
        if refusal is not None:
            return refusal
        try:
            event = await self._carry_out(self._book.stop(request.match_info["id"], source=SOURCE))
        except OrderError as error:
            return json_error(_STATUS[error.refusal], str(error))
        return await self._event(event)

    async def _carry_out(self, order: Coroutine[Any, Any, T]) -> T:
        """Carry out an order to its end, even if its client leaves meanwhile."""
        task = asyncio.get_running_loop().create_task(order, name="curtailment order")
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)
        task.add_done_callback(retrieve)
        return await asyncio.shield(task)

    async def _event(self, event: Event, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
        figures = next(each for each in await in_thread(self.figures()) if each.event.id == event.id)
        return json_response(curtailment_answer(figures), status, headers)

    def _refusal(self, request: web.Request, *, is_change: bool = False) -> web.Response | None:
        """Return the answer that turns this caller away, or None if the caller may continue."""
        door, refused = request.app[DOOR], request.app[REFUSED]
        turned_away = door.operator_refusal(request, refused) if is_change else door.stranger_refusal(request, refused)
        if turned_away is not None:
            return turned_away
        if is_change:
            passive = self._passive()
            if passive is not None:
                return json_error(503, passive)
            wait_s = self._changes.wait_s("")
            if wait_s > 0:
                return _too_many(wait_s)
            self._changes.spend("")
        return None


def _too_many(wait_s: float) -> web.Response:
    return json_error(429, "too many requests; see Retry-After", {"Retry-After": str(math.ceil(wait_s))})
