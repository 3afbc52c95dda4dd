"""What a scan meets around the units: silence, refusals, machines of other makes, lateness and loss."""

import asyncio
import json
import socket

import pytest
from patience import PATIENT_S
from sim_cases import ask, make_farm

from simulators.farm.farm import Farm
from simulators.farm.plan import FarmError
from simulators.firmware.request import Request
from simulators.sockets.serving import serve_farm
from simulators.sockets.stranger import StrangerAt
from simulators.strangers.recorded import mac_of
from simulators.strangers.spans import SpanError, read_span
from simulators.strangers.surroundings import (
    QUIET,
    Elsewhere,
    Make,
    Surroundings,
    SurroundingsError,
    read_strangers,
)

VERSION = b'{"command":"version"}'
SUMMARY = b'{"command":"summary"}'


def farm_among(*strangers: str, elsewhere: Elsewhere = Elsewhere.RESET, latency_s: float = 0.0) -> Farm:
    """Return three units at 127.77.0.1 to .3, and what stands around them."""
    around = Surroundings(strangers=tuple(map(read_strangers, strangers)), elsewhere=elsewhere, latency_s=latency_s)
    return make_farm(3, around=around)


async def is_silent(host: str, port: int) -> bool:
    """Return True if a connect gets no answer at all."""
    try:
        async with asyncio.timeout(0.3):
            await ask(host, port, VERSION)
    except TimeoutError:
        return True
    return False


async def test_spans_of_addresses_are_silent_beside_a_unit() -> None:
    """No address of 1,022 silent ones is accepted, refused or reset; those beside the span are."""
    async with serve_farm(farm_among("silent=127.77.4.1-127.77.7.254"), port=0) as server:
        hosts = ("127.77.4.1", "127.77.5.200", "127.77.7.254")
        assert await asyncio.gather(*(is_silent(host, server.port) for host in hosts)) == [True] * 3
        for host in ("127.77.4.0", "127.77.7.255"):
            with pytest.raises(ConnectionResetError):
                await ask(host, server.port)
        assert (await ask("127.77.0.1", server.port)).endswith(b"\0")


async def test_all_addresses_without_a_unit_can_be_silent() -> None:
    """With `elsewhere = silent` an address is silent unless a unit or stranger stands there."""
    farm = farm_among("whatsminer=127.77.4.1", elsewhere=Elsewhere.SILENT)
    async with serve_farm(farm, port=0) as server:
        hosts = ("127.77.0.4", "127.76.0.1", "127.77.4.2", "127.255.255.254")
        assert await asyncio.gather(*(is_silent(host, server.port) for host in hosts)) == [True] * 4
        assert all([(await ask(f"127.77.0.{n}", server.port)).endswith(b"\0") for n in (1, 2, 3)])
        assert b"cgminer 4.9.2" in await ask("127.77.4.1", server.port, SUMMARY)


async def test_all_addresses_without_a_unit_can_refuse() -> None:
    """With `elsewhere = refuse` the system refuses at once; units answer, and silent addresses stay silent."""
    farm = farm_among("silent=127.77.4.1", elsewhere=Elsewhere.REFUSE)
    async with serve_farm(farm, port=0) as server:
        for host in ("127.77.0.4", "127.77.4.2"):
            with pytest.raises(ConnectionRefusedError):
                await ask(host, server.port)
        assert await is_silent("127.77.4.1", server.port)
        assert all([(await ask(f"127.77.0.{n}", server.port)).endswith(b"\0") for n in (1, 2, 3)])


async def test_a_mute_port_takes_a_request_and_says_nothing() -> None:
    """It accepts, and the connection stays open without a byte until the client leaves."""
    async with serve_farm(farm_among("mute=127.77.4.1"), port=0) as server:
        reader, writer = await asyncio.open_connection("127.77.4.1", server.port)
        writer.write(VERSION)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.read(1)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("make", "command", "told"),
    [
        (Make.WHATSMINER, "get_version", '"api_ver":"2.0.5"'),
        (Make.WHATSMINER, "version", '"Msg":"invalid cmd"'),
        (Make.AVALON, "version", '"PROD":"Avalon Q"'),
        (Make.AVALON, "nonsense", '"Msg":"Invalid command"'),
        (Make.SEALMINER, "version", '"Description":"bdminer 4.11.1"'),
        (Make.AURADINE, "version", '"GCMiner":"0.5"'),
    ],
)
async def test_other_makes_answer_as_recorded(make: Make, command: str, told: str) -> None:
    """The replies are recorded ones, end with a NUL, and are no Antminer's."""
    async with serve_farm(farm_among(f"{make}=127.77.4.1-127.77.4.2"), port=0) as server:
        reply = await ask("127.77.4.2", server.port, json.dumps({"command": command}).encode())
    assert told in reply.decode()
    assert reply.endswith(b"\0")
    assert "Antminer" not in reply.decode()
    json.loads(reply.rstrip(b"\0"))


def test_a_stranger_runs_on_from_when_it_was_first_asked() -> None:
    """Its counters of running time move; everything else is as recorded."""
    machine = StrangerAt(Make.WHATSMINER, 0x7F4D0401)
    first, later = (machine.answer(Request("summary", is_new_api=False, data=SUMMARY), t) for t in (1000.0, 1060.4))
    assert isinstance(first, bytes)
    assert isinstance(later, bytes)
    assert (b'"Elapsed":25000' in first, b'"Uptime":25500' in first) == (True, True)
    assert later == first.replace(b'"Elapsed":25000', b'"Elapsed":25060').replace(b'"Uptime":25500', b'"Uptime":25560')


