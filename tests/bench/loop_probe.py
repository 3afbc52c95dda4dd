"""Event loop lag: the delay of a timer, its cause, and the functions that held the loop.

A 20 ms timer is late for one of three reasons: the loop's own thread was busy, another thread of this process was busy,
or the machine ran something else. The threads share the interpreter's lock, and here a core. CPU clocks separate the
reasons, so that a busy machine is not mistaken for a slow program. While a timer is late, a sampler thread looks at the
loop's stack; its own CPU is counted apart (`looker_cpu_s`).
"""

import asyncio
import gc
import random
import sys
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# A shorter timer would wake the process more often than polling does, and change the measurement.
TIMER_S = 0.02
LOOK_EVERY_S = 0.01
LATE_S = 0.01
STEP_S = 0.0001
# One second.
STEPS = 10_000
HOLDERS_KEPT = 32
WORK_OBJECTS = 20_000
HOLDERS_SHOWN = 8


class Lates:
    """Delays, counted by tenths of a millisecond: however many there are, they take the same memory.

    Attributes:
        worst_s: The longest delay, s.
    """

    def __init__(self) -> None:
        self.worst_s = 0.0
        self._by_step = array("Q", bytes(8 * (STEPS + 1)))

    def add(self, late_s: float) -> None:
        """Count a delay; those beyond the last step count as that."""
        self._by_step[min(STEPS, round(late_s / STEP_S))] += 1
        self.worst_s = max(self.worst_s, late_s)

    def p99_s(self) -> float:
        """Return the delay that 99 % of the counted do not exceed, s; 0 if there are none."""
        left = sum(self._by_step) * 0.99
        for step, count in enumerate(self._by_step):
            left -= count
            if left <= 0:
                return min(step * STEP_S, self.worst_s)
        return 0.0


class Holding:
    """A function that held the loop.

    Attributes:
        times: How often it did.
        sum_s: For how long in all, s.
        worst_s: For how long at most, s.
    """

    __slots__ = ("sum_s", "times", "worst_s")

    def __init__(self) -> None:
        self.times = 0
        self.sum_s = self.worst_s = 0.0


class LoopProbe:
    """Watches the loop of the thread that creates it, inside `watching`.

    Attributes:
        lates: How late its timers were.
        own: The part of it caused by this process, at most: its CPU since the timer was set. The machine had the rest.
        looker_cpu_s: CPU used by the sampler thread, s.
    """

    def __init__(self) -> None:
        self.lates, self.own = Lates(), Lates()
        self._holdings: dict[str, Holding] = {}
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
            self.lates.add(late_s)
            self.own.add(own_s)
            if own_s > LATE_S:
                self._hold(holder or "not seen", own_s)

    def _hold(self, holder: str, own_s: float) -> None:
        if len(self._holdings) >= HOLDERS_KEPT:
            holder = holder if holder in self._holdings else "others"
        holding = self._holdings.setdefault(holder, Holding())
        holding.times += 1
        holding.sum_s += own_s
        holding.worst_s = max(holding.worst_s, own_s)

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

    def forget(self) -> None:
        """Begin to count again."""
        self.lates, self.own = Lates(), Lates()
        self._holdings.clear()

    def lag_s(self, *, is_own: bool = False) -> tuple[float, float]:
        """Return p99 and worst of the timers' delay, or of the part caused by this process, s."""
        lates = self.own if is_own else self.lates
        return lates.p99_s(), lates.worst_s

    def holders(self) -> list[tuple[str, int, float, float]]:
        """Return the functions that held the loop for over `LATE_S`: name, times, mean and worst, s; worst first."""
        rows = [(name, held.times, held.sum_s / held.times, held.worst_s) for name, held in self._holdings.items()]
        return sorted(rows, key=lambda row: -row[3])[:HOLDERS_SHOWN]


class Passes:
    """Measures the passes of the garbage collector by the CPU time of the thread that makes them.

    On a machine whose caches others use, the same pass takes several times as long. So after each pass a fixed piece of
    work over objects in memory is measured too, and a pass counts as long as it would have taken at the best speed that
    was seen.

    Attributes:
        generation: The generation that the longest pass collected.
    """

    def __init__(self) -> None:
        self._objects = [(number,) for number in range(WORK_OBJECTS)]
        # The order in memory is not the order of the walk, as for the collector.
        random.Random(1).shuffle(self._objects)
        self._since_s = 0.0
        self._best_work_s = min(self._work_s() for _ in range(20))
        self.forget()

    def forget(self) -> None:
        """Begin to measure again."""
        self._longest = 0.0
        self.generation = 0

    @property
    def longest_s(self) -> float:
        """CPU time of the longest pass at the best speed of the machine, s."""
        return self._longest * self._best_work_s

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measure inside the block."""
        gc.callbacks.append(self._on_pass)
        try:
            yield
        finally:
            gc.callbacks.remove(self._on_pass)

    def _on_pass(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._since_s = time.thread_time()
            return
        took_s = time.thread_time() - self._since_s
        work_s = self._work_s()
        self._best_work_s = min(self._best_work_s, work_s)
        if took_s / work_s > self._longest:
            self._longest, self.generation = took_s / work_s, info["generation"]

    def _work_s(self) -> float:
        since_s = time.thread_time()
        sum(map(len, self._objects))
        return time.thread_time() - since_s


def _named(frame: FrameType | None) -> str:
    """Return the innermost running function of the agent, and its caller."""
    names: list[str] = []
    while frame is not None and len(names) < 2:
        name = frame.f_globals.get("__name__", "")
        if name.startswith("agent."):
            names.append(f"{name.removeprefix('agent.')}.{frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(names)
