"""HTTP beside the units, on a loopback port of its own: for now, the truth."""

import contextlib
from collections.abc import AsyncIterator

import msgspec
from aiohttp import web

from simulators.farm import Farm
from simulators.journal import Journal
from simulators.server import listen
from simulators.truth import farm_truth


def control_app(farm: Farm, journal: Journal) -> web.Application:
    """Give the application: ``GET /truth`` and ``GET /requests``."""

    async def truth(_request: web.Request) -> web.Response:
        return _json(farm_truth(farm, farm.clock.now()))

    async def requests(_request: web.Request) -> web.Response:
        return _json({"total": journal.total, "writes": journal.writes, "counts": dict(journal.counts)})

    app = web.Application()
    app.router.add_get("/truth", truth)
    app.router.add_get("/requests", requests)
    return app


@contextlib.asynccontextmanager
async def serve_control(
    farm: Farm, journal: Journal, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[tuple[str, int]]:
    """Serve the control API for as long as the context is open; gives host and port.

    Raises:
        ServeError: Port taken or not permitted.
    """
    runner = web.AppRunner(control_app(farm, journal), access_log=None)
    await runner.setup()
    try:
        listener = listen(host, port, option="--control")
        await web.SockSite(runner, listener).start()
        yield host, listener.getsockname()[1]
    finally:
        await runner.cleanup()


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
