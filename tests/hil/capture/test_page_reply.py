"""HTTP replies taken apart: head, chunks and body as sent, in whatever pieces they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.hil.capture.form import Ending
from agent.hil.capture.page_reply import MOST_HEAD_BYTES, PageReply

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: lighttpd/1.4.32\r\n\r\n"
    b'2\r\n\n\n\r\n8\r\n{"a": 1}\r\n0\r\n\r\n'
)
SIZED = b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm="x"\r\nContent-Length: 5\r\n\r\nhello'
CAP = 64 * 1024


def fed(data: bytes, size: int = 1 << 20, cap: int = CAP) -> PageReply:
    """Return the reply after these bytes, in pieces of a size."""
    reply = PageReply(cap)
    for start in range(0, len(data), size):
        reply.feed(data[start : start + size])
    return reply


@given(st.integers(1, len(CHUNKED)))
def test_pieces_do_not_matter(size: int) -> None:
    """The same reply comes out of any pieces."""
    reply = fed(CHUNKED, size)
    assert (reply.ending, reply.status, reply.chunks, bytes(reply.body)) == (
        Ending.LENGTH,
        200,
        [2, 8],
        b'\n\n{"a": 1}',
    )
    assert reply.head == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: lighttpd/1.4.32\r\n"


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.integers(1, 50))
def test_chunks_come_back(chunks: list[bytes], size: int) -> None:
    """Any chunks, whatever bytes they hold, are put together again."""
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw += b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    reply = fed(raw, size)
    assert (reply.ending, reply.chunks, bytes(reply.body)) == (Ending.LENGTH, list(map(len, chunks)), b"".join(chunks))


@given(st.integers(1, len(SIZED)))
def test_length_ends_a_reply(size: int) -> None:
    """A reply with a length ends there; the connection may carry another one."""
    reply = fed(SIZED, size)
    assert (reply.ending, reply.status, bytes(reply.body), reply.is_last) == (Ending.LENGTH, 401, b"hello", False)
    assert reply.values("www-authenticate") == ['Digest realm="x"']


def test_close_ends_a_reply_without_a_length() -> None:
    """HTTP/1.0, as some pages are."""
    reply = fed(b"HTTP/1.0 200 OK\r\n\r\nbody")
    assert not reply.is_whole
    reply.close(Ending.CLOSE)
    assert (reply.ending, bytes(reply.body), reply.is_last) == (Ending.CLOSE, b"body", True)


@pytest.mark.parametrize(
    ("data", "body", "chunks"),
    [
        (CHUNKED[:-9], b'\n\n{"a": ', [2, 8]),
        (SIZED[:-2], b"hel", []),
        (b"HTTP/1.1 200 OK\r\nServer", b"HTTP/1.1 200 OK\r\nServer", []),
        (b'{"STATUS":"E"}', b'{"STATUS":"E"}', []),
        (b"SSH-2.0-dropbear\r\n\r\n", b"SSH-2.0-dropbear\r\n\r\n", []),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", b"zz\r\nabc", []),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd", b"abcd", [2]),
        (b"", b"", []),
    ],
)
def test_cut_and_strange_replies_are_kept(data: bytes, body: bytes, chunks: list[int]) -> None:
    """What came is kept, also if it is no page."""
    reply = fed(data)
    reply.close(Ending.RESET)
    assert (reply.ending, bytes(reply.body), reply.chunks) == (Ending.RESET, body, chunks)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n" + b"x" * 101,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + b"x" * 101,
        b"y" * 101 + b"x" * MOST_HEAD_BYTES,
    ],
)
def test_larger_replies_are_cut_at_the_cap(data: bytes) -> None:
    """No reply takes more memory than its cap."""
    reply = fed(data, cap=100)
    reply.close(Ending.CLOSE)
    assert (reply.ending, len(reply.body)) == (Ending.TOO_LARGE, 100)


def test_trailers_without_end_are_given_up() -> None:
    """A server cannot keep a recorder by trailers."""
    reply = fed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 9000)
    assert reply.ending is Ending.TOO_LARGE
