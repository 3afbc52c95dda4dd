"""The HTTP server over real sockets: its answers, its refusals, and its limits against bad clients."""

import asyncio
import gzip
import json
import re
import socket
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import jsonschema
import pytest
from exporter_cases import AT, entry, gone_silent, reading, status
from msgspec import structs
from patience import PATIENT_S
from prometheus_client.parser import text_string_to_metric_families as parse_text
from web_site import UNITS, get_json, served, source

from agent.errors import AgentError
from agent.exporters.web import listener
from agent.exporters.web import server as web
from agent.exporters.web.asset_files import ASSETS
from agent.exporters.web.guard import GuardedConnection
from agent.exporters.web.unit_query import QueryError, parse_query
from agent.site.lateness import held
from agent.site.mismatch import BinSource, Mismatch, ReportedBin
from agent.unit.coolant import CoolantLayout

on_both_loops = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
HEALTH_KEPT = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
ANSWERS = ("/", "/metrics", "/metrics/site", "/healthz", "/readyz", "/api/v1/site", "/api/v1/units", "/api/v1/schema")


async def say(port: int, request: bytes) -> bytes:
    """Send raw bytes, and return the reply up to the end of the connection.

    A server that hangs up on unread bytes resets the connection: what it answered before that arrived all the same. A
    stream of asyncio would throw it away.
    """
    loop, answer = asyncio.get_running_loop(), b""
    with closing(socket.socket()) as connection:
        connection.setblocking(False)  # noqa: FBT003 - the standard library's signature.
        await loop.sock_connect(connection, ("127.0.0.1", port))
        with suppress(ConnectionError):
            await loop.sock_sendall(connection, request)
        with suppress(ConnectionError):
            while part := await loop.sock_recv(connection, 65536):
                answer += part
    return answer


# Metrics and health


async def test_both_scopes_of_metrics() -> None:
    """/metrics has every family, /metrics/site leaves out units; both follow the scraper's headers."""
    async with served() as client:
        async with client.get("/metrics", headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert response.headers["Content-Encoding"] == "gzip"
            names = {family.name for family in parse_text(gzip.decompress(await response.read()).decode())}
        assert {"miner_up", "mining_site_coverage_ratio", "miner_agent_polls"} <= names
        wanted = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "identity"}
        async with client.get("/metrics/site", headers=wanted) as response:
            assert response.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
            body = await response.text()
    assert body.endswith("# EOF\n")
    assert "mining_site_coverage_ratio" in body
    assert "miner_up{" not in body


@pytest.mark.parametrize(
    ("path", "changes", "expected"),
    [
        ("/healthz", {}, (200, "ok\n")),
        ("/healthz", {"illness": lambda: "no poll was started for 40 s"}, (503, "no poll was started for 40 s\n")),
        ("/healthz", {"unreadiness": lambda: "first round under way"}, (200, "ok\n")),
        ("/readyz", {}, (200, "ready\n")),
        ("/readyz", {"unreadiness": lambda: "first round under way"}, (503, "first round under way\n")),
    ],
)
async def test_health(path: str, changes: dict[str, Any], expected: tuple[int, str]) -> None:
    """An agent that is not ready can be healthy; both addresses state the reason."""
    async with served(source(**changes)) as client, client.get(path) as response:
        assert (response.status, await response.text()) == expected


# The API


async def test_site_answer() -> None:
    """The site's figures come with their age, in base units."""
    async with served() as client:
        site = await get_json(client, "/api/v1/site")
    assert {key: site[key] for key in ("site", "version", "is_ready", "units", "deployed_hs", "simulated_units")} == {
        "site": "nd-1",
        "version": "1.2.3",
        "is_ready": True,
        "units": 6,
        "deployed_hs": 1.2e15,
        "simulated_units": 1,
    }
    assert (site["now"], site["figures_at"], site["figures_age_s"]) == (
        "2025-11-20T21:36:12.340000Z",
        "2025-11-20T21:36:00Z",
        12.3,
    )
    assert site["figures"]["operating_hs"] == 348e12
    assert site["figures"]["losses_hs"]["unreadable"] == 200e12
    assert [(each["container"], each["figures"]["units"]) for each in site["containers"]] == [("C1", 5), ("C2", 1)]
    assert [(each["container"], each["rack"]) for each in site["racks"]] == [("C1", "R2"), ("C1", "R9"), ("C2", "")]
    assert [each["model"] for each in site["models"]] == ["S21"]
    assert (site["operational_efficiency_target_ratio"], site["is_above_target"]) == (0.9, False)


