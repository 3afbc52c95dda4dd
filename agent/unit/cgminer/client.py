"""Conversations over TCP: connect, write, read to the NUL or the end, close. Thousands at a time, each with a deadline.

The sockets are those of `connections`, whose descriptor the event loop watches. It runs under asyncio's own loop and
under uvloop.

Polls are spread over the interval, so replies arrive one by one. Handled one by one they cost more than twice as much
as in a batch: on each wake-up, code and data have left the CPU caches. So a client with `rest_s` leaves its sockets
alone for that long after each look, and then handles everything that has arrived (DECISIONS 63).

A deadline is a unit's, so time in which this process did not run does not count. What arrived in time is never thrown
away either: before a conversation ends at its deadline, its socket is looked at once more.

A unit serves one client at a time. So a conversation sends its requests one after the other, and the caller starts no
second conversation with a unit before the first is done.
"""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar, cast

from agent.errors import (
    DeadlineError,
    LocalResourceError,
    MisreadReplyError,
    PollError,
    UnreachableError,
    drop_frames,
)
from agent.unit.cgminer.call import Address, Call, Done, Failure, Outcome, shown
from agent.unit.cgminer.connections import BATCH, MOST_HELD_BYTES, Connections

T = TypeVar("T")

# A regular reply has 3 kB at most. Larger ones, of which each may take milliseconds to refuse, are handled in slices:
# between two slices the event loop does what else is due.
_LARGE_BYTES: Final = 4096
_SLICE_BYTES: Final = 16384
_TICK_S: Final = 0.05


