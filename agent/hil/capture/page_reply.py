"""One HTTP reply taken apart as it arrives: its head as sent, the sizes of its chunks, its decoded body. Pure."""

import re
from typing import Final

from agent.hil.capture.form import Ending

MOST_HEAD_BYTES: Final = 16 * 1024
MOST_CHUNKS: Final = 4096
_HEAD_END: Final = b"\r\n\r\n"
_LINE_END: Final = b"\r\n"
_LONGEST_LINE: Final = 256
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?:[ \r].*)?\Z", re.DOTALL)
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?", re.DOTALL)


class PageReply:
    """The reply so far. Bytes that are not HTTP are its body, without a head.

    Args:
        most_bytes: Cap of the body.

    Attributes:
        head: Status line and header lines with their ends, without the empty line; None until it is whole.
        status: None until the head is whole, and for what is not HTTP.
        chunks: Sizes of the chunks so far, without the last one of no bytes.
        body: As far as it came.
        ending: LENGTH once it is whole, TOO_LARGE beyond a cap, CLOSE if only the close can end it; None before.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._waiting = bytearray()
        self._length: int | None = None
        self._is_chunked = False
        self._chunk_left = 0
        self.head: str | None = None
        self.status: int | None = None
        self.chunks: list[int] = []
        self.body = bytearray()
        self.ending: Ending | None = None
        self._is_open_ended = False

    @property
    def is_whole(self) -> bool:
        """True once nothing more belongs to it, or no more is taken."""
        return self.ending is not None

    @property
    def is_last(self) -> bool:
        """True if the connection carries no further request after it."""
        head = (self.head or "").casefold()
        return not head.startswith("http/1.1") or "\r\nconnection: close" in head or self.ending is not Ending.LENGTH

    def values(self, name: str) -> list[str]:
        """Return the values of all headers of a name, in lower case."""
        lines = (self.head or "").split("\r\n")[1:]
        pairs = [line.partition(":") for line in lines]
        return [value.strip() for key, _, value in pairs if key.strip().casefold() == name]

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        self._waiting += data
        if self.head is None and not self._is_open_ended and not self._take_head():
            return
        if self._is_chunked:
            self._take_chunks()
        elif self._length is not None:
            self._take(self._length - len(self.body))
            if len(self.body) == self._length:
                self.ending = Ending.LENGTH
        else:
            self._take(len(self._waiting))

    def close(self, ending: Ending) -> None:
        """Take the end of the connection, or of the recorder's patience; what is left is part of the body."""
        if self.head is None:
            self._take(len(self._waiting))
        if self.ending is None:
            self.ending = ending

    def _take_head(self) -> bool:
        """Return True if the head is whole, or if there is none."""
        end = self._waiting.find(_HEAD_END)
        if end < 0 and len(self._waiting) <= MOST_HEAD_BYTES:
            return False
        status = _STATUS_LINE.match(bytes(self._waiting[: max(self._waiting.find(_LINE_END), 0)]))
        if end < 0 or status is None:
            self._is_open_ended = True
            return True
        self.head = self._waiting[: end + len(_LINE_END)].decode("latin-1")
        self.status = int(status[1])
        del self._waiting[: end + len(_HEAD_END)]
        self._is_chunked = any(value.casefold() == "chunked" for value in self.values("transfer-encoding"))
        length = next(iter(self.values("content-length")), "")
        if not self._is_chunked and re.fullmatch("[0-9]{1,9}", length):
            self._length = int(length)
        return True

    def _take(self, size: int) -> None:
        """Move bytes to the body, up to the cap."""
        size = min(size, len(self._waiting))
        room = self._most_bytes - len(self.body)
        self.body += self._waiting[: min(size, room)]
        del self._waiting[:size]
        if size > room:
            self.ending = Ending.TOO_LARGE

    def _take_chunks(self) -> None:
        while self.ending is None:
            if self._chunk_left > len(_LINE_END):
                size = min(self._chunk_left - len(_LINE_END), len(self._waiting))
                self._take(size)
                self._chunk_left -= size
            if self._chunk_left:
                if self._chunk_left > len(_LINE_END) or len(self._waiting) < len(_LINE_END):
                    return
                if not self._waiting.startswith(_LINE_END):
                    self._take_as_it_is()
                    return
                del self._waiting[: len(_LINE_END)]
                self._chunk_left = 0
            end = self._waiting.find(_LINE_END)
            if end < 0 and len(self._waiting) <= _LONGEST_LINE:
                return
            size_line = _CHUNK_SIZE.fullmatch(bytes(self._waiting[: max(end, 0)]))
            if size_line is None or len(self.chunks) >= MOST_CHUNKS:
                self._take_as_it_is()
                return
            size = int(size_line[1], 16)
            if size == 0:
                self._end_chunks(end)
                return
            del self._waiting[: end + len(_LINE_END)]
            self.chunks.append(size)
            self._chunk_left = size + len(_LINE_END)

    def _end_chunks(self, end: int) -> None:
        """End after the last chunk's empty line, or its trailers'; neither is kept."""
        rest = self._waiting[end:]
        if _HEAD_END in rest:
            self.ending = Ending.LENGTH
        elif len(rest) > MOST_HEAD_BYTES:
            self.ending = Ending.TOO_LARGE

    def _take_as_it_is(self) -> None:
        """Keep what are no chunks after all."""
        self._is_chunked = False
        self._take(len(self._waiting))
