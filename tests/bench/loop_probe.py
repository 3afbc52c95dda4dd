"""What holds an event loop: how late its timers come, whose fault that is, and which of our functions ran meanwhile.

A timer of 20 ms that comes late was kept by one of three: the loop's own thread was busy, another thread of this
process was (they share the interpreter's lock, and here a core), or the machine did something else. CPU clocks tell
them apart, so that a busy machine is not taken for a slow program. While a timer is late, a thread looks at what the
loop's thread is doing; what that thread itself takes is told apart (`looker_cpu_s`).
"""

import asyncio
import gc
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

# A shorter one would wake the process more often than polling does, and so change what is measured.
TIMER_S = 0.02
LOOK_EVERY_S = 0.01
LATE_S = 0.01
HOLDERS_SHOWN = 8


class Wake(NamedTuple):
    """One timer.

    Attributes:
        late_s: After it was due.
        own_s: The part of that in which this process worked, at most: CPU since it was set. The machine had the rest.
        holder: What the loop's thread was seen doing meanwhile; empty where it was not seen.
    """

    late_s: float
    own_s: float
    holder: str


class LoopProbe:
    """Watches the loop of the thread that makes it, between `start` and `stop`."""

    def __init__(self) -> None:
        self.wakes: list[Wake] = []
        self._thread = threading.get_ident()
        self._due_s = float("inf")
        self._seen: Counter[str] = Counter()
        self._is_over = threading.Event()
        self._looker = threading.Thread(target=self._look, name="loop probe", daemon=True)
        self._task: asyncio.Task[None] | None = None
        self._collecting_since_s = 0.0
        self._collected: tuple[float, int] | None = None
        # CPU that the thread took which looks at the loop, s.
        self.looker_cpu_s = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        self._task = asyncio.get_running_loop().create_task(self._tick())
        self._looker.start()
        gc.callbacks.append(self._on_collector)
        try:
            yield
        finally:
            gc.callbacks.remove(self._on_collector)
            self._task.cancel()
            self._is_over.set()
            self._looker.join()

    async def _tick(self) -> None:
        while True:
            began, cpu_s = time.perf_counter(), time.process_time()
            self._due_s = began + TIMER_S
            await asyncio.sleep(TIMER_S)
            late_s = max(0.0, time.perf_counter() - self._due_s)
            own_s = min(late_s, time.process_time() - cpu_s)
            self._due_s = float("inf")
            seen, self._seen = self._seen, Counter()
            holder = seen.most_common(1)[0][0] if seen else ""
            collected, self._collected = self._collected, None
            if collected is not None and collected[0] > late_s / 2:
                holder = f"the cyclic collector, generation {collected[1]}"
            self.wakes.append(Wake(late_s, own_s, holder))

    def _on_collector(self, phase: str, told: dict[str, int]) -> None:
        """Note the longest pass of the cyclic collector since the last timer, in whatever thread it came."""
        now_s = time.perf_counter()
        if phase == "start":
            self._collecting_since_s = now_s
        else:
            took = (now_s - self._collecting_since_s, told["generation"])
            self._collected = took if self._collected is None else max(took, self._collected)

    def _look(self) -> None:
        wait_s = LOOK_EVERY_S
        while not self._is_over.wait(wait_s):
            late_s = time.perf_counter() - self._due_s
            # A timer that is not yet due needs no look: each takes the interpreter's lock from the loop.
            wait_s = min(TIMER_S, max(LOOK_EVERY_S, LATE_S / 2 - late_s))
            if late_s > LATE_S / 2:
                frame = sys._current_frames().get(self._thread)
                self._seen[_named(frame)] += 1
            self.looker_cpu_s = time.thread_time()

    def lag_s(self, *, is_own: bool = False) -> tuple[float, float]:
        """Give p99 and worst of how late timers came, or of the part that this process itself is to blame for."""
        lates = [wake.own_s if is_own else wake.late_s for wake in self.wakes]
        return statistics.quantiles(lates, n=100)[98], max(lates)

    def holders(self) -> list[tuple[str, int, float, float]]:
        """Give who held the loop for longer than `LATE_S` of its own: name, times, mean and worst, s; worst first."""
        by_name: dict[str, list[float]] = {}
        for wake in self.wakes:
            if wake.own_s > LATE_S:
                by_name.setdefault(wake.holder or "not seen", []).append(wake.own_s)
        rows = [(name, len(held), statistics.fmean(held), max(held)) for name, held in by_name.items()]
        return sorted(rows, key=lambda row: -row[3])[:HOLDERS_SHOWN]


def _named(frame: FrameType | None) -> str:
    """Give the innermost function of ours under way, and who called it."""
    names: list[str] = []
    while frame is not None and len(names) < 2:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("agent."):
            names.append(f"{name.removeprefix('agent.')}.{frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(names)