class Client:
    """Holds conversations with many units at once. An instance belongs to one running event loop.

    Args:
        connect_timeout_s: A unit that has not accepted by then is unreachable.
        deadline_s: Time allowed for a whole conversation, from its start; a conversation then ends with what it has.
        rest_s: How long sockets are left alone after a look that found something. Each request of a conversation takes
            up to twice this much longer. With 0, everything is handled as it arrives.
        most_held_bytes: Bound on the bytes of all unfinished replies together.
    """

    def __init__(
        self,
        *,
        connect_timeout_s: float,
        deadline_s: float,
        rest_s: float = 0.0,
        most_held_bytes: int = MOST_HELD_BYTES,
    ) -> None:
        self._connections = Connections(most_held_bytes=most_held_bytes)
        self._connect_timeout_s = connect_timeout_s
        self._deadline_s = deadline_s
        self._rest_s = rest_s
        self._rest: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        # Each timeout is the same for all calls, so each queue is in order of expiry by construction. A call that got
        # its time again may hold up those behind it, by the connect timeout at most.
        self._connecting: deque[Call[Any]] = deque()
        self._talking: deque[Call[Any]] = deque()
        self._tick: asyncio.TimerHandle | None = None
        self._tick_due = 0.0
        # Time in which calls were in flight and this process did not run.
        self._lost_s = 0.0
        self._loop.add_reader(self._connections, self._on_events)

    @property
    def in_flight(self) -> int:
        """Conversations with an open connection."""
        return len(self._connections)

    @property
    def held_bytes(self) -> int:
        """Bytes of unfinished replies."""
        return self._connections.held_bytes

    def close(self) -> None:
        """Drop everything in flight; no `done` is called."""
        self._loop.remove_reader(self._connections)
        for timer in (self._tick, self._rest):
            if timer is not None:
                timer.cancel()
        for call in (*self._connecting, *self._talking):
            call.done = None
            if call.conversation is not None:
                call.conversation.close()
            if call.socket is not None:
                call.socket.close()
        self._connections.close()

    def start(self, address: Address, conversation: Generator[bytes, bytes, T], done: "Done[T]") -> None:
        """Start a conversation; `done(outcome)` is called once, from the event loop.

        Raises:
            LocalResourceError: This process has no socket to spare; `done` will not be called.
        """
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        now = time.monotonic()
        call = Call(address, family, conversation, done, now)
        call.began = now - self._lost_s if now - self._tick_due <= _TICK_S else self._attended(now)
        call.request = next(conversation)
        self._connect(call)
        self._connecting.append(call)
        if self._tick is None:
            self._tick_due = now + _TICK_S
            self._tick = self._loop.call_later(_TICK_S, self._on_tick)

    async def run(self, address: Address, conversation: Generator[bytes, bytes, T]) -> T:
        """Hold one conversation and return its result.

        Raises:
            PollError: It failed.
            LocalResourceError: This process has no socket to spare.
        """
        future: asyncio.Future[T] = self._loop.create_future()

        def done(outcome: Outcome[T]) -> None:
            if future.done():
                return
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(cast("T", outcome.result))

        self.start(address, conversation, done)
        return await future

    def _connect(self, call: Call[Any]) -> None:
        error = self._connections.connect(call)
        if error is not None:
            # No route, or refused at once. Reported from the loop, so that `done` never runs inside `start`.
            self._loop.call_soon(self._throw, call, error)

    def _on_events(self) -> None:
        self._handle_ready()
        if self._rest_s:
            self._loop.remove_reader(self._connections)
            self._rest = self._loop.call_later(self._rest_s, self._on_rested)

    def _on_rested(self) -> None:
        handled = self._handle_ready()
        if handled:
            self._rest = self._loop.call_later(0.0 if handled == BATCH else self._rest_s, self._on_rested)
        else:
            # It is quiet: the next event is handled at once.
            self._rest = None
            self._loop.add_reader(self._connections, self._on_events)

    def _handle_ready(self) -> int:
        """Handle up to `BATCH` sockets with events, and return how many there were."""
        # First read from all of them, then run their conversations: the code of either step fills the CPU caches.
        handled = self._connections.look()
        self._deliver()
        return handled

    def _deliver(self) -> None:
        """Pass what has arrived to the conversations: small replies all at once, large ones in slices."""
        connections = self._connections
        arrived, connections.arrived = connections.arrived, []
        large_bytes = 0
        for place, (call, data) in enumerate(arrived, start=1):
            if call.conversation is None:
                continue
            if not isinstance(data, bytes):
                self._advance(call, call.conversation.throw, data)
                continue
            self._advance(call, call.conversation.send, data)
            if len(data) > _LARGE_BYTES:
                large_bytes += len(data)
                if large_bytes >= _SLICE_BYTES and place < len(arrived):
                    connections.arrived[:0] = arrived[place:]
                    self._loop.call_soon(self._deliver)
                    return

    def _throw(self, call: Call[Any], error: Failure) -> None:
        if call.conversation is not None:
            self._advance(call, call.conversation.throw, error)

    def _advance(self, call: Call[Any], step: Callable[[Any], bytes], argument: Any) -> None:
        """Pass a reply or an error to the conversation, then send its next request or finish the call."""
        try:
            call.request = step(argument)
        except StopIteration as over:
            self._finish(call, over.value, None)
            return
        except (PollError, LocalResourceError) as error:
            drop_frames(error)
            self._finish(call, None, error)
            return
        except Exception as error:  # noqa: BLE001 - It is passed on as the cause of the poll's error.
            # A bug of ours, met while reading one unit, fails that unit's poll; the others carry on.
            misread = MisreadReplyError(f"{type(error).__name__} while reading the reply")
            misread.__cause__ = error
            self._finish(call, None, misread)
            return
        if self._attended(time.monotonic()) - call.began >= self._deadline_s:
            self._throw(call, DeadlineError(f"no time left to ask for {call.request!r}"))
            return
        try:
            self._connect(call)
        except LocalResourceError as error:
            self._throw(call, error)

    def _finish(self, call: Call[T], result: T | None, error: Failure | None) -> None:
        # The call stays in its queue until it expires, so what it holds is released now.
        done, call.done = call.done, None
        if call.conversation is not None:
            call.conversation.close()
            call.conversation = None
        if done is not None:
            done(Outcome(result, error, time.monotonic() - call.started, call.requests))

    def _attended(self, now: float) -> float:
        """Return the time by which deadlines are measured: it stands still while this process does not run."""
        if self._tick is not None and now - self._tick_due > _TICK_S:
            self._lost_s += now - self._tick_due
            self._tick_due = now
        return now - self._lost_s

    def _on_tick(self) -> None:
        if self._connections.arrived:
            # These replies came in time; their deadlines are looked at when they are read.
            self._tick = self._loop.call_later(0.0, self._on_tick)
            return
        now = self._attended(time.monotonic())
        self._tick = None
        self._expire(now)
        if self._connecting or self._talking:
            self._tick_due = time.monotonic() + _TICK_S
            self._tick = self._loop.call_later(_TICK_S, self._on_tick)

    def _expire(self, now: float) -> None:
        """End the conversations that have no time left."""
        accepted_until, whole_until = now - self._connect_timeout_s, now - self._deadline_s
        while self._connecting and (self._connecting[0].done is None or self._connecting[0].began <= accepted_until):
            call = self._connecting.popleft()
            if call.done is None:
                continue
            is_waiting = call.socket is not None and not call.connected and call.requests == 1
            if is_waiting and not self._catch_up(call, now):
                self._connections.drop(call)
                self._throw(
                    call,
                    UnreachableError(f"{shown(call.address)} did not accept within {self._connect_timeout_s:g} s"),
                )
            # A conversation may carry on after that error; its deadline stays.
            if call.done is not None:
                self._talking.append(call)
        while self._talking and (self._talking[0].done is None or self._talking[0].began <= whole_until):
            call = self._talking.popleft()
            if call.done is None:
                continue
            if self._catch_up(call, now):
                if call.done is not None:
                    self._talking.append(call)
                continue
            had = f"{call.reply.size} bytes of a reply" if call.reply.size else "no reply"
            failure = call.reply.foreign() or DeadlineError(f"{had} within {self._deadline_s:g} s")
            self._connections.drop(call)
            self._throw(call, failure)

    def _catch_up(self, call: Call[Any], now: float) -> bool:
        """Handle what has arrived for a call that would end now; return True if anything had.

        Then this process was late, not the unit, and the call gets its time again: once, so it always ends.
        """
        if call.is_extended or not self._connections.look_at(call):
            return False
        call.is_extended = True
        call.began = now
        self._deliver()
        return True


def ask(request: bytes) -> Generator[bytes, bytes, bytes]:
    """Return the shortest conversation: one request, and its whole reply as received."""
    return (yield request)
