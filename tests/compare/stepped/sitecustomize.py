"""The stepped clock inside a Python program, installed before any of the program's own code runs.

Python imports a module of this name at startup if it is on the path. It changes only the standard library, so the
program's own layout does not matter. `stepping.py` beside this folder moves the clock.

The program's event loop works in turns. A turn begins with a message that holds the time. It ends when nothing is
ready, nothing is due, and all other threads sleep. The program then writes one byte: 1 if it did anything, else 0.
"""

import os
import random
import selectors
import socket
import struct
import sys
import threading
import time
import uuid
from math import inf

# Programs check this name, to be sure that they loaded this module.
STEPPED = True
MONOTONIC_START_S = 1000.0
_GONE = struct.Struct("d")


class _Clock:
    """The time that this program sees.

    Args:
        start: Unix time at the start of the run.
        gone: Simulated seconds since then.
    """

    def __init__(self, start: float, gone: float) -> None:
        self.start, self.gone = start, gone

    def wall(self) -> float:
        return self.start + self.gone

    def steady(self) -> float:
        return MONOTONIC_START_S + self.gone

    def take_over(self) -> None:
        """Replace the clocks of `time`. `time.sleep` and waits in C still use the real clock."""
        time.time = self.wall
        time.time_ns = lambda: round(self.wall() * 1e9)
        time.monotonic = time.perf_counter = self.steady
        time.monotonic_ns = time.perf_counter_ns = lambda: round(self.steady() * 1e9)


class _Turns:
    """The turns in which this program's event loop may work.

    Args:
        clock: The clock to set at the start of each turn.
        begins: File descriptor to read the start of each turn from.
        ends: File descriptor to write the end of each turn to.
    """

    def __init__(self, clock: _Clock, begins: int, ends: int) -> None:
        self._clock, self._begins, self._ends = clock, begins, ends
        self._look = selectors.EpollSelector.select
        # A program has the turn from its start until its loop first waits.
        self._is_on = self._has_worked = True

    def take_over(self) -> None:
        """Replace the wait of event loops in the main thread."""
        look, wait = self._look, self._wait

        def select(
            selector: selectors.EpollSelector, timeout: float | None = None
        ) -> list[tuple[selectors.SelectorKey, int]]:
            if threading.current_thread() is not threading.main_thread():
                return look(selector, timeout)
            return wait(selector, timeout)

        selectors.EpollSelector.select = select  # type: ignore[method-assign,assignment]
        # uvloop waits in C, where the wait cannot be replaced.
        sys.modules["uvloop"] = None  # type: ignore[assignment]

    def _wait(
        self, selector: selectors.EpollSelector, timeout: float | None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            self._has_worked = True
            return self._look(selector, 0)
        due, is_quiet = inf if timeout is None else self._clock.gone + timeout, not self._has_worked
        while True:
            ready = self._look(selector, 0)
            if ready or self._clock.gone >= due:
                self._has_worked = True
                return ready
            if is_quiet:
                self._end_turn()
            else:
                _wait_for_threads()
                is_quiet = True

    def _end_turn(self) -> None:
        """End a turn and wait for the next."""
        os.write(self._ends, b"\1" if self._has_worked else b"\0")
        message = os.read(self._begins, _GONE.size)
        if not message:
            os._exit(3)
        (self._clock.gone,) = _GONE.unpack(message)
        self._has_worked = False


def _wait_for_threads() -> None:
    """Wait until every other thread sleeps and has stayed asleep for a moment."""
    before = None
    while (now := _threads()) is None or now != before:
        before = now
        if now == []:
            return
        time.sleep(0.0003)


def _threads() -> list[tuple[str, bytes]] | None:
    """Return the id and context-switch counts of every other thread; None while one of them works."""
    sleeping, own = [], str(threading.get_native_id())
    try:
        for task in os.listdir("/proc/self/task"):  # noqa: PTH208 - Plain calls: this runs thousands of times.
            if task == own:
                continue
            with open(f"/proc/self/task/{task}/status", "rb", buffering=0) as file:  # noqa: PTH123
                status = file.read()
            if b"\nState:\tS" not in status:
                return None
            sleeping.append((task, status[status.index(b"voluntary_ctxt_switches") :]))
    except OSError:
        # A thread has ended meanwhile.
        return None
    return sleeping


def _draw_alike() -> None:
    """Fix random draws, so that they do not depend on their order or time."""

    class Seeded(random.Random):
        def __init__(self, seed: object = None) -> None:
            super().__init__(1 if seed is None else seed)  # type: ignore[arg-type]

    random.random = lambda: 0.5
    random.Random = Seeded  # type: ignore[misc,assignment]
    uuid.uuid4 = lambda: uuid.UUID(int=1)


def _send_at_once() -> None:
    """Send small segments at once: the wait for earlier acknowledgements runs by the real clock."""
    accept = socket.socket.accept

    def accept_without_delay(listener: socket.socket) -> tuple[socket.socket, object]:
        connection, address = accept(listener)
        if connection.family == socket.AF_INET:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    socket.socket.accept = accept_without_delay  # type: ignore[method-assign,assignment]


if "GOLDEN_START" in os.environ:
    _clock = _Clock(float(os.environ["GOLDEN_START"]), float(os.environ["GOLDEN_GONE"]))
    _clock.take_over()
    _draw_alike()
    if "GOLDEN_TURNS" in os.environ:
        _Turns(_clock, *map(int, os.environ["GOLDEN_TURNS"].split(","))).take_over()
        _send_at_once()