async def test_site_answer_lists_losses_largest_first_and_in_words() -> None:
    """Each loss has containers, times in ISO 8601, and a sentence in the site's zone."""
    changes = {"zone": lambda: ZoneInfo("America/Chicago"), "seen_from": lambda: AT - 7200.0}
    async with served(source([gone_silent("b1"), gone_silent("b2"), UNITS[0]], **changes)) as client:
        site = await get_json(client, "/api/v1/site")
    assert (site["zone"], site["watched_from"]) == ("America/Chicago", "2025-11-20T19:36:00Z")
    assert [loss["cause"] for loss in site["losses"]] == ["unreachable", "underperforming"]
    assert site["losses"][0] == {
        "cause": "unreachable",
        "hashrate_hs": 400e12,
        "deployed_share_ratio": 2 / 3,
        "units": 2,
        "reasons": {"no_answer": 2},
        "places": [
            {
                "container": "C1",
                "units": 2,
                "first_since": "2025-11-20T20:36:00Z",
                "last_since": "2025-11-20T20:36:00Z",
            }
        ],
        "words": "400.00 TH/s unreachable: container C1, 2 units since 14:36",
    }


async def test_site_answer_before_the_first_round() -> None:
    """Before every unit was polled, the answer has the ledger's sums, the reason, and no figure."""
    async with served(source(site=lambda: None, unreadiness=lambda: "first round under way")) as client:
        site = await get_json(client, "/api/v1/site")
    assert (site["is_ready"], site["not_ready_reason"]) == (False, "first round under way")
    assert (site["units"], site["deployed_hs"]) == (6, 1.2e15)
    assert [site[key] for key in ("figures", "figures_at", "containers", "racks", "models")] == [None] * 5


async def test_answers_of_a_late_agent() -> None:
    """Site and unit say that the agent is late, with the figures as they were."""
    late = {"lateness": lambda: "1 of 2 units not looked at", "stretch_ratio": lambda: 4.20049}
    async with served(source([held(UNITS[0]), UNITS[1]], **late)) as client:
        site = await get_json(client, "/api/v1/site")
        answer = await get_json(client, "/api/v1/units/a1")
    assert (site["late_reason"], site["poll_stretch_ratio"]) == ("1 of 2 units not looked at", 4.2)
    assert (site["figures"]["overdue_units"], site["figures"]["overdue_hs"]) == (1, 200e12)
    assert (site["figures"]["operating_hs"], site["figures"]["coverage_ratio"]) == (348e12, 0.5)
    unit = answer["unit"]
    assert (unit["state"], unit["is_fresh"], unit["is_overdue"], unit["hashrate_hs"]) == (
        "hashing",
        False,
        True,
        198e12,
    )
    assert unit["why"] == "hashing; not looked at for 12 s: this agent is late"


async def test_unit_answer() -> None:
    """The answer about a unit has its boards, shares and time, and neither a pool address nor a user."""
    async with served() as client:
        answer = await get_json(client, "/api/v1/units/a1")
    assert answer["unit"]["state"] == "hashing"
    assert answer["unit"]["reading_age_s"] == 12.3
    assert answer["unit"]["losses"] == [{"cause": "underperforming", "hashrate_hs": 2e12}]
    assert (answer["unit"]["power_source"], answer["unit"]["power_missing_reason"]) == ("modelled", None)
    assert answer["reading"]["at"] == "2025-11-20T21:36:00Z"
    assert answer["reading"]["identity"]["firmware"] == "Fri Jul 12 2024"
    assert [board["chips"] for board in answer["reading"]["boards"]] == [108, 108, 108]
    assert answer["reading"]["shares"]["accepted"] == 1000
    assert "pool.invalid" not in json.dumps(answer)
    assert "someone" not in json.dumps(answer)


