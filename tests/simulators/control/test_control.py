"""The control API: its replies, changes and refusals, the truth of its OpenAPI document, and garbage."""

import asyncio
import io
import json
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import jsonschema
import pytest
from report_listener import heard_reports
from sim_cases import START, ask, make_farm

from simulators.control.control import Control
from simulators.control.http import serve_control
from simulators.control.operations import describe
from simulators.farm.farm import Farm
from simulators.farm.plan import Troubles
from simulators.faults.vocabulary import FAULTS
from simulators.sockets.journal import Journal
from simulators.sockets.serving import serve_farm, sweep
from simulators.strangers.surroundings import Surroundings, read_strangers

TROUBLES = Troubles(off=0.1, asleep=0.1, starting=0.0, missing_board=0.1, missing_chips=0.0, slow=0.0)

# The part of the OpenAPI 3.1 structure that our document uses; its schemas are checked as JSON Schema 2020-12 as well.
OPENAPI_SHAPE = {
    "type": "object",
    "required": ["openapi", "info", "paths", "components"],
    "additionalProperties": False,
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {
            "type": "object",
            "required": ["title", "version"],
            "additionalProperties": False,
            "properties": {
                "title": {"type": "string"},
                "version": {"type": "string"},
                "summary": {"type": "string"},
                "license": {"type": "object", "required": ["name"]},
            },
        },
        "paths": {
            "type": "object",
            "minProperties": 1,
            "patternProperties": {
                "^/": {
                    "type": "object",
                    "additionalProperties": False,
                    "patternProperties": {"^(get|put|post|delete)$": {"$ref": "#/$defs/operation"}},
                }
            },
            "additionalProperties": False,
        },
        "components": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"schemas": {"type": "object", "propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"}}},
        },
    },
    "$defs": {
        "content": {
            "type": "object",
            "required": ["application/json"],
            "properties": {"application/json": {"type": "object", "required": ["schema"]}},
        },
        "operation": {
            "type": "object",
            "required": ["operationId", "summary", "responses"],
            "additionalProperties": False,
            "properties": {
                "operationId": {"type": "string", "pattern": "^[a-z_]+$"},
                "summary": {"type": "string", "minLength": 8},
                "parameters": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name", "in", "required", "schema"],
                        "properties": {"in": {"enum": ["path", "query"]}},
                        "if": {"properties": {"in": {"const": "path"}}},
                        "then": {"properties": {"required": {"const": True}}},
                    },
                },
                "requestBody": {
                    "type": "object",
                    "required": ["content"],
                    "properties": {"content": {"$ref": "#/$defs/content"}},
                },
                "responses": {
                    "type": "object",
                    "minProperties": 1,
                    "additionalProperties": False,
                    "patternProperties": {
                        "^[1-5][0-9][0-9]$": {
                            "type": "object",
                            "required": ["description", "content"],
                            "properties": {"content": {"$ref": "#/$defs/content"}},
                        }
                    },
                },
            },
        },
    },
}


class Client:
    """A client that validates every reply against the API's own OpenAPI document."""

    def __init__(self, session: aiohttp.ClientSession, document: dict[str, Any]) -> None:
        self.session = session
        self.document = document
        self.seen: set[tuple[str, str, int]] = set()

    async def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and decoded reply."""
        async with self.session.request(method, path, json=body) as reply:
            answer = await reply.json()
        self._check(method, path.partition("?")[0], reply.status, answer)
        return reply.status, answer

    def _check(self, method: str, path: str, status: int, answer: object) -> None:
        for pattern, operations in self.document["paths"].items():
            if re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path) and method.lower() in operations:
                schema = operations[method.lower()]["responses"][str(status)]["content"]["application/json"]["schema"]
                jsonschema.validate(answer, {**schema, "components": self.document["components"]})
                self.seen.add((method, pattern, status))


@asynccontextmanager
async def controlled(farm: Farm, journal: Journal | None = None) -> AsyncIterator[Client]:
    """Serve the control API of a farm on a free port, and yield a client."""
    async with (
        asyncio.timeout(120.0),
        serve_control(farm, Journal() if journal is None else journal) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as session,
    ):
        async with session.get("/openapi.json") as reply:
            document = await reply.json()
        yield Client(session, document)


def references(schema: object) -> Iterator[str]:
    """Yield every reference in a document."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def test_the_description_is_openapi_3_1() -> None:
    """Structure, path parameters and references are valid, schemas are JSON Schema 2020-12, and ids are unique."""
    operations = Control(make_farm(), Journal()).operations()
    document = json.loads(json.dumps(describe(operations, title="t", version="1", about="a")))
    jsonschema.Draft202012Validator(OPENAPI_SHAPE).validate(document)
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert {reference.removeprefix("#/components/schemas/") for reference in references(document)} == set(schemas)
    ids = []
    for path, methods in document["paths"].items():
        for operation in methods.values():
            ids.append(operation["operationId"])
            named = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", path))
    assert len(ids) == len(set(ids)) == len(operations)
    assert schemas["SiteTruth"]["properties"]["joules"]["description"] == "Drawn since the farm's start."


