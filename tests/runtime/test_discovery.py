"""A running agent that looks: what it finds, that polling misses nothing, and which ranges it may look at."""

import asyncio
import contextlib
import csv
import gzip
import io
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from identity_site import CONFIG, Site
from loopback import answering, unit
from patience import PATIENT_S
from sim_cases import make_farm
from web_cases import Served, served

from agent.app import Agent
from agent.errors import ConfigError, LocalResourceError
from agent.hil.discovery.figures import MachineKind
from agent.runtime import discovery as discovery_module
from agent.runtime.discovery import Discovery
from agent.runtime.reload import read_again
from agent.runtime.setup import load_setup
from simulators.strangers.surroundings import Elsewhere, Surroundings, read_strangers

AROUND = Surroundings(
    strangers=(
        read_strangers("web=127.77.4.1"),
        read_strangers("whatsminer=127.77.4.2"),
        read_strangers("silent=127.77.4.16/28"),
    ),
    elsewhere=Elsewhere.REFUSE,
)
DISCOVERY = """\
[discovery]
networks = ["127.77.0.1-127.77.0.6", "127.77.4.1-127.77.4.31"]
at = "04:00"
rate_per_s = 20
port = {port}
"""
SITE = '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\nnetworks = ["10.20.0.0/16", "10.21.0.0/16"]\n'


LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status
u1,S21,200,{host},C1,R1,1,2025-01-01,,deployed
"""


def written(folder: Path, discovery: str, *, site: str = SITE) -> Path:
    """Write a ledger of one unit and a configuration with this section; return the configuration's path."""
    host = "127.0.0.2" if "127.0.0.0/8" in site else "10.20.0.2"
    (folder / "ledger.csv").write_text(LEDGER.format(host=host), encoding="utf-8")
    (folder / "site.toml").write_text(site + discovery, encoding="utf-8")
    return folder / "site.toml"


@contextlib.asynccontextmanager
async def looking(folder: Path) -> AsyncIterator[tuple[Site, Served]]:
    """Run an agent beside a farm of six: three in the ledger, one removed, one unlisted, one entered elsewhere."""
    farm = make_farm(6, around=AROUND)
    async with served(farm) as running:
        text = io.StringIO()
        farm.write_ledger(text, port=running.api.port)
        rows = list(csv.DictReader(io.StringIO(text.getvalue())))
        rows[3]["deployed_to"] = "2025-02-01"
        rows[5]["host"] = f"127.77.9.9:{running.api.port}"
        del rows[4]
        with (folder / "ledger.csv").open("w", encoding="utf-8", newline="") as file:
            ledger = csv.DictWriter(file, list(rows[0]))
            ledger.writeheader()
            ledger.writerows(rows)
        config = CONFIG.replace("interval_s = 1", "interval_s = 2").format(web_port=running.web.port)
        (folder / "site.toml").write_text(config + DISCOVERY.format(port=running.api.port), encoding="utf-8")
        agent = Agent(load_setup(folder / "site.toml"))
        site = Site(farm, agent)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(agent.run(), name="agent")
            try:
                await site.until(lambda: agent.rounds.is_whole)
                yield site, running
            finally:
                agent.stop.set()
    assert running.api.journal.writes == 0


async def test_a_look_finds_what_the_ledger_lacks_and_polling_misses_nothing(tmp_path: Path) -> None:
    """Five machines in four kinds; no skipped poll, no figure changed, and no polled unit is looked at."""
    async with looking(tmp_path) as (site, running):
        agent, requests = site.agent, running.api.journal.entries
        before, polls = agent.sum_up(), len(requests)
        look = await agent.discovery.look()
        assert look is not None
        polled = Counter(entry.unit_id for entry in list(requests)[polls:] if entry.request == "stats new_api")
        after = agent.sum_up()
        found = {machine.seen.endpoint.host: machine for machine in agent.discovery.figures().machines}
        answer = json.loads(await site.page("/api/v1/discovery"))
        metrics = await site.page("/metrics/site")
        skipped = agent.metrics.own.skipped.total()
    assert {host: machine.kind for host, machine in found.items()} == {
        "127.77.0.4": MachineKind.NOT_DEPLOYED,
        "127.77.0.5": MachineKind.UNLISTED,
        "127.77.0.6": MachineKind.MOVED,
        "127.77.4.1": MachineKind.UNIDENTIFIED,
        "127.77.4.2": MachineKind.UNLISTED,
    }
    assert found["127.77.0.6"].unit_id == site.unit_id(5)
    assert found["127.77.0.5"].seen.mac == site.farm.units[4].identity.mac.lower()
    assert found["127.77.4.1"].seen.looks_like == "HTTP"
    assert found["127.77.4.2"].seen.model == "Whatsminer M30S+_VE40"
    assert (look.addresses, look.silent) == (34, 16)
    # The look took two intervals at least, and the three polled units were asked as always.
    assert skipped == 0
    assert all(polled[site.unit_id(number)] >= 2 for number in range(3))
    assert (after.site.deployed_hs, after.site.units) == (before.site.deployed_hs, 4)
    assert after.site.operating_hs == pytest.approx(before.site.operating_hs, rel=0.05)
    assert answer["machines_by_kind"] == {"unlisted": 2, "not_deployed": 1, "moved": 1, "unidentified": 1}
    assert 'mining_site_discovered_machines{kind="unlisted",site="alpha"} 2.0' in metrics


