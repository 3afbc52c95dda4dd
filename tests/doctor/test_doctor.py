"""`hashsight doctor` on this machine: facts as the kernel has them, neighbours that are there or not, exit status."""

import asyncio
import ipaddress
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp.web
import pytest
from exporter_cases import entry
from paths import ROOT
from patience import PATIENT_S
from programs import free_port
from typer.testing import CliRunner
from web_site import served, source

from agent.commands import doctor
from agent.commands.command_line import app
from agent.config.file import load_config
from agent.doctor import machine, neighbours
from agent.doctor.facts import Neighbour, Target
from agent.exporters.mqtt.links import Link
from agent.runtime.kernel_clock import read_clock
from agent.runtime.setup import load_setup

CONFIG = """\
[site]
name = "nd-1"
[ledger]
file = "ledger.csv"
[web]
listen = "127.0.0.1:{port}"
"""
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"


def site(folder: Path, port: int, more: str = "", host: str = "127.77.0.1") -> str:
    """Write a site; return its configuration."""
    (folder / "site.toml").write_text(CONFIG.format(port=port) + more, encoding="utf-8")
    (folder / "ledger.csv").write_text(HEADER + f"u1,S21,200,{host},C1,R1,1,2025-01-01,,deployed\n", encoding="utf-8")
    return str(folder / "site.toml")


def found(*arguments: str) -> tuple[int, list[dict[str, str]]]:
    """Return exit status and findings."""
    ended = CliRunner().invoke(app, ["doctor", *arguments, "--json"])
    return ended.exit_code, json.loads(ended.stdout)


def of(findings: list[dict[str, str]], check: str) -> list[tuple[str, str]]:
    """Return level and text of the findings about a thing."""
    return [(each["level"], each["text"]) for each in findings if each["check"] == check]


@asynccontextmanager
async def prometheus(targets: list[dict[str, str]]) -> AsyncIterator[str]:
    """Serve what a Prometheus with these targets answers."""

    async def answer(_: Any) -> aiohttp.web.Response:
        return aiohttp.web.json_response({"status": "success", "data": {"activeTargets": targets}})

    async with answering(answer) as url:
        yield url


@asynccontextmanager
async def answering(targets: Callable[[Any], Awaitable[aiohttp.web.Response]]) -> AsyncIterator[str]:
    """Serve a Prometheus that is healthy and answers so to a request for its targets."""

    async def healthy(_: Any) -> aiohttp.web.Response:
        return aiohttp.web.Response(text="Prometheus Server is Healthy.")

    server = aiohttp.web.Application()
    server.add_routes([aiohttp.web.get("/-/healthy", healthy), aiohttp.web.get("/api/v1/targets", targets)])
    runner = aiohttp.web.AppRunner(server)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_a_whole_machine_is_looked_at(tmp_path: Path) -> None:
    """Every thing has a finding, the port is free, and the units' network is this machine's own."""
    port = free_port()
    status, findings = found("-c", site(tmp_path, port), "--prometheus", f"http://127.0.0.1:{free_port()}")
    checks = {each["check"] for each in findings}
    assert checks >= {"versions", "clock", "configuration", "network", "open files", "conntrack", "files", "disk"}
    assert of(findings, "network") == [("ok", "127.77.0.0/24 (1 unit): from 127.0.0.1 by lo")]
    assert of(findings, "port") == [("ok", f"127.0.0.1:{port}: free")]
    assert [level for level, _ in of(findings, "agent")] == ["note"]
    assert of(findings, "prometheus")[0][0] == "note"
    assert of(findings, "units") == []
    assert status == any(each["level"] == "bad" for each in findings)


IN_A_NAMESPACE = """\
ip link set lo up
ip link add site type veth peer name units
ip addr add 10.20.0.5/22 dev site
ip link set site up
ip link set units up
exec "$@"
"""


