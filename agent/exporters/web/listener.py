"""The life and limits of the HTTP server: connections, deadlines and security headers.

`new_application` and `listen` belong together: the application's middleware refuses connections without a guard, and
`listen` guards every connection.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from agent.exporters.http_refusals import HttpRefusal
from agent.exporters.web import hosts
from agent.exporters.web.binding import bind
from agent.exporters.web.bodies import ROOM_WAIT_S, Bodies, BusyError
from agent.exporters.web.compression import compress
from agent.exporters.web.door.door import Door
from agent.exporters.web.guard import Guard, GuardedConnection
from agent.exporters.web.responses import error_response, text_response

log = structlog.get_logger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
MAX_HEADER_BYTES = 8 * 1024
MAX_CONNECTIONS = 256
HEADER_DEADLINE_S = 5.0
# A full scrape of 10,000 units without compression at 10 Mbit/s.
ANSWER_DEADLINE_S = 30.0
# Longer than any usual scrape interval, so that a scraper keeps its connection.
KEEPALIVE_S = 75.0
LINGER_S = 1.0
SHUTDOWN_S = 2.0

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "hashsight",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_REASONS = {"Not Found": "nothing at this address"}
"""Words for reasons that aiohttp gives by itself."""

REFUSED: web.AppKey[Counter[str]] = web.AppKey("refused", Counter)
BODIES: web.AppKey[Bodies] = web.AppKey("bodies", Bodies)
DOOR: web.AppKey[Door] = web.AppKey("door", Door)
_SECTION: web.AppKey[str] = web.AppKey("section", str)
_NAMES: web.AppKey[Callable[[], Collection[str]]] = web.AppKey("names")


def new_application(
    names: Callable[[], Collection[str]], refused: Counter[str], door: Door | None = None, *, section: str = "web"
) -> web.Application:
    """Return an application without routes that keeps the limits of this module.

    Args:
        names: Returns the names under which it answers, besides IP addresses and the names of this machine.
        refused: Counts of the clients turned away, by reason.
        door: TLS, users, tokens and roles; by default every client may read and none may change anything.
        section: Section of the configuration with the keys ``listen`` and ``hosts``, for messages.
    """
    app = web.Application(middlewares=[_watch], client_max_size=MAX_REQUEST_BYTES)
    own = hosts.own_names()
    app[_NAMES] = lambda: own.union(map(hosts.normal_name, names()))
    app[BODIES] = Bodies(time.monotonic)
    app[REFUSED] = refused
    app[DOOR] = door or Door()
    app[_SECTION] = section
    app.on_response_prepare.append(_secure)
    return app


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers of every answer, those that aiohttp gives before the middleware included, such as 417."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.update({**SECURITY_HEADERS, **request.app[DOOR].headers()})


@asynccontextmanager
async def listen(
    app: web.Application, host: str, port: int, *, max_connections: int, header_deadline_s: float
) -> AsyncIterator[tuple[str, int]]:
    """Serve `app` while the block runs; yield the address that is bound.

    Args:
        app: Made by `new_application`.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        max_connections: Limit of open connections; one address may have three quarters of them.
        header_deadline_s: How long the head of a request may take to arrive.

    Raises:
        AgentError: If the address cannot be bound, in words.
    """
    # With cancellation, the work for a client that leaves stops.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, handler_cancellation=True)
    await runner.setup()
    try:
        if runner.server is None:
            raise RuntimeError("aiohttp gave no server")
        loop = asyncio.get_running_loop()
        factory = partial(
            _Connection,
            runner.server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None turns it off, as it does for AppRunner.
            keepalive_timeout=KEEPALIVE_S,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            lingering_time=LINGER_S,
            # A request's compressed body stays as it is; the middleware refuses it.
            auto_decompress=False,
        )
        guard = Guard(
            factory,
            max_connections=max_connections,
            header_deadline_s=header_deadline_s,
            refused=app[REFUSED],
            tls=app[DOOR].tls,
        )
        server = await bind(guard, host, port, setting=f"{app[_SECTION]}.listen")
        try:
            bound: Any = server.sockets[0].getsockname()
            log.info("web listening", host=bound[0], port=bound[1])
            yield bound[0], bound[1]
        finally:
            server.close()
            # Ends the requests that are left, which aiohttp would wait for twice.
            loop.call_later(SHUTDOWN_S, guard.abort_all)
    finally:
        await runner.cleanup()


@web.middleware
async def _watch(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer within a deadline, down to the last byte, and never show a traceback."""
    transport = request.transport
    connection = transport.get_protocol() if transport is not None else None
    if not isinstance(connection, GuardedConnection):
        raise web.HTTPServiceUnavailable
    connection.begin_request()
    # The end of the connection cancels this task, in whatever it waits for.
    deadline = asyncio.get_running_loop().call_later(ANSWER_DEADLINE_S, connection.abort)
    response: web.StreamResponse = web.Response(status=503)
    try:
        response = (
            _refusal(request)
            or await request.app[DOOR].refusal(request, request.app[REFUSED])
            or await _answer(request, handler)
        )
        await compress(request, response, request.app[BODIES])
        # Sent here and not by aiohttp, so that the deadline covers a slow reader.
        await request.app[BODIES].send(request, response, connection, deadline_s=ANSWER_DEADLINE_S)
    except ConnectionError:
        log.debug("reader left", path=request.path[:200])
    finally:
        deadline.cancel()
        connection.end_request()
    return response


