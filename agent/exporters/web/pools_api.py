"""Where the site's work goes, over HTTP: in full for those who may see it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from agent.exporters.web.listener import BODIES, DOOR
from agent.exporters.web.responses import json_response
from agent.exporters.web.source import SOURCE, Source
from agent.exporters.web.threads import in_thread
from agent.exporters.web.work_answers import PoolsAnswer, pools_answer
from agent.site.status import UnitStatus

AT_ONCE = 500
"""Units whose credited work is looked up before other work has its turn."""


async def pools_of(request: web.Request, source: Source) -> Callable[[], PoolsAnswer]:
    """Return work for a thread, since it visits every unit: the answer about the units in the figures."""
    counts_simulated = source.counts_simulated()
    counted = [status for status in source.units() if counts_simulated or not status.entry.is_simulated]
    delivered_hs = await _delivered_1h_hs(counted, source)
    now, is_whole = source.wall(), request.app[DOOR].may_see_accounts(request)
    return lambda: pools_answer(source.name, counted, now, is_whole=is_whole, delivered_1h_hs=delivered_hs.get)


async def _delivered_1h_hs(statuses: Sequence[UnitStatus], source: Source) -> Mapping[str, float | None]:
    found: dict[str, float | None] = {}
    for start in range(0, len(statuses), AT_ONCE):
        for status in statuses[start : start + AT_ONCE]:
            unit_id = status.entry.unit_id
            found[unit_id] = source.delivered_hs(unit_id)[0]
        await asyncio.sleep(0)
    return found


async def answer_pools(request: web.Request) -> web.Response:
    """Answer with the destinations of the site's work."""
    source = request.app[SOURCE]
    async with request.app[BODIES].turn("answer"):
        answer = await pools_of(request, source)
        return await in_thread(lambda: json_response(answer()))
