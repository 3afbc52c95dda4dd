"""The walk list over HTTP: read by everyone, spoken about by operators.

    GET   /api/v1/repairs         the open entries, filtered, sorted and paged
    GET   /repairs.csv            the same as CSV, with the same parameters; without a limit, all of them
    POST  /api/v1/repairs/{id}    a note, "seen", or both; 200 with the entry

A POST is JSON and needs what a curtailment order needs. It changes the entry alone: the agent never writes to a unit.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from agent.errors import QueryError
from agent.exporters.web.listener import BODIES
from agent.exporters.web.repair_answers import RepairsAnswer, repair_answer, repair_lines
from agent.exporters.web.repair_query import MAX_LIMIT, parse_repair_query
from agent.exporters.web.responses import error_response, json_error, json_response
from agent.exporters.web.threads import in_thread
from agent.exporters.web.times import time_of
from agent.site.repairs.entries import MAX_NAME, MAX_NOTE, RepairEntry, Said
from agent.site.status import UnitStatus

PATH = "/api/v1/repairs"


class RepairOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's remark on an entry: a note, that it was seen, or both.

    Attributes:
        by: The operator's name; not needed of one who logged in by name.
        note: A note in place of the one before.
        seen: True to mark the entry as seen.
    """

    by: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] = ""
    note: Annotated[str, msgspec.Meta(max_length=MAX_NOTE)] | None = None
    seen: bool = False


class RepairApi:
    """The routes of the walk list.

    Args:
        site: Name of the site.
        entries: Returns the open entries.
        unlisted: Returns the number of faults that found the list full.
        annotate: Keeps a note and "seen"; returns the entry, or None if it is not open.
        unit: Returns the status of one unit by id; None if it is not deployed.
        refusal: Returns the answer that turns away a caller who may not change anything; None for one who may.
        caller: Returns the name by which a caller logged in; empty if by none.
        wall: Unix time, s.
        zone: Returns the site's time zone.
    """

    def __init__(
        self,
        site: str,
        *,
        entries: Callable[[], list[RepairEntry]],
        unlisted: Callable[[], int],
        annotate: Callable[[int, Said | None, Said | None], RepairEntry | None],
        unit: Callable[[str], UnitStatus | None],
        refusal: Callable[[web.Request], web.Response | None],
        caller: Callable[[web.Request], str] = lambda _: "",
        wall: Callable[[], float],
        zone: Callable[[], ZoneInfo],
    ) -> None:
        self.entries = entries
        self.unlisted = unlisted
        self._site = site
        self._annotate = annotate
        self._unit = unit
        self._refusal = refusal
        self._caller = caller
        self._wall = wall
        self._zone = zone

    def routes(self) -> tuple[web.RouteDef, ...]:
        """Return the routes for the application that serves them."""
        return (
            web.get(PATH, self._list),
            web.get("/repairs.csv", self._csv),
            web.post(f"{PATH}/{{id}}", self._say),
        )

    async def _list(self, request: web.Request) -> web.Response:
        try:
            query = parse_repair_query(request.query.items())
        except QueryError as error:
            return error_response(request, 400, str(error))
        async with request.app[BODIES].turn("answer"):
            entries, unlisted, now = self.entries(), self.unlisted(), self._wall()

            def answer() -> web.Response:
                chosen, total = query.select(entries)
                return json_response(
                    RepairsAnswer(
                        site=self._site,
                        now=time_of(now),
                        total=total,
                        offset=query.offset,
                        unlisted=unlisted,
                        repairs=[repair_answer(entry, self._unit(entry.unit_id), now) for entry in chosen],
                    )
                )

            return await in_thread(answer)

    async def _csv(self, request: web.Request) -> web.Response:
        try:
            query = parse_repair_query(request.query.items())
            if not request.query.get("limit"):
                # A file has no pages.
                query = replace(query, limit=MAX_LIMIT)
        except QueryError as error:
            return error_response(request, 400, str(error))
        async with request.app[BODIES].turn("answer"):
            entries, now, zone = self.entries(), self._wall(), self._zone()

            def answer() -> web.Response:
                chosen, _ = query.select(entries)
                body = repair_lines(chosen, self._unit, now=now, zone=zone).encode()
                headers = {"Content-Disposition": 'attachment; filename="repairs.csv"'}
                return web.Response(body=body, content_type="text/csv", charset="utf-8", headers=headers)

            return await in_thread(answer)

    async def _say(self, request: web.Request) -> web.Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        if request.content_type != "application/json":
            return json_error(415, "a note must be JSON (Content-Type: application/json)")
        number = request.match_info["id"]
        try:
            order = msgspec.json.decode(await request.read(), type=RepairOrder)
        except (msgspec.MsgspecError, RecursionError) as error:
            return json_error(400, f"not a note: {error}")
        by = self._caller(request) or order.by.strip()
        trouble = _trouble(order, by)
        if trouble is not None:
            return json_error(400, trouble)
        at = self._wall()
        note = None if order.note is None else Said(by, at, order.note.strip())
        is_number = number.isascii() and number.isdigit() and len(number) < 19
        entry = self._annotate(int(number), note, Said(by, at) if order.seen else None) if is_number else None
        if entry is None:
            return json_error(404, "no open entry of the walk list has that id")
        return json_response(repair_answer(entry, self._unit(entry.unit_id), at))


def _trouble(order: RepairOrder, by: str) -> str | None:
    """Return why an order cannot be carried out; None if it can."""
    if order.note is None and not order.seen:
        return "note, seen or both are expected"
    if not by:
        return "by is expected: the name of who says it"
    # What is kept is shown on one line and printed: no control characters, and nothing that turns text around.
    for name, text in (("by", by), ("note", (order.note or "").replace("\n", " "))):
        if not text.isprintable():
            return f"{name} has characters that cannot be printed"
    return None
