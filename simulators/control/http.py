"""The control API over HTTP, on its own port and loopback by default; described at ``/openapi.json``."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from simulators.control.answers import Refusal
from simulators.control.control import LOOPBACK, Control, nothing
from simulators.control.operations import Asked, Operation, RefusedError, describe
from simulators.farm.clock import ClockError
from simulators.farm.farm import Farm
from simulators.farm.plan import FarmError
from simulators.scenario.player import Playing
from simulators.scenario.tomlfile import TomlError
from simulators.sockets.journal import Journal
from simulators.sockets.listening import listen
from simulators.sockets.report_button import ButtonError, Listener
from simulators.unit.conditions import FaultError

_MAX_BODY_BYTES = 1 << 20


def control_app(control: Control) -> web.Application:
    """Return the application: every operation, and ``/openapi.json``."""
    operations = control.operations()
    document = msgspec.json.encode(
        describe(
            operations,
            title="hashsight simulators: control",
            version="1",
            about="Faults, scenarios, simulated time and the truth of a simulated farm. No authentication: loopback.",
        )
    )

    async def describe_itself(_request: web.Request) -> web.Response:
        return web.Response(body=document, content_type="application/json")

    app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[_refuse])
    for operation in operations:
        app.router.add_route(operation.method, operation.path, _handler(operation))
    app.router.add_get("/openapi.json", describe_itself)
    return app


@contextlib.asynccontextmanager
async def serve_control(
    farm: Farm,
    journal: Journal,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    follow: Callable[[], None] = nothing,
    playing: Playing | None = None,
    listener: Listener = LOOPBACK,
) -> AsyncIterator[tuple[str, int]]:
    """Serve the control API for as long as the context is open; yield host and port.

    Args:
        farm: The farm.
        journal: The requests its units received.
        host: Address to listen on; loopback by default.
        port: Port to listen on; 0 takes a free one.
        follow: Called after every change.
        playing: A scenario that is already being played.
        listener: What hears the report buttons.

    Raises:
        ServeError: The port is taken or not permitted.
    """
    control = Control(farm, journal, follow=follow, playing=playing, listener=listener)
    runner = web.AppRunner(control_app(control), access_log=None)
    await runner.setup()
    try:
        door = listen(host, port, option="--control")
        await web.SockSite(runner, door).start()
        yield host, door.getsockname()[1]
    finally:
        await runner.cleanup()


def _handler(operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        named: Any = next(iter(request.match_info.values()), "")
        if operation.named is int:
            named = _read("number in the path", lambda: msgspec.convert(named, int, strict=False))
        pairs = request.query
        for key in pairs:
            if len(pairs.getall(key)) > 1:
                raise RefusedError(400, f"query: {key[:80]!r} is given twice")
        query = _read("query", lambda: msgspec.convert(dict(pairs), operation.query, strict=False))
        body = None
        if operation.body is not None:
            kind, data = operation.body, await request.read()
            body = _read("body", lambda: msgspec.json.decode(data, type=kind))
        result = await operation.do(Asked(named=named, query=query, body=body))
        return web.Response(status=operation.status, body=msgspec.json.encode(result), content_type="application/json")

    return handle


def _read(what: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise RefusedError(400, f"{what}: {str(error)[:300] or 'nested too deeply'}") from error


@web.middleware
async def _refuse(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer every failure with a status and a reason in JSON."""
    try:
        return await handler(request)
    except RefusedError as error:
        return _refusal(error.status, str(error))
    except (FarmError, FaultError, TomlError, ClockError, ButtonError) as error:
        return _refusal(400, str(error))
    except web.HTTPException as error:
        hint = "; see /openapi.json" if error.status in {404, 405} else ""
        return _refusal(error.status, f"{error.reason}{hint}")


def _refusal(status: int, reason: str) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(Refusal(error=reason)), content_type="application/json")