async def test_a_unit_that_is_entered_disappears_with_the_reload(tmp_path: Path) -> None:
    """Finds are held against the ledger in force, not against that of the look."""
    async with looking(tmp_path) as (site, running):
        await site.agent.discovery.look()
        new = site.farm.units[4].identity
        with (tmp_path / "ledger.csv").open("a", encoding="utf-8") as file:
            row = (new.unit_id, new.model.name, "200", f"{new.host}:{running.api.port}", "C1", "R9", "1", "2025-01-01")
            file.write(",".join((*row, "", "deployed", new.serial, new.mac, "yes")) + "\n")
        await site.agent.reload()
        kinds = Counter(machine.kind for machine in site.agent.discovery.figures().machines)
    assert kinds == {
        MachineKind.UNLISTED: 1,
        MachineKind.NOT_DEPLOYED: 1,
        MachineKind.MOVED: 1,
        MachineKind.UNIDENTIFIED: 1,
    }


LOOPBACK = SITE.replace("10.20.0.0/16", "127.0.0.0/8")


async def test_a_look_outlasts_a_restart(tmp_path: Path) -> None:
    """With its age, marked, and without what is no longer looked at; the next look is this process's own."""
    now = [1763596800.0]

    def discovery(networks: str) -> Discovery:
        lines = f"networks = {networks}\nport = {port}"
        setup = load_setup(written(tmp_path, f"[discovery]\n{lines}\n", site=LOOPBACK))
        return Discovery(setup=lambda: setup, polled=tuple, wall=lambda: now[0])

    async with (
        unit(answering(b""), "127.77.200.1") as (_, port),
        unit(answering(b""), bound=socket.create_server(("127.77.200.2", port))),
    ):
        first = discovery('["127.77.200.1-127.77.200.2"]')
        look = await first.look()
        assert look is not None
        assert len(look.seen) == 2
        assert not first.figures().is_restored
        now[0] += 86_400.0
        second = discovery('["127.77.200.1-127.77.200.2"]')
        await second.restore()
        assert (second.figures().look, second.figures().is_restored) == (look, True)
        assert len(second.figures().machines) == 2
        fewer = discovery('["127.77.200.2"]')
        await fewer.restore()
        assert [machine.seen.endpoint.host for machine in fewer.figures().machines] == ["127.77.200.2"]
        now[0] += 7 * 86_400.0
        late = discovery('["127.77.200.1"]')
        await late.restore()
        assert late.figures().look is None
        await second.look()
        assert not second.figures().is_restored


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x8b", b"{}", gzip.compress(b'{"format":9}', mtime=0), gzip.compress(b"[[[[", mtime=0)]
)
async def test_a_damaged_file_is_no_look(tmp_path: Path, content: bytes) -> None:
    """The agent begins without one."""
    setup = load_setup(written(tmp_path, '[discovery]\nnetworks = ["127.77.200.1"]\nport = 1\n', site=LOOPBACK))
    (tmp_path / "site.snapshot.discovery").write_bytes(content)
    discovery = Discovery(setup=lambda: setup, polled=tuple)
    await discovery.restore()
    assert (discovery.figures().look, discovery.figures().is_restored) == (None, False)


async def test_a_look_that_cannot_be_kept_is_a_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes nothing from it."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.runtime.discovery_file.write_packed", full)
    setup = load_setup(written(tmp_path, '[discovery]\nnetworks = ["127.77.200.1"]\nport = 1\n', site=LOOPBACK))
    discovery = Discovery(setup=lambda: setup, polled=tuple)
    assert await discovery.look() is not None
    assert discovery.figures().look is not None


async def test_a_look_is_made_when_the_quiet_hour_comes(tmp_path: Path) -> None:
    """Not before, once then, and not by a standby that stands by."""
    lines = 'networks = ["127.77.200.1"]\nport = 1'
    setup = load_setup(written(tmp_path, f"[discovery]\n{lines}\n", site=LOOPBACK))
    day = 1763596800.0  # 2025-11-20 00:00 UTC
    now, is_active = [day + 4 * 3600.0 - 0.05], [False]

    def wall() -> float:
        # Each question is a moment later: the naps end as soon as they began.
        now[0] += 0.01
        return now[0]

    discovery = Discovery(setup=lambda: setup, polled=tuple, is_active=lambda: is_active[0], wall=wall, nap_s=0.01)
    running = asyncio.create_task(discovery.run())
    try:
        while discovery.figures().next_at != day + 28 * 3600.0:  # noqa: ASYNC110  a time is no event
            await asyncio.sleep(0.0)
        assert discovery.figures().looks["done"] == 0
        is_active[0] = True
        now[0] = day + 28 * 3600.0
        async with asyncio.timeout(PATIENT_S):
            while discovery.figures().looks["done"] == 0:  # noqa: ASYNC110  figures are no event
                await asyncio.sleep(0.01)
        look = discovery.figures().look
        assert look is not None
        assert (look.addresses, look.refused) == (1, 1)
    finally:
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize(
    "error", [LocalResourceError("no socket to scan with: EMFILE"), ZeroDivisionError("a bug")], ids=str
)
async def test_a_look_that_fails_is_counted_and_ends_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Neither a process without sockets nor a bug of ours ends the agent; the latest look stays."""

    async def failing(*_: object, **__: object) -> AsyncIterator[None]:
        raise error
        yield  # An async generator, as `scan` is.

    lines = 'networks = ["127.77.200.1"]\nport = 1'
    setup = load_setup(written(tmp_path, f"[discovery]\n{lines}\n", site=LOOPBACK))
    discovery = Discovery(setup=lambda: setup, polled=tuple)
    earlier = await discovery.look()
    monkeypatch.setattr(discovery_module, "scan", failing)
    assert await discovery.look() is None
    figures = discovery.figures()
    assert (figures.look, figures.is_looking, dict(figures.looks)) == (earlier, False, {"done": 1, "failed": 1})


@pytest.mark.parametrize(
    ("lines", "mistakes"),
    [
        ('networks = ["8.8.8.0/24"]', ["discovery.networks = '8.8.8.0/24': outside ledger.networks"]),
        ('networks = ["192.168.0.0/24"]', ["discovery.networks = '192.168.0.0/24': outside ledger.networks"]),
        ('networks = ["10.20.0.9-10.20.0.1"]', ["discovery.networks = '10.20.0.9-10.20.0.1': "]),
        ('networks = ["10.20.0.0/24", "10.20.0.7"]', ["discovery.networks = '10.20.0.7': overlaps 10.20.0.0/24"]),
        ('networks = ["0.0.0.0/0"]', ["discovery.networks = '0.0.0.0/0': "]),
        ('networks = ["10.20.0.1"]\nexclude = ["10.21.0.1"]', ["discovery.exclude = '10.21.0.1': "]),
        ('exclude = ["10.20.0.1"]', ["discovery.exclude"]),
        ("rate_per_s = 100_000", ["discovery.rate_per_s = '100000': "]),
        ('at = "25:00"', ["discovery.at = '25:00': "]),
    ],
)
def test_bad_ranges_are_named_with_file_and_key(tmp_path: Path, lines: str, mistakes: list[str]) -> None:
    """An agent looks only where its units may be; every mistake is refused before it starts."""
    file = written(tmp_path, f"[discovery]\n{lines}\n")
    with pytest.raises(ConfigError) as refused:
        load_setup(file)
    told = [str(mistake) for mistake in refused.value.mistakes]
    assert len(told) == len(mistakes)
    for expected, found in zip(mistakes, told, strict=True):
        assert expected in found
        assert "site.toml" in found


def test_ranges_and_hour_may_change_while_running(tmp_path: Path) -> None:
    """Discovery has no socket of its own; a reload takes it over."""
    setup = load_setup(written(tmp_path, ""))
    assert setup.discovered is None
    written(tmp_path, '[discovery]\nnetworks = ["10.20.0.0/24"]\n')
    fresh = read_again(setup)
    assert fresh.discovered is not None
    assert len(fresh.discovered) == 254
