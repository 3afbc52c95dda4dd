"""Modes of the files that the agent writes: they hold names, addresses and orders, which are not for every account."""

import os
from contextlib import suppress
from pathlib import Path

FILE_MODE = 0o640
"""For the owner, and for a group to read, such as a backup's; a stricter umask takes the group's part away."""


def private_opener(path: str, flags: int) -> int:
    """Open a file, for `open(..., opener=...)`; a new one gets `FILE_MODE`, whatever the umask allows."""
    return os.open(path, flags, FILE_MODE)


def create_private(path: Path) -> None:
    """Create an empty file of mode `FILE_MODE`, unless there is one; a file that is there keeps its mode.

    Raises:
        OSError: It cannot be created.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
