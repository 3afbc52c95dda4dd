"""Meters: the meaning of their answers, how long a reading counts, and the cost of a bad one."""

import asyncio
import gzip
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from certificates import Authority
from hypothesis import given
from hypothesis import strategies as st
from patience import PATIENT_S

from agent.config.json_pointer import parse_pointer, resolve
from agent.config.sections import MeterSection
from agent.errors import ConfigError, MeterError
from agent.meters.meters import MAX_REPLY_BYTES, MAX_WATTS, Meters, read_watts
from agent.runtime.setup import load_setup
from agent.site.metered import Metered, MeterState, add_up

NOW = 1763674560.0


def section(name: str = "feeder", **keys: Any) -> MeterSection:
    """Return one meter's section."""
    return MeterSection(name=name, **keys)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """Return the time, s."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Return the monotonic clock of a test."""
    return Clock()


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Any], tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve one meter over HTTP, or HTTPS with `tls`; yield its address."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response: web.StreamResponse = await answer(request)
        return response

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"{'https' if tls else 'http'}://{host}:{port}"
    finally:
        await runner.cleanup()


def saying(body: bytes, status: int = 200, **headers: str) -> Callable[[web.Request], Any]:
    """Return a handler that always answers the same."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers=headers)

    return answer


# What an answer means


@pytest.mark.parametrize(
    ("data", "pointer", "scale", "watts"),
    [
        (b"1234.5", "", 1, 1234.5),
        (b" 1234\n", "", 1, 1234),
        (b'"1234.5"', "", 1, 1234.5),
        (b'{"em":[{"act_power":1.2}]}', "/em/0/act_power", 1000, 1200),
        (b'{"a/b":{"~":3}}', "/a~1b/~0", 1, 3),
        (b'{"":{"0":7}}', "//0", 1, 7),
        (b"0", "", 1, 0),
        (b"1e7", "", 1000, 1e10),
    ],
)
def test_an_answer_that_is_power(data: bytes, pointer: str, scale: float, watts: float) -> None:
    """Power is a number, or a string of one, anywhere in JSON; zero is a measured zero."""
    assert read_watts(data, pointer=pointer, scale=scale) == watts


@pytest.mark.parametrize(
    ("data", "pointer", "reason"),
    [
        (b"", "", "not JSON: ''"),
        (b"12 kW", "", "not JSON: '12 kW'"),
        (b"\xff\xfe\x00", "", r"not JSON: '\\xff\\xfe\\x00'"),
        (b"[" * 100_000, "", "not JSON: '" + "[" * 40 + "'"),
        (b"9" * 5000, "", "not JSON: '" + "9" * 40 + "'"),
        (b'{"power":3}', "/watts", "nothing at /watts"),
        (b'{"em":[{"power":3}]}', "/em/1/power", "nothing at /em/1"),
        (b'{"em":[{"power":3}]}', "/em/00/power", "nothing at /em/00"),
        (b'{"em":[{"power":3}]}', "/em/-/power", "nothing at /em/-"),
        (b"null", "", "expected a number, found null"),
        (b"true", "", "expected a number, found true"),
        (b'{"power":3}', "", 'expected a number, found {"power": 3}'),
        (b'"1,200"', "", 'expected a number, found "1,200"'),
        (b'"nan"', "", 'expected a number, found "nan"'),
        (b"NaN", "", "nan W is out of range (0 to 1e10)"),
        (b"Infinity", "", "inf W is out of range (0 to 1e10)"),
        (b"1e400", "", "inf W is out of range (0 to 1e10)"),
        (b"-1", "", "-1 W is out of range (0 to 1e10)"),
        (b"1e11", "", "1e+11 W is out of range (0 to 1e10)"),
    ],
)
def test_an_answer_that_is_no_power(data: bytes, pointer: str, reason: str) -> None:
    """Everything else is refused, and the message quotes it."""
    with pytest.raises(MeterError) as caught:
        read_watts(data, pointer=pointer)
    assert str(caught.value) == reason


@given(data=st.binary() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_answer_is_power_or_a_meter_error(data: bytes | str) -> None:
    """Any input gives watts in range or a MeterError."""
    try:
        watts = read_watts(data.encode() if isinstance(data, str) else data)
    except MeterError:
        return
    assert 0 <= watts <= MAX_WATTS


@given(
    value=st.recursive(
        st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_every_place_in_json_has_a_pointer(value: Any) -> None:
    """Every value in JSON is found again by its pointer as RFC 6901 writes it."""

    def check(found: Any, pointer: str) -> None:
        assert resolve(value, parse_pointer(pointer)) == found
        if isinstance(found, list):
            for index, item in enumerate(found):
                check(item, f"{pointer}/{index}")
        elif isinstance(found, dict):
            for name, item in found.items():
                check(item, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")

    check(value, "")


# Which readings count


def test_constants_count_for_ever_and_add_up() -> None:
    """Two feeders of one container sum to one figure; the site and its units have their own."""
    meters = Meters(
        [
            section("a", container="C1", watts=1000.0),
            section("b", container="C1", watts=200.0),
            section("c", watts=5000.0),
            section("d", unit="u1", watts=3.0),
        ]
    )
    assert add_up(meters.readings()) == Metered(
        site_watts=5000.0, container_watts={"C1": 1200.0}, unit_watts={"u1": 3.0}
    )


async def test_a_sum_with_a_missing_part_is_absent(tmp_path: Path) -> None:
    """One of two feeders is not the container's power."""
    missing = tmp_path / "b"
    meters = Meters([section("a", container="C1", watts=1000.0), section("b", container="C1", file=missing)])
    await meters.read_once()
    assert add_up(meters.readings()) == Metered()
    missing.write_text("200", encoding="utf-8")
    await meters.read_once()
    assert add_up(meters.readings()) == Metered(container_watts={"C1": 1200.0})


