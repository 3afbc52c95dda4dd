"""Tests a broker connection, finding by finding, unnoticed by a running agent or its consumers.

Everything is tried on the canary's topic, under a separate client id. The access list's rules for the other topics are
not tried, because consumers would see the messages.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, Self

from agent.errors import BrokerError
from agent.exporters.mqtt.connection import Connection, Will, connect
from agent.exporters.mqtt.links import Link

WAIT_S = 3.0
WILL_S = 1.0
MAX_HEARD = 100


class Finding(NamedTuple):
    """The result of one test, in words."""

    is_well: bool
    text: str


async def examine(link: Link, *, canary: str, taken_in: Sequence[str], nonce: str) -> AsyncIterator[Finding]:
    """Test one broker; ends with the first finding that makes further tests pointless.

    Args:
        link: Address and credentials.
        canary: The topic to test on.
        taken_in: Topics to which the agent subscribes.
        nonce: Distinguishes this test's messages from others; not guessable.

    Yields:
        Findings, in the order of the tests.
    """
    link = replace(link, client_id=f"{link.client_id}-check")
    began = time.monotonic()
    try:
        async with connect(link) as connection:
            user = f"as {link.username}" if link.username else "anonymously"
            encryption = "TLS" if link.tls else "not encrypted"
            yield _good(f"connected to {link} {user}, MQTT {link.protocol}, {encryption}, {_ms(began)}")
            async with _Echo(connection) as echo:
                async for finding in _try_canary(link, connection, echo, canary, nonce):
                    yield finding
                    if not finding.is_well:
                        return
                yield await _try_will(link, echo, canary, nonce)
                for topic in taken_in:
                    await connection.subscribe(topic)
                    yield _good(f"may subscribe to {topic}")
    except BrokerError as error:
        yield _bad(f"{error.reason}: {error}")


def _good(text: str) -> Finding:
    return Finding(is_well=True, text=text)


def _bad(text: str) -> Finding:
    return Finding(is_well=False, text=text)


class _Echo:
    """Messages that come back on a connection while the block runs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._heard: deque[bytes] = deque(maxlen=MAX_HEARD)
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._error: BrokerError | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen(), name="mqtt check")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        try:
            async for received in self._connection.messages():
                self._heard.append(received.payload)
                self._changed.set()
        except BrokerError as error:
            self._error = error
            self._changed.set()

    async def hears(self, payload: bytes, within_s: float) -> bool:
        """Return True if that payload comes back in time; False also if the connection is lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while payload not in self._heard and self._error is None:
                    self._changed.clear()
                    await self._changed.wait()
        return payload in self._heard


async def _try_canary(
    link: Link, connection: Connection, echo: _Echo, canary: str, nonce: str
) -> AsyncIterator[Finding]:
    await connection.subscribe(canary)
    payload = f"check {nonce}".encode()
    began = time.monotonic()
    with suppress(BrokerError):
        await connection.publish(canary, payload)
    if await echo.hears(payload, WAIT_S):
        yield _good(f"a message to {canary} came back after {_ms(began)}")
        return
    client = link.username or "an anonymous client"
    yield _bad(f"acl: a message to {canary} did not come back: the access list must let {client} read and write it")


async def _try_will(link: Link, echo: _Echo, canary: str, nonce: str) -> Finding:
    """Break off a second connection and wait for its will."""
    payload = f"will {nonce}".encode()
    async with connect(
        replace(link, client_id=f"{link.client_id}-will"), will=Will(canary, payload, is_retained=False)
    ) as doomed:
        began = time.monotonic()
        doomed.break_off()
        is_published = await echo.hears(payload, WILL_S)
        took = _ms(began)
    # `took` is read before leaving the block: closing a broken connection takes another second.
    if is_published:
        return _good(f"the will of a broken connection was published after {took}")
    return _bad(f"will: the will of a broken connection was not published within {WILL_S:g} s")


def _ms(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"
