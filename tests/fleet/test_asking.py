"""Questions to agents over real sockets: hostile answers cost one deadline and one buffer, and have their word."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
from certificates import Authority
from fleet_cases import Behaviour, answering, figures, fleet_setup, report, site, stand_in
from loopback import unused
from patience import PATIENT_S

from agent.fleet import asking
from agent.fleet.asking import MAX_ANSWER_BYTES, ask, broken, session
from agent.fleet.report import Report
from agent.fleet.setup import Site
from agent.fleet.troubles import SiteError, Trouble

GOOD = msgspec.json.encode(report("a", figures(100, 95)))
JSON = "200 OK\r\nContent-Type: application/json"


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """Yield the fleet's own client."""
    async with session(connections=4) as made:
        yield made


def _site(folder: Path, url: str, **keys: str) -> Site:
    return fleet_setup(folder, site("a", url, **keys)).sites["a"]


async def _ask(client: aiohttp.ClientSession, of: Site, *, deadline_s: float = PATIENT_S) -> Report:
    return await ask(client, of, of.section.url, deadline_s=deadline_s)


async def test_an_answer_is_read_with_the_fleets_own_credentials(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    """One GET of one path; a token or a user goes along, and no cookie."""
    token = tmp_path / "token"
    token.write_text("s3cret" * 3, encoding="ascii")
    token.chmod(0o600)
    password = tmp_path / "password"
    password.write_text("open sesame", encoding="ascii")
    password.chmod(0o600)
    async with stand_in(answering(GOOD, f"{JSON}\r\nSet-Cookie: a=b")) as agent:
        for keys, header in (
            ({}, None),
            ({"token_file": "token"}, b"Bearer s3crets3crets3cret"),
            ({"user": "fleet", "password_file": "password"}, b"Basic ZmxlZXQ6b3BlbiBzZXNhbWU="),
        ):
            read = await _ask(client, _site(tmp_path, f"{agent.url}/below", **keys))
            assert read == report("a", figures(100, 95))
            line, *lines = agent.heads[-1].rstrip().split(b"\r\n")
            sent = dict(each.split(b": ", 1) for each in lines)
            assert line == b"GET /below/api/v1/site HTTP/1.1"
            assert sent.get(b"Authorization") == header
            assert b"Cookie" not in sent


async def test_a_compressed_answer_is_unpacked_within_the_limit(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    """Packed 1,000 to 1, an answer is still no longer than the limit; one that is cut short does not count."""
    packed = f"{JSON}\r\nContent-Encoding: gzip"
    async with stand_in(answering(gzip.compress(GOOD), packed)) as agent:
        of = _site(tmp_path, agent.url)
        assert await _ask(client, of) == report("a", figures(100, 95))
        for body, trouble in (
            (gzip.compress(b" " * (MAX_ANSWER_BYTES + 1)), Trouble.TOO_LARGE),
            (gzip.compress(GOOD)[:-9], Trouble.NONSENSE),
            (b"no gzip", Trouble.NONSENSE),
        ):
            agent.behave = answering(body, packed)
            with pytest.raises(SiteError) as raised:
                await _ask(client, of)
            assert raised.value.trouble is trouble


@pytest.mark.parametrize(
    ("head", "body", "trouble", "detail"),
    [
        ("401 Unauthorized", b"", Trouble.CREDENTIALS, "HTTP 401: check user, password_file or token_file"),
        ("403 Forbidden", b"", Trouble.CREDENTIALS, "HTTP 403: check user, password_file or token_file"),
        ("302 Found\r\nLocation: https://login.example/", b"", Trouble.REDIRECT, "HTTP 302 to https://login.example/"),
        ("307 Temporary Redirect", b"", Trouble.REDIRECT, "HTTP 307 to nowhere"),
        (
            "200 OK\r\nContent-Type: text/html",
            b"<!doctype html><form>Password",
            Trouble.WEB_PAGE,
            "a web page answers: ",
        ),
        ("404 Not Found", b"{}", Trouble.STATUS, "HTTP 404"),
        ("502 Bad Gateway", b"<html>", Trouble.STATUS, "HTTP 502"),
        (JSON, b"[" * 100_000, Trouble.NONSENSE, "Expected `object`, got `array`"),
        (JSON, b"{}", Trouble.NONSENSE, "Object missing required field `site`"),
        (
            f"{JSON}\r\nContent-Encoding: br",
            b"x",
            Trouble.NONSENSE,
            "an answer in the coding br, which was not asked for",
        ),
    ],
)
async def test_what_is_no_answer_has_its_word(
    tmp_path: Path, client: aiohttp.ClientSession, *, head: str, body: bytes, trouble: Trouble, detail: str
) -> None:
    """A login, a redirect, a web page, an error, nonsense; a redirect is not followed."""
    async with stand_in(answering(body, head)) as agent:
        with pytest.raises(SiteError) as raised:
            await _ask(client, _site(tmp_path, agent.url))
        assert len(agent.heads) == 1
    assert raised.value.trouble is trouble
    assert raised.value.detail.startswith(detail)


async def _flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


async def _drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def _hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: bytes) -> None:
    await reader.read()


async def _cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")
    await writer.drain()


async def _babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("behave", "deadline_s", "trouble"),
    [
        (_flood, PATIENT_S, Trouble.TOO_LARGE),
        (_drip, 0.2, Trouble.SLOW),
        (_hang, 0.1, Trouble.SLOW),
        (_cut, PATIENT_S, Trouble.UNREACHABLE),
        (_babble, PATIENT_S, Trouble.NONSENSE),
    ],
)
async def test_a_hostile_agent_costs_one_deadline_and_one_buffer(
    tmp_path: Path, client: aiohttp.ClientSession, behave: Behaviour, deadline_s: float, trouble: Trouble
) -> None:
    """Answers without end, byte by byte, never, cut short, and of another protocol."""
    async with stand_in(behave) as agent:
        with pytest.raises(SiteError) as raised:
            await _ask(client, _site(tmp_path, agent.url), deadline_s=deadline_s)
    assert raised.value.trouble is trouble


