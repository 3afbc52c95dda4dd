"""Exponential back-off with jitter between attempts to reach a broker."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits `first_s`, then twice as long each time up to `longest_s`, each multiplied by a random factor in [1/2, 1].

    Attributes:
        first_s, longest_s: Bounds before jitter.
        random: Returns numbers in [0, 1).
    """

    random: Callable[[], float]
    first_s: float = BACKOFF_MIN_S
    longest_s: float = BACKOFF_MAX_S

    def wait_s(self, failures: int) -> float:
        """Return the time to wait after this many failures in a row, at least one."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 16)) * (0.5 + 0.5 * self.random())


def clear_cancel_count() -> None:
    """Clear the cancel count that a failed TaskGroup leaves set on this task, before it waits to retry.

    Python 3.11.2 (Debian 12) leaves the count set. `asyncio.timeout` then mistakes its own cancellation for an outside
    one and ends the task. Can go when 3.11.4 is the oldest supported version.
    """
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
