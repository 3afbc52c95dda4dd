"""Requests of every kind, well-formed or not: compressed bodies, random queries and headers."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp.compression_utils import ZLibDecompressor
from exporter_cases import AT
from history_cases import hours, write
from hypothesis import given, settings
from hypothesis import strategies as st
from listed_repairs import FAN, Listed
from web_site import curtailment_api, served, source

from agent.exporters.web import server as web
from agent.exporters.web.bearer import Token
from agent.exporters.web.curtailment_api import PATH
from agent.exporters.web.door.door import Door
from agent.exporters.web.history_api import answer_history

TOKEN = Token(text="s3cr3t-0123456789")
ROUTES = (
    "/",
    "/units",
    "/units/a1",
    "/units.csv",
    "/assets/page.css",
    "/metrics",
    "/metrics/site",
    "/healthz",
    "/readyz",
    "/api/v1/site",
    "/api/v1/units",
    "/api/v1/units/a1",
    "/api/v1/pools",
    "/api/v1/pools.csv",
    "/api/v1/history",
    "/api/v1/identity",
    "/api/v1/discovery",
    "/api/v1/unread",
    "/api/v1/schema",
    "/-/healthy",
    "/-/ready",
    "/api/v1/influx",
    "/api/v1/openapi.json",
    "/api/v1/units.csv",
    "/api/v1/history.csv",
    "/api/v1/identity.csv",
    "/api/v1/discovery.csv",
    f"{PATH}.csv",
    "/racks",
    "/repairs",
    "/wall",
    "/repairs.csv",
    "/api/v1/repairs",
    PATH,
)


@asynccontextmanager
async def whole_site(folder: Path) -> AsyncIterator[int]:
    """Serve every route, with history and curtailments; yield the port."""
    path = folder / "history.sqlite"
    if not path.exists():
        write(path, hours(int(AT) - 7200, int(AT)))
    shown = source(
        history=lambda *asked: answer_history(path, "nd-1", *asked),
        curtailments=curtailment_api(folder),
        door=Door(token=lambda: TOKEN, clock=lambda: 1000.0),
        repairs=Listed(FAN).api,
    )
    async with web.serve(shown, "127.0.0.1", 0) as (_, port):
        yield port


async def exchange(port: int, head: bytes) -> tuple[int, bytes]:
    """Send a head with the end of its connection announced; return status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        writer.write(head + b"Connection: close\r\n\r\n")
        reply = await reader.read()
    head, _, body = reply.partition(b"\r\n\r\n")
    return int(head.split(None, 2)[1]), body


# Compressed bodies


METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT")
CODINGS = ("gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip", "x-unknown")


