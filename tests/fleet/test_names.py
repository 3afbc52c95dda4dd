"""Look-ups of names that hang cost a thread each, and hold up nothing."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from patience import PATIENT_S

from agent.fleet.names import Resolver

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.7", 9184))]


class Server:
    """A name server that answers when a test lets it.

    Attributes:
        asked: The names asked for so far.
        is_up: Set to let it answer.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_up = threading.Event()

    def look_up(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """Answer as `socket.getaddrinfo`."""
        del port
        self.asked.append(host)
        assert self.is_up.wait(PATIENT_S)
        if host == "nowhere":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return FOUND


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Yield a name server that hangs; in the end it answers, so that no thread is left."""
    one = Server()
    yield one
    one.is_up.set()


async def test_a_name_has_its_addresses(server: Server) -> None:
    """As the connector of aiohttp takes them."""
    server.is_up.set()
    (result,) = await Resolver(server.look_up).resolve("agent", 9184)
    assert (result["host"], result["port"], result["hostname"]) == ("127.0.0.7", 9184, "agent")


async def test_a_name_that_is_not_known_is_the_systems_error(server: Server) -> None:
    """Its words are those of the resolver."""
    server.is_up.set()
    with pytest.raises(socket.gaierror, match="Name or service not known"):
        await Resolver(server.look_up).resolve("nowhere", 9184)


async def test_a_name_is_looked_up_once_at_a_time_though_callers_give_up(server: Server) -> None:
    """Ten questions that time out share one thread, and the eleventh gets its answer."""
    resolver = Resolver(server.look_up)
    for _ in range(10):
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await resolver.resolve("agent", 9184)
    waiting = asyncio.create_task(resolver.resolve("agent", 9184))
    server.is_up.set()
    assert (await waiting)[0]["host"] == "127.0.0.7"
    assert server.asked == ["agent"]
    await resolver.resolve("agent", 9184)
    assert server.asked == ["agent", "agent"]


async def test_hanging_look_ups_leave_the_threads_of_pages_free(server: Server) -> None:
    """Fifty names hang, and work in a thread is done."""
    resolver = Resolver(server.look_up)
    hanging = [asyncio.create_task(resolver.resolve(f"agent-{number}", 9184)) for number in range(50)]
    async with asyncio.timeout(PATIENT_S):
        assert await asyncio.to_thread(lambda: 1) == 1
    assert not any(task.done() for task in hanging)
    await resolver.close()
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*hanging, return_exceptions=True)
    )