@pytest.mark.program("ip")
@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace with an interface takes root")
def test_ways_in_a_network_of_its_own(tmp_path: Path) -> None:
    """Units on the interface's network have a way, units of another network have none, and nothing is sent."""
    config = site(tmp_path, 27184, host="10.20.3.7", more='[[mqtt]]\nname = "site"\nhost = "10.20.3.9"\n')
    with (tmp_path / "ledger.csv").open("a", encoding="utf-8") as ledger:
        ledger.write("u2,S21,200,10.21.0.7,C2,R1,1,2025-01-01,,deployed\n")
    command = ("unshare", "-n", "sh", "-c", IN_A_NAMESPACE, "sh", sys.executable, "-m", "agent", "doctor", "-c", config)
    ended = subprocess.run(
        (*command, "--units", "--json"), capture_output=True, text=True, timeout=PATIENT_S, cwd=ROOT, check=False
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    findings = json.loads(ended.stdout)
    assert of(findings, "network") == [
        ("ok", "10.20.3.0/24 (1 unit): from 10.20.0.5 by site"),
        ("bad", "10.21.0.0/24 (1 unit): no way: Network is unreachable"),
    ]
    assert [level for level, _ in of(findings, "broker")] == ["bad"]
    assert of(findings, "units") == [
        ("bad", "0 of 2 units that were tried take a connection, 2 do not answer, such as 10.20.3.7")
    ]


def test_people_get_a_line_a_finding_with_its_mend(tmp_path: Path) -> None:
    """Level, thing, what was found, and what to do behind an arrow."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = CliRunner().invoke(app, ["doctor", "-c", site(tmp_path, port)])
    assert ended.exit_code == 1
    (line,) = [line for line in ended.stdout.splitlines() if "port:" in line]
    assert line.startswith(f"bad  port: 127.0.0.1:{port}: Address already in use -> `ss -ltnp`")


def test_mistakes_of_the_configuration_are_findings(tmp_path: Path) -> None:
    """What needs no configuration is looked at all the same."""
    config = site(tmp_path, free_port(), more="[poll]\ninterval_s = -1\n")
    status, findings = found("-c", config)
    assert status == 1
    assert of(findings, "configuration")[0][0] == "bad"
    assert {"versions", "clock"} <= {each["check"] for each in findings}


async def test_the_agent_says_if_it_is_ready(tmp_path: Path) -> None:
    """The site's own agent on the port is well; one that is not ready, or another site's, is bad."""
    async with served(source()) as client:
        config = site(tmp_path, client._base_url.port or 0)
        _, findings = await asyncio.to_thread(found, "-c", config)
        assert [level for level, _ in (*of(findings, "port"), *of(findings, "agent"))] == ["ok", "ok"]
    late = replace(source(), unreadiness=lambda: "2 of 6 units not looked at")
    async with served(late) as client:
        config = site(tmp_path, client._base_url.port or 0)
        status, findings = await asyncio.to_thread(found, "-c", config)
        assert (status, of(findings, "agent")) == (1, [("bad", "not ready: 2 of 6 units not looked at")])
    async with served(replace(source(), name="south-2")) as client:
        config = site(tmp_path, client._base_url.port or 0)
        _, findings = await asyncio.to_thread(found, "-c", config)
        assert of(findings, "port")[0][1].endswith("taken by the agent of south-2")


async def test_prometheus_is_asked_for_this_agent(tmp_path: Path) -> None:
    """Its list of targets is searched for the agent's port."""
    port = free_port()
    config = site(tmp_path, port)
    scraped = {"scrapeUrl": f"http://127.0.0.1:{port}/metrics", "health": "down", "lastError": "connection refused"}
    async with prometheus([scraped]) as url:
        _, findings = await asyncio.to_thread(found, "-c", config, "--prometheus", url)
    ((level, text),) = of(findings, "prometheus")
    assert (level, text.endswith("fails: connection refused")) == ("bad", True)
    async with prometheus([]) as url:
        _, findings = await asyncio.to_thread(found, "-c", config, "--prometheus", url)
    assert of(findings, "prometheus")[0][0] == "bad"


@pytest.mark.parametrize(
    "answer",
    [
        *(None, [], {}, {"data": 3}, {"data": None}, {"data": {"activeTargets": 3}}),
        {"data": {"activeTargets": [3, {}, {"scrapeUrl": "http://[x"}, {"scrapeUrl": []}, {"scrapeUrl": 5}]}},
    ],
)
def test_any_answer_has_no_target_or_one(answer: Any) -> None:
    """An answer that lists no targets has none, and is no error."""
    assert neighbours.find_target(answer, 9184, {"a"}) is None


def listed(*targets: tuple[str, str]) -> dict[str, Any]:
    """Return an answer of Prometheus with targets of these hosts and healths."""
    return {
        "data": {
            "activeTargets": [
                {"scrapeUrl": f"http://{host}:9184/metrics", "health": health, "lastError": ""}
                for host, health in targets
            ]
        }
    }


def test_another_machine_s_agent_on_the_same_port_is_not_this_one() -> None:
    """Agents of many sites listen on one port: the target under a name of this machine counts, then the only one."""
    both = listed(("north", "down"), ("south", "up"))
    assert neighbours.find_target(both, 9184, {"south"}) == Target("up")
    assert neighbours.find_target(both, 9184, {"north"}) == Target("down")
    assert neighbours.find_target(listed(("10.0.0.5", "up")), 9184, {"south"}) == Target("up")
    unclear = neighbours.find_target(both, 9184, {"10.0.0.5"})
    assert unclear == Target("unknown", "2 targets have its port, none under a name of this machine")


@pytest.mark.parametrize("body", [b"[" * 100_000, b'"\xff"', b"<html>", b""])
async def test_a_list_of_targets_that_is_not_json_is_named(body: bytes) -> None:
    """Bytes of any kind end in a finding."""

    async def answer(_: Any) -> aiohttp.web.Response:
        return aiohttp.web.Response(body=body)

    async with answering(answer) as url:
        said, target = await neighbours.ask_prometheus(url, "127.0.0.1", 9184)
    assert (said.trouble, target) == ("it does not list its targets: its answer is not JSON", None)


async def test_a_refused_list_of_targets_is_not_an_agent_that_is_not_scraped() -> None:
    """An error in JSON lists no target, which says nothing about the agent."""

    async def refuse(_: Any) -> aiohttp.web.Response:
        return aiohttp.web.json_response({"status": "error"}, status=503)

    async with answering(refuse) as url:
        said, target = await neighbours.ask_prometheus(url, "127.0.0.1", 9184)
    assert (said.trouble, target) == ("it does not list its targets: HTTP 503", None)


async def test_units_are_tried_without_a_byte() -> None:
    """Connected, refused: counted apart; at most twenty units are tried, spread over the ledger."""
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read())
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    closed = free_port()
    entries = [entry(f"u{number}", host="127.0.0.1", port=port if number % 2 else closed) for number in range(100)]
    answered = await neighbours.try_units(entries[1::2])
    assert (answered.tried, answered.connected, answered.refused, answered.silent) == (20, 20, 0, 0)
    answered = await neighbours.try_units(entries[:4])
    assert (answered.tried, answered.connected, answered.refused) == (4, 2, 2)
    # Of 39 units, the second half is tried too.
    answered = await neighbours.try_units([*entries[0:60:2][:20], *entries[1::2][:19]])
    assert (answered.tried, answered.connected, answered.refused) == (20, 9, 11)
    server.close()
    await server.wait_closed()
    assert heard == b""
    assert (await neighbours.try_units([])).tried == 0


