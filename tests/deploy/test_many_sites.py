"""Several sites send their recorded series to one Prometheus, where the fleet's rules sum them."""

import contextlib
import json
import re
import struct
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from alert_chain import hurried_rules
from paths import ROOT
from patience import PATIENT_S
from programs import Program, agent, farm, free_port, get, program, query, until

DEPLOY, RULES = ROOT / "deploy", ROOT / "grafana/rules"
SITES = {"alpha": 12, "beta": 20}
DEPLOYED = "mining_deployed_hashrate_hashes_per_second:sum"
OPERATING = "mining_operating_hashrate_hashes_per_second:sum"


def sending(gateway: str, to: str, folder: Path) -> Path:
    """Return the shipped configuration of a site's Prometheus, with sending enabled by the guide's `sed`."""
    config = folder / "prometheus.yml"
    config.write_bytes((DEPLOY / "prometheus.yml").read_bytes())
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^ +(sed -i .*#: .*) /etc/prometheus/hashsight\.yml$", guide, re.MULTILINE)
    command = command.replace('"$(hostname)"', gateway)
    subprocess.run(["sh", "-c", f"{command} {config}"], timeout=PATIENT_S, check=True)
    return adapt(config, {"https://YOUR-HOST": f"http://{to}", "../grafana/rules/*.yml": str(RULES / "*.yml")})


def adapt(config: Path, changes: dict[str, str]) -> Path:
    """Replace texts in a file; each must occur."""
    text = config.read_text(encoding="utf-8")
    for before, after in changes.items():
        assert before in text, f"{config.name} has no {before!r}"
        text = text.replace(before, after)
    config.write_text(text, encoding="utf-8")
    return config


def hurried(name: str, folder: Path) -> str:
    """Write a shipped rule file with its durations divided; return its path."""
    path = folder / name
    path.write_text(hurried_rules((RULES / name).read_text(encoding="utf-8")), encoding="utf-8")
    return str(path)


@contextlib.asynccontextmanager
async def prometheus(config: Path, address: str, *options: str) -> AsyncIterator[tuple[Program, str]]:
    """Run a Prometheus with a configuration; yield it and its address."""
    command = ("prometheus", f"--config.file={config}", f"--storage.tsdb.path={config.parent / 'tsdb'}")
    log = config.parent / "prometheus.log"
    async with program(*command, f"--web.listen-address={address}", *options, log=log) as running:

        async def is_ready() -> bool:
            return (await get(f"http://{address}/-/ready"))[0] == 200

        await until(is_ready, running)
        yield running, f"http://{address}"


@contextlib.asynccontextmanager
async def place(folder: Path) -> AsyncIterator[tuple[Program, str]]:
    """Run the shipped central Prometheus with a shorter interval."""
    config = folder / "prometheus.yml"
    config.write_bytes((DEPLOY / "prometheus-fleet.yml").read_bytes())
    changes = {"evaluation_interval: 15s": "evaluation_interval: 1s"}
    adapt(config, {**changes, "../grafana/rules/fleet.yml": hurried("fleet.yml", folder)})
    async with prometheus(config, f"127.0.0.1:{free_port()}", "--web.enable-remote-write-receiver") as running:
        yield running


@contextlib.asynccontextmanager
async def site(name: str, folder: Path, to: str) -> AsyncIterator[str]:
    """Run simulated units, an agent and a Prometheus that sends to `to`; yield that Prometheus' address."""
    async with farm(folder, units=SITES[name]), agent(folder, site=name) as (_, url):
        config = sending(f"gateway-{name}", to, folder)
        changes = {
            "127.0.0.1:9184": url.removeprefix("http://"),
            "127.0.0.1:9093": f"127.0.0.1:{free_port()}",
            "scrape_interval: 15s": "scrape_interval: 1s",
            "scrape_timeout: 10s": "scrape_timeout: 1s",
            "evaluation_interval: 15s": "evaluation_interval: 1s",
            str(RULES / "*.yml"): hurried("site.yml", folder),
        }
        async with prometheus(adapt(config, changes), f"127.0.0.1:{free_port()}") as (_, server):
            yield server


async def value(server: str, expression: str) -> float:
    """Return the one value of a query."""
    ((_, _, found),) = await query(server, expression)
    return found


@pytest.mark.program("prometheus")
async def test_two_sites_are_added_up_where_they_come_together(tmp_path: Path) -> None:
    """The fleet's sums are the sums of both sites, from recorded series only, and late samples are accepted."""
    async with contextlib.AsyncExitStack() as stack:
        for name in ("place", *SITES):
            (tmp_path / name).mkdir()
        running, fleet = await stack.enter_async_context(place(tmp_path / "place"))
        to = fleet.removeprefix("http://")
        sites = [await stack.enter_async_context(site(name, tmp_path / name, to)) for name in SITES]
        for name in (DEPLOYED, OPERATING):
            for server in sites:
                await until(lambda server=server, name=name: query(server, f"site:{name}"), running)
        deployed = sum([await value(server, f"site:{DEPLOYED}") for server in sites])
        # Deployed does not change; once it is the sum of both sites, both are in the other sums too.
        await until(lambda: query(fleet, f"abs(fleet:{DEPLOYED} / {deployed!r} - 1) < 1e-9"), running)
        operating = sum([await value(server, f"site:{OPERATING}") for server in sites])
        assert 0 < operating < deployed
        # Hashrate changes between polls, and sent samples are seconds behind.
        await until(lambda: query(fleet, f"abs(fleet:{OPERATING} / {operating!r} - 1) < 0.1"), running)
        assert {labels["site"] for labels, _, _ in await query(fleet, f"site:{DEPLOYED}")} == set(SITES)
        gateways = {f"gateway-{name}" for name in SITES}
        assert {labels["gateway"] for labels, _, _ in await query(fleet, "up")} == gateways
        assert await query(fleet, '{__name__=~"(miner|mining)_.*"}') == []
        # Prometheus' default accepts at most one hour behind the newest sample.
        late_at = int(time.time()) - 3 * 3600
        status = await _send(fleet, {"__name__": f"site:{DEPLOYED}", "site": "gamma"}, 1e15, late_at)
        assert status == 204
        assert await value(fleet, f'site:{DEPLOYED}{{site="gamma"}} @ {late_at}') == 1e15


def test_all_that_the_fleet_needs_is_sent() -> None:
    """Every series of the fleet's rules and the Fleet dashboard is sent by the sites or recorded centrally."""
    text = (DEPLOY / "prometheus.yml").read_text(encoding="utf-8")
    (send,) = yaml.safe_load(re.sub(r"^( *)#: ", r"\1", text, flags=re.MULTILINE))["remote_write"]
    (kept,) = send["write_relabel_configs"]
    assert kept["action"] == "keep"
    panels = json.loads((ROOT / "grafana/dashboards/fleet.json").read_text(encoding="utf-8"))
    asked = (RULES / "fleet.yml").read_text(encoding="utf-8") + json.dumps(panels)
    names = set(re.findall(r"\b\w+:mining_\w+:\w+|\bmin(?:er|ing)_\w+", asked))
    assert len(names) > 50
    assert not {name for name in names if not name.startswith("fleet:") and not re.fullmatch(kept["regex"], name)}


async def _send(server: str, labels: dict[str, str], sample: float, at: int) -> int:
    """Send one sample as a remote Prometheus would; return the HTTP status."""
    pairs = b"".join(_field(1, _field(1, key.encode()) + _field(2, word.encode())) for key, word in labels.items())
    point = b"\x09" + struct.pack("<d", sample) + b"\x10" + _varint(at * 1000)
    body = _field(1, pairs + _field(2, point))
    # Snappy's block format: the length, then one literal of two length bytes that is all of it.
    packed = _varint(len(body)) + b"\xf4" + struct.pack("<H", len(body) - 1) + body
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    headers["X-Prometheus-Remote-Write-Version"] = "0.1.0"
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server}/api/v1/write", data=packed, headers=headers) as answer,
    ):
        return answer.status


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
