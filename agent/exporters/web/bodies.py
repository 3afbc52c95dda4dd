"""Bodies of answers on their way to clients: written in slices as fast as each client reads, within one limit for all.

A connection holds one slice of a body and a reference to the rest. Connections that share a body hold it once. While
the bodies under way exceed the limit, no further one is made: requests wait for room, clients that read too slowly are
cut, and a request that has waited `ROOM_WAIT_S` is refused.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Protocol

from aiohttp import web

from agent.exporters.web.threads import in_thread

SLICE_BYTES = 64 * 1024
# Other tasks run at least once per this many bytes, however fast a client reads.
YIELD_BYTES = 1 << 20
# Two uncompressed scrapes of 10,000 units, or ten compressed ones.
MAX_BODY_BYTES = 64 << 20
# Answers take a core each while they are made, and the event loop needs its share of the interpreter. Reading months of
# history takes seconds of a disk. Scrapes take no turn: those of one kind share a body.
TURNS: Mapping[str, int] = {"answer": 2, "history": 1}
PACKED_AT_ONCE = 2
# Half of Prometheus' default scrape timeout.
ROOM_WAIT_S = 5.0
# A client that took nothing for so long, or is as far behind the pace that meets its deadline, is cut for room.
LATE_S = 1.0
LOOK_AGAIN_S = 0.25


class BusyError(Exception):
    """There was no room for another body within `ROOM_WAIT_S`."""


class Sending:
    """One body on its way to one client.

    Args:
        body: The body.
        clock: Monotonic clock, s; the first slice is written now.
        deadline_s: Time that the whole body may take.
        cut: Closes the connection.

    Attributes:
        sent: Bytes that the kernel has taken.
    """

    __slots__ = ("_began_at", "_clock", "_deadline_s", "_took_at", "body", "cut", "sent")

    def __init__(self, body: bytes, *, clock: Callable[[], float], deadline_s: float, cut: Callable[[], None]) -> None:
        self.body = body
        self.cut = cut
        self.sent = 0
        self._clock = clock
        self._began_at = self._took_at = clock()
        self._deadline_s = deadline_s

    def take(self, size: int) -> None:
        """Count bytes that the kernel has taken."""
        self.sent += size
        self._took_at = self._clock()

    def stalled_s(self) -> float:
        """Return the time since the kernel last took a slice, s."""
        return self._clock() - self._took_at

    def lateness_s(self) -> float:
        """Return the time for which the client took nothing, or is behind the pace that meets its deadline, s.

        The pace alone would spare a client whose kernel took the first half at once.
        """
        behind_s = self._clock() - self._began_at - self._deadline_s * self.sent / len(self.body)
        return max(self.stalled_s(), behind_s)


class Client(Protocol):
    """The connection of a client."""

    sending: Sending | None

    def abort(self) -> None:
        """Close the connection and drop unsent data."""


class Bodies:
    """All bodies of one server that are being made or sent.

    Args:
        clock: Monotonic clock, s.
        max_bytes: No further body is made while as many bytes are under way.

    Attributes:
        bytes_under_way: Bytes of all distinct bodies being sent.
    """

    def __init__(self, clock: Callable[[], float], *, max_bytes: int = MAX_BODY_BYTES) -> None:
        self.bytes_under_way = 0
        self._clock = clock
        self._max_bytes = max_bytes
        self._making: Counter[str] = Counter()
        self._sendings: dict[Sending, None] = {}
        # By identity: a scrape is one object for all that share it.
        self._senders: dict[int, int] = {}
        self._freed = asyncio.Event()
        self._packing = asyncio.Semaphore(PACKED_AT_ONCE)

    async def room(self) -> None:
        """Wait until another body may be made.

        Raises:
            BusyError: There was no room within `ROOM_WAIT_S`.
        """
        await self._until(self._has_room)

    @asynccontextmanager
    async def turn(self, kind: str) -> AsyncIterator[None]:
        """Wait until another body may be made, and hold one of the turns to make one while the block runs.

        Args:
            kind: A key of `TURNS`, which limits how many are made at once.

        Raises:
            BusyError: There was no room or no turn within `ROOM_WAIT_S`.
        """
        await self._until(lambda: self._making[kind] < TURNS[kind] and self._has_room())
        self._making[kind] += 1
        try:
            yield
        finally:
            self._making[kind] -= 1
            self._signal()

    async def packed(self, body: bytes, pack: Callable[[bytes], bytes]) -> bytes:
        """Return a body after `pack`, which works in a thread, few at a time; meanwhile it counts as under way."""
        self.bytes_under_way += len(body)
        try:
            async with self._packing:
                return await in_thread(lambda: pack(body))
        finally:
            self.bytes_under_way -= len(body)
            self._signal()

    def admit(self, body: bytes) -> None:
        """Check that a body which was made without a turn may be sent: another client has it, or there is room.

        Raises:
            BusyError: Meanwhile others took the room.
        """
        if id(body) not in self._senders and not self._has_room():
            raise BusyError

    async def send(
        self, request: web.Request, response: web.StreamResponse, client: Client, *, deadline_s: float
    ) -> None:
        """Send a response to its last byte.

        Args:
            request: The request that it answers.
            response: The response; its body is taken out of it.
            client: The connection, which is cut if its client reads too slowly while room is needed.
            deadline_s: Time that the whole body may take.

        Raises:
            ConnectionError: The client left.
        """
        writer = await response.prepare(request)
        body = response.body if isinstance(response, web.Response) else None
        if isinstance(response, web.Response) and isinstance(body, bytes) and body:
            response.body = None
            if writer is not None and request.method != "HEAD":
                with self._under_way(body, client, deadline_s) as sending:
                    for start in range(0, len(body), SLICE_BYTES):
                        piece = memoryview(body)[start : start + SLICE_BYTES]
                        await writer.write(piece)
                        await writer.drain()
                        sending.take(len(piece))
                        if (start + SLICE_BYTES) % YIELD_BYTES == 0:
                            await asyncio.sleep(0)
        await response.write_eof()

    @contextmanager
    def _under_way(self, body: bytes, client: Client, deadline_s: float) -> Iterator[Sending]:
        sending = Sending(body, clock=self._clock, deadline_s=deadline_s, cut=client.abort)
        self._sendings[sending] = None
        key = id(body)
        self._senders[key] = self._senders.get(key, 0) + 1
        if self._senders[key] == 1:
            self.bytes_under_way += len(body)
        client.sending = sending
        try:
            yield sending
        finally:
            client.sending = None
            self._forget(sending)

    def _forget(self, sending: Sending) -> None:
        """Take a body off the count; a second call does nothing."""
        if sending not in self._sendings:
            return
        del self._sendings[sending]
        key = id(sending.body)
        self._senders[key] -= 1
        if not self._senders[key]:
            del self._senders[key]
            self.bytes_under_way -= len(sending.body)
            self._signal()

    def _has_room(self) -> bool:
        """Return True if another body may be made, after cutting as many late clients as it takes."""
        if self.bytes_under_way < self._max_bytes:
            return True
        late = sorted(((each.lateness_s(), each) for each in self._sendings), key=lambda pair: pair[0], reverse=True)
        for lateness_s, sending in late:
            if lateness_s <= LATE_S:
                break
            sending.cut()
            self._forget(sending)
            if self.bytes_under_way < self._max_bytes:
                return True
        return False

    async def _until(self, is_free: Callable[[], bool]) -> None:
        give_up_at = self._clock() + ROOM_WAIT_S
        while not is_free():
            left_s = give_up_at - self._clock()
            if left_s <= 0:
                raise BusyError
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, LOOK_AGAIN_S)):
                    await self._freed.wait()

    def _signal(self) -> None:
        self._freed.set()
        self._freed = asyncio.Event()
