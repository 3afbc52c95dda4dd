"""Units at listed addresses and ports instead of a range."""

import asyncio
import csv
import io
import socket
from pathlib import Path

import pytest
from paths import CAPTURES
from sim_cases import START, ask, make_farm

from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import HEALTHY_FARM, FarmError, FarmPlan
from simulators.farm.selection import Selector
from simulators.farm.truth import unit_truth
from simulators.faults.unit import PowerOff
from simulators.scenario.scenario import load_farm
from simulators.scenario.tomlfile import TomlError
from simulators.sockets.listening import ServeError, listen
from simulators.sockets.replay import CaptureError, read_captures
from simulators.sockets.serving import serve_farm, sweep
from simulators.sockets.web_server import serve_hash_side, serve_web
from simulators.unit.builds import Line
from simulators.unit.endpoints import Endpoint, EndpointError, find_endpoints, read_endpoints

LOCALHOST = 0x7F000001


def free_ports(count: int) -> list[int]:
    """Return TCP ports that are free now."""
    held = [listen("0.0.0.0", 0) for _ in range(count)]
    ports: list[int] = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports


def farm_at(*endpoints: str) -> Farm:
    """Return a healthy farm with a unit at each endpoint."""
    plan = FarmPlan(
        units=len(endpoints), containers=1, endpoints=read_endpoints(endpoints), troubles=HEALTHY_FARM, seed=1
    )
    return Farm(plan, SimClock(start=START, speed=0.0))


def first_serial(reply: bytes) -> bytes:
    """Return the serial of the first board in a `stats` reply, which identifies the unit."""
    return reply.partition(b'"sn": "')[2][:17]


def test_a_list_is_read_as_it_is_typed(tmp_path: Path) -> None:
    """Commas or lines separate entries, ports are optional, and a file may hold comments."""
    expected = (Endpoint(LOCALHOST, 14028), Endpoint(LOCALHOST + 1))
    assert find_endpoints("127.0.0.1:14028,127.0.0.2") == expected
    file = tmp_path / "units.txt"
    file.write_text("# shed 3\n127.0.0.1:14028  # first\n\n127.0.0.2\n", encoding="utf-8")
    assert find_endpoints(f"@{file}") == expected
    assert [str(endpoint) for endpoint in expected] == ["127.0.0.1:14028", "127.0.0.2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one address"),
        ("127.0.0.1:0", "'127.0.0.1:0' is not IPV4 or IPV4:PORT"),
        ("127.0.0.1:65536", "is not IPV4 or IPV4:PORT"),
        ("127.0.0.1:", "is not IPV4 or IPV4:PORT"),
        ("127.0.0.1:4_0", "is not IPV4 or IPV4:PORT"),
        ("127.1", "'127.1' is not IPV4"),
        ("localhost:4028", "'localhost:4028' is not IPV4"),
        ("127.0.0.1,127.0.0.1", "'127.0.0.1' is listed twice"),
        ("@/nowhere/units.txt", "No such file"),
        ("@/proc/self/mem", "/proc/self/mem: "),
        (",".join(f"127.0.0.1:{port}" for port in range(1, 1100)), "more than 1024 different ports"),
    ],
)
def test_a_list_that_cannot_be_used_says_why(text: str, message: str) -> None:
    """The message names the entry and what is wrong with it."""
    with pytest.raises(EndpointError, match=message):
        find_endpoints(text)


async def test_units_of_one_address_are_distinguished_by_their_ports() -> None:
    """Two units at 127.0.0.1 and a third on the farm's port each answer as themselves; the ledger lists the ports."""
    first, second = free_ports(2)
    farm = farm_at(f"127.0.0.1:{first}", f"127.0.0.1:{second}", "127.0.0.9")
    async with serve_farm(farm, port=0) as server:
        doors = [("127.0.0.1", first), ("127.0.0.1", second), ("127.0.0.9", server.port)]
        serials = [first_serial(await ask(*door)) for door in doors]
        assert serials == [unit.identity.board_serials[0].encode() for unit in farm.units]
        text = io.StringIO()
        farm.write_ledger(text, port=server.port)
        assert [row["host"] for row in csv.DictReader(io.StringIO(text.getvalue()))] == [f"{a}:{p}" for a, p in doors]
        assert unit_truth(farm.units[1], START)["host"] == f"127.0.0.1:{second}"
        with pytest.raises(ConnectionResetError):
            await ask("127.0.0.9", first)


