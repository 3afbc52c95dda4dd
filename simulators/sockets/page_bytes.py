"""Recorded pages as they go over the wire: heads, sizes of chunks, and what lies beyond a recorder's cap."""

import re
from collections.abc import Sequence
from typing import Final

from simulators.captures.form import Answer, Ending
from simulators.firmware.pages import digest, lighttpd

BEYOND_CAP: Final = b" " * 65_536
"""Filler behind a reply that was recorded up to the recorder's cap. Its true rest is not known."""
NONCE: Final = digest.md5_hex("a replayed unit")

_LENGTH = re.compile(rb"Content-Length: \d+")


def api_page(answer: Answer) -> bytes:
    """Return a page of TCP 4028 with its head.

    Without a recorded head it is one that has the length. Assumed (A211): no head of ePIC firmware was recorded.
    """
    if answer.reply.head is None and answer.reply.ending is not None:
        return answer.data
    if answer.reply.head is None:
        return http_reply("200 OK", answer.data)
    return b"".join(page_bytes(answer, 0.0))


def http_reply(status: str, body: bytes = b"") -> bytes:
    """Return a short reply of HTTP, after which the connection is closed."""
    kind = "Content-Type: application/json\r\n" if body else ""
    head = f"HTTP/1.1 {status}\r\n{kind}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode("ascii") + body


def page_bytes(answer: Answer, t: float) -> tuple[bytes, bytes]:
    """Return head and body of a page as they go over the wire, with chunk sizes and what lies beyond a cap.

    Without a recorded head it is that of lighttpd, with the body as one chunk.
    """
    reply, data = answer.reply, answer.data
    if reply.head is None:
        if not data:
            return b"", b""
        if reply.status in (401, 404):
            challenge = digest.challenge(NONCE) if reply.status == 401 else ""
            own = lighttpd.error_reply(reply.status, t, is_last=False, challenge=challenge)
            head = own.partition(lighttpd.HEAD_END)[0] + lighttpd.HEAD_END
            return _LENGTH.sub(b"Content-Length: %d" % len(data), head), data
        plain = lighttpd.Request("GET", "/", {}, is_http11=True, is_kept_alive=True, body_bytes=0)
        own = lighttpd.cgi_reply(plain, ("?",), t, is_last=False)
        return own.partition(lighttpd.HEAD_END)[0] + lighttpd.HEAD_END, _chunked(data, (len(data),), is_whole=True)
    head = reply.head.encode("latin-1", "replace")
    if not head.endswith(lighttpd.HEAD_END):
        head = head.rstrip(b"\r\n") + lighttpd.HEAD_END
    is_whole = reply.ending in (None, Ending.LENGTH)
    if reply.chunks or "transfer-encoding: chunked" in reply.head.lower():
        chunks = (*reply.chunks, len(BEYOND_CAP)) if reply.ending is Ending.TOO_LARGE else reply.chunks
        data = data + BEYOND_CAP if reply.ending is Ending.TOO_LARGE else data
        return head, _chunked(data, chunks, is_whole=is_whole)
    return head, data + BEYOND_CAP if reply.ending is Ending.TOO_LARGE else data


def _chunked(data: bytes, sizes: Sequence[int], *, is_whole: bool) -> bytes:
    """Return a body in chunks of some sizes; one that was cut off ends within a chunk, or without the last one."""
    pieces, at = [], 0
    for size in sizes:
        piece = data[at : at + size]
        pieces.append(b"%x\r\n%b" % (size, piece))
        if len(piece) < size:
            return b"".join(pieces)
        pieces.append(b"\r\n")
        at += size
    return b"".join(pieces) + (b"0\r\n\r\n" if is_whole else b"")
