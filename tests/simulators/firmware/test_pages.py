"""The units' web pages: keys, types and order as recorded, and writes that show on port 4028."""

import json
from typing import Any

import pytest
from paths import CAPTURES, WEB_CAPTURES
from sim_cases import START, ask, make_farm
from web_cases import credentials, exchange, page, read, request, served, unchunked, write

from simulators.farm.farm import Farm
from simulators.faults.unit import Asleep, FanStopped, FirmwareChanged, PowerOff
from simulators.firmware.pages.stock_pages import PAGES, offered_modes
from simulators.unit.builds import BUILDS, Line
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit

S21_PAGES = WEB_CAPTURES / "s21-stock-aml-202407"
STATS = b'{"command":"stats"}'
POOLS = b'{"command":"pools"}'


def unit_of(farm: Farm, build: str) -> Unit:
    """Return a unit that runs a firmware build."""
    return next(unit for unit in farm.units if unit.build == build)


def shape(value: Any) -> Any:
    """Return keys in order and types, without values."""
    if isinstance(value, dict):
        return [(key, shape(item)) for key, item in value.items()]
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


async def api(unit: Unit, port: int, command: bytes) -> Any:
    """Return the reply of a unit's API as JSON."""
    return json.loads((await ask(unit.identity.host, port, command)).rstrip(b"\0"))


async def test_system_info_is_as_recorded_to_the_byte() -> None:
    """Head, chunks and their sizes are those of a recorded S21+, once its own values are filled in."""
    recorded = (WEB_CAPTURES / "s21plus-stock-202503/http-get_system_info.chunked.txt").read_bytes()
    head, _, chunks = recorded.partition(b"\n\n")
    framed = b""
    while chunks:
        size, _, rest = chunks.partition(b"\n")
        length = int(size, 16)
        framed += size + b"\r\n" + rest[:length] + b"\r\n"
        chunks = rest[length + 1 :]
    farm = make_farm(8, mix="S21+=100%", base="127.0.1.77")
    unit = unit_of(farm, "s21plus-202503")
    async with served(farm) as site:
        reply = await exchange(unit.identity.host, site.web.port, request("/cgi-bin/get_system_info.cgi"))
    for ours, theirs in (
        (unit.identity.serial, "REDACTED000000001"),
        (unit.identity.mac, "02:00:00:00:00:01"),
        (f'"{unit.identity.host}"', '"10.33.6.7"'.ljust(len(unit.identity.host) + 2)),
        ("Thu, 09 Oct 2025 08:53:20 GMT", "Sat, 12 Sep 2026 11:50:45 GMT"),
    ):
        assert reply.count(ours.encode()) == 1
        reply = reply.replace(ours.encode(), theirs.encode())
    # The capture's address is one character shorter than any of 127.0.1.77 to .84.
    reply = reply.replace(b'"10.33.6.7" ', b'"10.33.6.7"').replace(b"\r\n91\r\n", b"\r\n90\r\n")
    assert reply == head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + framed


RECORDED = {
    "get_system_info": S21_PAGES / "http-get_system_info.json",
    "get_network_info": S21_PAGES / "http-get_network_info.json",
    "get_miner_conf": S21_PAGES / "http-get_miner_conf.json",
    "summary": CAPTURES / "s21-stock-aml-202407/http-summary.json",
}


@pytest.mark.parametrize("name", RECORDED)
async def test_pages_have_the_keys_of_recorded_ones(name: str) -> None:
    """The page has the recorded keys in the same order with the same types."""
    farm = make_farm(20)
    async with served(farm) as site:
        shown = await read(unit_of(farm, "s21-202407"), site.web.port, name)
    assert shape(shown) == shape(json.loads(RECORDED[name].read_bytes()))


async def test_stats_have_the_keys_of_the_trimmed_capture() -> None:
    """The recorded keys appear in their order among others, except `psu`, which no unit sends."""
    recorded = json.loads((CAPTURES / "s21-stock-aml-202407/http-stats.json").read_bytes())["STATS"][0]
    farm = make_farm(20)
    async with served(farm) as site:
        shown = (await read(unit_of(farm, "s21-202407"), site.web.port, "stats"))["STATS"][0]
    del recorded["psu"]
    for ours, theirs in ((shown, recorded), (shown["chain"][0], recorded["chain"][0])):
        assert [key for key in ours if key in theirs] == list(theirs)
        assert [shape(ours[key]) for key in theirs if key != "chain"] == [
            shape(item) for key, item in theirs.items() if key != "chain"
        ]