async def test_a_broker_that_is_not_there_is_named() -> None:
    """Its name, address and the system's reason; one that listens is well."""
    port = free_port()
    (gone,) = await neighbours.try_brokers([Link(name="site", host="127.0.0.1", port=port, client_id="x")])
    assert gone == Neighbour(f"broker site at 127.0.0.1:{port}", "Connection refused")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        link = Link(name="site", host="127.0.0.1", port=listening.getsockname()[1], client_id="x")
        (there,) = await neighbours.try_brokers([link])
        assert there.trouble == ""
        wrong = replace(link, tls=ssl.create_default_context())
        (silent,) = await neighbours.try_brokers([wrong])
        assert silent.trouble


def test_routes_are_read_in_the_machine_s_byte_order(tmp_path: Path) -> None:
    """The most exact route counts; one that is down does not; a router is told from an own network."""

    def word(address: str) -> str:
        return f"{struct.unpack('=I', ipaddress.IPv4Address(address).packed)[0]:08X}"

    def route(name: str, network: str, gateway: str, flags: int, mask: str) -> str:
        return f"{name}\t{word(network)}\t{word(gateway)}\t{flags:04X}\t0\t0\t0\t{word(mask)}\t0\t0\t0\n"

    (tmp_path / "net").mkdir()
    (tmp_path / "net/route").write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        + route("eth0", "0.0.0.0", "10.0.0.1", 3, "0.0.0.0")
        + route("eth1", "10.20.0.0", "0.0.0.0", 1, "255.255.252.0")
        + route("eth2", "10.20.3.0", "0.0.0.0", 0, "255.255.255.0"),
        encoding="ascii",
    )
    routes = list(machine._routes(tmp_path))
    assert [(str(network), name, is_routed) for network, name, is_routed in routes] == [
        ("0.0.0.0/0", "eth0", True),
        ("10.20.0.0/22", "eth1", False),
    ]
    near = machine._network("10.20.3.0/24", ["10.20.3.7"], routes)
    assert (near.interface, near.is_direct) == ("eth1", True)


