"""The CPU that an event loop's callbacks take on its thread: exact sums, however busy the machine is."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager


class LoopCost:
    """Counts callbacks of the loop of the thread that creates it, inside `counting`; for asyncio's own loop.

    Attributes:
        total_s: CPU of all callbacks, s.
        longest_s: CPU of the longest one, s: for so long nothing else could run.
        callbacks: Their number.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin to count again."""
        self.total_s = self.longest_s = 0.0
        self.callbacks = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count every callback that runs inside the block."""
        run = asyncio.Handle._run  # type: ignore[attr-defined]

        def counted(handle: asyncio.Handle) -> None:
            began_s = time.thread_time()
            try:
                run(handle)
            finally:
                took_s = time.thread_time() - began_s
                self.callbacks += 1
                self.total_s += took_s
                self.longest_s = max(self.longest_s, took_s)

        asyncio.Handle._run = counted  # type: ignore[attr-defined]
        try:
            yield
        finally:
            asyncio.Handle._run = run  # type: ignore[attr-defined]