async def test_every_operation_answers_as_described() -> None:
    """Each operation succeeds once and gives each of its declared refusals once, as the document describes."""
    around = Surroundings(strangers=(read_strangers("whatsminer=127.78.0.1"), read_strangers("web=127.78.0.2")))
    farm = make_farm(20, troubles=TROUBLES, around=around)
    dark = next(unit.identity.unit_id for unit in farm.units if unit.is_silent)
    lit = next(unit.identity.unit_id for unit in farm.units if not unit.is_silent)
    with heard_reports() as (_, to):
        async with controlled(farm) as client:
            await _call_everything(client, dark=dark, lit=lit, to=to)


async def _call_everything(client: Client, *, dark: str, lit: str, to: str) -> None:
    for method, path, body, status in [
        ("POST", f"/units/{lit}/press", {"to": to}, 200),
        ("POST", f"/units/{lit}/press", {"to": "nobody"}, 400),
        ("POST", f"/units/{lit}/press", {"to": "192.0.2.1:9"}, 503),
        ("POST", f"/units/{dark}/press", {"to": to}, 409),
        ("POST", "/units/none/press", {}, 404),
        ("GET", "/strangers", None, 200),
        ("GET", "/strangers?x=1", None, 400),
        ("POST", "/strangers/127.78.0.1/press", {"to": to}, 200),
        ("POST", "/strangers/127.78.0.1/press", {"times": 9}, 400),
        ("POST", "/strangers/127.78.0.1/press", {"to": "192.0.2.1:9"}, 503),
        ("POST", "/strangers/127.78.0.2/press", {"to": to}, 409),
        ("POST", "/strangers/127.78.0.3/press", {"to": to}, 404),
        ("GET", "/truth", None, 200),
        ("GET", "/truth?limit=-1", None, 400),
        ("GET", "/units", None, 200),
        ("GET", "/units?state=sunny", None, 400),
        ("GET", "/units/C1-R01-01", None, 200),
        ("GET", "/units/C1-R01-01?x=1", None, 400),
        ("GET", "/units/none", None, 404),
        ("GET", "/vocabulary", None, 200),
        ("GET", "/vocabulary?x=1", None, 400),
        ("POST", "/faults", {"fault": "frozen", "duration_s": 60.0}, 201),
        ("POST", "/faults", {"fault": "boredom"}, 400),
        ("GET", "/faults", None, 200),
        ("GET", "/faults?x=1", None, 400),
        ("GET", "/faults/1", None, 200),
        ("GET", "/faults/one", None, 400),
        ("GET", "/faults/9", None, 404),
        ("DELETE", "/faults/1", None, 200),
        ("DELETE", "/faults/one", None, 400),
        ("DELETE", "/faults/1", None, 404),
        ("DELETE", "/faults", None, 200),
        ("DELETE", "/faults?x=1", None, 400),
        ("GET", "/time", None, 200),
        ("GET", "/time?x=1", None, 400),
        ("PUT", "/time", {"speed": 0.0}, 200),
        ("PUT", "/time", {"speed": -1.0}, 400),
        ("POST", "/time/advance", {"seconds": 60}, 200),
        ("POST", "/time/advance", {"seconds": -60}, 400),
        ("GET", "/scenarios", None, 200),
        ("GET", "/scenarios?x=1", None, 400),
        ("GET", "/scenario", None, 200),
        ("GET", "/scenario?x=1", None, 400),
        ("POST", "/scenario", {"name": "pool-outage"}, 201),
        ("GET", "/scenario", None, 200),
        ("POST", "/scenario", {"name": "pool-outage"}, 409),
        ("DELETE", "/scenario", None, 200),
        ("DELETE", "/scenario?x=1", None, 400),
        ("POST", "/scenario", {}, 400),
        ("GET", "/requests", None, 200),
        ("GET", "/requests?limit=2000", None, 400),
    ]:
        got, answer = await client(method, path, body)
        assert (method, path, got) == (method, path, status), answer
    declared = {
        (method.upper(), path, int(status))
        for path, methods in client.document["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
    }
    assert client.seen == declared


async def test_the_truth_comes_by_the_page_and_without_units() -> None:
    """Every page has the whole site; the pages together list the farm in order; `units=false` lists no unit."""
    async with controlled(make_farm(25, troubles=TROUBLES)) as client:
        _, first = await client("GET", "/truth?limit=10")
        _, second = await client("GET", f"/truth?limit=10&offset={first['next_offset']}")
        _, last = await client("GET", f"/truth?limit=10&offset={second['next_offset']}")
        assert (first["next_offset"], second["next_offset"], last["next_offset"]) == (10, 20, None)
        assert first["site"] == second["site"] == last["site"]
        ids = [unit["unit_id"] for page in (first, second, last) for unit in page["units"]]
        assert ids == [f"C1-R01-{n:02d}" for n in range(1, 21)] + [f"C1-R02-{n:02d}" for n in range(1, 6)]
        _, site = await client("GET", "/truth?units=false")
        assert (site["units"], site["next_offset"], site["site"]) == ([], None, first["site"])


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("", 40),
        ("container=C2", 20),
        ("container=C2&rack=C1-R01", 0),
        ("state=off", 4),
        ("state=asleep", 4),
        ("state=hashing", 32),
        ("cause=missing_boards", 4),
        ("fault=power_off", 4),
        ("model=T21", 20),
        ("model=T21&state=off&limit=0", 1),
    ],
)
async def test_units_are_found_by_place_model_state_cause_and_fault(query: str, total: int) -> None:
    """Each filter works alone and together with others."""
    farm = make_farm(40, mix="S21=50%,T21=50%", containers=2, troubles=TROUBLES)
    async with controlled(farm) as client:
        _, page = await client("GET", f"/units?{query}")
        assert page["total"] == total
        assert len(page["units"]) == (0 if "limit=0" in query else total)


