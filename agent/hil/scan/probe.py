"""The first stage of a scan: which addresses accept a connection.

A socket an address in one epoll instance, opened at a limited rate and closed as soon as it is decided. A silent
address is looked at a second time with more patience: the first packet to an address that was idle for a while may be
lost while its hardware address is asked for (ARP). Documented (D181): the kernel sends that packet again after one
second, so the second look is longer than that. Another follows for as long as the decline of finds from look to look
promises more, up to `MOST_LOOKS`.

While other addresses wait for their turn, a look may last longer than its patience, up to `LINGER_S`: the kernel sends
its packet a second and a third time, and the scan takes no longer for it. On a large network with losses that spares
whole looks.

Nothing is sent over a connection. Assumed (A110): that costs a unit nothing. A deadline is not trusted when it passes:
the socket is looked at once more before its address counts as silent, because this process may have been late.
"""

import asyncio
import errno
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Final

import msgspec

from agent.errors import LocalResourceError

FIRST_PATIENCE_S: Final = 0.5
LATER_PATIENCE_S: Final = 1.6
"""Longer than the second after which the kernel sends a connection's first packet again."""
LINGER_S: Final = 3.3
"""Longer than the three seconds after which the kernel sends that packet a third time."""
MOST_LOOKS: Final = 5
WORTH_A_THIRD_LOOK: Final = 0.001
"""Units that a third look has to promise, if finds decline from look to look by one factor. It costs seconds; one unit
in a thousand scans is rarer than one that is off."""
WORTH_A_LOOK: Final = 0.05
"""The same of a fourth or fifth look."""

_TICK_S: Final = 0.005
# Sockets that are opened before the event loop does what else is due: 10 ms of it.
_BATCH: Final = 512
# A pause of this process is made up for, up to this much: on a busy machine it is late at every tick.
_BURST_S: Final = 0.1
_EVENTS: Final = select.EPOLLOUT | select.EPOLLET
_STREAM: Final = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_OWN_FAULTS: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EAGAIN}
)
_LEAST_OPEN: Final = 16


class Tally(msgspec.Struct):
    """Progress of a scan.

    Attributes:
        addresses: In the ranges.
        looked: Addresses whose first look is over.
        open: Accepted a connection.
        refused: Refused one: a host is there, and nothing listens on the port.
        silent: No answer at all, nor a route.
        no_route: Of `silent`, those for which this machine has no route.
        probes: Connections attempted.
        identified, unidentified: Of `open`, so far.
        deep: Identified by pyasic alone; counted above as unidentified, refused or silent.
    """

    addresses: int = 0
    looked: int = 0
    open: int = 0
    refused: int = 0
    silent: int = 0
    no_route: int = 0
    probes: int = 0
    identified: int = 0
    unidentified: int = 0
    deep: int = 0

    @property
    def is_whole(self) -> bool:
        """Every address is decided, and what is open identified or not."""
        decided = self.refused + self.silent + self.identified + self.unidentified
        return decided == self.addresses


class _Probe:
    """One open socket."""

    __slots__ = ("began", "index", "look", "socket")

    def __init__(self, index: int, look: int, began: float, sock: socket.SocketType) -> None:
        self.index = index
        self.look = look
        self.began = began
        self.socket: socket.SocketType | None = sock