@pytest.mark.parametrize("path", [*ROUTES, "/nothing", "/api/v1/nothing"])
async def test_a_compressed_body_is_refused_unread(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every address and for every method a compressed body is 415, with or without the token; none is unpacked."""
    unpacked = []

    def unpack(*_: Any, **__: Any) -> bytes:
        unpacked.append(path)
        raise ValueError

    monkeypatch.setattr(ZLibDecompressor, "decompress_sync", unpack)
    bomb = gzip.compress(bytes(20_000_000))
    asked = [("", method, "gzip") for method in METHODS] + [("", "POST", coding) for coding in CODINGS]
    asked += [(f"Authorization: Bearer {TOKEN.text}\r\n", method, "gzip") for method in METHODS]
    async with whole_site(tmp_path) as port:
        for token, method, coding in asked:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            with closing(writer):
                head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: {coding}\r\n{token}"
                writer.write(f"{head}Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb)
                reply = await reader.read()
            assert reply.startswith(b"HTTP/1.1 415 ")
            assert b"\r\nAccept-Encoding: identity\r\n" in reply
    assert unpacked == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Encoding": "identity"}, 200),
        ({"Content-Encoding": ""}, 200),
        ({"Transfer-Encoding": "gzip, chunked"}, 415),
        ({"Transfer-Encoding": "chunked"}, 200),
    ],
)
async def test_bodies_as_they_are_pass(headers: dict[str, str], status: int, tmp_path: Path) -> None:
    """A body without a coding passes; a coding named as the transfer's is refused as well."""
    async with whole_site(tmp_path) as port:
        head = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        body = "0\r\n\r\n" if "Transfer-Encoding" in headers else ""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(f"{head}\r\n{body}".encode())
            assert int((await reader.read()).split(None, 2)[1]) == status


async def test_clients_turned_away_are_counted_by_reason(tmp_path: Path) -> None:
    """A foreign name, a compressed body and a wrong token each count under their reason, and nothing else does."""
    shown = source(curtailments=curtailment_api(tmp_path), door=Door(token=lambda: TOKEN))
    async with web.serve(shown, "127.0.0.1", 0) as (_, port):
        for path, header in (
            ("/", "Host: evil.example"),
            ("/", "Host: localhost\r\nContent-Encoding: gzip"),
            (PATH, "Host: localhost"),
            (PATH, "Host: localhost\r\nAuthorization: Bearer wrong"),
            (PATH, f"Host: localhost\r\nAuthorization: Bearer {TOKEN.text}"),
            ("/nothing", "Host: localhost"),
        ):
            await exchange(port, f"GET {path} HTTP/1.1\r\n{header}\r\n".encode())
    assert {reason: count for reason, count in shown.refused.items() if count} == {
        "host": 1,
        "compressed": 1,
        "token": 2,
    }


# Any query, at any address

_NAMES = ("from", "to", "step", "container", "state", "rack", "model", "cause", "q", "sort", "limit", "offset", "x")
_EDGES = (
    *("0", "-1", "1e3", "nan", "inf", "60", "59", "999999999999", "253402300799", "253402300800", "9" * 30, "1.5"),
    *("0001-01-01", "9999-12-31", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2025-10-01T25:00"),
    *("1970-01-01", "1969-12-31T23:59:59Z", "2025-W40", "20251001T000000", "\u0661", "%FF", "%00", "%ED%A0%80", "+"),
    *("C1", "hashing", "-since", "unreachable", "", " ", "'", '"', "\\", "x" * 129, "%", "%zz", "a&a", ";", "#"),
)
_value = st.sampled_from(_EDGES) | st.text(max_size=20) | st.integers(-(2**70), 2**70).map(str) | st.floats().map(repr)
_moment = st.datetimes().map(lambda at: at.isoformat()) | st.integers(0, 10**13).map(str)
_pair = st.tuples(st.sampled_from(_NAMES), _value | _moment).map("=".join)
_query = st.lists(_pair, max_size=4).map("&".join).map(str.encode) | st.binary(max_size=40)
_target = st.tuples(st.sampled_from((*ROUTES, "/nothing", "/api/v1/units/", "/assets/")), _query)


def sent(target: tuple[str, bytes]) -> bytes:
    """Return a request line's target; bytes that would end the line are escaped."""
    path, query = target
    return (
        path.encode()
        + b"?"
        + b"".join(b"%%%02X" % byte if byte <= 32 or byte == 127 else bytes((byte,)) for byte in query)
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(_target, min_size=10, max_size=25))
async def test_no_query_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, targets: list[Any]) -> None:
    """Any query at any address is answered or refused with a reason; none fails, and none is logged as a failure."""
    folder = tmp_path_factory.getbasetemp() / "any-query"
    folder.mkdir(exist_ok=True)
    token = f"Authorization: Bearer {TOKEN.text}\r\n".encode()
    with structlog.testing.capture_logs() as logged:
        async with whole_site(folder) as port:
            for target in targets:
                head = b"GET " + sent(target) + b" HTTP/1.1\r\nHost: localhost\r\n" + token
                status, body = await exchange(port, head)
                assert status in {200, 400, 404}, (target, status, body[:200])
                if target[0].startswith("/api/") and body.startswith(b"{"):
                    json.loads(body)
    assert [line for line in logged if line["log_level"] in {"error", "critical"}] == []


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("query", ["to=999999999999", "from=9999-12-31&to=99999999999", "container=%00&x=%FF&limit=-1"])
async def test_known_queries_that_failed(path: str, query: str, tmp_path: Path) -> None:
    """Times beyond the calendar and bytes that are no text are refused where they matter and ignored elsewhere."""
    async with whole_site(tmp_path) as port:
        head = f"GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN.text}\r\n"
        status, body = await exchange(port, head.encode())
    walk = {"/racks", "/repairs", "/api/v1/repairs"}
    takes_queries = path.removesuffix(".csv") in {"/api/v1/history", "/api/v1/influx", "/api/v1/units", "/units"} | walk
    assert status == (400 if takes_queries else 200)
    assert not (takes_queries and path.startswith("/api/")) or json.loads(body)["error"]


_header_value = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
_header = st.tuples(
    st.sampled_from(
        (
            "Accept",
            "Accept-Encoding",
            "Authorization",
            "Host",
            "Content-Type",
            "Range",
            "If-None-Match",
            "Cookie",
            "Origin",
        )
    ),
    _header_value,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ROUTES), st.lists(_header, max_size=3)), min_size=10, max_size=20))
async def test_no_header_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, asked: list[Any]) -> None:
    """Headers with any value are answered or refused, never with a failure."""
    folder = tmp_path_factory.getbasetemp() / "any-header"
    folder.mkdir(exist_ok=True)
    with structlog.testing.capture_logs() as logged:
        async with whole_site(folder) as port:
            for path, headers in asked:
                lines = headers if any(name == "Host" for name, _ in headers) else [("Host", "localhost"), *headers]
                text = "".join(f"{name}: {value}\r\n" for name, value in lines)
                status, body = await exchange(port, f"GET {path} HTTP/1.1\r\n{text}".encode("latin-1"))
                assert status in {200, 400, 401, 421, 429}, (path, headers, status, body[:200])
    assert [line for line in logged if line["log_level"] in {"error", "critical"}] == []


async def test_a_served_site_is_whole(tmp_path: Path) -> None:
    """The routes of these tests are all there are."""
    # Left out by a source that has none of it.
    kept = {PATH, "/repairs.csv", "/api/v1/repairs"}
    async with served(), whole_site(tmp_path):
        paths = {resource.canonical for resource in web._application(source()).router.resources()}
    assert {path.replace("a1", "{unit_id}").replace("page.css", "{name}") for path in ROUTES} - kept == paths


async def test_an_unknown_expectation_is_refused_as_safely_as_all_else(tmp_path: Path) -> None:
    """The library answers 417 by itself and quotes the client: that is text to every browser, and kept nowhere."""
    async with whole_site(tmp_path) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nExpect: <script>\r\nConnection: close\r\n\r\n")
            reply = await reader.read()
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 417 ")
    assert body == b"Unknown Expect: <script>"
    for header in (
        b"Content-Type: text/plain; charset=utf-8",
        b"X-Content-Type-Options: nosniff",
        b"Server: hashsight",
    ):
        assert b"\r\n" + header + b"\r\n" in head + b"\r\n"
    assert b"\r\nCache-Control: no-store\r\n" in head + b"\r\n"