@pytest.mark.parametrize("command", ["stats", "summary", "pools", "warning"])
async def test_a_page_is_the_reply_of_the_api(command: str) -> None:
    """The pages print the reply of 4028 in the new dialect after an empty header of two line feeds."""
    farm = make_farm(1)
    unit = farm.units[0]
    async with served(farm) as site:
        printed = await page(unit, site.web.port, command)
        said = await ask(unit.identity.host, site.api.port, b'{"command":"%b","new_api":true}' % command.encode())
    assert printed == b"\n\n" + said.removesuffix(b"\0") + b"\n"


@pytest.mark.parametrize(
    ("build", "mode", "is_short"),
    [("s21-202407", "0", False), ("s21-202410", "0", True), ("s21-fr", "0", True), ("s21plus-202503", 0, True)],
)
async def test_settings_by_firmware(build: str, mode: str | int, is_short: bool) -> None:  # noqa: FBT001  a column
    """Builds from October 2024 on show five settings; the work mode is text, and a number on line C."""
    farm = make_farm(40, mix="S21=75%,S21+=25%")
    async with served(farm) as site:
        conf = await read(unit_of(farm, build), site.web.port, "get_miner_conf")
    assert conf["bitmain-work-mode"] == mode
    assert type(conf["bitmain-work-mode"]) is type(mode)
    short = ["pools", "bitmain-fan-ctrl", "bitmain-fan-pwm", "bitmain-work-mode", "bitmain-hashrate-percent"]
    assert (list(conf) == short) is is_short
    assert len(conf["pools"]) == 3


async def test_the_rest_of_the_pages() -> None:
    """miner_type shows board and build, the lamp is off, the log counts chips, and the graph has its unit."""
    farm = make_farm(1)
    unit = farm.units[0]
    build = BUILDS[unit.build]
    async with served(farm) as site:
        port = site.web.port
        assert await read(unit, port, "miner_type") == {
            "miner_type": "Antminer S21",
            "subtype": build.subtype,
            "fw_version": " ".join(build.compile_time.split()),
        }
        assert await read(unit, port, "get_blink_status") == {"blink": False}
        assert b"Chain[2]: find 108 asic\n" in await page(unit, port, "log")
        assert (await read(unit, port, "chart"))["RATE"][0]["unit"] == "GH/s"


@pytest.mark.parametrize("path", ["/", "/favicon.ico", *PAGES])
async def test_nothing_is_shown_without_credentials(path: str) -> None:
    """Every path requires credentials, unknown ones too; without them a page that writes does nothing."""
    farm = make_farm(1)
    unit = farm.units[0]
    async with served(farm) as site:
        bare = f"GET {path} HTTP/1.1\r\nHost: unit\r\n\r\n".encode()
        wrong = request(path).replace(credentials(path).encode(), credentials(path, word="admin").encode())
        for data in (bare, wrong):
            assert (await exchange(unit.identity.host, site.web.port, data)).startswith(
                b"HTTP/1.1 401 Unauthorized\r\n"
            )
    assert unit.settings.reboots_at == 0.0


