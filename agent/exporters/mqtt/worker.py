"""One thread for the calls that wait for a disk: in order, and never waited for longer than somebody wants.

A daemon, unlike the threads of the event loop's executor: a disk that hangs must not keep the process from ending.
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
        name: For whoever looks at the process' threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End after the calls that are waiting; says whether that took no longer than `timeout_s`."""
        self._calls.put(None)
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call in the thread and give what it gives; cancelled, the call is made all the same."""
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
            except Exception as error:  # noqa: BLE001  it is raised where the call was asked for
                failure = error
            if not loop.is_closed():
                loop.call_soon_threadsafe(deliver, result, failure)

        self._calls.put(call)
        return await answer

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
