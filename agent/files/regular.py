"""Regular files alone: opening a pipe waits for its writer, and a device has no end."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; a link to one is followed.

    Raises:
        OSError: It cannot be opened, or is a folder, a pipe or a device; `strerror` says which.
    """
    # A pipe is opened without waiting, then refused.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "a regular file is expected", str(path))
    return os.fdopen(descriptor, "rb")


def read_bounded(path: Path, *, max_bytes: int) -> bytes:
    """Return the content of a file or, as a shell's `<(command)` makes it, of a pipe.

    Raises:
        OSError: It cannot be read, or is longer than `max_bytes`, as a device without an end is.
    """
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"longer than {max_bytes >> 20} MiB", str(path))
    return data


def refuse_irregular(path: Path) -> None:
    """Refuse a file that only another library opens, unless it is a regular one that can be read.

    Raises:
        OSError: As `open_regular`.
    """
    open_regular(path).close()


def resolved(path: Path) -> Path:
    """Return the absolute path without symbolic links; a loop of links stays as it is, and fails when it is opened."""
    return Path(os.path.realpath(path))