class Prober:
    """Looks at addresses, and says which are open. An instance belongs to one running event loop.

    Args:
        address_of: Returns the address of an index.
        port: The port.
        rate_per_s: Connections begun per second.
        most_open: Sockets open at once.
        tally: Counted into.
        on_open: Called with the index of each address that accepts.
        on_silent: Called with the index of each address that refuses or stays silent.
        patience_s: Time allowed for the first look and for each later one, at least.
        clock: Monotonic time, s.
    """

    def __init__(
        self,
        address_of: Callable[[int], str],
        *,
        port: int,
        rate_per_s: float,
        most_open: int,
        tally: Tally,
        on_open: Callable[[int], None],
        on_silent: Callable[[int], None],
        patience_s: tuple[float, float] = (FIRST_PATIENCE_S, LATER_PATIENCE_S),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address_of = address_of
        self._port = port
        self._rate_per_s = rate_per_s
        self._most_open = most_open
        self._tally = tally
        self._on_open = on_open
        self._on_silent = on_silent
        self._patience_s = patience_s
        self._clock = clock
        self._epoll = select.epoll()
        self._by_fd: dict[int, _Probe] = {}
        # Each has one patience, so each is in order of expiry.
        self._first: deque[_Probe] = deque()
        self._later: deque[_Probe] = deque()
        self._fresh: Iterator[int] | None = None
        self._look = 2
        self._again: deque[int] = deque()
        self._unheard: list[int] = []
        self._hits_by_look = [0] * (MOST_LOOKS + 2)
        self._no_route: set[int] = set()

    def close(self) -> None:
        """Close every socket."""
        for probe in self._by_fd.values():
            if probe.socket is not None:
                probe.socket.close()
        self._by_fd.clear()
        self._epoll.close()

    async def run(self, indices: Iterable[int]) -> None:
        """Look at every address until all are decided.

        Raises:
            LocalResourceError: This process cannot open a single socket.
        """
        self._fresh = iter(indices)
        credit, last = 0.0, self._clock()
        most_credit = max(1.0, _BURST_S * self._rate_per_s)
        while True:
            now = self._clock()
            credit = min(credit + (now - last) * self._rate_per_s, most_credit)
            last = now
            room = min(int(credit), self._most_open - len(self._by_fd), _BATCH)
            credit -= self._open_up_to(room, now)
            self._handle_ready()
            self._expire(self._clock())
            if not self._is_busy() and not self._looks_again():
                return
            await asyncio.sleep(0.0 if room == _BATCH else _TICK_S)

    def _is_busy(self) -> bool:
        """Return True while there are addresses to look at, or sockets to wait for."""
        return self._fresh is not None or bool(self._again) or bool(self._by_fd)

    def _open_up_to(self, room: int, now: float) -> int:
        """Begin up to `room` looks, first looks before second ones, and return how many were begun."""
        for opened in range(room):
            index = None if self._fresh is None else next(self._fresh, None)
            if index is not None:
                if not self._open(index, 1, now):
                    self._fresh = chain((index,), self._fresh or ())
                    return opened
                continue
            self._fresh = None
            if not self._again:
                return opened
            index = self._again.popleft()
            if not self._open(index, self._look, now):
                self._again.appendleft(index)
                return opened
        return max(0, room)

    def _looks_again(self) -> bool:
        """Begin another look at what is silent if that is of use; return False if all addresses are decided."""
        if self._unheard and self._look < MOST_LOOKS and self._is_promising():
            self._look += 1
            self._again.extend(self._unheard)
            self._unheard.clear()
            return True
        self._give_up()
        return False

    def _is_promising(self) -> bool:
        """Return True if the finds of the last look let one expect more."""
        before, last = self._hits_by_look[self._look - 1], self._hits_by_look[self._look]
        least = WORTH_A_THIRD_LOOK if self._look == 2 else WORTH_A_LOOK
        return bool(last) and last * last >= least * before

    def _give_up(self) -> None:
        for index in self._unheard:
            self._tally.silent += 1
            self._tally.no_route += index in self._no_route
            self._on_silent(index)
        self._unheard.clear()

    def _open(self, index: int, look: int, now: float) -> bool:
        """Begin a look at an address; return False if this process has no socket for it now."""
        address = self._address_of(index)
        try:
            # The C type itself: `socket.socket` adds Python code to every call.
            sock = socket.SocketType(socket.AF_INET6 if ":" in address else socket.AF_INET, _STREAM)
        except OSError as error:
            return self._has_shrunk(error.errno or 0)
        try:
            code = sock.connect_ex((address, self._port))
        except OSError:
            code = errno.ENETUNREACH
        if code in _OWN_FAULTS:
            sock.close()
            return self._has_shrunk(code)
        self._tally.probes += 1
        probe = _Probe(index, look, now, sock)
        if code in {0, errno.EINPROGRESS}:
            fd = sock.fileno()
            self._by_fd[fd] = probe
            self._epoll.register(fd, _EVENTS)
            (self._first if look == 1 else self._later).append(probe)
        else:
            self._decide(probe, code)
        return True

    def _has_shrunk(self, code: int) -> bool:
        """Carry on with fewer sockets, as this process has no more; always False.

        Raises:
            LocalResourceError: There is none at all.
        """
        if not self._by_fd:
            name = errno.errorcode.get(code, str(code))
            raise LocalResourceError(f"no socket to scan with: {name}")
        self._most_open = max(_LEAST_OPEN, len(self._by_fd) * 3 // 4)
        return False

    def _handle_ready(self) -> None:
        while True:
            events = self._epoll.poll(0, 1024)
            for fd, mask in events:
                probe = self._by_fd.get(fd)
                if probe is not None:
                    self._on_event(probe, mask)
            if len(events) < 1024:
                return

    def _on_event(self, probe: _Probe, mask: int) -> None:
        code = 0
        if mask & (select.EPOLLERR | select.EPOLLHUP) and probe.socket is not None:
            code = probe.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            # It accepted, and reset the connection since.
            code = 0 if code in {errno.ECONNRESET, errno.EPIPE} else code
        self._decide(probe, code)

    def _decide(self, probe: _Probe, code: int) -> None:
        """Count what came of a look.

        Args:
            probe: The look.
            code: 0 if the address accepted, else the error's number; ETIMEDOUT for silence.
        """
        sock, probe.socket = probe.socket, None
        if sock is not None:
            self._by_fd.pop(sock.fileno(), None)
            sock.close()
        if probe.look == 1:
            self._tally.looked += 1
        if code == 0:
            self._tally.open += 1
            self._hits_by_look[probe.look] += 1
            self._on_open(probe.index)
        elif code == errno.ECONNREFUSED:
            self._tally.refused += 1
            self._on_silent(probe.index)
        else:
            # No answer, or a router's word that no machine is there now: both may change at a second look.
            if code == errno.ENETUNREACH:
                self._no_route.add(probe.index)
            (self._again if probe.look == 1 else self._unheard).append(probe.index)

    def _expire(self, now: float) -> None:
        """End the looks whose patience is over, but for those that may linger."""
        may_linger = self._fresh is not None or bool(self._again)
        for queue, patience_s in zip((self._first, self._later), self._patience_s, strict=True):
            while queue and (queue[0].socket is None or queue[0].began + patience_s <= now):
                is_young = queue[0].began + LINGER_S > now
                if may_linger and is_young and queue[0].socket is not None and self._has_room:
                    break
                probe = queue.popleft()
                if probe.socket is not None and not self._has_answered(probe, probe.socket):
                    self._decide(probe, errno.ETIMEDOUT)

    @property
    def _has_room(self) -> bool:
        """True if the addresses that wait can be begun beside those that linger."""
        return self._most_open - len(self._by_fd) >= _BATCH

    def _has_answered(self, probe: _Probe, sock: socket.SocketType) -> bool:
        """Handle an answer that came at the last moment; return True if there was one."""
        arrived = select.poll()
        arrived.register(sock, select.POLLOUT)
        events = arrived.poll(0)
        if not events:
            return False
        # The flags of poll and epoll are the same numbers.
        self._on_event(probe, events[0][1])
        return True