def test_facts_of_the_kernel_are_read(tmp_path: Path) -> None:
    """The clock answers, limits are numbers, and tables that are not there are None."""
    clock = read_clock()
    assert clock.is_synchronised in {True, False, None}
    assert abs(clock.offset_s) < 3600
    for name, value in (("nf_conntrack_max", "1000"), ("nf_conntrack_count", "7")):
        path = tmp_path / "sys/net/netfilter" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n", encoding="ascii")
    limits = machine.read_limits(tmp_path)
    assert limits[1:] == (1000, 7, 120.0, None)
    assert limits.files > 0
    assert machine.read_versions().needed["aiohttp"] is not None


def test_a_file_that_cannot_be_looked_at_is_not_missing(tmp_path: Path) -> None:
    """Only what the system calls absent is absent; of other failures nothing is known."""
    missing = machine._file("history.file", tmp_path / "gone", "state")
    assert (missing.exists, missing.trouble) == (False, "")
    hidden = machine._file("history.file", tmp_path / ("x" * 300), "state")
    assert (hidden.exists, hidden.trouble) == (False, "File name too long")


def test_a_disk_that_cannot_be_looked_at_ends_no_doctor(tmp_path: Path) -> None:
    """A folder below one that is closed to this account is left out, and the rest is looked at."""
    outbox = tmp_path / ("x" * 300) / "site.outbox"
    more = f'[[mqtt]]\nname = "site"\nhost = "127.0.0.1"\nport = 1\noutbox_file = "{outbox}"\n'
    setup = load_setup(Path(site(tmp_path, free_port(), more=more)))
    assert [disk.path for disk in machine.read_disks(setup)] == [str(tmp_path)]


def test_pools_that_are_judged_are_asked_for_more_often(tmp_path: Path) -> None:
    """Their connections fill the table of connections too: one a minute and unit besides."""
    judged = '[poll]\ninterval_s = 10\n[[pools.allowed]]\nname = "own"\nurls = ["pool.example"]\naccounts = ["acct"]\n'
    config = load_config(Path(site(tmp_path, free_port(), more=judged)))
    assert config.pools_every is not None
    assert doctor._load(config, 1).connections_a_poll == pytest.approx(1 + 2 / 30 + 1 / config.pools_every)


WITHOUT_SOCKETS = """\
import resource
from agent.doctor import machine, neighbours
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
print(machine._network("fd00::/64", ["fd00::7"], []).trouble, neighbours._binding_trouble("::1", 9184), sep="; ")
"""


def test_a_kernel_that_gives_no_socket_is_a_finding() -> None:
    """As one without IPv6, which refuses the socket and not the connection; here, for want of open files."""
    command = (sys.executable, "-c", WITHOUT_SOCKETS)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENT_S, cwd=ROOT, check=False)
    assert (ended.stdout, ended.stderr) == ("Too many open files; Too many open files\n", "")
