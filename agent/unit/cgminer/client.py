"""Conversations over TCP: connect, write, read to the NUL or the end, close. Thousands at a time, each with a deadline.

The sockets are registered in an epoll instance of the client, and the event loop watches its file descriptor. Compared
with a transport and a protocol object per connection, this needs half the system calls and no task. Memory stays flat
with thousands in flight (DECISIONS 2). It runs under asyncio's own loop and under uvloop.

Polls are spread over the interval, so replies arrive one by one. Handled one by one they cost more than twice as much
as in a batch: on each wake-up, code and data have left the CPU caches. So a client with `rest_s` leaves its sockets
alone for that long after each look, and then handles everything that has arrived (DECISIONS 63).

A deadline is a unit's, so time in which this process did not run does not count. What arrived in time is never thrown
away either: before a conversation ends at its deadline, its socket is looked at once more.

A unit decides how much it sends and when. A reply has a cap by command (`wire.cap_of`), and all unfinished replies
together have one too: beyond it, the conversations that hold the most are ended, so sound units are not the ones that
pay (DECISIONS 89).

A unit serves one client at a time. So a conversation sends its requests one after the other, and the caller starts no
second conversation with a unit before the first is done.
"""

import asyncio
import errno
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from agent.errors import (
    DeadlineError,
    DisconnectedError,
    LocalResourceError,
    MisreadReplyError,
    PollError,
    StalledReplyError,
    UnreachableError,
    drop_frames,
)
from agent.unit.cgminer import wire
from agent.unit.cgminer.partial_reply import PartialReply

T = TypeVar("T")

Address = tuple[str, int]
Failure = PollError | LocalResourceError


