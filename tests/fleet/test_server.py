"""The fleet's server over sockets: its page and JSON, and agents' own pages passed on, read-only and within bounds."""

import asyncio
import base64
import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
import jsonschema
import msgspec
import pytest
from certificates import Authority
from fleet_cases import StandIn, answering, figures, fleet_setup, raw, report, served, site, stand_in
from patience import PATIENT_S

from agent.exporters.web.bodies import SLICE_BYTES
from agent.exporters.web.listener import SECURITY_HEADERS
from agent.fleet import passing
from agent.fleet.answers import schema
from agent.fleet.watch import Watch
from agent.tls import client_context

HTML = "200 OK\r\nContent-Type: text/html; charset=utf-8"
PAGE = b"<!doctype html><title>the agent's page</title>"
TOKEN = "s3cret" * 3


class Passed:
    """A served fleet with one site, whose agent is a stand-in.

    Attributes:
        agent: The stand-in.
        watch: The fleet's watch, which asks nothing by itself.
        client: A client of the fleet's server.
    """

    def __init__(self, agent: StandIn, watch: Watch, client: aiohttp.ClientSession) -> None:
        self.agent, self.watch, self.client = agent, watch, client

    @property
    def port(self) -> int:
        """Port of the fleet's server."""
        base = self.client._base_url
        assert base is not None
        assert base.port is not None
        return base.port

    async def get(self, path: str, **more: Any) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers of an answer of the fleet's server."""
        async with self.client.get(path, allow_redirects=False, **more) as response:
            return response.status, await response.read(), dict(response.headers)


@pytest.fixture
async def passed(tmp_path: Path) -> AsyncIterator[Passed]:
    """Serve a fleet of one site with a token."""
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="ascii")
    token.chmod(0o600)
    async with stand_in(answering(PAGE, HTML)) as agent:
        setup = fleet_setup(tmp_path, site("a", f"{agent.url}/below", token_file=token.name))
        async with served(setup) as (watch, client):
            yield Passed(agent, watch, client)


async def test_an_agents_page_is_passed_on_with_our_headers(passed: Passed) -> None:
    """The agent's security headers, cookies and server name do not count; ours do."""
    passed.agent.behave = answering(
        PAGE,
        f'{HTML}\r\nETag: "1"\r\nSet-Cookie: a=b\r\nContent-Security-Policy: default-src *\r\nServer: other\r\n'
        "X-Frame-Options: ALLOWALL\r\nAccess-Control-Allow-Origin: *\r\nRefresh: 0; url=http://evil.example/\r\n"
        "Link: <http://evil.example/>; rel=preload\r\nStrict-Transport-Security: max-age=1",
    )
    status, body, headers = await passed.get("/sites/a/units?q=C3")
    assert (status, body) == (200, PAGE)
    expected = {
        **SECURITY_HEADERS,
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(PAGE)),
        "Etag": '"1"',
        "Cache-Control": "no-store",
    }
    assert {name: value for name, value in headers.items() if name != "Date"} == expected


