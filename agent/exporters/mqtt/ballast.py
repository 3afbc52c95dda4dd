"""A file that reserves disk space, given up on a full disk so that an outbox can still be drained."""

import os
from contextlib import suppress
from pathlib import Path

from agent.files.modes import private_opener

BALLAST_BYTES = 1 << 20


class Ballast:
    """A reserve of `BALLAST_BYTES` beside a file.

    Args:
        path: Of the file that needs the reserve.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.ballast")

    @property
    def exists(self) -> bool:
        """True if the space is reserved."""
        return self._path.exists()

    def reserve(self) -> None:
        """Reserve the space if it is not reserved and the disk has four times as much; failure is ignored."""
        with suppress(OSError):
            if self.exists:
                return
            disk = os.statvfs(self._path.parent)
            if disk.f_bavail * disk.f_frsize > 4 * BALLAST_BYTES:
                with open(self._path, "wb", opener=private_opener) as file:
                    os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)

    def release(self) -> None:
        """Free the space; failure is ignored."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
