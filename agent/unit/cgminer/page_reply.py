"""One page over HTTP as it arrives in pieces, and its body. No socket.

For firmware that serves HTTP where others speak the CGMiner API. A page is complete with the bytes that its head
announces, with its last chunk, or at the end of the connection; head, body and chunks are bounded.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from agent.errors import (
    DisconnectedError,
    ForeignProtocolError,
    MalformedReplyError,
    RefusedError,
    TooLargeReplyError,
    UnsupportedReplyError,
)
from agent.unit.cgminer import wire
from agent.unit.cgminer.foreign import foreign_bytes
from agent.unit.cgminer.partial_reply import PartialReply

MAX_HEAD_BYTES: Final = 8 * 1024
MAX_CHUNKS: Final = 256

_LONGEST_KEPT: Final = 256

_HTTP: Final = b"HTTP/"
_END_OF_HEAD: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked[ \t]*\r\n", re.IGNORECASE)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,6})[ \t]*(?:;[^\r\n]*)?\r\n")


class _Head(NamedTuple):
    """The head of a page: its status, the bytes to its end, how many the body has, and whether it is in chunks."""

    status: int
    size: int
    length: int | None
    is_chunked: bool

    def is_whole(self, page: bytes | bytearray) -> bool:
        """Return True if a page with this head needs no more bytes, and no end of its connection."""
        if self.length is not None:
            return len(page) >= self.size + self.length
        return self.is_chunked and page.endswith(_LAST_CHUNK)


class PartialPage:
    """The bytes of a page received so far; a stand-in for `PartialReply`, by whose methods it is driven.

    Args:
        cap: The most bytes that the page may have, its head included.

    Attributes:
        size: How many there are.
    """

    __slots__ = ("_cap", "_head", "_received", "size")

    def __init__(self, cap: int) -> None:
        self._received = bytearray()
        self._cap = cap
        self._head: _Head | None = None
        self.size = 0

    def add(self, chunk: bytes) -> bytes | TooLargeReplyError | ForeignProtocolError | None:
        """Return the page with its head if this chunk completes it, an error if it is too large, None otherwise."""
        size = self.size + len(chunk)
        if size > self._cap:
            return wire.too_large(bytes(self._received[:200]) or chunk, self._cap)
        before = self.size
        if not before:
            # Hardly any page comes in more than one piece.
            self._head = _head_of(chunk)
            if self._head is not None and self._head.is_whole(chunk):
                return chunk
        self._received += chunk
        if self._head is None:
            end = self._received.find(_END_OF_HEAD, max(0, before - len(_END_OF_HEAD)), MAX_HEAD_BYTES)
            if end < 0 and size >= MAX_HEAD_BYTES:
                return wire.too_large(bytes(self._received[:200]), MAX_HEAD_BYTES)
            if end >= 0:
                self._head = _head_of(bytes(self._received))
        if self._head is not None and self._head.is_whole(self._received):
            return bytes(self._received)
        self.size = size
        return None

    def close(self) -> bytes | DisconnectedError | ForeignProtocolError:
        """Return the page, now that the unit has closed the connection, or the error if it is not complete."""
        data = bytes(self._received)
        if not data:
            return DisconnectedError("closed without a reply")
        head = self._head
        if head is None and data.startswith(_HTTP):
            return DisconnectedError(f"closed after {len(data)} bytes, in the head of a page")
        if head is not None and (head.length is not None or head.is_chunked):
            return DisconnectedError(f"closed after {len(data)} bytes, in mid-page")
        return data

    def foreign(self) -> ForeignProtocolError | None:
        """Return the error if the bytes so far are of a third protocol; HTTP is what was asked for."""
        is_page = self._head is not None or not self.size or self._received.startswith(_HTTP)
        return None if is_page else foreign_bytes(bytes(self._received))


def begun(request: bytes) -> PartialReply:
    """Return the reply to a request, of which nothing has come yet."""
    cap = wire.cap_of(request)
    return PartialPage(cap) if request.startswith(b"GET ") else PartialReply(cap)  # type: ignore[return-value]


def body_of(data: bytes, path: str) -> bytes:
    """Return the body of a whole page.

    Args:
        data: The page as received.
        path: The path that was asked for, for errors.

    Raises:
        MalformedReplyError: The bytes are no page, or its chunks are broken.
        RefusedError: The unit refused to give the page.
        UnsupportedReplyError: The unit has no such page.
    """
    head = _head_of(data)
    if head is None:
        raise MalformedReplyError(f"GET {path}: the answer is not HTTP")
    if head.status == 404:
        raise UnsupportedReplyError(f"GET {path}: there is no such page")
    if head.status != 200:
        raise RefusedError(f"GET {path}: status {head.status}", code=head.status)
    body = data[head.size :]
    if head.length is not None:
        return body[: head.length]
    return _joined(body, path) if head.is_chunked else body


def _head_of(data: bytes) -> _Head | None:
    """Return the head of a page; None if the bytes do not begin with a whole one."""
    end = data.find(_END_OF_HEAD, 0, MAX_HEAD_BYTES)
    if end < 0:
        return None
    head = data[: end + len(_END_OF_HEAD)]
    return _parsed(head) if len(head) <= _LONGEST_KEPT else _parsed.__wrapped__(head)


# Units of one firmware send a few heads, which differ in a length: looking one up costs a tenth of reading it.
@lru_cache(maxsize=1024)
def _parsed(head: bytes) -> _Head | None:
    line = _STATUS_LINE.match(head)
    if line is None:
        return None
    end = len(head) - len(_END_OF_HEAD)
    length = _LENGTH.search(head, 0, end + 2)
    # Hardly any page comes in chunks, and a length beside them counts for nothing.
    is_chunked = head.find(b"hunked", 0, end) >= 0 and _CHUNKED.search(head, 0, end + 2) is not None
    size = None if length is None or is_chunked else int(length[1])
    return _Head(int(line[1]), len(head), size, is_chunked)


def _joined(body: bytes, path: str) -> bytes:
    """Return a body that came in chunks.

    Raises:
        MalformedReplyError: A chunk is broken, or there are more than any page has.
    """
    parts: list[bytes] = []
    start = 0
    for _ in range(MAX_CHUNKS):
        size = _CHUNK_SIZE.match(body, start)
        if size is None:
            break
        length = int(size[1], 16)
        if not length:
            return b"".join(parts)
        end = size.end() + length
        parts.append(body[size.end() : end])
        if body[end : end + 2] != b"\r\n":
            break
        start = end + 2
    raise MalformedReplyError(f"GET {path}: broken chunks")
