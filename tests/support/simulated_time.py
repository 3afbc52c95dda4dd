"""An event loop in simulated time: the agent's own coroutines wait, and no second passes.

The loop's clock jumps to the next timer as soon as nothing is left to do. So an hour of polling runs in seconds, in the
same order every time. No socket may be waited for.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    """Never waits: moves the loop's clock instead."""

    loop: "SimulatedLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready now; with nothing ready, move the clock to the end of the wait."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("nothing is scheduled: simulated time would stand still for ever")
            self.loop.now_s += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and jumps from timer to timer.

    Attributes:
        now_s: Its clock, s.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return the simulated time, s."""
        return self.now_s


def run_simulated(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a `SimulatedLoop` and return its result."""
    results: list[T] = []

    # Not as the task's result: `asyncio.Runner` restores the handler of SIGINT at its end. `signal` then writes out the
    # former one, with the task and its result, in an error that it drops: 700 MB for an hour of figures.
    async def keep() -> None:
        results.append(await main)

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(keep())
    return results[0]
