"""A packed file that this process alone writes: its lock, its writes in a thread, and what the log says of them.

A disk that is full, slow or hanging holds up neither the event loop nor the end of the process.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import structlog

from agent.files.lock import FileLock
from agent.files.snapshot import write_packed

log = structlog.get_logger("agent")

STOP_S = 2.0
"""Time for the last write before the process ends, s."""


class PackedFile:
    """One file, which is replaced as a whole.

    Args:
        path: Where it is; a symbolic link would be replaced, not followed.
        name: Of the thread that writes.
        failed: Log event of the first failed write of a row.
        mended: Log event of the first write after those.
        on_outcome: Called after each write with the reason why it failed, None if it did not.

    Attributes:
        path: As the argument.
        is_foreign: True once another agent had the lock: the file holds what that one saw.
    """

    def __init__(
        self,
        path: Path,
        *,
        name: str,
        failed: str,
        mended: str,
        on_outcome: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        self.path, self.is_foreign = path, False
        self._name, self._failed, self._mended = name, failed, mended
        self._on_outcome = on_outcome
        self._lock: FileLock | None = None
        self._trouble: str | None = None

    def take_lock(self) -> bool:
        """Return True if this process may write the file; if not, the log says why."""
        if self._lock is not None:
            return True
        try:
            self._lock = FileLock(self.path)
        except BlockingIOError:
            self.is_foreign = True
            self._note("another agent is writing it")
        except OSError as error:
            self._note(f"its lock cannot be taken: {error.strerror}")
        return self._lock is not None

    def release(self) -> None:
        """Let another process write the file."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def replace(self, content: Callable[[], bytes]) -> float:
        """Replace the file by what `content` returns; both happen in a thread. A failed write is logged.

        Returns:
            The CPU time of the thread, s.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[float] = loop.create_future()

        def write() -> None:
            cpu_s, trouble = time.thread_time(), self._try_to_write(content)
            cpu_s = time.thread_time() - cpu_s
            # The loop may have ended meanwhile, and nothing waits for the outcome then.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._close_write, done, trouble, cpu_s)

        # A daemon: a disk that hangs must not keep the process alive.
        threading.Thread(target=write, name=self._name, daemon=True).start()
        return await done

    async def close(self, write: Callable[[], Awaitable[object]]) -> None:
        """Write once more, or give up after `STOP_S`, and release the lock; nothing is written without the lock."""
        if self._lock is not None:
            try:
                async with asyncio.timeout(STOP_S):
                    await write()
            except TimeoutError:
                self._note("not within the time for a stop")
        self.release()

    def _try_to_write(self, content: Callable[[], bytes]) -> str | None:
        """Write the file; return why it was not written, None if it was."""
        try:
            write_packed(self.path, content())
        except OSError as error:
            return f"cannot be written: {error.strerror}"
        return None

    def _close_write(self, done: "asyncio.Future[float]", trouble: str | None, cpu_s: float) -> None:
        self._note(trouble)
        if not done.done():
            done.set_result(cpu_s)

    def _note(self, trouble: str | None) -> None:
        """Pass on the outcome of a write, and log it if it is another than before."""
        self._on_outcome(trouble)
        if trouble is not None and trouble != self._trouble:
            log.error(self._failed, reason=trouble, file=str(self.path))
        elif trouble is None and self._trouble is not None:
            log.info(self._mended, file=str(self.path))
        self._trouble = trouble