async def test_a_reading_counts_until_it_is_too_old(clock: Clock) -> None:
    """A reading counts for one minute; then its gauge goes and its counters stay."""
    async with serving(saying(b'{"w":1200}')) as url:
        meters = Meters([section(url=f"{url}/rpc?id=0", pointer="/w")], clock=clock)
        await meters.read_once()
    clock.now_s += 60
    assert add_up(meters.readings()) == Metered(site_watts=1200.0)
    clock.now_s += 0.1
    assert add_up(meters.readings()) == Metered()
    assert list(meters.states()) == [MeterState("feeder", None, 1, 0)]


async def test_a_meter_over_https_needs_a_trusted_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An authority of the site, added to the system's, is trusted also without `keyUsage`; a stranger's is not."""
    authority, stranger = Authority(tmp_path, "ca"), Authority(tmp_path, "stranger")
    authority.sign("meter", address="127.0.0.1")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "meter.pem", tmp_path / "meter.key")
    async with serving(saying(b"1200"), tls) as url:
        for trusted, state in (
            (authority, MeterState("feeder", 1200.0, 1, 0)),
            (stranger, MeterState("feeder", None, 0, 1)),
        ):
            monkeypatch.setenv("SSL_CERT_FILE", str(trusted.pem))
            meters = Meters([section(url=url)])
            await meters.read_once()
            assert list(meters.states()) == [state]


async def test_a_file_is_as_old_as_it_is_however_often_it_is_read(tmp_path: Path, clock: Clock) -> None:
    """A file written 50 s ago counts for ten more seconds; reading it again after that is a failure."""
    file = tmp_path / "watts"
    file.write_text('{"kw": 1.5}', encoding="utf-8")
    os.utime(file, (NOW - 50, NOW - 50))
    wall = Clock()
    wall.now_s = NOW
    meters = Meters([section(file=file, pointer="/kw", scale=1000)], clock=clock, wall=wall)
    await meters.read_once()
    assert add_up(meters.readings()) == Metered(site_watts=1500.0)
    clock.now_s += 11
    wall.now_s += 11
    await meters.read_once()
    assert list(meters.states()) == [MeterState("feeder", None, 1, 1)]


@pytest.mark.parametrize("age_s", [61.0, -61.0], ids=["old", "from the future"])
async def test_a_file_of_another_time_is_no_reading(tmp_path: Path, age_s: float) -> None:
    """A file that is too old, or dated in the future, gives no reading."""
    file = tmp_path / "watts"
    file.write_text("1500", encoding="utf-8")
    os.utime(file, (NOW - age_s, NOW - age_s))
    meters = Meters([section(file=file)], wall=lambda: NOW)
    await meters.read_once()
    assert list(meters.states()) == [MeterState("feeder", None, 0, 1)]


@pytest.mark.parametrize("content", [None, b"", b"watts", b"\xff", b"1" * (MAX_REPLY_BYTES + 1)])
async def test_a_bad_file_is_a_failure(tmp_path: Path, content: bytes | None) -> None:
    """A file that is missing, empty, too long, not text or not a number counts as a failure."""
    file = tmp_path / "watts"
    if content is not None:
        file.write_bytes(content)
    meters = Meters([section(file=file)])
    await meters.read_once()
    assert list(meters.states()) == [MeterState("feeder", None, 0, 1)]


async def _hang(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def _flood(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(saying(b"1200", status=500), id="server error"),
        pytest.param(saying(b"1200", status=302, Location="/elsewhere"), id="redirect"),
        pytest.param(saying(b"1200", status=401), id="password wanted"),
        pytest.param(saying(b"<html>"), id="a page"),
        pytest.param(saying(gzip.compress(b"1200"), **{"Content-Encoding": "gzip"}), id="compressed unasked"),
        pytest.param(_flood, id="endless"),
        pytest.param(_hang, id="silent"),
    ],
)
async def test_a_bad_server_is_a_failure(answer: Callable[[web.Request], Any]) -> None:
    """No bad answer becomes a figure, and none takes longer than its deadline."""
    async with serving(answer) as url:
        meters = Meters([section(url=url, timeout_s=0.3)])
        await meters.read_once()
    assert list(meters.states()) == [MeterState("feeder", None, 0, 1)]


async def test_a_refused_connection_is_a_failure() -> None:
    """A refused connection costs one reading."""
    async with serving(saying(b"1")) as url:
        pass
    meters = Meters([section(url=url)])
    await meters.read_once()
    assert list(meters.states()) == [MeterState("feeder", None, 0, 1)]


async def test_a_failure_keeps_the_last_reading(clock: Clock) -> None:
    """After one failure the last reading counts until it is too old."""
    says = [b"1200", b"oops"]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=says.pop(0))

    async with serving(answer) as url:
        meters = Meters([section(url=url)], clock=clock)
        await meters.read_once()
        await meters.read_once()
    assert list(meters.states()) == [MeterState("feeder", 1200.0, 1, 1)]


# Against the ledger

SITE = """\
[site]
name = "a"
[ledger]
file = "ledger.csv"
networks = ["10.0.0.0/8"]
"""
LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status
u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-02-01,deployed
u1,S21,200,10.0.0.1,C2,R1,1,2025-02-01,,deployed
"""


