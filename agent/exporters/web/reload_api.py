"""``POST /-/reload``: operators have the agent's files read again, as SIGHUP does, and hear what came of it."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from agent.exporters.web.listener import DOOR, REFUSED
from agent.exporters.web.responses import text_response
from agent.exporters.web.threads import retrieve

PATH = "/-/reload"


def reload_routes(reload: Callable[[], Awaitable[str | None]]) -> tuple[web.RouteDef, ...]:
    """Return the route; `reload` reads the files again and returns why they were refused, or None."""
    running: set[asyncio.Task[str | None]] = set()

    async def answer(request: web.Request) -> web.Response:
        refusal = request.app[DOOR].operator_refusal(request, request.app[REFUSED])
        if refusal is not None:
            return refusal
        # It is carried out to its end, even if its client leaves meanwhile.
        task = asyncio.ensure_future(reload())
        running.add(task)
        task.add_done_callback(running.discard)
        task.add_done_callback(retrieve)
        mistakes = await asyncio.shield(task)
        if mistakes is None:
            return text_response("reloaded")
        return text_response(f"reload refused, the old files stay in force:\n{mistakes}", 500)

    return (web.post(PATH, answer),)
