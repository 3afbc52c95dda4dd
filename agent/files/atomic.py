"""Atomic replacement of a file: a reader sees the old content or the new, also after a crash or a full disk."""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def replace_file(path: Path, data: bytes, *, like: Path | None = None, mode: int | None = None) -> None:
    """Replace a file, or create it; the data survives a power cut once this returns.

    Args:
        path: The file.
        data: The whole content.
        like: An existing file whose owner and mode the new one gets; None for ours, 0600.
        mode: Another mode than that.

    Raises:
        OSError: The file could not be written; it is unchanged. On a full disk, `errno` is `ENOSPC`. It names the
            file.
    """
    try:
        with temporary_file(path, data, like=like) as temporary:
            if mode is not None:
                temporary.chmod(mode)
            temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        # An error names the file that was asked for, not the temporary one.
        error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def temporary_file(path: Path, data: bytes, *, like: Path | None = None) -> Iterator[Path]:
    """Yield a temporary file beside `path` that holds `data` and is already on the disk.

    To put it in place, rename it inside the block and call `sync_folder` afterwards. If it is not renamed, it is
    deleted at the end of the block.

    Args:
        path: The file to be replaced; the temporary file is hidden and its name begins with this file's.
        data: The whole content.
        like: An existing file whose owner and mode the new one gets; None for ours, 0600.

    Raises:
        OSError: When it could not be written, or `like` is no regular file; no temporary file remains.
    """
    model = None if like is None else like.stat()
    if model is not None and not stat.S_ISREG(model.st_mode):
        # The new file would get a device's mode, which lets everybody write.
        raise OSError(errno.EINVAL, "a regular file is expected", str(like))
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            if model is not None:
                _copy_owner_and_mode(file.fileno(), model)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def _copy_owner_and_mode(descriptor: int, model: os.stat_result) -> None:
    os.fchmod(descriptor, model.st_mode & 0o7777)
    current = os.fstat(descriptor)
    # Only root may change an owner, so skip the call when nothing would change.
    if (current.st_uid, current.st_gid) != (model.st_uid, model.st_gid):
        os.fchown(descriptor, model.st_uid, model.st_gid)


def sync_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that a rename in it survives a power cut.

    Raises:
        OSError: When it cannot be opened or flushed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