def _refusal(request: web.Request) -> web.Response | None:
    """Return the answer to a request that is refused at every address, or None."""
    authorities = request.headers.getall("Host", [])
    if "://" in request.raw_path:
        # A target with a host of its own overrides the header (RFC 9112, section 3.2.2). It comes without brackets.
        authorities = [*authorities, f"[{request.host}]" if ":" in request.host else request.host]
    for authority in authorities:
        refused = hosts.refusal(authority, request.app[_NAMES](), setting=f"{request.app[_SECTION]}.hosts")
        if refused is not None:
            request.app[REFUSED][HttpRefusal.HOST] += 1
            return _closing(error_response(request, *refused))
    if not _codings(request, "Content-Encoding") <= {"identity"} or not _codings(request, "Transfer-Encoding") <= {
        "chunked"
    }:
        request.app[REFUSED][HttpRefusal.COMPRESSED] += 1
        reason = "a request's body must not be compressed"
        return _closing(error_response(request, 415, reason, {"Accept-Encoding": "identity"}))
    return None


def _codings(request: web.Request, header: str) -> set[str]:
    codings = ",".join(request.headers.getall(header, [])).lower().split(",")
    return {coding.strip() for coding in codings} - {""}


def _closing(response: web.Response) -> web.Response:
    """Return a response after which the connection is closed, so that a body is not waited for."""
    response.force_close()
    return response


async def _answer(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    refused = request.match_info.http_exception
    is_known = isinstance(refused, web.HTTPMethodNotAllowed)
    if is_known or (refused is not None and request.method not in {"GET", "HEAD"}):
        allowed = refused.allowed_methods if isinstance(refused, web.HTTPMethodNotAllowed) else {"GET", "HEAD"}
        methods = sorted(allowed)
        reason = f"only {' and '.join(methods)} {'is' if len(methods) == 1 else 'are'} allowed here"
        return error_response(request, 405, reason, {"Allow": ", ".join(methods)})
    try:
        return await handler(request)
    except web.HTTPException as error:
        return error_response(request, error.status, _REASONS.get(error.reason, error.reason))
    except BusyError:
        request.app[REFUSED][HttpRefusal.BUSY] += 1
        reason = "too many large answers are being made or sent; see Retry-After"
        return error_response(request, 503, reason, {"Retry-After": str(math.ceil(ROOM_WAIT_S))})
    except Exception:
        log.exception("request failed", path=request.path[:200])
        return error_response(request, 500, "internal error; the agent's log has the details")


class _Connection(web.RequestHandler):
    """aiohttp's side of one connection; it answers malformed requests without repeating or logging their bytes."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the overridden method's; it quotes the client.
    ) -> web.StreamResponse:
        """Return one line of text and close the connection; close it alone if an answer has begun."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer had begun") from exc
        words = "not a valid request" if status < 500 else "internal error"
        response = text_response(words, status, SECURITY_HEADERS)
        response.force_close()
        return response