async def test_a_whatsminer_takes_its_command_under_cmd_and_has_a_mac_of_its_own() -> None:
    """Two machines of one recording tell two MAC addresses."""
    async with serve_farm(farm_among("whatsminer=127.77.4.1-127.77.4.2"), port=0) as server:
        macs = []
        for host in ("127.77.4.1", "127.77.4.2"):
            reply = await ask(host, server.port, b'{"cmd":"get_miner_info"}')
            macs.append(json.loads(reply.rstrip(b"\0"))["Msg"]["mac"])
    assert macs == [mac_of(Make.WHATSMINER, 0x7F4D0401), mac_of(Make.WHATSMINER, 0x7F4D0402)]
    assert macs[0] != macs[1]


@pytest.mark.parametrize(
    ("make", "request_line", "status"),
    [
        (Make.EPIC, '{"command":"version"}', "400 Bad Request"),
        (Make.EPIC, "GET /summary HTTP/1.1\r\n\r\n", "200 OK"),
        (Make.EPIC, "GET /nowhere HTTP/1.1\r\n\r\n", "404 Not Found"),
        (Make.WEB, '{"command":"version"}', "400 Bad Request"),
        (Make.WEB, "GET / HTTP/1.1\r\n\r\n", "200 OK"),
    ],
)
async def test_web_servers_on_the_port_speak_http(make: Make, request_line: str, status: str) -> None:
    """The head has the length of the body, and no NUL follows."""
    async with serve_farm(farm_among(f"{make}=127.77.4.1"), port=0) as server:
        reply = await ask("127.77.4.1", server.port, request_line.encode())
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.decode().startswith(f"HTTP/1.1 {status}\r\n")
    assert f"Content-Length: {len(body)}" in head.decode()


async def test_latency_makes_every_reply_late() -> None:
    """A reply comes no sooner than the latency, also that of a stranger, and whole."""
    clock = asyncio.get_running_loop().time
    async with serve_farm(farm_among("avalon=127.77.4.1", latency_s=0.2), port=0) as server:
        for host in ("127.77.0.1", "127.77.4.1"):
            began = clock()
            assert (await ask(host, server.port, SUMMARY)).endswith(b"\0")
            assert clock() - began >= 0.2


async def test_lost_packets_cost_time_and_no_reply() -> None:
    """With two packets in five lost, every request is answered in the end: the system sends again what was lost."""
    farm = make_farm(3, around=Surroundings(loss_ratio=0.4))
    async with asyncio.timeout(PATIENT_S), serve_farm(farm, port=0) as server:
        asked = [ask(f"127.77.0.{n}", server.port, VERSION) for n in (1, 2, 3) for _ in range(8)]
        replies = await asyncio.gather(*asked)
    assert [reply[-1:] for reply in replies] == [b"\0"] * 24


async def test_surroundings_cost_a_farm_nothing_by_default() -> None:
    """Without strangers, loss or silence there is one listening socket and no packet filter on it."""
    get_filter = 26  # SO_GET_FILTER returns the attached program, or refuses a buffer that is too small for it.
    async with serve_farm(make_farm(3), port=0) as server:
        (door,) = server._doors
        assert len(door.stations) == 3
        assert door.listener.getsockopt(socket.SOL_SOCKET, get_filter, 8) == b""
    assert not QUIET.needs_filter


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("127.77.0.1-127.77.0.0", "holds 0 addresses"),
        ("127.77.0.1/24", "is not IPV4"),
        ("0.0.0.0/0", "holds 4294967296 addresses"),
        ("127.77.0", "is not IPV4"),
        ("", "is not IPV4"),
    ],
)
def test_bad_spans_are_named(text: str, reason: str) -> None:
    """One clear message with the span and what is expected."""
    with pytest.raises(SpanError, match=reason):
        read_span(text)


@pytest.mark.parametrize(
    ("strangers", "reason"),
    [
        (("toaster=127.77.4.1",), "toaster=127.77.4.1' is not MAKE=ADDRESSES"),
        (("mute=127.77.4.1", "web=127.77.4.0/24"), "two strangers stand at one address"),
        (("mute=127.77.0.0/16",), "65536 strangers that answer; at most 4096"),
    ],
)
def test_bad_strangers_are_named(strangers: tuple[str, ...], reason: str) -> None:
    """One clear message with the value."""
    with pytest.raises(SurroundingsError, match=reason):
        farm_among(*strangers)


def test_a_stranger_at_a_units_address_is_refused() -> None:
    """The message names the address."""
    with pytest.raises(FarmError, match=r"a unit and a stranger both stand at 127\.77\.0\.3"):
        farm_among("silent=127.77.0.3-127.77.0.9")


def test_refusals_of_a_big_farm_are_refused() -> None:
    """Each unit needs a socket of its own, and there are bounds to that."""
    with pytest.raises(FarmError, match="4099 are more than 4096"):
        farm_among("silent=127.77.16.0/20", elsewhere=Elsewhere.REFUSE)