async def test_a_fault_begins_and_ends_over_the_api() -> None:
    """It is injected with values, selector and times, is listed, shows in the truth, and ends by itself."""
    farm = make_farm(10)
    async with controlled(farm) as client:
        order = {"fault": "dead_board", "values": {"board": 2}, "who": {"share": 0.3}}
        status, injected = await client("POST", "/faults", {**order, "at": START + 60.0, "duration_s": 600.0})
        assert (status, injected["units"], injected["is_active"], injected["selected"]) == (201, 3, False, "share=30%")
        _, whole = await client("GET", f"/faults/{injected['id']}")
        assert len(whole["unit_ids"]) == 3
        await client("POST", "/time/advance", {"seconds": 61.0})
        _, units = await client("GET", "/units?fault=dead_board")
        assert [unit["unit_id"] for unit in units["units"]] == whole["unit_ids"]
        assert {unit["cause"] for unit in units["units"]} == {"missing_boards"}
        await client("POST", "/time/advance", {"seconds": 600.0})
        assert (await client("GET", "/faults"))[1] == []
        _, truth = await client("GET", "/truth?units=false")
        assert set(truth["site"]["lost_hashes"]) == {"missing_boards"}


async def test_clearing_over_the_api() -> None:
    """One fault is cleared, then all of them; the reply lists the cleared faults."""
    farm = make_farm(4)
    async with controlled(farm) as client:
        for fault in ("power_off", "asleep", "latency"):
            await client("POST", "/faults", {"fault": fault})
        _, cleared = await client("DELETE", "/faults/2")
        assert (cleared["id"], cleared["fault"]) == (2, "asleep")
        _, rest = await client("DELETE", "/faults")
        assert [fault["fault"] for fault in rest] == ["power_off", "latency"]
        await client("POST", "/time/advance", {"seconds": 600.0})
        _, truth = await client("GET", "/truth")
        assert truth["site"]["units_by_state"] == {"hashing": 4}