def mistakes_in(folder: Path, meters: str) -> list[str]:
    """Return the configuration mistakes of a site with `meters`."""
    (folder / "site.toml").write_text(SITE + meters, encoding="utf-8")
    (folder / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    try:
        load_setup(folder / "site.toml")
    except ConfigError as error:
        return [str(mistake).removeprefix(f"{folder}/site.toml: ") for mistake in error.mistakes]
    return []


def test_meters_of_what_the_ledger_knows_are_right(tmp_path: Path) -> None:
    """A meter may name any container of the ledger, past or future."""
    meters = "".join(
        f"[[meter]]\nname = '{name}'\n{keys}\n"
        for name, keys in (
            ("a", "container = 'C1'\nwatts = 1"),
            ("b", "container = 'C2'\nurl = 'http://10.0.9.5/a'"),
            ("c", "unit = 'u1'\nurl = 'http://10.0.9.5:8080/a'"),
            ("d", "url = 'https://10.0.9.5'"),
        )
    )
    assert mistakes_in(tmp_path, meters) == []


def test_meters_of_what_the_ledger_does_not_know_are_refused(tmp_path: Path) -> None:
    """Unknown names are refused with the likely one, and so is a meter outside the site's networks."""
    meters = (
        "[[meter]]\nname = 'a'\ncontainer = 'c1'\nwatts = 1\n"
        "[[meter]]\nname = 'b'\nunit = 'v9'\nwatts = 1\n"
        "[[meter]]\nname = 'c'\nurl = 'http://8.8.8.8/power'\n"
    )
    assert mistakes_in(tmp_path, meters) == [
        "meter[0].container = 'c1': no container of the ledger; did you mean C1?",
        "meter[1].unit = 'v9': no unit of the ledger",
        "meter[2].url = 'http://8.8.8.8/power': outside ledger.networks, in which all of a site stands",
    ]


# While running


async def test_meters_are_read_periodically_and_replaced_while_running() -> None:
    """A new configuration replaces the meters at once, and the old ones' readings are gone."""
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def answer(request: web.Request) -> web.Response:
        asked.put_nowait(request.path)
        return web.Response(body=b"100")

    async with serving(answer) as url, asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as tasks:
        meters = Meters([section(url=f"{url}/old", every_s=1)])
        task = tasks.create_task(meters.run())
        assert [await asked.get(), await asked.get()] == ["/old", "/old"]
        assert add_up(meters.readings()) == Metered(site_watts=100.0)
        meters.replace([section(url=f"{url}/new", every_s=1, container="C1")])
        assert add_up(meters.readings()) == Metered()
        # A second request means that the meter's first answer has been processed.
        for _ in range(2):
            while await asked.get() != "/new":
                pass
        assert add_up(meters.readings()) == Metered(container_watts={"C1": 100.0})
        meters.replace([section(watts=7.0)])
        assert add_up(meters.readings()) == Metered(site_watts=7.0)
        task.cancel()


async def test_meters_that_stay_keep_their_readings_over_a_reload() -> None:
    """A meter whose section is unchanged keeps its reading over a reload."""
    async with serving(saying(b"100")) as url:
        kept, gone = section("kept", url=url), section("gone", url=url, container="C1")
        meters = Meters([kept, gone])
        await meters.read_once()
        meters.replace([section("kept", url=url), section("more", url=url, container="C2")])
    assert add_up(meters.readings()) == Metered(site_watts=100.0)
