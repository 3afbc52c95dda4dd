"""The identity page over HTTP with digest authentication, from captures and from simulated units."""

import asyncio
import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import WEB_CAPTURES
from patience import PATIENT_S
from sim_cases import make_farm
from web_cases import served

from agent.address import Endpoint
from agent.errors import (
    DeadlineError,
    DisconnectedError,
    MalformedReplyError,
    PollError,
    RefusedError,
    UnreachableError,
    UnsupportedReplyError,
)
from agent.unit.antminer import webpage
from agent.unit.antminer.webpage import MAX_BODY_BYTES, MAX_CHUNKS, fetch_system_info, read_system_info
from agent.unit.digest import authorization
from agent.unit.login import Login
from agent.unit.reading import SystemInfo

ROOT = Login(user="root", password="root")  # noqa: S106  the one every unit leaves the factory with
S21_PLUS = WEB_CAPTURES / "s21plus-stock-202503"
UNAUTHORIZED = (S21_PLUS / "http-401-root.txt").read_bytes().replace(b"\n", b"\r\n", 7)


def as_on_the_wire(capture: bytes) -> bytes:
    """Return a chunked capture with CR LF restored in its framing; line feeds inside chunks stay."""
    head, _, rest = capture.partition(b"\n\n")
    wire = head.replace(b"\n", b"\r\n") + b"\r\n\r\n"
    while rest:
        size, _, rest = rest.partition(b"\n")
        length = int(size, 16)
        wire += size + b"\r\n" + rest[:length] + b"\r\n"
        rest = rest[length + 1 :]
    return wire


PAGE = as_on_the_wire((S21_PLUS / "http-get_system_info.chunked.txt").read_bytes())
INFO = SystemInfo(
    model="Antminer S21+", firmware="Wed Mar 12 14:34:31 CST 2025", mac="02:00:00:00:00:01", serial="REDACTED000000001"
)


@dataclass
class Server:
    """A scripted server.

    Attributes:
        endpoint: Its address and port.
        heard: The requests it received.
    """

    endpoint: Endpoint
    heard: list[bytes] = field(default_factory=list)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Server], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    """Run `script` for every connection on a free port."""
    running = Server(Endpoint("127.0.0.1", 0))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await script(reader, writer, running)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    running.endpoint = Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield running
    finally:
        server.close()