@pytest.mark.parametrize("path", ["/", "/kaonsu/v1/brief", "/cgi-bin/reset_conf.cgi", "/cgi-bin/passwd.cgi"])
async def test_unknown_pages_are_404(path: str) -> None:
    """With credentials, an unknown path gets 404 in HTML."""
    farm = make_farm(1)
    async with served(farm) as site:
        reply = await exchange(farm.units[0].identity.host, site.web.port, request(path))
    assert reply.startswith(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 345\r\nDate: ")


async def test_sleep_and_waking_show_on_the_api() -> None:
    """On line A the process restarts for 13 s, then reports sleep; once woken, its uptime starts from zero."""
    farm = make_farm(20)
    unit = unit_of(farm, "s21-202407")
    host = unit.identity.host
    async with served(farm) as site:
        before = (await api(unit, site.api.port, STATS))["STATS"][1]["Elapsed"]
        answer = await write(unit, site.web.port, "set_miner_conf", b'{"miner-mode":1}')
        assert answer == {"stats": "success", "code": "M000", "msg": "OK!"}
        assert (await page(unit, site.web.port, "summary")) == b"\n\nSocket connect failed: Connection refused\n"
        with pytest.raises(ConnectionError):
            await ask(host, site.api.port)
        farm.clock.advance(13.0)
        assert len((await api(unit, site.api.port, STATS))["STATS"]) == 1
        assert (await read(unit, site.web.port, "get_miner_conf"))["bitmain-work-mode"] == "1"
        assert unit.phase is Phase.ASLEEP
        await write(unit, site.web.port, "set_miner_conf", b'{"miner-mode":"0"}')
        farm.clock.advance(13.0 + 600.0)
        stats = (await api(unit, site.api.port, STATS))["STATS"][1]
    assert before > 3600
    assert stats["Elapsed"] == 600
    assert stats["GHS 5s"] > 180_000


async def test_line_c_takes_another_key() -> None:
    """Line C obeys bitmain-work-mode and ignores miner-mode; line A does the opposite."""
    farm = make_farm(20, mix="S21=50%,S21+=50%")
    on_a, on_c = unit_of(farm, "s21-202410"), unit_of(farm, "s21plus-fr")
    async with served(farm) as site:
        for key, modes in (("miner-mode", (1, 0)), ("bitmain-work-mode", (0, 1))):
            for unit in (on_a, on_c):
                await write(unit, site.web.port, "set_miner_conf", b'{"%b":1}' % key.encode())
            assert (on_a.work_mode, on_c.work_mode) == modes
            for unit in (on_a, on_c):
                farm.set_work_mode(unit, 0)
            farm.clock.advance(60.0)
            assert {unit.phase for unit in (on_a, on_c) if unit.snapshot(farm.clock.now())} == {Phase.RAMPING}


@pytest.mark.parametrize(
    ("model", "modes"),
    [("S21", (0, 1, 3)), ("T21", (0, 1, 2)), ("S21+", (0, 1)), ("S21 Pro", (0, 1)), ("S21 XP", (0, 1))],
)
async def test_modes_that_a_model_does_not_offer_are_ignored(model: str, modes: tuple[int, ...]) -> None:
    """T21 has the high mode and S21 the low one; other modes are acknowledged without effect."""
    farm = make_farm(1, mix=f"{model}=100%")
    unit = farm.units[0]
    key = "bitmain-work-mode" if BUILDS[unit.build].line is Line.C else "miner-mode"
    assert offered_modes(unit) == modes
    async with served(farm) as site:
        for mode in (2, 3, 7):
            answer = await write(unit, site.web.port, "set_miner_conf", b'{"%b":%d}' % (key.encode(), mode))
            assert answer["code"] == "M000"
            assert unit.work_mode == (mode if mode in modes else unit.work_mode)
    assert unit.work_mode == (modes[2] if len(modes) > 2 else 0)


async def test_a_mode_that_is_on_already_leaves_the_process_alone() -> None:
    """Setting normal mode on a unit in normal mode does not reset its uptime."""
    farm = make_farm(1)
    unit = farm.units[0]
    async with served(farm) as site:
        await write(unit, site.web.port, "set_miner_conf", b'{"miner-mode":0}')
    assert unit.snapshot(farm.clock.now()).elapsed_s > 3600


async def test_a_unit_put_to_sleep_by_a_fault_can_be_woken() -> None:
    """A unit asleep by fault hashes after miner-mode 0."""
    farm = make_farm(1)
    unit = farm.units[0]
    farm.inject(Asleep())
    farm.clock.advance(60.0)
    async with served(farm) as site:
        conf = await read(unit, site.web.port, "get_miner_conf")
        assert int(conf["bitmain-work-mode"]) == 1
        await write(unit, site.web.port, "set_miner_conf", b'{"miner-mode":0}')
        farm.clock.advance(600.0)
        assert unit.hashrate_hs(farm.clock.now()) > 180e12


async def test_pools_that_are_written_show_on_both_sides() -> None:
    """A new first pool shows on page and API with URL, host, user and password; the other slots are emptied."""
    farm = make_farm(20)
    unit = unit_of(farm, "s21-202407")
    body = json.dumps({"pools": [{"url": "stratum+tcp://pool.example.org:443", "user": "a.b", "pass": "p"}]}).encode()
    async with served(farm) as site:
        assert (await write(unit, site.web.port, "set_miner_conf", body))["code"] == "M000"
        first, *others = (await api(unit, site.api.port, POOLS))["POOLS"]
        conf = await read(unit, site.web.port, "get_miner_conf")
    assert (first["URL"], first["User"], first["Stratum URL"]) == (
        "stratum+tcp://pool.example.org:443",
        "a.b",
        "pool.example.org",
    )
    assert [pool["Status"] for pool in others] == ["Deed", "Deed"]
    assert conf["pools"][0] == {"url": "stratum+tcp://pool.example.org:443", "user": "a.b", "pass": "p"}
    assert conf["pools"][1:] == [{"url": "", "user": "", "pass": ""}] * 2


async def test_other_settings_are_kept_and_shown() -> None:
    """Settings in the form are read back; settings it omits are kept."""
    farm = make_farm(20)
    unit = unit_of(farm, "s21-202407")
    async with served(farm) as site:
        body = b'{"bitmain-fan-ctrl":true,"bitmain-fan-pwm":"80","bitmain-hashrate-percent":90,"freq-level":"70"}'
        await write(unit, site.web.port, "set_miner_conf", body)
        await write(unit, site.web.port, "set_miner_conf", b'{"bitmain-fan-pwm":"85"}')
        conf = await read(unit, site.web.port, "get_miner_conf")
    assert [
        conf[f"bitmain-{key}"] for key in ("fan-ctrl", "fan-pwm", "hashrate-percent", "freq-level", "work-mode")
    ] == [True, "85", "90", "70", "0"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"miner-mode=1",
        b"{}",
        b"[1]",
        b"[" * 60_000,
        b'{"pools":1,"miner-mode":1}',
        b'{"pools":[],"miner-mode":1}',
        b'{"pools":[{"url":"a\\"b","user":"","pass":""}]}',
        b'{"pools":[{"url":5}]}',
        b'{"pools":[{},{},{},{}]}',
        b'{"bitmain-fan-pwm":"1000"}',
        b'{"freq-level":true}',
    ],
)
async def test_bad_settings_are_refused(body: bytes) -> None:
    """The answer is M001 and nothing changes, not even the mode in the same request."""
    farm = make_farm(1)
    unit = farm.units[0]
    async with served(farm) as site:
        answer = await write(unit, site.web.port, "set_miner_conf", body)
    assert answer == {"stats": "error", "code": "M001", "msg": "Illegal request!"}
    assert unit.work_mode == 0
    assert unit.settings == make_farm(1).units[0].settings


