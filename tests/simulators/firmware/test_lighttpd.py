"""The units' web server without sockets: heads it accepts, heads it refuses, and its digest check."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import WEB_CAPTURES
from sim_cases import START
from web_cases import NONCE, credentials, md5

from simulators.firmware.pages import digest, lighttpd

HOST = b"Host: 10.33.6.7\r\n"


def test_the_refusal_is_as_recorded() -> None:
    """Header order, blanks and the 351 bytes of the page are those of a recorded S21+."""
    recorded = (WEB_CAPTURES / "s21plus-stock-202503/http-401-root.txt").read_bytes()
    head, _, body = recorded.partition(b"\n\n")
    reply = lighttpd.error_reply(401, 1789213845.0, is_last=False, challenge=digest.challenge(NONCE))
    assert reply == head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body
    assert len(body) == 351


@pytest.mark.parametrize(
    ("head", "status_line"),
    [
        (b"\r\n\r\n", "HTTP/1.0 400 Bad Request"),
        (b"GET /\r\n\r\n", "HTTP/1.0 400 Bad Request"),
        (b"GET / x HTTP/1.1\r\n" + HOST + b"\r\n", "HTTP/1.0 400 Bad Request"),
        (b'{"command":"stats"}\r\n\r\n', "HTTP/1.0 400 Bad Request"),
        (b"GET / HTCPCP/1.0\r\n\r\n", "HTTP/1.0 400 Bad Request"),
        (b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n", "HTTP/1.0 501 Not Implemented"),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", "HTTP/1.0 505 HTTP Version Not Supported"),
        (b"GET  HTTP/1.1\r\n" + HOST + b"\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET /\xff HTTP/1.0\r\n\r\n", "HTTP/1.0 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n folded: first\r\n" + HOST + b"\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"odd(name): 1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x02b\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5x\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"\r\n", "HTTP/1.1 411 Length Required"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 65537\r\n\r\n", "HTTP/1.1 413 Request Entity Too Large"),
        (
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
            "HTTP/1.1 413 Request Entity Too Large",
        ),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n\r\n", "HTTP/1.1 417 Expectation Failed"),
    ],
)
def test_bad_heads_are_refused(head: bytes, status_line: str) -> None:
    """A head is refused as by lighttpd 1.4.32, in HTTP/1.0 unless the request line was understood."""
    with pytest.raises(lighttpd.BadRequestError) as refusal:
        lighttpd.read_head(head)
    reply = lighttpd.error_reply(refusal.value.status, START, is_last=True, is_http11=refusal.value.is_http11)
    first, *_ = reply.decode().split("\r\n")
    assert first == status_line
    assert b"\r\nConnection: close\r\nDate: " in reply


@pytest.mark.parametrize(
    ("head", "taken"),
    [
        (b"GET / HTTP/1.1\r\nHost: 10.33.6.7:80\r\n\r\n", ("GET", "/", True, True, 0)),
        (b"GET /a%20b/../c?d=e HTTP/1.1\r\n" + HOST + b"\r\n", ("GET", "/c", True, True, 0)),
        (b"GET http://10.33.6.7/c HTTP/1.1\r\n\r\n", ("GET", "/c", True, True, 0)),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Close\r\n\r\n", ("GET", "/", True, False, 0)),
        (b"GET / HTTP/1.0\r\n\r\n", ("GET", "/", False, False, 0)),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ("GET", "/", False, True, 0)),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 017\r\n\r\n", ("POST", "/", True, True, 17)),
        (b"VERSION-CONTROL / HTTP/1.1\r\n" + HOST + b"\r\n", ("VERSION-CONTROL", "/", True, True, 0)),
    ],
)
def test_good_heads_are_accepted(head: bytes, taken: tuple[object, ...]) -> None:
    """A head yields method, path without query and dots, version, keep-alive and the length of the body."""
    request = lighttpd.read_head(head)
    assert (request.method, request.path, request.is_http11, request.is_kept_alive, request.body_bytes) == taken


def test_headers_are_folded_joined_and_stripped() -> None:
    """A folded line continues, a repeated header joins, blanks are stripped and an empty value is ignored."""
    head = b"GET / HTTP/1.1\r\n" + HOST + b"X-A :  1 \r\n\t2\r\nX-B: 3\r\nX-B: 4\r\nX-C:\r\n\r\n"
    headers = lighttpd.read_head(head).headers
    assert headers == {"host": "10.33.6.7", "x-a": "1\t2", "x-b": "3, 4"}


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: b"GET / HTTP/1.1\r\nHost: a\r\n" + tail))
def test_no_head_does_harm(head: bytes) -> None:
    """Any bytes yield a request or the one declared error."""
    with contextlib.suppress(lighttpd.BadRequestError):
        lighttpd.read_head(head + lighttpd.HEAD_END)


GOOD = credentials("/")
START_OF_ALL = f'Digest username="root", realm="antMiner Configuration", nonce="{NONCE}", uri="/", '
KNOWN = md5("root:antMiner Configuration:root")
ASKED = md5("GET:/")
# The two other forms of RFC 2617: without qop, and with a session key.
PLAIN_RESPONSE = md5(f"{KNOWN}:{NONCE}:{ASKED}")
SESSION = md5(f"{KNOWN}:{NONCE}:0a4f113b")
SESSION_RESPONSE = md5(f"{SESSION}:{NONCE}:00000001:0a4f113b:auth:{ASKED}")
SESSION_FIELDS = 'algorithm=MD5-sess, qop=auth, nc=00000001, cnonce="0a4f113b", '


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (GOOD, 200),
        (GOOD.replace("Digest", "dIGEST"), 200),
        (GOOD.replace(", ", ","), 200),
        (credentials("/", nonce="any"), 200),
        (credentials("/another/page"), 200),
        (f'{START_OF_ALL}response="{PLAIN_RESPONSE}"', 200),
        (f'{START_OF_ALL}{SESSION_FIELDS}response="{SESSION_RESPONSE}"', 200),
        (None, 401),
        ("", 401),
        ("Basic cm9vdDpyb290", 401),
        (credentials("/", word="admin"), 401),
        (credentials("/", user="admin"), 401),
        (credentials("/", method="POST"), 401),
        (GOOD.replace("antMiner", "antminer"), 401),
        (GOOD[:-2] + '"', 401),
        ("Digest", 400),
        (GOOD.replace("nonce=", "none=").replace("c0a", "0a"), 400),
        (GOOD.replace("nc=00000001, ", ""), 400),
        (GOOD.replace('cnonce="0a4f113b", ', ""), 400),
        (GOOD.partition(", response")[0], 400),
    ],
)
def test_how_credentials_are_judged(authorization: str | None, status: int) -> None:
    """Correct ones pass with any nonce and for any page, wrong ones get 401 and incomplete ones 400."""
    assert digest.check(authorization, "GET", "root") == status


@given(st.text(max_size=200))
def test_no_credentials_do_harm(text: str) -> None:
    """Random text in the header neither passes nor raises."""
    text = text.encode("latin-1", "replace").decode("latin-1")
    assert digest.check(f"Digest {text}", "GET", "root") in {400, 401}
