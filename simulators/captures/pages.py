"""Pages that were kept as they came, head and all; the form before manifests. Line ends may have become LF."""

import re
from typing import NamedTuple

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r?\n")


class RawPageError(ValueError):
    """Bytes that begin like a page and are none; the message says where."""


class RawPage(NamedTuple):
    """A page taken apart.

    Attributes:
        status: HTTP status.
        head: Status line and header lines with CR LF, and the empty line.
        body: Without chunk sizes.
        chunks: Sizes of its chunks; empty without chunked transfer.
    """

    status: int
    head: str
    body: bytes
    chunks: tuple[int, ...]


def is_raw(data: bytes) -> bool:
    """Return True if a file begins with the status line of a page."""
    return _STATUS_LINE.match(data) is not None


def read_raw(data: bytes) -> RawPage:
    """Take a page apart.

    Raises:
        RawPageError: It has no end of head, or chunks that do not fit.
    """
    status = _STATUS_LINE.match(data)
    end = re.search(rb"\r?\n\r?\n", data)
    if status is None or end is None:
        raise RawPageError("has a status line, but no empty line after its header lines")
    head = data[: end.start()].decode("latin-1").replace("\r\n", "\n").replace("\n", "\r\n") + "\r\n\r\n"
    body = data[end.end() :]
    chunks: tuple[int, ...] = ()
    if re.search(r"(?im)^transfer-encoding:[ \t]*chunked[ \t\r]*$", head):
        body, chunks = _read_chunks(body)
    elif length := re.search(r"(?im)^content-length:[ \t]*(\d{1,9})[ \t\r]*$", head):
        body = body[: int(length[1])]
    return RawPage(int(status[1]), head, body, chunks)


def _read_chunks(data: bytes) -> tuple[bytes, tuple[int, ...]]:
    pieces: list[bytes] = []
    at = 0
    while True:
        size = _SIZE.match(data, at)
        if size is None:
            raise RawPageError(f"has no size of a chunk at byte {at} after its head")
        length = int(size[1], 16)
        if length == 0:
            return b"".join(pieces), tuple(map(len, pieces))
        piece = data[size.end() : size.end() + length]
        if len(piece) < length:
            raise RawPageError(f"ends within the chunk at byte {at} after its head")
        pieces.append(piece)
        at = size.end() + length
        at += 2 if data.startswith(b"\r\n", at) else 1