async def test_a_unit_in_the_wrong_row() -> None:
    """Row and answer have what the unit reports, in figures and in words; a unit in its row has null and no note."""
    mismatch = Mismatch("S21j XP Hyd.", ReportedBin(495e12, BinSource.RATE_SALE))
    words = "answers as S21j XP Hyd. and says it was sold as 495 TH/s (rate_sale); the ledger says S21 of 200 TH/s"
    read = reading("a1", hashrate_sale_hs=495e12, coolant_layout=CoolantLayout.UNKNOWN)
    wrong = structs.replace(status(entry("a1"), read), mismatch=mismatch)
    async with served(source([wrong, UNITS[1]])) as client:
        listed = (await get_json(client, "/api/v1/units"))["units"]
        answer = await get_json(client, "/api/v1/units/a1")
        right = await get_json(client, "/api/v1/units/a2")
    assert [row["mismatch"] for row in listed] == [
        {"model": "S21j XP Hyd.", "hashrate_hs": 495e12, "reported_by": "rate_sale", "text": words},
        None,
    ]
    assert answer["unit"]["mismatch"] == listed[0]["mismatch"]
    assert answer["notes"][0] == words
    assert answer["notes"][1].startswith("coolant not shown: no source tells which sensors of S21 are in the coolant")
    assert (answer["reading"]["hashrate_sale_hs"], answer["reading"]["coolant_layout"]) == (495e12, "unknown")
    assert (right["unit"]["mismatch"], right["notes"], right["reading"]["coolant_layout"]) == (None, [], "none")


async def test_a_unit_that_failed_and_one_not_polled() -> None:
    """A failed poll has its reason; a unit not polled yet has neither state nor loss."""
    async with served() as client:
        failed = await get_json(client, "/api/v1/units/b2")
        unpolled = await get_json(client, "/api/v1/units/c2")
    assert (failed["unit"]["state"], failed["unit"]["error_reason"], failed["error"]) == (
        "unreadable",
        "deadline",
        "no whole reply in 5 s",
    )
    assert failed["unit"]["hashrate_hs"] is None
    assert (failed["unit"]["power_watts"], failed["unit"]["power_missing_reason"]) == (None, "no fresh reading")
    assert failed["reading"] is None
    assert [unpolled["unit"][key] for key in ("state", "why", "since", "shortfall_hs", "losses")] == [None] * 5


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["a1", "a2", "b1", "b2", "c1", "c2"]),
        ("sort=-unit", ["c2", "c1", "b2", "b1", "a2", "a1"]),
        ("state=hashing", ["a1", "a2"]),
        ("state=unreachable", ["b1"]),
        ("cause=unreadable", ["b2"]),
        ("reason=no_whole_reply", ["b2"]),
        ("reason=asleep", []),
        ("cause=curtailed", []),
        ("container=C2", ["b2"]),
        ("container=", []),
        ("rack=R9", ["a2"]),
        ("model=S21&q=A1", ["a1"]),
        ("q=10.0.0.", ["b2"]),
        ("model=T21", []),
        ("sort=-shortfall", ["b1", "b2", "c1", "a2", "a1", "c2"]),
        ("sort=shortfall", ["a1", "a2", "b1", "b2", "c1", "c2"]),
        ("sort=hashrate", ["a2", "a1", "b1", "b2", "c1", "c2"]),
        ("limit=2&offset=3", ["b2", "c1"]),
        ("offset=100", []),
    ],
)
async def test_units_are_filtered_sorted_and_paged(query: str, expected: list[str]) -> None:
    """Filters combine, ties sort by id, units without the sorted value come last, pages come from the whole list."""
    async with served() as client:
        answer = await get_json(client, f"/api/v1/units?{query}")
    assert [unit["unit_id"] for unit in answer["units"]] == expected
    if "offset" in query:
        assert answer["total"] == 6


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (
            "state=fine",
            "state must be one of hashing, starting, stopped, curtailed, maintenance, unreachable,",
        ),
        ("reason=bad", "reason must be one of hashing, maintenance,"),
        ("cause=bad", "cause must be one of curtailed, maintenance,"),
        (
            "sort=colour",
            "sort must be one of unit, state, place, reason, model, celsius, since, shortfall, unexplained, hashrate,",
        ),
        ("limit=0", "limit must be a whole number from 1 to 1000, not '0'"),
        ("limit=1001", "limit must be a whole number from 1 to 1000, not '1001'"),
        ("limit=ten", "limit must be a whole number from 1 to 1000, not 'ten'"),
        ("limit=%D9%A1", "limit must be a whole number from 1 to 1000"),
        ("offset=-1", "offset must be a whole number from 0"),
        ("offset=" + "9" * 100, "offset must be a whole number from 0"),
        ("colour=red", "unknown parameter 'colour': expected one of state, reason, cause, pool, container,"),
        ("state=hashing&state=stopped", "state is given twice"),
        ("q=" + "x" * 129, "q is longer than 128 characters"),
    ],
)
async def test_bad_queries(query: str, reason: str) -> None:
    """A mistake in the query is answered with what is expected."""
    async with served() as client, client.get(f"/api/v1/units?{query}") as response:
        assert (response.status, response.content_type) == (400, "application/json")
        answer = await response.json()
    assert list(answer) == ["error"]
    assert answer["error"].startswith(reason)