@pytest.mark.parametrize(
    ("body", "code", "is_on"),
    [
        (b'{"blink":true}', "B000", True),
        (b'{"blink":"true"}', "B000", True),
        (b'{"blink":false}', "B100", False),
        (b"blink=true", "B001", False),
        (b'{"blink":[]}', "B001", False),
        (b'{"blink":1.5}', "B001", False),
    ],
)
async def test_the_lamp(body: bytes, code: str, is_on: bool) -> None:  # noqa: FBT001  a column
    """The lamp turns on and off; anything else gets B001."""
    farm = make_farm(1)
    unit = farm.units[0]
    async with served(farm) as site:
        assert await write(unit, site.web.port, "blink", body) == {"code": code}
        assert await read(unit, site.web.port, "get_blink_status") == {"blink": is_on}


async def test_a_reboot_goes_through_its_stages() -> None:
    """The unit answers for 53 s, then not at all; pages return 25 s later, the API at 45 s, with the lamp off."""
    farm = make_farm(1)
    unit = farm.units[0]
    host = unit.identity.host
    async with served(farm) as site:
        await write(unit, site.web.port, "blink", b'{"blink":true}')
        assert await page(unit, site.web.port, "reboot") == b"\n\nStatus 200\n"
        farm.clock.advance(30.0)
        assert await page(unit, site.web.port, "reboot") == b"\n\nStatus 200\n"
        farm.clock.advance(22.9)
        assert (await api(unit, site.api.port, STATS))["STATS"][1]["Elapsed"] > 3600
        farm.clock.advance(0.2)
        for port in (site.api.port, site.web.port):
            with pytest.raises(ConnectionError):
                await exchange(host, port, request("/"))
        farm.clock.advance(25.0)
        assert await page(unit, site.web.port, "stats") == b"\n\nSocket connect failed: Connection refused\n"
        assert await read(unit, site.web.port, "get_blink_status") == {"blink": False}
        farm.clock.advance(20.0)
        assert (await api(unit, site.api.port, STATS))["STATS"][1]["Elapsed"] == 0
    assert unit.hashrate_hs(START + 3600.0) > 180e12
    assert unit.phase is Phase.HASHING


