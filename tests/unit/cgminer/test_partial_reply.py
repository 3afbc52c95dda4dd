"""Replies in pieces, without a socket: where a reply ends, and the errors of those that do not."""

import pytest

from agent.errors import DisconnectedError, ForeignProtocolError, TooLargeReplyError
from agent.unit.cgminer import wire
from agent.unit.cgminer.partial_reply import PartialReply


@pytest.mark.parametrize(
    ("chunks", "received"),
    [
        ([b"{}\0"], [b"{}\0"]),
        ([b"{}\0{}\0"], [b"{}\0"]),
        ([b"{", b"}", b"\0"], [None, None, b"{}\0"]),
        ([b"{", b"}\0\n"], [None, b"{}\0"]),
        ([b"{", b"}"], [None, None]),
    ],
)
def test_reply_ends_at_its_first_nul(chunks: list[bytes], received: list[bytes | None]) -> None:
    """The chunk with the NUL completes the reply; what follows the NUL is dropped."""
    partial = PartialReply()
    assert [partial.add(chunk) for chunk in chunks] == received


def test_closed_object_is_a_reply_without_a_nul() -> None:
    """A connection that ends after a closing brace completes the reply."""
    partial = PartialReply()
    partial.add(b'{"a":1}\n')
    assert partial.close() == b'{"a":1}\n'


def test_other_ends_are_disconnections() -> None:
    """The error distinguishes a reply that was cut from none at all."""
    partial = PartialReply()
    empty = partial.close()
    assert isinstance(empty, DisconnectedError)
    assert str(empty) == "closed without a reply"
    partial.add(b'{"a":')
    cut = partial.close()
    assert isinstance(cut, DisconnectedError)
    assert str(cut) == "closed after 5 bytes, in mid-reply: '{\"a\":'"


def test_reply_is_bounded() -> None:
    """The chunk that exceeds the limit is an error."""
    partial = PartialReply()
    assert partial.add(b"x" * wire.MAX_REPLY_BYTES) is None
    assert isinstance(partial.add(b"x"), TooLargeReplyError)


def test_cap_counts_a_reply_that_comes_whole() -> None:
    """A reply in one chunk has the cap too, its NUL included."""
    partial = PartialReply(cap=4)
    assert partial.add(b"{ }\0") == b"{ }\0"
    assert isinstance(partial.add(b"{  }\0"), TooLargeReplyError)


def test_another_protocol_is_named_even_if_it_sends_too_much() -> None:
    """A web server that sends a long page is named, whether its first bytes came alone or not."""
    for first in (b"", b"HTTP/1.0 200 OK\r\n"):
        partial = PartialReply(cap=100)
        assert first == b"" or partial.add(first) is None
        assert isinstance(partial.add(b"HTTP/1.0 200 OK\r\n" + b"x" * 100), ForeignProtocolError)


def test_a_web_server_is_known_by_its_head() -> None:
    """It may hold the connection, and the page that is asked for next needs the time."""
    reply = PartialReply()
    assert reply.add(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n") is None
    found = reply.add(b"\r\n")
    assert isinstance(found, ForeignProtocolError)
    assert found.speaker == "HTTP"
