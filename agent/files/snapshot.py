"""A packed file that is always replaced as a whole, and is either read whole or refused."""

import gzip
import zlib
from contextlib import suppress
from pathlib import Path

from agent.files.atomic import sync_folder, temporary_file
from agent.files.modes import create_private
from agent.files.regular import open_regular

MAX_FILE_BYTES = 1 << 26
"""Longest file that is read: two thirds of a million units."""
MAX_DATA_BYTES = 1 << 29
"""Longest content that is unpacked; a damaged file could claim more than there is memory."""


def write_packed(path: Path, data: bytes) -> int:
    """Replace a file by packed data, atomically; a new one gets `FILE_MODE`, one that is there keeps its mode.

    Takes milliseconds a megabyte, and whatever the disk takes: call it in a thread.

    Returns:
        The size of the file.

    Raises:
        OSError: The file could not be written; it is unchanged.
    """
    # The lowest level: a higher one takes three times as long for a tenth less.
    packed = gzip.compress(data, 1, mtime=0)
    create_private(path)
    with temporary_file(path, packed, like=path) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)
    return len(packed)


def read_packed(path: Path) -> bytes | None:
    """Return the data of a file; None if it is not there, or empty because its first writing never ended.

    Raises:
        OSError: It cannot be read.
        ValueError: It is damaged, too long, or something else; the message says which.
    """
    try:
        with open_regular(path) as file:
            packed = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return None
    if not packed:
        return None
    if len(packed) > MAX_FILE_BYTES:
        raise ValueError(f"longer than {MAX_FILE_BYTES >> 20} MiB")
    # 31 asks zlib for the gzip format, whose checksum and length it compares at the end.
    unpacker = zlib.decompressobj(31)
    try:
        data = unpacker.decompress(packed, MAX_DATA_BYTES)
    except zlib.error as error:
        raise ValueError(f"damaged: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("damaged: it ends early, or goes on after its end")
    return data


def remove_unfinished(path: Path) -> None:
    """Delete temporary files that killed processes left beside a file. Call it under the file's lock."""
    for each in path.parent.iterdir():
        if each.name.startswith(f".{path.name}."):
            with suppress(FileNotFoundError):
                each.unlink()
