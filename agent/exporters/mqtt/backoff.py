"""When to try a broker again: later each time, and not all at once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

BACKOFF_MIN_S = 0.5
BACKOFF_MAX_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When to try again: after `first_s`, then twice as long each time up to `longest_s`, times a number in [1/2, 1].

    Attributes:
        first_s, longest_s: Bounds.
        random: Gives numbers in [0, 1).
    """

    random: Callable[[], float]
    first_s: float = BACKOFF_MIN_S
    longest_s: float = BACKOFF_MAX_S

    def wait_s(self, failures: int) -> float:
        """Give how long to wait after so many failures in a row, at least one."""
        return min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 16)) * (0.5 + 0.5 * self.random())


def forget_wakings() -> None:
    """Take back the cancellation with which a failed TaskGroup woke this task, before it waits to try again.

    Observed: Python 3.11.2 (Debian 12) leaves it on the task's count; `asyncio.timeout` then takes its own for somebody
    else's and ends the task. Can go when 3.11.4 is the least that is supported.
    """
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
