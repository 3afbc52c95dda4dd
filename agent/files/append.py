"""Lines appended to a file so that each is on the disk, and never runs into the rest of one that was cut short."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from agent.files.atomic import sync_folder
from agent.files.modes import create_private
from agent.files.regular import refuse_irregular

_TAIL_BYTES = 1 << 16


def append_line(path: Path, line: str) -> None:
    """Append one line, without its end, to a file; it is created if needed, mode 0600.

    Raises:
        OSError: It could not be written.
    """
    is_new = not path.exists()
    if is_new:
        create_private(path)
    refuse_irregular(path)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        # A power cut may have left half a line: this one begins on its own.
        opening = "\n" if end and os.pread(descriptor, 1, end - 1) != b"\n" else ""
        data = f"{opening}{line}\n".encode()
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_folder(path.parent)


def last_lines(path: Path) -> list[str]:
    """Return the last lines of a file, oldest first; none if there is no file.

    Raises:
        OSError: It cannot be read.
    """
    with suppress(FileNotFoundError):
        refuse_irregular(path)
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()
        return lines[1:] if size > _TAIL_BYTES else lines
    return []


def overwrite(path: Path, text: str) -> None:
    """Write a small file in place, without waiting for the disk; a power cut may leave any part of it.

    Raises:
        OSError: It could not be written.
    """
    if not path.exists():
        create_private(path)
    refuse_irregular(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        data = text.encode()
        os.pwrite(descriptor, data, 0)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)