async def test_time_is_set_advanced_and_paced() -> None:
    """Jumps and speeds are set; the past and absurd distances are refused and change nothing."""
    farm = make_farm(2)
    async with controlled(farm) as client:
        _, time = await client("PUT", "/time", {"at": START + 3600.0})
        assert (time["now"], time["utc"], time["since_start_s"]) == (
            START + 3600.0,
            "2025-10-09T09:53:20+00:00",
            3600.0,
        )
        _, time = await client("POST", "/time/advance", {"seconds": 400.0})
        assert time["now"] == START + 4000.0
        for wrong in ({"at": START}, {"at": START + 5e8}, {"at": START, "speed": 2.0}, {"speed": 1e9}, {"at": "now"}):
            assert (await client("PUT", "/time", wrong))[0] == 400
        assert (farm.clock.now(), farm.clock.speed) == (START + 4000.0, 0.0)
        _, time = await client("PUT", "/time", {"speed": 50.0})
        assert (time["speed"], farm.clock.speed) == (50.0, 50.0)


async def test_a_scenario_is_played_followed_and_stopped() -> None:
    """The reply lists its curtailments, the truth follows, a second one is refused, and stopping wakes all units."""
    text = (
        'about = "a test"\nstart = 2025-01-01T00:00:00Z\nduration = "4h"\n'
        '[[curtailment]]\nabout = "x"\nat = "1h"\nfor = "2h"\nsite = true\n'
    )
    async with controlled(make_farm(10)) as client:
        status, played = await client("POST", "/scenario", {"toml": text})
        assert status == 201
        assert played["curtailments"] == [
            {
                "begin": START + 3600.0,
                "end": START + 3 * 3600.0,
                "scope": "site",
                "name": "",
                "target_ratio": 0.0,
                "about": "x",
            }
        ]
        await client("POST", "/time/advance", {"seconds": 5400.0})
        _, truth = await client("GET", "/truth?units=false")
        assert (truth["site"]["units_by_state"], set(truth["site"]["losses_hs"])) == ({"asleep": 10}, {"curtailed"})
        _, faults = await client("GET", "/faults")
        assert [(fault["fault"], fault["origin"]) for fault in faults] == [
            ("curtailed", "scenario text"),
            ("asleep", "scenario text"),
        ]
        status, refusal = await client("POST", "/scenario", {"name": "quiet-day"})
        assert (status, refusal["error"]) == (409, "scenario text is being played; stop it first")
        await client("DELETE", "/scenario")
        await client("POST", "/time/advance", {"seconds": 600.0})
        _, truth = await client("GET", "/truth?units=false")
        assert truth["site"]["units_by_state"] == {"hashing": 10}


async def test_the_log_of_requests_proves_who_wrote() -> None:
    """Requests come newest first, by unit, writes only, by the page; counts go on beyond the log's bound."""
    journal = Journal(size=5)
    for number in range(8):
        journal.note(START + number, f"u{number % 2}", "stats" if number else "reload", is_write=number in {0, 6})
    async with controlled(make_farm(1), journal) as client:
        _, page = await client("GET", "/requests?limit=2")
        assert (page["total"], page["writes"], page["kept"], page["fitting"], page["next_offset"]) == (8, 2, 5, 5, 2)
        assert page["counts"] == {"reload": 1, "stats": 7}
        assert [entry["at"] - START for entry in page["requests"]] == [7.0, 6.0]
        _, page = await client("GET", "/requests?writes=true")
        assert [(entry["unit_id"], entry["at"] - START) for entry in page["requests"]] == [("u0", 6.0)]
        _, page = await client("GET", "/requests?unit=u1")
        assert [entry["at"] - START for entry in page["requests"]] == [7.0, 5.0, 3.0]


