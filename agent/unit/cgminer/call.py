"""One conversation in flight: its socket, what was sent and has come, and the errors that a socket's end stands for."""

import errno
import socket
from collections.abc import Callable, Generator
from typing import Any, Final, Generic, TypeVar

import msgspec

from agent.errors import DisconnectedError, LocalResourceError, PollError, UnreachableError
from agent.unit.cgminer.partial_reply import PartialReply

T = TypeVar("T")

Address = tuple[str, int]
Failure = PollError | LocalResourceError
NO_BYTES: Final = PartialReply()
"""The reply of every call of which no byte has come."""
_NO_CONNECTION: Final = {
    errno.ECONNREFUSED: "nothing listens on {endpoint} (refused)",
    errno.EHOSTUNREACH: "no machine answers at {host} (no route to host)",
    errno.ENETUNREACH: "this machine has no route to {host} (network unreachable)",
    errno.ETIMEDOUT: "no machine answers at {host} (timed out)",
    errno.EACCES: "a firewall of this machine refuses {endpoint} (not permitted)",
    errno.EPERM: "a firewall of this machine refuses {endpoint} (not permitted)",
}


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


class Call(Generic[T]):
    """One conversation in flight.

    Attributes:
        address, family: Of the unit.
        conversation: None once it is over.
        done: Called with its outcome; None once it was.
        started: Monotonic time of its start, s.
        began: The same by the clock of deadlines, which stands still while this process does not run, s.
        is_extended: It got its time again, because this process was late.
        request: The latest one.
        requests: Connections attempted.
        socket: The open one, or None.
        connected: The unit accepted, and the request was sent.
        reply: What has come of an unfinished reply.
    """

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
        self.began = started
        self.is_extended = False
        self.request = b""
        self.requests = 0
        self.socket: socket.SocketType | None = None
        self.connected = False
        self.reply = NO_BYTES


def shown(address: Address) -> str:
    """Return ``HOST:PORT``, an IPv6 address in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def unreachable(address: Address, code: int) -> UnreachableError:
    """Return the error for a connection that failed with this number of `errno`."""
    words = _NO_CONNECTION.get(code)
    if words is None:
        text = f"{shown(address)}: {errno.errorcode.get(code, str(code))}"
    else:
        text = words.format(host=address[0], endpoint=shown(address))
    return UnreachableError(text, is_refusal=code == errno.ECONNREFUSED)


def socket_error(call: Call[Any], error: OSError) -> PollError:
    """Return the error for a call whose socket failed; another protocol is named if its first bytes came."""
    # A unit that accepted and then reset before our request was reachable; ECONNREFUSED answers a SYN only.
    if not call.connected and error.errno not in {errno.ECONNRESET, errno.EPIPE}:
        return unreachable(call.address, error.errno or 0)
    name = errno.errorcode.get(error.errno or 0, "?")
    reset = DisconnectedError(f"reset after {call.reply.size} bytes: {name}", is_reset=not call.reply.size)
    return call.reply.foreign() or reset
