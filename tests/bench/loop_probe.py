"""Event loop lag: the delay of a timer, its cause, and the functions that held the loop.

A 20 ms timer is late for one of three reasons: the loop's own thread was busy, another thread of this process was busy,
or the machine ran something else. The threads share the interpreter's lock, and here a core. CPU clocks separate the
reasons, so that a busy machine is not mistaken for a slow program. While a timer is late, a sampler thread looks at the
loop's stack; its own CPU is counted apart (`looker_cpu_s`).
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

# A shorter timer would wake the process more often than polling does, and change the measurement.
TIMER_S = 0.02
LOOK_EVERY_S = 0.01
LATE_S = 0.01
HOLDERS_SHOWN = 8


class Wake(NamedTuple):
    """One timer.

    Attributes:
        late_s: Delay after it was due, s.
        own_s: The part caused by this process, at most: its CPU since the timer was set, s. The machine had the rest.
        holder: The function seen on the loop's thread meanwhile; empty if none was seen.
    """

    late_s: float
    own_s: float
    holder: str


class LoopProbe:
    """Watches the loop of the thread that creates it, inside `watching`.

    Attributes:
        wakes: All timers so far.
        looker_cpu_s: CPU used by the sampler thread, s.
    """

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
        self.looker_cpu_s = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the loop inside the block."""
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
                holder = f"the garbage collector, generation {collected[1]}"
            self.wakes.append(Wake(late_s, own_s, holder))

    def _on_collector(self, phase: str, info: dict[str, int]) -> None:
        """Note the longest pass of the garbage collector since the last timer, in any thread."""
        now_s = time.perf_counter()
        if phase == "start":
            self._collecting_since_s = now_s
        else:
            took = (now_s - self._collecting_since_s, info["generation"])
            self._collected = took if self._collected is None else max(took, self._collected)

    def _look(self) -> None:
        wait_s = LOOK_EVERY_S
        while not self._is_over.wait(wait_s):
            late_s = time.perf_counter() - self._due_s
            # No sample before a timer is due: each one takes the interpreter's lock from the loop.
            wait_s = min(TIMER_S, max(LOOK_EVERY_S, LATE_S / 2 - late_s))
            if late_s > LATE_S / 2:
                frame = sys._current_frames().get(self._thread)
                self._seen[_named(frame)] += 1
            self.looker_cpu_s = time.thread_time()

    def lag_s(self, *, is_own: bool = False) -> tuple[float, float]:
        """Return p99 and worst of the timers' delay, or of the part caused by this process, s."""
        lates = [wake.own_s if is_own else wake.late_s for wake in self.wakes]
        return statistics.quantiles(lates, n=100)[98], max(lates)

    def holders(self) -> list[tuple[str, int, float, float]]:
        """Return the functions that held the loop for over `LATE_S`: name, times, mean and worst, s; worst first."""
        by_name: dict[str, list[float]] = {}
        for wake in self.wakes:
            if wake.own_s > LATE_S:
                by_name.setdefault(wake.holder or "not seen", []).append(wake.own_s)
        rows = [(name, len(held), statistics.fmean(held), max(held)) for name, held in by_name.items()]
        return sorted(rows, key=lambda row: -row[3])[:HOLDERS_SHOWN]


def _named(frame: FrameType | None) -> str:
    """Return the innermost running function of the agent, and its caller."""
    names: list[str] = []
    while frame is not None and len(names) < 2:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("agent."):
            names.append(f"{name.removeprefix('agent.')}.{frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(names)
