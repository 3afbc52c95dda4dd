"""One thread for calls that wait for a disk: made in order, each awaited under the caller's own deadline.

It is a daemon thread, unlike those of the event loop's executor: a disk that hangs must not keep the process from
ending.
"""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Worker:
    """A thread that makes one call after another.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End after the calls that are waiting; returns True if that took at most `timeout_s`."""
        self._calls.put(None)
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call in the thread and return its result; if cancelled, the call is made anyway."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def deliver(result: Any, error: BaseException | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(result)
            else:
                answer.set_exception(error)

        def call() -> None:
            result, failure = None, None
            try:
                result = function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001  raised again in the caller
                failure = error
            if not loop.is_closed():
                loop.call_soon_threadsafe(deliver, result, failure)

        self._calls.put(call)
        return await answer

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
