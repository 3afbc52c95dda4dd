"""Lookup of a broker's name in a daemon thread, so that a slow name server holds up neither the loop nor the end."""

import asyncio
import socket
import threading
from contextlib import suppress

from agent.errors import BrokerError
from agent.exporters.mqtt.links import Link


async def resolve(link: Link, *, within_s: float) -> None:
    """Check that the broker's name resolves.

    paho looks the name up again in the loop's executor, whose threads the process waits for when it ends.

    Raises:
        BrokerError: It does not resolve, or not within `within_s`.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def report(reason: str | None) -> None:
        if not answer.done():
            answer.set_result(reason)

    def look_up() -> None:
        reason = None
        try:
            socket.getaddrinfo(link.host, link.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = str(error)
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(report, reason)

    threading.Thread(target=look_up, name=f"look up {link.host}", daemon=True).start()
    try:
        async with asyncio.timeout(within_s):
            reason = await answer
    except TimeoutError:
        reason = f"no answer in {within_s:g} s"
    if reason is not None:
        raise BrokerError("unresolved", f"{link}: cannot resolve this name: {reason}")