class Outcome(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """The end of a conversation: its result, or the error that ended it.

    Attributes:
        result: What the conversation returned; None when it failed.
        error: Why it failed; None when it succeeded.
        took_s: From the start to the end of the last request.
        requests: Connections attempted.
    """

    result: T | None
    error: Failure | None
    took_s: float
    requests: int


Done = Callable[[Outcome[T]], None]

_EVENTS: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_ENDED: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_STREAM: Final = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
# A real reply fits, so one call reads it; of one that is too large, not much more than its cap is read.
_READ_BYTES: Final = 16384
_BATCH: Final = 64
# A regular reply has 3 kB at most. Larger ones, of which each may take milliseconds to refuse, are handled in slices:
# between two slices the event loop does what else is due.
_LARGE_BYTES: Final = 4096
_SLICE_BYTES: Final = 16384
MOST_HELD_BYTES: Final = 8 << 20
"""Bytes of unfinished replies that are held at once: those of 3,000 units that stop just before their end."""
_LEFT_RATIO: Final = 0.75
_TICK_S: Final = 0.05
# A shortage of local ports, descriptors or memory says nothing about the unit.
_OWN_FAULTS: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
_NO_CONNECTION: Final = {
    errno.ECONNREFUSED: "nothing listens on {endpoint} (refused)",
    errno.EHOSTUNREACH: "no machine answers at {host} (no route to host)",
    errno.ENETUNREACH: "this machine has no route to {host} (network unreachable)",
    errno.ETIMEDOUT: "no machine answers at {host} (timed out)",
    errno.EACCES: "a firewall of this machine refuses {endpoint} (not permitted)",
    errno.EPERM: "a firewall of this machine refuses {endpoint} (not permitted)",
}


# The reply of every call of which no byte has come.
_NO_BYTES: Final = PartialReply()


class _Call(Generic[T]):
    """One conversation in flight."""

    __slots__ = (
        "address",
        "began",
        "connected",
        "conversation",
        "done",
        "family",
        "is_extended",
        "reply",
        "request",
        "requests",
        "socket",
        "started",
    )

    def __init__(
        self,
        address: Address,
        family: socket.AddressFamily,
        conversation: Generator[bytes, bytes, T],
        done: "Done[T]",
        started: float,
    ) -> None:
        self.address = address
        self.family = family
        self.conversation: Generator[bytes, bytes, T] | None = conversation
        self.done: Done[T] | None = done
        self.started = started
        # By the clock of `Client._attended`.
        self.began = started
        self.is_extended = False
        self.request = b""
        self.requests = 0
        self.socket: socket.SocketType | None = None
        self.connected = False
        self.reply = _NO_BYTES


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
        self._most_held_bytes = most_held_bytes
        self._held_bytes = 0
        self._connect_timeout_s = connect_timeout_s
        self._deadline_s = deadline_s
        self._rest_s = rest_s
        self._rest: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._by_fd: dict[int, _Call[Any]] = {}
        # Each timeout is the same for all calls, so each queue is in order of expiry by construction. A call that got
        # its time again may hold up those behind it, by the connect timeout at most.
        self._connecting: deque[_Call[Any]] = deque()
        self._talking: deque[_Call[Any]] = deque()
        # Complete replies that their conversations have not received yet.
        self._whole: list[tuple[_Call[Any], bytes]] = []
        self._tick: asyncio.TimerHandle | None = None
        self._tick_due = 0.0
        # Time in which calls were in flight and this process did not run.
        self._lost_s = 0.0
        self._loop.add_reader(self._epoll.fileno(), self._on_events)

    @property
    def in_flight(self) -> int:
        """Conversations with an open connection."""
        return len(self._by_fd)

    @property
    def held_bytes(self) -> int:
        """Bytes of unfinished replies."""
        return self._held_bytes

    def close(self) -> None:
        """Drop everything in flight; no `done` is called."""
        self._loop.remove_reader(self._epoll.fileno())
        for timer in (self._tick, self._rest):
            if timer is not None:
                timer.cancel()
        for call in (*self._connecting, *self._talking):
            call.done = None
            if call.conversation is not None:
                call.conversation.close()
            if call.socket is not None:
                call.socket.close()
        self._by_fd.clear()
        self._whole.clear()
        self._epoll.close()

    def start(self, address: Address, conversation: Generator[bytes, bytes, T], done: "Done[T]") -> None:
        """Start a conversation; `done(outcome)` is called once, from the event loop.

        Raises:
            LocalResourceError: This process has no socket to spare; `done` will not be called.
        """
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        now = time.monotonic()
        call = _Call(address, family, conversation, done, now)
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

    def _connect(self, call: _Call[Any]) -> None:
        try:
            # The C type itself: `socket.socket` adds Python code to every call.
            sock = socket.SocketType(call.family, _STREAM)
        except OSError as error:
            raise LocalResourceError(str(error)) from error
        call.requests += 1
        call.connected = False
        try:
            code = sock.connect_ex(call.address)
        except OSError:
            # An address this machine cannot use, such as one on an interface that does not exist.
            code = errno.ENETUNREACH
        if code in {0, errno.EINPROGRESS}:
            fd = sock.fileno()
            call.socket = sock
            self._by_fd[fd] = call
            self._epoll.register(fd, _EVENTS)
            return
        sock.close()
        if code in _OWN_FAULTS:
            raise LocalResourceError(errno.errorcode[code])
        # No route, or refused at once. Reported from the loop, so that `done` never runs inside `start`.
        self._loop.call_soon(self._throw, call, _unreachable(call.address, code))

    def _on_events(self) -> None:
        self._handle_ready()
        if self._rest_s:
            self._loop.remove_reader(self._epoll.fileno())
            self._rest = self._loop.call_later(self._rest_s, self._on_rested)

    def _on_rested(self) -> None:
        handled = self._handle_ready()
        if handled:
            self._rest = self._loop.call_later(0.0 if handled == _BATCH else self._rest_s, self._on_rested)
        else:
            # It is quiet: the next event is handled at once.
            self._rest = None
            self._loop.add_reader(self._epoll.fileno(), self._on_events)

    def _handle_ready(self) -> int:
        """Handle up to `_BATCH` sockets with events, and return how many there were."""
        events = self._epoll.poll(0, _BATCH)
        # First read from all of them, then run their conversations: the code of either step fills the CPU caches.
        for fd, mask in events:
            call = self._by_fd.get(fd)
            if call is None or call.socket is None:
                continue
            try:
                self._on_event(call, call.socket, mask)
            except OSError as error:
                self._fail(call, error)
        self._deliver_whole()
        if self._held_bytes > self._most_held_bytes:
            self._end_largest()
        return len(events)

    def _deliver_whole(self) -> None:
        """Pass complete replies to their conversations: small ones all at once, large ones in slices."""
        whole, self._whole = self._whole, []
        large_bytes = 0
        for place, (call, data) in enumerate(whole, start=1):
            if call.conversation is not None:
                self._advance(call, call.conversation.send, data)
            if len(data) > _LARGE_BYTES:
                large_bytes += len(data)
                if large_bytes >= _SLICE_BYTES and place < len(whole):
                    self._whole = whole[place:]
                    self._loop.call_soon(self._deliver_whole)
                    return

    def _end_largest(self) -> None:
        """End the conversations that hold the most of an unfinished reply, the oldest of equals first."""
        for call in sorted(self._by_fd.values(), key=lambda call: (-call.reply.size, call.started)):
            if self._held_bytes <= _LEFT_RATIO * self._most_held_bytes:
                return
            held, total = call.reply.size, self._held_bytes
            self._drop(call)
            self._throw(
                call,
                StalledReplyError(
                    f"stopped at {held:,} bytes of a reply while all unfinished replies had {total:,} bytes,"
                    f" at most {self._most_held_bytes:,}"
                ),
            )

    def _fail(self, call: _Call[Any], error: OSError) -> None:
        failure = _socket_error(call, error)
        self._drop(call)
        self._throw(call, failure)

    def _on_event(self, call: _Call[Any], sock: socket.SocketType, mask: int) -> None:
        if not call.connected:
            if mask & select.EPOLLERR:
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                raise OSError(code, errno.errorcode.get(code, "?"))
            if not mask & select.EPOLLOUT:
                return
            # A request is under a hundred bytes, so an empty socket buffer takes it whole.
            sock.send(call.request)
            call.connected = True
        if mask & (select.EPOLLIN | _ENDED):
            self._read(call, sock, is_ended=bool(mask & _ENDED))

    def _read(self, call: _Call[Any], sock: socket.SocketType, *, is_ended: bool) -> None:
        """Read what has arrived. Edge triggering announces later bytes, but an end of the connection only once."""
        while True:
            try:
                chunk = sock.recv(_READ_BYTES)
            except BlockingIOError:
                return
            if chunk and call.reply is _NO_BYTES:
                end = chunk.find(b"\0") + 1
                if 0 < end <= wire.LEAST_CAP:
                    # Nearly every reply comes in one piece.
                    self._drop(call)
                    self._whole.append((call, chunk[:end]))
                    return
                call.reply = PartialReply(wire.cap_of(call.request))
            received = call.reply.add(chunk) if chunk else call.reply.close()
            if received is not None:
                break
            self._held_bytes += len(chunk)
            if len(chunk) < _READ_BYTES and not is_ended:
                return
        self._drop(call)
        if isinstance(received, bytes):
            self._whole.append((call, received))
        else:
            self._throw(call, received)

    def _throw(self, call: _Call[Any], error: Failure) -> None:
        if call.conversation is not None:
            self._advance(call, call.conversation.throw, error)

    def _advance(self, call: _Call[Any], step: Callable[[Any], bytes], argument: Any) -> None:
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

    def _finish(self, call: _Call[T], result: T | None, error: Failure | None) -> None:
        # The call stays in its queue until it expires, so what it holds is released now.
        done, call.done = call.done, None
        if call.conversation is not None:
            call.conversation.close()
            call.conversation = None
        if done is not None:
            done(Outcome(result, error, time.monotonic() - call.started, call.requests))

    def _drop(self, call: _Call[Any]) -> None:
        """Close the connection; closing takes it out of the epoll too."""
        sock, call.socket = call.socket, None
        if sock is not None:
            del self._by_fd[sock.fileno()]
            sock.close()
        if call.reply.size:
            self._held_bytes -= call.reply.size
        call.reply = _NO_BYTES

    def _attended(self, now: float) -> float:
        """Return the time by which deadlines are measured: it stands still while this process does not run."""
        if self._tick is not None and now - self._tick_due > _TICK_S:
            self._lost_s += now - self._tick_due
            self._tick_due = now
        return now - self._lost_s

    def _on_tick(self) -> None:
        if self._whole:
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
                self._drop(call)
                self._throw(
                    call,
                    UnreachableError(f"{_shown(call.address)} did not accept within {self._connect_timeout_s:g} s"),
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
            self._drop(call)
            self._throw(call, failure)

    def _catch_up(self, call: _Call[Any], now: float) -> bool:
        """Handle what has arrived for a call that would end now; return True if anything had.

        Then this process was late, not the unit, and the call gets its time again: once, so it always ends.
        """
        sock = call.socket
        if sock is None or call.is_extended:
            return False
        arrived = select.poll()
        arrived.register(sock, select.POLLIN | select.POLLRDHUP | (0 if call.connected else select.POLLOUT))
        events = arrived.poll(0)
        if not events:
            return False
        call.is_extended = True
        call.began = now
        try:
            # The flags of poll and epoll are the same numbers.
            self._on_event(call, sock, events[0][1])
        except OSError as error:
            self._fail(call, error)
        self._deliver_whole()
        return True


def ask(request: bytes) -> Generator[bytes, bytes, bytes]:
    """Return the shortest conversation: one request, and its whole reply as received."""
    return (yield request)


def _shown(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _unreachable(address: Address, code: int) -> UnreachableError:
    words = _NO_CONNECTION.get(code)
    if words is None:
        text = f"{_shown(address)}: {errno.errorcode.get(code, str(code))}"
    else:
        text = words.format(host=address[0], endpoint=_shown(address))
    return UnreachableError(text, is_refusal=code == errno.ECONNREFUSED)


def _socket_error(call: _Call[Any], error: OSError) -> PollError:
    # A unit that accepted and then reset before our request was reachable; ECONNREFUSED answers a SYN only.
    if not call.connected and error.errno not in {errno.ECONNRESET, errno.EPIPE}:
        return _unreachable(call.address, error.errno or 0)
    name = errno.errorcode.get(error.errno or 0, "?")
    reset = DisconnectedError(f"reset after {call.reply.size} bytes: {name}", is_reset=not call.reply.size)
    return call.reply.foreign() or reset