def test_a_query_is_a_value() -> None:
    """A query can be parsed without a server."""
    assert parse_query([("sort", "-hashrate"), ("limit", "5")]).is_descending
    with pytest.raises(QueryError, match="given twice"):
        parse_query([("q", "a"), ("q", "b")])


async def test_answers_keep_to_their_schema() -> None:
    """Each answer, before and after the first round, fits the schema that the agent serves."""
    async with served() as client:
        schema = await get_json(client, "/api/v1/schema")
        site, units = [await get_json(client, path) for path in ("/api/v1/site", "/api/v1/units")]
        each = [await get_json(client, f"/api/v1/units/{unit['unit_id']}") for unit in units["units"]]
        async with client.get("/api/v1/units/none") as response:
            error = await response.json()
    async with served(source(site=lambda: None)) as client:
        waiting = await get_json(client, "/api/v1/site")

    @cache
    def validator(kind: str) -> jsonschema.Draft202012Validator:
        wanted = {"$schema": schema["$schema"], "$defs": schema["$defs"], **schema["answers"][kind]}
        jsonschema.Draft202012Validator.check_schema(wanted)
        return jsonschema.Draft202012Validator(wanted)

    def check(kind: str, answer: Any) -> None:
        validator(kind).validate(answer)

    check("/api/v1/site", site)
    check("/api/v1/site", waiting)
    check("/api/v1/units", units)
    for unit in each:
        check("/api/v1/units/{id}", unit)
    check("error", error)
    with pytest.raises(jsonschema.ValidationError):
        check("/api/v1/site", {})


# What is refused, and how


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/nothing", "text/plain"),
        ("/metrics/", "text/plain"),
        ("/api/v1/nothing", "application/json"),
        ("/api/v1/units/none", "application/json"),
        ("/api/v1/units/..%2f..%2fetc%2fpasswd", "application/json"),
        ("/assets/..%2fweb.py", "text/plain"),
        ("/assets/web.py", "text/plain"),
        ("/assets/page.css.map", "text/plain"),
    ],
)
async def test_nothing_there(path: str, kind: str) -> None:
    """Unknown addresses are 404, as JSON under /api/, and no path leaves the assets folder."""
    async with served() as client, client.get(aiohttp.client.URL(path, encoded=True)) as response:
        assert (response.status, response.content_type) == (404, kind)
        assert "Traceback" not in await response.text()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/units", "/nothing"])