async def test_sockets_follow_at_once() -> None:
    """When the API cuts power, the address is silent before the reply is sent; after power and boot it answers."""
    farm = make_farm(2, base="127.81.0.1")
    async with serve_farm(farm, port=0) as server:
        host = farm.units[0].identity.host
        async with (
            serve_control(farm, server.journal, follow=lambda: sweep(farm, server)) as (at, port),
            aiohttp.ClientSession(f"http://{at}:{port}") as session,
        ):
            assert b"STATS" in await ask(host, server.port)
            order = {"fault": "power_off", "who": {"units": [farm.units[0].identity.unit_id]}, "duration_s": 30.0}
            async with session.post("/faults", json=order) as reply:
                assert reply.status == 201
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await ask(host, server.port)
            async with session.post("/time/advance", json={"seconds": 100.0}) as reply:
                assert reply.status == 200
            assert b"STATS" in await ask(host, server.port)
            async with session.get("/requests?unit=C1-R01-01") as reply:
                assert [entry["request"] for entry in (await reply.json())["requests"]] == ["stats new_api"] * 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("GET", "/nowhere", b"", 404, "Not Found; see /openapi.json"),
        ("PATCH", "/truth", b"", 405, "Method Not Allowed; see /openapi.json"),
        ("GET", "/units?offset=-1", b"", 400, "query: Expected `int` >= 0 - at `$.offset`"),
        ("GET", "/units?colour=red", b"", 400, "query: Object contains unknown field `colour`"),
        ("GET", "/units?rack=a&rack=b", b"", 400, "query: 'rack' is given twice"),
        ("POST", "/faults", b"", 400, "body: Input data was truncated"),
        ("POST", "/faults", b"{", 400, "body: Input data was truncated"),
        ("POST", "/faults", b"\xff\xfe", 400, "body: JSON is malformed: invalid character (byte 0)"),
        ("POST", "/faults", b"[" * 100_000, 400, "body: Expected `object`, got `array`"),
        ("POST", "/faults", b'{"fault":"down","values":' + b'{"a":' * 50_000, 400, "body: "),
        ("POST", "/faults", b"{}", 400, "body: Object missing required field `fault`"),
        ("POST", "/faults", b'{"fault":"down","whom":{}}', 400, "body: Object contains unknown field `whom`"),
        ("POST", "/faults", b'{"fault":"down","who":{"container":["C1"]}}', 400, "body: Object contains unknown field"),
        ("POST", "/faults", b'{"fault":"down","who":{"share":2}}', 400, "body: Expected `float` <= 1.0 - at `$.who"),
        ("POST", "/faults", b'{"fault":"down","duration_s":NaN}', 400, "body: JSON is malformed"),
        ("POST", "/faults", b'{"fault":"down","duration_s":1e999}', 400, "body: Number out of range"),
        ("POST", "/faults", b'{"fault":"down","who":{"racks":["R"]}}', 400, "no unit is selected by racks=R"),
        ("POST", "/faults", b'{"fault":"latency","values":{"wait_s":-1}}', 400, "fault latency: wait_s must be 0"),
        ("POST", "/faults", b'{"fault":"address_swapped","values":{"unit_id":"x"}}', 400, "no unit 'x' to put at"),
        ("POST", "/time/advance", b'{"seconds":1e12}', 400, "body: Expected `float` <= 31622400.0 - at `$.seconds`"),
        ("POST", "/scenario", b'{"name":"/etc/passwd"}', 400, "/etc/passwd: file: no scenario of that name"),
        ("POST", "/scenario", b'{"toml":"a.a"}', 400, "toml: file: not TOML"),
        ("POST", "/scenario", b'{"name":"quiet-day","toml":""}', 400, "a name or a text in toml is expected"),
        ("POST", "/scenario", b'{"name":"dhcp-shuffle"}', 400, "event[0]: no unit is selected by containers=C2"),
        ("POST", "/faults", b"x" * 2_000_000, 413, ""),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else None,
)  # fmt: skip
async def test_an_impossible_request_is_refused_with_its_reason(
    method: str, path: str, body: bytes, status: int, reason: str
) -> None:
    """The status and the text say what is wrong, and the farm is unchanged."""
    farm = make_farm(3)
    async with controlled(farm) as client:
        async with client.session.request(method, path, data=io.BytesIO(body)) as reply:
            refusal = await reply.json()
        assert (reply.status, refusal["error"][: len(reason)]) == (status, reason)
        assert (farm.active_injections(), farm.clock.now()) == ([], START)


