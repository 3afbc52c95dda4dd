"""Pages over HTTP in pieces, without a socket: where a page ends, and the errors of those that do not."""

import pytest

from agent.errors import DisconnectedError, MalformedReplyError, RefusedError, TooLargeReplyError, UnsupportedReplyError
from agent.unit.cgminer import wire
from agent.unit.cgminer.page_reply import MAX_HEAD_BYTES, PartialPage, begun, body_of
from agent.unit.cgminer.partial_reply import PartialReply

CAP = 32 * 1024
PLAIN = b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}'
CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4;x=1\r\n":1}\r\n0\r\n\r\n'
TO_THE_END = b'HTTP/1.0 200 OK\r\nServer: x\r\n\r\n{"a":1}'


def test_the_request_decides_what_a_reply_is() -> None:
    """A GET is answered by a page, a command by an object; each with its own cap."""
    assert isinstance(begun(wire.encode_get("/summary")), PartialPage)
    assert isinstance(begun(wire.encode_request("summary")), PartialReply)
    assert wire.cap_of(wire.encode_get("/summary")) == wire.PAGE_CAPS["/summary"]


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_page_ends_where_its_head_says(whole: bytes, size: int) -> None:
    """At its length, or at its last chunk, in whatever pieces it comes, and not before."""
    partial = PartialPage(CAP)
    pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
    received = [partial.add(piece) for piece in pieces]
    assert received[:-1] == [None] * (len(pieces) - 1)
    assert received[-1] == whole
    assert body_of(whole, "/x") == b'{"a":1}'


def test_a_page_without_a_length_ends_with_the_connection() -> None:
    """As in HTTP/1.0."""
    partial = PartialPage(CAP)
    assert partial.add(TO_THE_END) is None
    assert partial.close() == TO_THE_END
    assert body_of(TO_THE_END, "/x") == b'{"a":1}'


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\r\n", PLAIN[:-1], CHUNKED[:-4]])
def test_a_page_that_is_cut_is_none(received: bytes) -> None:
    """The connection ended too early."""
    partial = PartialPage(CAP)
    if received:
        assert partial.add(received) is None
    assert isinstance(partial.close(), DisconnectedError)


def test_head_and_page_are_bounded() -> None:
    """A head without an end, a page beyond its cap."""
    partial = PartialPage(CAP)
    assert partial.add(b"HTTP/1.1 200 OK\r\n" + b"x" * (MAX_HEAD_BYTES - 100)) is None
    assert isinstance(partial.add(b"y" * 200), TooLargeReplyError)
    partial = PartialPage(CAP)
    assert partial.add(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (CAP - 100)) is None
    assert isinstance(partial.add(b"y" * 200), TooLargeReplyError)


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED, TO_THE_END])
def test_the_size_is_that_of_what_is_unfinished(whole: bytes) -> None:
    """As the client counts it: the chunk that completes a page is not in it."""
    partial = PartialPage(CAP)
    partial.add(whole[:20])
    assert partial.size == 20
    if partial.add(whole[20:]) is not None:
        assert partial.size == 20


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"STATUS":[]}\0', MalformedReplyError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n", MalformedReplyError),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", UnsupportedReplyError),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", RefusedError),
        (b"HTTP/1.1 500 \r\n\r\n", RefusedError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", MalformedReplyError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nx\r\n0\r\n\r\n", MalformedReplyError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 300, MalformedReplyError),
    ],
)
def test_what_is_no_page_says_so(data: bytes, error: type[Exception]) -> None:
    """By its status, its head, or its chunks."""
    with pytest.raises(error):
        body_of(data, "/x")


def test_another_protocol_is_named() -> None:
    """A server that greets with another protocol is named; a page that is late is not."""
    partial = PartialPage(CAP)
    partial.add(b"SSH-2.0-dropbear\r\n")
    named = partial.foreign()
    assert named is not None
    assert named.speaker == "SSH"
    late = PartialPage(CAP)
    late.add(b"HTTP/1.1 200")
    assert late.foreign() is None
