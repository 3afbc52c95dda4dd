"""Standstills: times in which this process did not run at all, such as a suspended machine or a stopped process.

Two clocks are compared. CLOCK_MONOTONIC goes on while a process is stopped and stands still while a machine is
suspended; CLOCK_BOOTTIME goes on in both cases. Source: clock_gettime(2). The wall clock is left out: when it jumps, it
may have been set. A hypervisor that pauses a machine can hide the pause from both clocks. Then readings are older than
they seem until each unit's next poll, an interval later at most.
"""

import time
from collections.abc import Callable
from typing import NamedTuple


class Clocks(NamedTuple):
    """A moment on both clocks, s."""

    monotonic_s: float
    boot_s: float


def read_clocks() -> Clocks:
    """Return this moment; a system without CLOCK_BOOTTIME has one clock."""
    monotonic_s = time.monotonic()
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return Clocks(monotonic_s, monotonic_s if boot is None else time.clock_gettime(boot))


class Standstill:
    """Notices that this process stood still, by the time between two looks at the clocks.

    Args:
        longest_s: Returns the longest time between two looks that is no standstill, s.
        clocks: Returns this moment.
    """

    def __init__(self, *, longest_s: Callable[[], float], clocks: Callable[[], Clocks] = read_clocks) -> None:
        self._longest_s = longest_s
        self._clocks = clocks
        self._before: Clocks | None = None

    def begin(self) -> None:
        """Take this moment for the first look; before it, `look` notices nothing."""
        self._before = self._clocks()

    def look(self) -> float:
        """Return for how long the process stood still since the last look, s; 0 if it did not."""
        before = self._before
        if before is None:
            return 0.0
        now = self._before = self._clocks()
        passed_s = max(now.monotonic_s - before.monotonic_s, now.boot_s - before.boot_s)
        return passed_s if passed_s > self._longest_s() else 0.0