def garbage(rng: random.Random) -> tuple[str, str, bytes]:
    """Return a request that is partly right and partly wrong."""
    words = (
        *FAULTS,
        "C1",
        "C1-R01-01",
        "fault",
        "who",
        "share",
        "values",
        "seconds",
        "at",
        "name",
        "toml",
        "\x00",
        "ü",
    )
    paths = ("truth", "units", "faults", "faults/1", "time", "time/advance", "scenario", "scenarios", "requests", "x")

    def value(depth: int = 0) -> object:
        kind = rng.randrange(9 if depth < 3 else 6)
        simple: tuple[object, ...] = (
            rng.choice(words),
            rng.randrange(-5, 10),
            10 ** rng.randrange(1, 300),
            rng.random() * 10.0 ** rng.randrange(-5, 300),
            None,
            rng.random() < 0.5,
        )
        if kind < 6:
            return simple[kind]
        if kind == 6:
            return [value(depth + 1) for _ in range(rng.randrange(4))]
        return {rng.choice(words): value(depth + 1) for _ in range(rng.randrange(5))}

    path = "/" + rng.choice(paths)
    if rng.random() < 0.3:
        path += "/" + "".join(rng.choice("abc019./%25%00~é") for _ in range(rng.randrange(12)))
    if rng.random() < 0.3:
        name = rng.choice(("limit", "offset", "unit", "units", "state", "x"))
        path += f"?{name}={rng.choice((rng.choice(words), rng.randrange(-9, 99), 10**40))}"
    body = json.dumps(value()).encode()
    if rng.random() < 0.3:
        at = rng.randrange(len(body))
        body = body[:at] + rng.randbytes(rng.randrange(8)) + body[at + rng.randrange(4) :]
    return rng.choice(("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW")), path, body


async def test_ten_thousand_garbage_requests_do_no_harm() -> None:
    """9,000 nearly right requests and 1,000 connections of random bytes cause no 5xx, and the API works on."""
    farm = make_farm(4)
    statuses: set[int] = set()
    async with (
        asyncio.timeout(300.0),
        serve_control(farm, Journal()) as (host, port),
        aiohttp.ClientSession(f"http://{host}:{port}") as session,
    ):

        async def misbehave(seed: int, count: int) -> None:
            rng = random.Random(seed)
            for _ in range(count):
                method, path, body = garbage(rng)
                try:
                    async with session.request(method, path, data=body) as reply:
                        await reply.read()
                        statuses.add(reply.status)
                except (aiohttp.ClientError, ValueError):
                    # The client itself would not send that, or the server hung up on it.
                    continue

        async def mumble(seed: int, count: int) -> None:
            rng = random.Random(seed)
            for _ in range(count):
                reader, writer = await asyncio.open_connection(host, port)
                writer.write(rng.choice((b"", b"GET ", b"POST /faults HTTP/1.1\r\nContent-Length: 1\r\n\r\n")))
                writer.write(rng.randbytes(rng.randrange(200)))
                writer.write_eof()
                try:
                    status = (await reader.read()).split(b" ", 2)[1:2]
                except ConnectionError:
                    status = []
                statuses.update(int(code) for code in status)
                writer.close()

        async with asyncio.TaskGroup() as group:
            for seed in range(18):
                group.create_task(misbehave(seed, 500))
            for seed in range(4):
                group.create_task(mumble(seed, 250))
        assert {200, 400, 404, 405} <= statuses
        assert not {status for status in statuses if status >= 500}
        await session.delete("/faults")
        async with session.get("/truth") as reply:
            truth = await reply.json()
        assert (reply.status, truth["site"]["units"], truth["site"]["deployed_hs"]) == (200, 4, 4 * 200e12)