async def test_a_control_board_of_the_slow_kind_takes_55_s() -> None:
    """A CVCtrl board needs 50 s to stop the process and 5 s to start it."""
    farm = make_farm(1, mix="S21+ Hyd.=100%")
    unit = farm.units[0]
    async with served(farm) as site:
        await write(unit, site.web.port, "set_miner_conf", b'{"miner-mode":1}')
        farm.clock.advance(54.0)
        assert b"Socket connect failed" in await page(unit, site.web.port, "pools")
        farm.clock.advance(1.0)
        assert (await read(unit, site.web.port, "pools"))["STATUS"]["STATUS"] == "S"


async def test_another_firmware_shows_everywhere() -> None:
    """A new build shows in get_system_info, miner_type and the kernel version."""
    farm = make_farm(1)
    unit = farm.units[0]
    farm.inject(FirmwareChanged(build="s21-fr"))
    farm.clock.advance(600.0)
    async with served(farm) as site:
        info = await read(unit, site.web.port, "get_system_info")
        kind = await read(unit, site.web.port, "miner_type")
    assert info["system_filesystem_version"] == "FR-1.12(251009-S21)"
    assert info["system_kernel_version"] == "Linux 4.9.113 #1 SMP PREEMPT Thu Oct 9 15:46:11 CST 2025"
    assert kind["fw_version"] == "Thu Oct 9 15:20:11 CST 2025"


async def test_errors_are_on_the_summary_and_the_warning_page() -> None:
    """A stopped fan shows status e with its code on one page, and the code on the other."""
    farm = make_farm(1)
    unit = farm.units[0]
    farm.inject(FanStopped(fan=1))
    async with served(farm) as site:
        summary = await read(unit, site.web.port, "summary")
        warning = await read(unit, site.web.port, "warning")
    assert summary["SUMMARY"][0]["status"][2] == {"type": "fans", "status": "e", "code": 1, "msg": "F2:1"}
    assert warning["WARNING"] == [{"code": "F2:1"}]


def test_the_settings_of_a_unit_cost_nothing_until_they_are_written() -> None:
    """All units of a farm share one set of settings."""
    farm = make_farm(3)
    assert len({id(unit.settings) for unit in farm.units}) == 1
    farm.inject(PowerOff(), duration_s=5.0)
    farm.clock.advance(600.0)
    assert farm.units[0].hashrate_hs(START + 600.0) > 0.0
    assert len({id(unit.settings) for unit in farm.units}) == 1


async def test_a_page_over_http_1_0_is_plain() -> None:
    """The page has no chunks and no length; the end of the connection ends it."""
    farm = make_farm(1)
    unit = farm.units[0]
    async with served(farm) as site:
        data = request("/cgi-bin/get_blink_status.cgi", version="1.0", headers=("Connection: keep-alive",))
        reply = await exchange(unit.identity.host, site.web.port, data)
        chunked = await exchange(unit.identity.host, site.web.port, request("/cgi-bin/get_blink_status.cgi"))
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\nConnection: close\r\nDate: ")
    assert body == unchunked(chunked) == b'\n\n{"blink":false}\n'