def saying(*replies: bytes) -> Script:
    """Return a script that sends one reply after each request, then closes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: Server) -> None:
        for reply in replies:
            server.heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(reply)
            await writer.drain()

    return script


async def fetch(endpoint: Endpoint, *, deadline_s: float = PATIENT_S, login: Login = ROOT) -> SystemInfo:
    """Fetch the identity page."""
    return await fetch_system_info(endpoint, login, connect_timeout_s=deadline_s, deadline_s=deadline_s)


@pytest.mark.parametrize(
    ("capture", "info"),
    [
        (
            "s21-stock-aml-202407/http-get_system_info.json",
            SystemInfo(
                model="Antminer S21",
                firmware="Thu Jul 11 16:38:25 CST 2024",
                mac="02:00:00:00:00:01",
                serial="REDACTED000000001",
            ),
        ),
    ],
)
def test_captured_pages_are_read(capture: str, info: SystemInfo) -> None:
    """The page of a real S21 has its model, firmware, MAC and serial number."""
    assert read_system_info((WEB_CAPTURES / capture).read_bytes()) == info


@pytest.mark.parametrize(
    ("page", "info"),
    [
        (b"{}", SystemInfo()),
        (b'\n\n{"macaddr":"02-1d-23-93-e1-5b"}', SystemInfo(mac="02:1d:23:93:e1:5b")),
        (b'{"macaddr":"00:00:00:00:00:00","serinum":""}', SystemInfo()),
        (b'{"macaddr":"ff:ff:ff:ff:ff:ff","serinum":" SN 1 "}', SystemInfo(serial="SN 1")),
        (b'{"macaddr":17,"serinum":["a"],"minertype":null}', SystemInfo()),
        (b'{"serinum":"a\\u0007b","minertype":"' + b"x" * 65 + b'"}', SystemInfo()),
    ],
)
def test_only_usable_fields_are_read(page: bytes, info: SystemInfo) -> None:
    """A field that is missing, empty, too long, not printable, not text, or a reserved MAC address is None."""
    assert read_system_info(page) == info


@pytest.mark.parametrize(
    "page",
    [b"", b"Socket connect failed: Connection refused\n", b'{"serinum":"S', b"[]", b"[" * 5000, b'{"serinum":"\xff"}'],
)
def test_other_pages_are_malformed(page: bytes) -> None:
    """A page that is not one whole JSON object is malformed."""
    with pytest.raises(MalformedReplyError):
        read_system_info(page)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda data: b'{"serinum":"' + data + b'"}'))
def test_any_bytes_are_a_page_or_malformed(data: bytes) -> None:
    """Any bytes give bounded texts or the declared error."""
    with contextlib.suppress(MalformedReplyError):
        info = read_system_info(data)
        assert all(text is None or 0 < len(text) <= 64 for text in (info.model, info.firmware, info.serial))


def fields_of(header: str) -> dict[str, str]:
    """Return the fields of an Authorization header."""
    scheme, _, rest = header.partition(" ")
    assert scheme == "Digest"
    return {name: quoted or plain for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^,]*))', rest)}


def md5(*texts: str) -> str:
    """Return the MD5 of texts joined by colons, in hex."""
    return hashlib.md5(":".join(texts).encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("challenge", "login", "path"),
    [
        pytest.param(
            re.findall(rb"WWW-Authenticate: (.*)\r", UNAUTHORIZED)[0].decode(), ROOT, "/cgi-bin/a.cgi", id="S21+"
        ),
        # Documented (D68): Hiveon's newer lighttpd.
        pytest.param(
            'Digest realm="r", charset="UTF-8", algorithm=MD5, nonce="67d1:ab", qop="auth"', ROOT, "/a", id="lighttpd"
        ),
        pytest.param(
            'Digest realm="testrealm@host.com", qop="auth", nonce="dcd98b71", opaque="5ccc069c"',
            Login(user="Mufasa", password="Circle Of Life"),  # noqa: S106  the RFC's
            "/dir/index.html",
            id="RFC 2617",
        ),
    ],
)
async def test_credentials_are_those_of_the_rfc(challenge: str, login: Login, path: str) -> None:
    """The answer is what RFC 2617, section 3.2.2.1, computes from the challenge, with a fresh client nonce."""
    asked = fields_of(challenge)
    headers = [
        await authorization((challenge,), login, method="GET", url=f"http://127.0.0.1:80{path}") for _ in range(2)
    ]
    nonces = set()
    for header in headers:
        assert header is not None
        found = fields_of(header)
        nonces.add(found["cnonce"])
        known = md5(login.user, asked["realm"], login.password)
        expected = md5(known, asked["nonce"], "00000001", found["cnonce"], "auth", md5("GET", path))
        assert (found["response"], found["uri"], found["nc"]) == (expected, path, "00000001")
        assert found.get("opaque") == asked.get("opaque")
    assert len(nonces) == 2


async def test_the_check_of_credentials_is_that_of_the_rfc() -> None:
    """The computation above gives the worked example of RFC 2617, section 3.5."""
    known = md5("Mufasa", "testrealm@host.com", "Circle Of Life")
    asked = md5("GET", "/dir/index.html")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert md5(known, nonce, "00000001", "0a4f113b", "auth", asked) == "6629fae49393a05397450978507c4ef1"


@pytest.mark.parametrize(
    ("values", "nonce"),
    [
        ((), None),
        (("Basic realm=x",), None),
        (("Digest realm=x",), None),
        (("Digest",), None),
        (('Digest realm="x", nonce="n", algorithm=WHIRLPOOL, qop="auth"',), None),
        (('Digest realm="x", nonce="n", qop="other"',), None),
        # RFC 2069, without qop: the answer would have nothing random of the client's.
        (('Digest realm="x", nonce="n"',), None),
        (('Digest realm="x", nonce="n", qop=""',), None),
        (('Digest realm="x", nonce="n"', "digest nonce=m, realm=x, qop=auth"), "m"),
        (('Basic realm="x"', 'digest nonce=n, realm=x, qop="auth", algorithm="md5"'), "n"),
        (('Digest realm="x", nonce="n", algorithm=SHA-256, qop="auth"',), "n"),
        (("Digest " + 'a="' * 100_000,), None),
        (("Digest " + "a " * 100_000,), None),
        (('Digest realm="x\ty", nonce="n", qop="auth"',), "n"),
    ],
)
async def test_challenges(values: tuple[str, ...], nonce: str | None) -> None:
    """The first challenge that can be answered with something random of the client's is, others are skipped."""
    answer = await authorization(values, ROOT, method="GET", url="http://127.0.0.1/a")
    assert (None if answer is None else fields_of(answer)["nonce"]) == nonce


@given(st.lists(st.text(max_size=200).map(lambda text: f"Digest {text}"), max_size=2))
async def test_any_challenge_is_answered_or_not(values: list[str]) -> None:
    """Whatever a unit demands, there is an answer without control characters, or none."""
    answer = await authorization(values, ROOT, method="GET", url="http://127.0.0.1/a")
    assert answer is None or not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", answer)


@pytest.mark.parametrize("field", ["realm", "nonce", "opaque"])
@pytest.mark.parametrize("sign", ["\n", "\r", "\0", "\x7f"], ids=["LF", "CR", "NUL", "DEL"])
async def test_a_unit_cannot_write_our_request(field: str, sign: str) -> None:
    """A bare line end in a challenge would come back as lines of ours: a request that the unit chose."""
    texts = {"realm": "r", "nonce": "n", "opaque": "o"}
    texts[field] += f"{sign}{sign}POST /cgi-bin/reboot.cgi HTTP/1.1{sign}Host: z{sign}{sign}"
    challenge = "Digest " + ", ".join(f'{name}="{text}"' for name, text in texts.items()) + ', qop="auth"'
    head = f"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
    async with serving(saying(head.encode())) as server:
        with pytest.raises(UnsupportedReplyError):
            await fetch(server.endpoint)
    assert len(server.heard) == 1
    assert b"POST" not in server.heard[0]