async def test_a_unit_without_power_leaves_its_neighbour_at_the_same_address_alone() -> None:
    """Only the port of the unit without power is silent."""
    first, second = free_ports(2)
    farm = farm_at(f"127.0.0.1:{first}", f"127.0.0.1:{second}")
    async with serve_farm(farm, port=0) as server:
        farm.inject(PowerOff(), Selector(units=(farm.units[0].identity.unit_id,)))
        sweep(farm, server)
        assert await ask("127.0.0.1", second)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await ask("127.0.0.1", first)


@pytest.mark.parametrize(("is_loopback_only", "device"), [(True, b"lo"), (False, b"")])
async def test_other_machines_cannot_connect_unless_allowed(*, is_loopback_only: bool, device: bytes) -> None:
    """The listening sockets of a farm, of its web pages and of its hash side are bound to the loopback device."""
    farm, lines = make_farm(1), frozenset(Line)
    async with (
        serve_farm(farm, port=0, is_loopback_only=is_loopback_only) as api,
        serve_web(farm, api, port=0) as web,
        serve_hash_side(farm, api, lines, port=0) as power,
    ):
        for listener in (next(iter(api._doors)).listener, web._listener, power._listener):
            assert listener is not None
            bound = listener.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
            assert bound.rstrip(b"\0") == device
        assert await ask(farm.units[0].identity.host, api.port)


async def test_a_taken_port_of_the_list_opens_none() -> None:
    """The message names the port, and listeners opened before it are closed again."""
    (free,) = free_ports(1)
    taken = listen("0.0.0.0", 0)
    try:
        port = taken.getsockname()[1]
        with pytest.raises(ServeError, match=f"port {port} is taken; choose another with --addresses"):
            async with serve_farm(farm_at(f"127.0.0.1:{free}", f"127.0.0.1:{port}"), port=0):
                pass
        listen("0.0.0.0", free).close()
    finally:
        taken.close()


def test_as_many_addresses_as_units() -> None:
    """A list shorter than the units is refused, for a plan and for recordings."""
    with pytest.raises(FarmError, match="3 units, but a list of 1 addresses"):
        Farm(FarmPlan(units=3, endpoints=(Endpoint(LOCALHOST),)), SimClock(start=START, speed=0.0))
    captures = sorted(path for path in CAPTURES.glob("s19pro-stock-*") if path.is_dir())
    with pytest.raises(CaptureError, match=f"{len(captures)} recorded units, but a list of 1 addresses"):
        read_captures(captures, "127.0.0.1", (Endpoint(LOCALHOST),))


def test_a_farm_file_may_list_addresses(tmp_path: Path) -> None:
    """The farm has one unit per address, and a bad address is named with its key."""
    file = tmp_path / "farm.toml"
    file.write_text('[farm]\ncontainers = 1\naddresses = ["127.0.0.1:14028", "127.0.0.2"]\n', encoding="utf-8")
    plan = load_farm(file).farm.plan(seed=1, air=FarmPlan().air)
    assert (plan.units, plan.endpoints) == (2, (Endpoint(LOCALHOST, 14028), Endpoint(LOCALHOST + 1)))
    file.write_text('[farm]\naddresses = ["127.0.0.1:x"]\n', encoding="utf-8")
    with pytest.raises(TomlError, match=r"farm\.addresses.*'127\.0\.0\.1:x' is not IPV4"):
        load_farm(file)