async def test_only_reading(method: str, path: str) -> None:
    """Every method but GET and HEAD is 405, at every address."""
    async with served() as client, client.request(method, path, data=b"{}") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", [*ANSWERS, "/api/v1/units/a1", "/assets/page.css"])
async def test_head_is_get_without_the_body(path: str) -> None:
    """HEAD returns the status and headers of GET, without a body."""
    async with served() as client:
        async with client.head(path) as head:
            assert (head.status, await head.read()) == (200, b"")
        async with client.get(path) as whole:
            assert head.headers["Content-Type"] == whole.headers["Content-Type"]


@pytest.mark.parametrize("path", [*ANSWERS, "/nothing", "/api/v1/units?limit=x", "/assets/icon.svg"])
async def test_security_headers(path: str) -> None:
    """Every answer forbids sniffing, framing and foreign content; only assets may be cached."""
    async with served() as client, client.get(path) as response:
        headers = response.headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")
    assert headers["Server"] == "hashsight"
    assert "Access-Control-Allow-Origin" not in headers
    assert headers["Cache-Control"] == ("max-age=3600" if path.startswith("/assets/") else "no-store")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        + b"".join(b"X-%d: y\r\n" % index for index in range(20_000))
        + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        bytes(range(256)) * 4,
    ],
)
async def test_malformed_requests(request_bytes: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A malformed request gets one line that repeats none of it, is not logged, and blocks no other client."""
    async with web.serve(source(), "127.0.0.1", 0, header_deadline_s=PATIENT_S) as (_, port):
        answer = await say(port, request_bytes)
        assert answer.startswith(b"HTTP/1.0 400 Bad Request\r\n")
        assert b"\r\nX-Content-Type-Options: nosniff\r\n" in answer
        assert answer.endswith(b"\r\n\r\nnot a valid request\n")
        assert b" 200 " in await say(port, HEALTH)
    assert caplog.text == ""


async def test_a_bug_shows_in_the_log_only() -> None:
    """An unexpected exception is a 500 without its text, in the form of its address."""

    def broken() -> Any:
        raise RuntimeError("the secret of the house")

    async with served(source(site=broken)) as client:
        for path, kind in (("/", "text/plain"), ("/api/v1/site", "application/json")):
            async with client.get(path) as response:
                assert (response.status, response.content_type) == (500, kind)
                assert "secret" not in await response.text()
        async with client.get("/healthz") as response:
            assert response.status == 200


# Bad clients


@on_both_loops
async def test_slow_heads_are_cut() -> None:
    """Clients that send a head byte by byte are cut at the deadline; others are served meanwhile."""
    async with web.serve(source(), "127.0.0.1", 0, header_deadline_s=1.0) as (host, port):
        slow = [await asyncio.open_connection(host, port) for _ in range(100)]
        for _, writer in slow:
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert b" 200 " in await say(port, HEALTH)

        async def drip(writer: asyncio.StreamWriter) -> None:
            while True:
                writer.write(b"a")
                await asyncio.sleep(0.05)

        drips = [asyncio.create_task(drip(writer), name="drip") for _, writer in slow]
        async with asyncio.timeout(PATIENT_S):
            ends = await asyncio.gather(*(reader.read() for reader, _ in slow), return_exceptions=True)
        for task, (_, writer) in zip(drips, slow, strict=True):
            task.cancel()
            writer.close()
        await asyncio.gather(*drips, return_exceptions=True)
    assert all(end == b"" or isinstance(end, ConnectionError) for end in ends)


@on_both_loops
async def test_silent_and_half_second_requests_are_cut() -> None:
    """A silent connection is cut, and so is one whose second head never ends."""
    async with web.serve(source(), "127.0.0.1", 0, header_deadline_s=1.0) as (host, port):
        async with asyncio.timeout(PATIENT_S):
            silent, silent_writer = await asyncio.open_connection(host, port)
            assert await _end(silent) == b""
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(HEALTH_KEPT)
            assert b" 200 " in await reader.readuntil(b"ok\n")
            writer.write(b"GET / HT")
            assert await _end(reader) == b""
        silent_writer.close()
        writer.close()


async def _end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@on_both_loops
async def test_a_kept_connection_outlives_the_header_deadline() -> None:
    """A scraper may keep its connection idle between scrapes."""
    async with web.serve(source(), "127.0.0.1", 0, header_deadline_s=0.5) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        for _ in range(2):
            writer.write(HEALTH_KEPT)
            assert b" 200 " in await reader.readuntil(b"ok\n")
            await asyncio.sleep(0.7)
        writer.close()


@on_both_loops
async def test_a_reader_that_does_not_read_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that requests a big body and reads none of it is cut at the deadline."""
    monkeypatch.setattr(listener, "ANSWER_DEADLINE_S", 0.3)
    is_cut = asyncio.Event()
    abort = GuardedConnection.abort

    def abort_and_signal(connection: GuardedConnection) -> None:
        abort(connection)
        is_cut.set()

    monkeypatch.setattr(GuardedConnection, "abort", abort_and_signal)

    async def scrape(
        accept: str = "", accept_encoding: str = "", *, scope: str = "all"
    ) -> tuple[bytes, dict[str, str]]:
        assert (accept, accept_encoding, scope) == ("", "", "all")
        return b"x" * 50_000_000, {"Content-Type": "text/plain"}

    loop = asyncio.get_running_loop()
    async with web.serve(source(scrape=scrape), "127.0.0.1", 0) as (host, port), asyncio.timeout(PATIENT_S):
        with closing(socket.socket()) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)  # noqa: FBT003 - the standard library's signature.
            await loop.sock_connect(connection, (host, port))
            await loop.sock_sendall(connection, b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            await is_cut.wait()
        assert b" 200 " in await say(port, HEALTH)


async def test_fifty_scrapers_at_once() -> None:
    """Fifty concurrent scrapers get the same complete body."""
    async with served() as client:

        async def scrape() -> bytes:
            async with client.get("/metrics", headers={"Accept-Encoding": "gzip"}) as response:
                assert response.status == 200
                return await response.read()

        bodies = await asyncio.gather(*(scrape() for _ in range(50)))
    assert len(set(bodies)) == 1
    assert b"miner_up{" in gzip.decompress(bodies[0])


async def test_it_stops_with_clients_connected() -> None:
    """Stopping waits neither for idle connections nor for one in mid-request."""
    async with asyncio.timeout(PATIENT_S):
        async with web.serve(source(), "127.0.0.1", 0) as (host, port):
            idle, idle_writer = await asyncio.open_connection(host, port)
            idle_writer.write(HEALTH_KEPT)
            await idle.readuntil(b"ok\n")
            half, half_writer = await asyncio.open_connection(host, port)
            half_writer.write(b"GET / HT")
            await asyncio.sleep(0)
        assert await _end(idle) == b""
        assert await _end(half) == b""
        idle_writer.close()
        half_writer.close()


async def test_a_port_that_another_agent_holds_is_named() -> None:
    """Starting on a port in use says who holds it and which setting names it."""
    async with web.serve(source(), "127.0.0.1", 0) as (host, port):
        with pytest.raises(AgentError, match=r"another agent holds 127\.0\.0\.1:[0-9]+ \(web\.listen\)"):
            async with web.serve(source(), host, port):
                pass


# Assets


def test_assets_refer_to_no_other_host() -> None:
    """No asset refers to another host; an XML namespace is a name, not an address."""
    folder = Path(web.__file__).parent / "assets"
    assert {path.name for path in folder.iterdir()} == set(ASSETS)
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]|@import|url\(", text), path.name