async def test_a_unit_that_wants_the_old_credentials_gets_none() -> None:
    """A page that asks for a password without qop is refused, and no credentials are sent."""
    async with serving(saying(UNAUTHORIZED.replace(b', qop="auth"', b""))) as server:
        with pytest.raises(UnsupportedReplyError, match="other than digest with a qop"):
            await fetch(server.endpoint)
    assert len(server.heard) == 1
    assert b"Authorization" not in server.heard[0]


def test_passwords_are_not_shown() -> None:
    """The repr of a login shows the user and not the password."""
    assert repr(Login(user="root", password="hunter2")) == "Login(user='root')"  # noqa: S106


async def test_one_connection_is_enough() -> None:
    """If the unit keeps the connection, both requests use it: without credentials, then with them."""
    async with serving(saying(UNAUTHORIZED, PAGE)) as server:
        assert await fetch(server.endpoint) == INFO
    first, second = server.heard
    assert first.startswith(b"GET /cgi-bin/get_system_info.cgi HTTP/1.1\r\n")
    assert b"Authorization" not in first
    (line,) = [line for line in second.decode().split("\r\n") if line.startswith("Authorization: ")]
    assert fields_of(line.removeprefix("Authorization: "))["uri"] == webpage.SYSTEM_INFO


@pytest.mark.parametrize(
    "refusal",
    [
        UNAUTHORIZED.replace(b"Server:", b"Connection: close\r\nServer:"),
        UNAUTHORIZED.replace(b"HTTP/1.1", b"HTTP/1.0"),
        re.sub(rb"Content-Length: 351\r\n", b"", UNAUTHORIZED),
        UNAUTHORIZED,
    ],
    ids=["close", "HTTP/1.0", "no length", "unannounced"],
)
async def test_a_closed_connection_is_opened_again(refusal: bytes) -> None:
    """If the unit closed the first connection, announced or not, the second request opens another."""
    replies = [refusal, PAGE]

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Server) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(replies.pop(0))

    async with serving(script) as server:
        assert await fetch(server.endpoint) == INFO


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([UNAUTHORIZED, UNAUTHORIZED], RefusedError),
        ([UNAUTHORIZED.replace(b"Digest", b"Basic")], UnsupportedReplyError),
        ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], UnsupportedReplyError),
        ([b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"], RefusedError),
        ([b"SSH-2.0-dropbear\r\n\r\n"], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\n"], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n"], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}}}"], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 20_000], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"1" * 20_000], MalformedReplyError),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * (MAX_CHUNKS + 1)],
            MalformedReplyError,
        ),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MAX_BODY_BYTES + 1)], MalformedReplyError),
        ([b"HTTP/1.1 200 OK\r\n\r\n{"], MalformedReplyError),
        ([PAGE[:-40]], DisconnectedError),
        ([b"HTTP/1.1 2"], DisconnectedError),
        ([b""], DisconnectedError),
    ],
)
async def test_other_answers_are_declared_errors(replies: list[bytes], error: type[PollError]) -> None:
    """Any other answer raises a declared error, within the size limits."""
    async with serving(saying(*replies)) as server:
        with pytest.raises(error):
            await fetch(server.endpoint)


async def test_a_silent_unit_meets_the_deadline() -> None:
    """A server that accepts and stays silent runs into the deadline."""
    over = asyncio.Event()

    async def script(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter, _server: Server) -> None:
        await over.wait()

    async with serving(script) as server:
        with pytest.raises(DeadlineError):
            await fetch(server.endpoint, deadline_s=0.05)
        over.set()


async def test_closed_port_is_a_refusal() -> None:
    """A closed port is unreachable and marked as a refusal."""
    async with serving(saying()) as server:
        pass
    with pytest.raises(UnreachableError) as caught:
        await fetch(server.endpoint)
    assert caught.value.is_refusal


async def test_simulated_units_report_their_identity() -> None:
    """Every simulated unit reports its own MAC, serial number and model; a wrong password is refused."""
    farm = make_farm(units=3)
    async with served(farm) as running:
        for unit in farm.units:
            endpoint = Endpoint(unit.identity.host, running.web.port)
            info = await fetch(endpoint)
            assert (info.mac, info.serial) == (unit.identity.mac.lower(), unit.identity.serial)
            assert info.model == "Antminer S21"
            wrong = Login(user="root", password="other")  # noqa: S106
            with pytest.raises(RefusedError):
                await fetch(endpoint, login=wrong)
    assert not any(entry.is_write for entry in running.api.journal.entries)
