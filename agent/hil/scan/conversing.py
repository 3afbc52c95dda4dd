"""The conversations of a scan: their deadlines and their first words."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from agent.address import Endpoint
from agent.errors import LocalResourceError, PollError
from agent.unit.cgminer import wire
from agent.unit.cgminer.client import Client

CONNECT_TIMEOUT_S: Final = 4.0
"""Three of the kernel's packets to begin a connection: at once, after one second and after three."""
FIRST_DEADLINE_S: Final = 5.0
"""Assumed (A05): a busy unit answers one request within five seconds."""
DEADLINE_S: Final = 8.0
GREETING_S: Final = 4.0
"""Documented (D09): where a unit timed out, a second try of 4 s succeeds."""
GREETING: Final = wire.encode_request("version") + b"\r\n\r\n"
"""A request that ends a line and a head too. Assumed (A140): blank lines after a request disturb no unit."""

# Documented (D06): a unit takes a request with a newline too. A server that reads lines answers only then.
_NEWLINE: Final = b"\n"
SOCKETLESS_S: Final = 0.05
_MOST_NAPS: Final = 200

T = TypeVar("T")


class Clients(NamedTuple):
    """Hold the conversations of a scan.

    Attributes:
        first: The first with each address.
        later: All others.
        greeting: The shortest, with what said nothing in the first.
    """

    first: Client
    later: Client
    greeting: Client

    @classmethod
    def with_deadlines(cls, *, connect_timeout_s: float, first_s: float, later_s: float) -> "Clients":
        """Return clients for these times, those of connecting included."""
        deadlines_s = (first_s, later_s, min(GREETING_S, later_s))
        return cls(*(Client(connect_timeout_s=min(connect_timeout_s, each), deadline_s=each) for each in deadlines_s))

    def close(self) -> None:
        """Drop everything in flight."""
        for client in self:
            client.close()


async def run(client: Client, endpoint: Endpoint, begin: Callable[[], Generator[bytes, bytes, T]]) -> T:
    """Hold a conversation, and begin it anew while this process has no socket to spare.

    Raises:
        PollError: It failed.
        LocalResourceError: There was no socket for a long time.
    """
    for _ in range(_MOST_NAPS):
        try:
            return await client.run(endpoint, begin())
        except LocalResourceError:
            await asyncio.sleep(SOCKETLESS_S)
    return await client.run(endpoint, begin())


@dataclass
class Ear:
    """True once the unit has answered a request."""

    has_heard: bool = False


def listening(conversation: Generator[bytes, bytes, T], ear: Ear) -> Generator[bytes, bytes, T]:
    """Pass a conversation through, its first request with a newline, and note whether anything is answered."""
    try:
        request = next(conversation) + _NEWLINE
        while True:
            try:
                reply = yield request
            except (PollError, LocalResourceError) as error:
                request = conversation.throw(error)
            else:
                ear.has_heard = True
                request = conversation.send(reply)
    except StopIteration as over:
        result: T = over.value
        return result
