"""Look-ups of agents' names, each in a daemon thread: a slow name server holds up neither pages nor the end.

aiohttp's own look-ups share the few threads in which pages are drawn, and the process waits for them when it ends.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from aiohttp.abc import AbstractResolver, ResolveResult

LookUp = Callable[..., list[tuple[Any, ...]]]


class _Name(NamedTuple):
    host: str
    port: int
    family: socket.AddressFamily


class Resolver(AbstractResolver):
    """Looks names up, each at most once at a time: never more threads than names.

    Args:
        look_up: As `socket.getaddrinfo`.
    """

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._waiting: dict[_Name, asyncio.Future[list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: It has none, or no name server answered.
        """
        name = _Name(host, port, family)
        found = self._waiting.get(name)
        if found is None:
            found = self._waiting[name] = asyncio.get_running_loop().create_future()
            found.add_done_callback(partial(self._end, name))
            work = partial(self._work, name, found, asyncio.get_running_loop())
            threading.Thread(target=work, name=f"look up {host}", daemon=True).start()
        # A caller that gives up leaves the look-up to the next one.
        return await asyncio.shield(found)

    async def close(self) -> None:
        """Give up what is not found yet."""
        for found in list(self._waiting.values()):
            found.cancel()

    def _end(self, name: _Name, found: asyncio.Future[list[ResolveResult]]) -> None:
        self._waiting.pop(name, None)
        if not found.cancelled():
            found.exception()  # Otherwise a failure that no caller waits for any more would be logged as lost.

    def _work(self, name: _Name, found: asyncio.Future[list[ResolveResult]], loop: asyncio.AbstractEventLoop) -> None:
        try:
            infos = self._look_up(
                name.host, name.port, family=name.family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
            )
            report: Callable[[], None] = partial(_succeed, found, [_result(name, info) for info in infos])
        except (OSError, UnicodeError) as error:
            report = partial(_fail, found, error if isinstance(error, OSError) else OSError(str(error)))
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(report)


def _result(name: _Name, info: tuple[Any, ...]) -> ResolveResult:
    family, _, protocol, _, address = info
    return ResolveResult(
        hostname=name.host,
        host=address[0],
        port=address[1],
        family=family,
        proto=protocol,
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


def _succeed(found: asyncio.Future[list[ResolveResult]], results: list[ResolveResult]) -> None:
    if not found.done():
        found.set_result(results)


def _fail(found: asyncio.Future[list[ResolveResult]], error: OSError) -> None:
    if not found.done():
        found.set_exception(error)
