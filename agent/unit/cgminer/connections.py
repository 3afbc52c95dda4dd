"""The sockets of many calls: connect, send the request, read to the NUL or the end, close. Knows no conversation.

The request decides what a reply is: a JSON object up to its NUL or, to a GET, a page over HTTP.

The sockets are registered in an epoll instance, and the event loop watches its file descriptor. Compared with a
transport and a protocol object per connection, this needs half the system calls and no task. Memory stays flat with
thousands in flight (DECISIONS 2).

A unit decides how much it sends and when. A reply has a cap by command (`wire.cap_of`), and all unfinished replies
together have one too: beyond it, the calls that hold the most are ended, so sound units are not the ones that pay
(DECISIONS 89).
"""

import errno
import select
import socket
from typing import Any, Final

from agent.errors import LocalResourceError, PollError, StalledReplyError
from agent.unit.cgminer import wire
from agent.unit.cgminer.call import NO_BYTES, Call, socket_error, unreachable
from agent.unit.cgminer.page_reply import begun

MOST_HELD_BYTES: Final = 8 << 20
"""Bytes of unfinished replies that are held at once: those of 3,000 units that stop just before their end."""
BATCH: Final = 64
"""Sockets looked at together."""

_EVENTS: Final = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_ENDED: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_STREAM: Final = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
# A real reply fits, so one call reads it; of one that is too large, not much more than its cap is read.
_READ_BYTES: Final = 16384
_LEFT_RATIO: Final = 0.75
# A shortage of local ports, descriptors or memory says nothing about the unit.
_OWN_FAULTS: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}


class Connections:
    """At most one open socket for each call.

    Args:
        most_held_bytes: Bound on the bytes of all unfinished replies together.

    Attributes:
        arrived: Whole replies, and the errors of connections that ended, until their calls get them.
        held_bytes: Bytes of unfinished replies.
    """

    def __init__(self, *, most_held_bytes: int = MOST_HELD_BYTES) -> None:
        self._most_held_bytes = most_held_bytes
        self._epoll = select.epoll()
        self._by_fd: dict[int, Call[Any]] = {}
        self.arrived: list[tuple[Call[Any], bytes | PollError]] = []
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._by_fd)

    def fileno(self) -> int:
        """Return the descriptor that is readable while a socket has events."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Forget all calls; their sockets are theirs to close."""
        self._by_fd.clear()
        self.arrived.clear()
        self._epoll.close()

    def connect(self, call: Call[Any]) -> PollError | None:
        """Begin to connect a call; returns the error if that failed at once.

        Raises:
            LocalResourceError: This process has no socket to spare.
        """
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
            return None
        sock.close()
        if code in _OWN_FAULTS:
            raise LocalResourceError(errno.errorcode[code])
        return unreachable(call.address, code)

    def look(self) -> int:
        """Handle up to `BATCH` sockets with events, and return how many there were."""
        events = self._epoll.poll(0, BATCH)
        for fd, mask in events:
            call = self._by_fd.get(fd)
            if call is not None and call.socket is not None:
                self._handle(call, call.socket, mask)
        if self.held_bytes > self._most_held_bytes:
            self._end_largest()
        return len(events)

    def look_at(self, call: Call[Any]) -> bool:
        """Handle what one socket has; return True if it had anything."""
        sock = call.socket
        if sock is None:
            return False
        waiting = select.poll()
        waiting.register(sock, select.POLLIN | select.POLLRDHUP | (0 if call.connected else select.POLLOUT))
        events = waiting.poll(0)
        if events:
            # The flags of poll and epoll are the same numbers.
            self._handle(call, sock, events[0][1])
        return bool(events)

    def drop(self, call: Call[Any]) -> None:
        """Close the connection; closing takes it out of the epoll too."""
        sock, call.socket = call.socket, None
        if sock is not None:
            del self._by_fd[sock.fileno()]
            sock.close()
        if call.reply.size:
            self.held_bytes -= call.reply.size
        call.reply = NO_BYTES

    def _handle(self, call: Call[Any], sock: socket.SocketType, mask: int) -> None:
        try:
            if not call.connected:
                if mask & select.EPOLLERR:
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    self._end(call, socket_error(call, OSError(code, errno.errorcode.get(code, "?"))))
                    return
                if not mask & select.EPOLLOUT:
                    return
                # A request is under a hundred bytes, so an empty socket buffer takes it whole.
                sock.send(call.request)
                call.connected = True
            if mask & (select.EPOLLIN | _ENDED):
                self._read(call, sock, is_ended=bool(mask & _ENDED))
        except OSError as error:
            self._end(call, socket_error(call, error))

    def _read(self, call: Call[Any], sock: socket.SocketType, *, is_ended: bool) -> None:
        """Read what has arrived. Edge triggering announces later bytes, but an end of the connection only once."""
        while True:
            try:
                chunk = sock.recv(_READ_BYTES)
            except BlockingIOError:
                return
            if chunk and call.reply is NO_BYTES:
                end = chunk.find(b"\0") + 1
                if 0 < end <= wire.LEAST_CAP:
                    # Nearly every reply comes in one piece.
                    self._end(call, chunk[:end])
                    return
                call.reply = begun(call.request)
            received = call.reply.add(chunk) if chunk else call.reply.close()
            if received is not None:
                self._end(call, received)
                return
            self.held_bytes += len(chunk)
            if len(chunk) < _READ_BYTES and not is_ended:
                return

    def _end(self, call: Call[Any], arrived: bytes | PollError) -> None:
        self.drop(call)
        self.arrived.append((call, arrived))

    def _end_largest(self) -> None:
        """End the calls that hold the most of an unfinished reply, the oldest of equals first."""
        for call in sorted(self._by_fd.values(), key=lambda call: (-call.reply.size, call.started)):
            if self.held_bytes <= _LEFT_RATIO * self._most_held_bytes:
                return
            stalled = StalledReplyError(
                f"stopped at {call.reply.size:,} bytes of a reply while all unfinished replies had"
                f" {self.held_bytes:,} bytes, at most {self._most_held_bytes:,}"
            )
            self._end(call, stalled)
