"""The lock of a file's single writer: `flock` on ``NAME.lock`` beside it, so it ends with its process."""

import fcntl
import os
import weakref
from pathlib import Path


class FileLock:
    """The right to write a file; other processes are refused it until `close` or the end of this process.

    Args:
        path: The file; the lock itself is a file beside it, which stays.

    Raises:
        BlockingIOError: Another writer holds the lock.
        OSError: The lock cannot be created.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        self._release = weakref.finalize(self, os.close, descriptor)

    @property
    def closed(self) -> bool:
        """True once the lock is released."""
        return not self._release.alive

    def close(self) -> None:
        """Release the lock."""
        self._release()
