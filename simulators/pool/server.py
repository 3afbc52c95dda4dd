"""The stand-in on a socket: TLS where a certificate is given, plain HTTP on loopback otherwise."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from simulators.pool.answers import ANSWERS, NOT_FOUND, Asked, Holder, Reply

LIMITED = Reply(status=429, body={"message": "too many requests"}, headers={"Retry-After": "900"})
DOWN = Reply(status=503, body={"message": "maintenance"})


@dataclass(slots=True, kw_only=True)
class Pool:
    """One pool.

    Attributes:
        kind: Whose answers it gives; a key of `ANSWERS`.
        holders: Its accounts.
        clock: Returns its Unix time, s.
        trouble: What it answers to everything instead; None while it is well.
        asked: Times at which it was asked, with the path of each.
    """

    kind: str
    holders: tuple[Holder, ...]
    clock: Callable[[], float]
    trouble: Reply | None = None
    asked: list[tuple[float, str]] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        """Return the reply to one request: of the first account that grants it."""
        self.asked.append((asked.now, asked.path))
        if self.trouble is not None:
            return self.trouble
        replies = [ANSWERS[self.kind](asked, holder) for holder in self.holders]
        return next((reply for reply in replies if reply.is_granted), replies[0] if replies else NOT_FOUND)


@asynccontextmanager
async def serve_pool(pool: Pool, *, tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[str]:
    """Serve a pool on loopback while the block runs; yield its address.

    Args:
        pool: The pool.
        tls: The context with its certificate; None for plain HTTP.
        port: Port to listen on; 0 takes a free one.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        form = await request.post() if request.method == "POST" else {}
        reply = pool.answer(
            Asked(
                method=request.method,
                path=request.path,
                query=dict(request.query),
                form={name: value for name, value in form.items() if isinstance(value, str)},
                headers={name.lower(): value for name, value in request.headers.items()},
                now=pool.clock(),
            )
        )
        return web.json_response(reply.body, status=reply.status, headers=dict(reply.headers))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