async def test_an_answer_that_announces_a_gigabyte_is_not_read(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    """Its length is enough."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: bytes) -> None:
        writer.write(f"HTTP/1.1 {JSON}\r\nContent-Length: 1073741824\r\n\r\n".encode())
        await writer.drain()
        await reader.read()

    async with stand_in(behave) as agent:
        with pytest.raises(SiteError, match="answer too large: 1,073,741,824 bytes"):
            await _ask(client, _site(tmp_path, agent.url))


async def test_a_refused_connection_is_told_without_its_address(tmp_path: Path, client: aiohttp.ClientSession) -> None:
    """The page and the log name the address themselves."""
    with unused() as (host, port), pytest.raises(SiteError) as raised:
        await _ask(client, _site(tmp_path, f"http://{host}:{port}"))
    assert (raised.value.trouble, raised.value.detail) == (Trouble.UNREACHABLE, "Connection refused")


def test_a_name_that_is_not_known_is_unreachable() -> None:
    """The words are the resolver's, without the address."""
    key = aiohttp.client_reqrep.ConnectionKey("agent.invalid", 80, False, True, None, None, None)  # noqa: FBT003
    error = broken(aiohttp.ClientConnectorDNSError(key, socket.gaierror(-2, "Name or service not known")))
    assert (error.trouble, error.detail) == (Trouble.UNREACHABLE, "Name or service not known")


def test_a_closed_connection_names_its_likely_cause() -> None:
    """A server with TLS closes the connection of a caller without."""
    assert broken(aiohttp.ServerDisconnectedError()).detail == (
        "it closed the connection unanswered; an agent with TLS needs https://"
    )


@pytest.mark.parametrize(
    ("host", "days", "trusts", "trouble"),
    [
        ("127.0.0.1", (-1, 10), True, None),
        ("127.0.0.2", (-1, 10), True, Trouble.CERTIFICATE),
        ("127.0.0.1", (-5, -1), True, Trouble.CERTIFICATE),
        ("127.0.0.1", (-1, 10), False, Trouble.CERTIFICATE),
    ],
)
async def test_a_certificate_must_be_of_the_name_of_now_and_trusted(
    tmp_path: Path,
    client: aiohttp.ClientSession,
    *,
    host: str,
    days: tuple[int, int],
    trusts: bool,
    trouble: Trouble | None,
) -> None:
    """For another name, expired, or of an authority that is not trusted: nothing is asked."""
    Authority(tmp_path, "site-ca").sign("agent", days=days, address=host)
    other = Authority(tmp_path, "other-ca")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "agent.pem", tmp_path / "agent.key")
    async with stand_in(answering(GOOD), tls=tls) as agent:
        of = _site(tmp_path, agent.url, ca_file="site-ca.pem" if trusts else other.pem.name)
        if trouble is None:
            assert await _ask(client, of) == report("a", figures(100, 95))
            return
        with pytest.raises(SiteError) as raised:
            await _ask(client, of)
        assert raised.value.trouble is trouble
        assert agent.heads == []


def test_what_is_in_flight_fits_in_memory() -> None:
    """Eight hostile agents at once stay far below the fleet's 100 MB."""
    assert asking.MAX_IN_FLIGHT * MAX_ANSWER_BYTES <= 16 << 20