async def test_a_request_leaves_with_the_fleets_credentials_and_none_of_the_viewers(passed: Passed) -> None:
    """Path and query as they were sent, below the agent's address; nothing that says who asks."""
    headers = {
        "Accept": "text/html",
        "Accept-Encoding": "gzip",
        "Authorization": "Basic dmlld2VyOnNlY3JldA==",
        "Cookie": "session=viewer",
        "Origin": "http://evil.example",
        "Referer": "http://fleet.example/",
        "X-Forwarded-For": "10.0.0.1",
        "X-HTTP-Method-Override": "DELETE",
        "Connection": "keep-alive, X-Secret",
        "X-Secret": "viewer",
        "If-None-Match": '"1"',
        "Range": "bytes=0-1",
    }
    await passed.get("/sites/a/units/S21%20no.7?b=%2F", headers=headers)
    line, *lines = passed.agent.heads[-1].rstrip().split(b"\r\n")
    assert line.endswith(b" HTTP/1.1")
    assert line.startswith(b"GET /below/units/S21%20no.7?b=")
    sent = dict(each.decode().split(": ", 1) for each in lines)
    host = passed.agent.url.removeprefix("http://")
    assert sent == {
        "Host": host,
        "User-Agent": "hashsight-fleet",
        "Accept": "text/html",
        "Accept-Encoding": "gzip",
        "Authorization": f"Bearer {TOKEN}",
        "If-None-Match": '"1"',
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
async def test_nothing_but_reading_ever_leaves(passed: Passed, method: str) -> None:
    """Other methods are refused here; the agent hears nothing of them."""
    request = f"{method} /sites/a/api/v1/curtailments HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    answer = await raw(passed.port, request.encode())
    assert re.match(rb"HTTP/1\.1 40[05] ", answer)
    assert passed.agent.heads == []


async def test_a_head_is_passed_on_as_a_head(passed: Passed) -> None:
    """The length is that of the page; no body follows."""
    async with passed.client.head("/sites/a/") as response:
        assert (response.status, response.headers["Content-Length"]) == (200, str(len(PAGE)))
        assert await response.read() == b""
    assert passed.agent.heads[-1].startswith(b"HEAD /below/ ")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/sites/a/../../metrics", 400),
        ("/sites/a/%2e%2e/x", 400),
        ("/sites/a//evil.example/", 400),
        ("/sites/a/%2f%2fevil.example/", 400),
        ("/sites/a/@evil.example/", 400),
        ("/sites/a@evil.example/", 400),
        ("/sites//", 400),
        ("/sites/b/", 404),
        ("/sites/A/", 404),
        ("/sites/127.0.0.1:80/", 404),
        ("//sites/a/", 404),
        ("http://127.0.0.1/sites/a/", 400),
        ("http://evil.example/sites/a/", 421),
    ],
)
async def test_no_path_leads_anywhere_else(passed: Passed, target: str, status: int) -> None:
    """Tricks with paths are refused before anything is asked."""
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    answer = await raw(passed.port, request.encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert passed.agent.heads == []


async def test_a_site_without_its_slash_leads_to_its_page(passed: Passed) -> None:
    """Relative to the page, so that a proxy may serve the fleet under any prefix."""
    status, _, headers = await passed.get("/sites/a?x=1")
    assert (status, headers["Location"]) == (307, "a/?x=1")


@pytest.mark.parametrize(
    ("head", "body", "status", "words"),
    [
        ("302 Found\r\nLocation: http://evil.example/", b"", 502, "a: redirected: HTTP 302 to http://evil.example/"),
        ("401 Unauthorized\r\nWWW-Authenticate: Basic", b"", 502, "a: login refused: HTTP 401"),
        ("200 OK\r\nContent-Type: application/x-shockwave-flash", b"x", 502, "a: not understood: content of type"),
        ("200 OK\r\nContent-Type: text/javascript", b"alert(1)", 502, "a: not understood: content of type"),
        ("200 OK", b"<script>", 502, "a: not understood: content without a type is not passed on"),
        (f"{HTML}\r\nContent-Encoding: exotic", b"x", 502, "a: not understood: unknown coding exotic"),
        ("404 Not Found\r\nContent-Type: text/plain", b"nothing at this address\n", 404, "nothing at this address"),
        ("503 Service Unavailable\r\nContent-Type: text/plain", b"just started\n", 503, "just started"),
    ],
)
async def test_what_an_agent_refuses_has_its_word(
    passed: Passed, head: str, body: bytes, status: int, words: str
) -> None:
    """Redirects are not followed, logins not asked for; an agent's own errors are its own."""
    passed.agent.behave = answering(body, head)
    got, text, headers = await passed.get("/sites/a/x")
    assert (got, text.decode()[: len(words)]) == (status, words)
    assert "WWW-Authenticate" not in headers
    assert "Location" not in headers
    assert len(passed.agent.heads) == 1


async def test_a_compressed_answer_stays_as_it_is(passed: Passed) -> None:
    """It is neither unpacked nor packed again."""
    packed = gzip.compress(PAGE)
    passed.agent.behave = answering(packed, f"{HTML}\r\nContent-Encoding: gzip")
    _, body, headers = await passed.get("/sites/a/", headers={"Accept-Encoding": "gzip"})
    assert (body, headers["Content-Encoding"]) == (packed, "gzip")


async def test_scripts_come_from_this_server_alone(passed: Passed) -> None:
    """A site's script would read the pages of all other sites."""
    passed.agent.behave = answering(b"alert(1)", "200 OK\r\nContent-Type: text/javascript")
    ours = (await passed.get("/assets/page.js"))[1]
    status, body, headers = await passed.get("/sites/a/assets/page.js?v=other")
    assert (status, body, headers["Content-Type"]) == (200, ours, "text/javascript")
    assert (await passed.get("/sites/a/assets/repairs.js"))[:2] == (200, b"")
    assert (await passed.get("/sites/a/assets/evil.js"))[0] == 404
    assert (await passed.get("/sites/a/assets/%65vil.js"))[0] == 404
    assert passed.agent.heads == []


async def test_a_viewer_who_never_reads_costs_one_slice(passed: Passed) -> None:
    """The agent is read no further than the viewer reads: some buffers of the kernel and a slice here."""
    sent = 0
    is_over = asyncio.Event()

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 {HTML}\r\nContent-Length: {32 << 20}\r\n\r\n".encode())
        for _ in range(512):
            writer.write(b" " * SLICE_BYTES)
            await writer.drain()
            sent += SLICE_BYTES
        is_over.set()

    passed.agent.behave = flood
    reader, writer = await asyncio.open_connection("127.0.0.1", passed.port, limit=1024)
    try:
        writer.write(b"GET /sites/a/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        before = -1
        while sent == 0 or sent != before:
            before = sent
            await asyncio.sleep(0.2)
        assert 0 < sent < 16 << 20
        assert not is_over.is_set()
        # As it reads, the rest follows.
        async with asyncio.timeout(PATIENT_S):
            await reader.readuntil(b"\r\n\r\n")
            assert len(await reader.readexactly(32 << 20)) == 32 << 20
    finally:
        writer.close()


async def test_an_answer_that_breaks_off_ends_the_viewers_connection(passed: Passed) -> None:
    """Half a page never looks like a whole one."""

    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(f"HTTP/1.1 {HTML}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf \r\n".encode())
        await writer.drain()

    passed.agent.behave = cut
    with pytest.raises(aiohttp.ClientError):
        await passed.get("/sites/a/")


async def test_an_endless_answer_is_cut_at_the_limit(passed: Passed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Announced or not."""
    monkeypatch.setattr(passing, "MAX_PASSED_BYTES", 1 << 20)

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: bytes) -> None:
        writer.write(f"HTTP/1.1 {HTML}\r\nConnection: close\r\n\r\n".encode())
        while True:
            writer.write(b" " * SLICE_BYTES)
            await writer.drain()

    passed.agent.behave = flood
    with pytest.raises(aiohttp.ClientError):
        await passed.get("/sites/a/")
    passed.agent.behave = answering(b" " * ((1 << 20) + 1), HTML)
    assert (await passed.get("/sites/a/"))[1].startswith(b"a: answer too large: ")


async def test_one_site_that_hangs_leaves_places_to_others(passed: Passed) -> None:
    """After eight requests at once to one site, one more is told to wait."""

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: bytes) -> None:
        await reader.read()

    passed.agent.behave = hang
    waiting = [asyncio.create_task(passed.get("/sites/a/")) for _ in range(passing.MAX_PASSED_OF_SITE)]
    try:
        async with asyncio.timeout(PATIENT_S):
            while len(passed.agent.heads) < passing.MAX_PASSED_OF_SITE:  # noqa: ASYNC110  a stand-in sets no event
                await asyncio.sleep(0.01)
        status, _, headers = await passed.get("/sites/a/")
        assert (status, headers["Retry-After"]) == (503, "1")
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_an_agent_that_is_silent_for_too_long_is_given_up(
    passed: Passed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a word of its own, and not an empty page."""
    monkeypatch.setattr(passing, "PASS_DEADLINE_S", 0.1)

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter, __: bytes) -> None:
        await reader.read()

    passed.agent.behave = hang
    status, text, _ = await passed.get("/sites/a/")
    assert (status, text[:12]) == (504, b"a: too slow:")


async def test_the_fleets_answer_fits_its_schema(passed: Passed) -> None:
    """Before and after the first answer; the schema served is the one that is checked here."""
    is_asked = False
    for _ in range(2):
        status, body, _ = await passed.get("/api/v1/fleet")
        answer = msgspec.json.decode(body)
        shown = schema()
        jsonschema.validate(answer, {**shown["answers"]["/api/v1/fleet"], "$defs": shown["$defs"]})  # type: ignore[index,dict-item]
        assert (status, answer["sites"][0]["standing"]) == (200, "current" if is_asked else "missing")
        assert (answer["is_ready"], answer["totals"]["is_complete"]) == (is_asked, is_asked)
        assert (await passed.get("/readyz"))[0] == (200 if is_asked else 503)
        passed.agent.behave = answering(msgspec.json.encode(report("a", figures(100, 95))))
        await passed.watch.ask_once()
        is_asked = True
    assert msgspec.json.decode((await passed.get("/api/v1/schema"))[1]) == schema()
    assert (await passed.get("/healthz"))[:2] == (200, b"ok\n")


@pytest.mark.parametrize(
    ("query", "status"), [("", 200), ("?sort=name", 200), ("?sort=lost", 200), ("?sort=x", 400), ("?x=1", 400)]
)
async def test_the_page_is_served_in_its_orders(passed: Passed, query: str, status: int) -> None:
    """An unknown order or parameter is refused in words."""
    got, body, headers = await passed.get(f"/{query}")
    assert got == status
    assert headers["Content-Security-Policy"] == SECURITY_HEADERS["Content-Security-Policy"]
    if status == 200:
        assert b"<h1" in body
        assert TOKEN.encode() not in body


async def test_names_that_are_not_ours_are_refused(passed: Passed) -> None:
    """A web page elsewhere cannot make its own name lead here (DNS rebinding)."""
    status, text, _ = await passed.get("/", headers={"Host": "evil.example"})
    assert status == 421
    assert text.endswith(b"use its IP address, or add the name to fleet.hosts\n")


async def test_the_door_stands_before_everything(tmp_path: Path) -> None:
    """With TLS and users, pages and passed-on pages need a login; the agent gets the fleet's, never the viewer's."""
    Authority(tmp_path, "ca").sign("fleet", address="127.0.0.1")
    hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        f"tls_server_config:\n  cert_file: fleet.pem\n  key_file: fleet.key\nbasic_auth_users:\n  anna: {hashed}\n",
        encoding="utf-8",
    )
    for name in ("web.yml", "fleet.key"):
        (tmp_path / name).chmod(0o600)
    async with stand_in(answering(PAGE, HTML)) as agent:
        setup = fleet_setup(tmp_path, site("a", agent.url), fleet='web_config_file = "web.yml"\n')
        async with served(setup) as (_, plain):
            base = str(plain._base_url).replace("http:", "https:")
            tls = client_context(tmp_path / "ca.pem")
            async with aiohttp.ClientSession(base, connector=aiohttp.TCPConnector(ssl=tls)) as client:
                for path in ("/", "/api/v1/fleet", "/sites/a/"):
                    async with client.get(path) as refused:
                        assert refused.status == 401
                assert agent.heads == []
                login = {"Authorization": "Basic " + base64.b64encode(b"anna:sesame").decode()}
                async with client.get("/sites/a/", headers=login) as passed_on:
                    assert (passed_on.status, await passed_on.read()) == (200, PAGE)
    assert b"authorization" not in agent.heads[0].lower()
