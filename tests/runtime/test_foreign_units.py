"""Units of other makes in a whole agent: beside the others, and never in their way."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import fake_pyasic
import structlog
from capture_files import S21_STATS
from fake_pyasic import BABBLES, ENDS, FLOODS, HANGS, SOUND
from loopback import answering, unit, until

from agent.app import Agent
from agent.runtime.lane import Lane, Limits
from agent.runtime.setup import load_setup
from agent.site.reasons import Reason
from agent.site.status import UnitState

CONFIG = """\
[site]
name = "alpha"
count_simulated = true
[ledger]
file = "ledger.csv"
[web]
listen = "127.0.0.1:0"
[poll]
interval_s = 1
[history]
keep = false
[snapshot]
keep = false
"""
FOREIGN_INTERVAL_S = 8.0
SHORT = CONFIG.replace("interval_s = 1\n", f"interval_s = 1\nforeign_interval_s = {FOREIGN_INTERVAL_S}\n")
HEAD = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status,mac,reader\n"


def ledger_row(unit_id: str, slot: int, address: tuple[str, int], reader: str = "", mac: str = "") -> str:
    """Return a row of the ledger."""
    host, port = address
    return f"{unit_id},S21,200,{host}:{port},C1,R1,{slot},2025-01-01,,deployed,{mac},{reader}\n"


@asynccontextmanager
async def running(folder: Path, rows: str, *, head: str = HEAD, config: str = CONFIG) -> AsyncIterator[Agent]:
    """Run an agent with a program in the place of pyasic."""
    (folder / "site.toml").write_text(config, encoding="utf-8")
    (folder / "ledger.csv").write_text(head + rows, encoding="utf-8")
    agent = Agent(load_setup(folder / "site.toml"))
    command = fake_pyasic.command(folder / "starts")
    quick = Limits(deadline_s=2.0, rest_s=0.0, longest_wait_s=0.0)
    agent._polling.foreign._lane_of = partial(Lane, command=command, limits=quick)
    task = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        agent.stop.set()
        await task


def state(agent: Agent, unit_id: str) -> UnitState:
    """Return a unit's state."""
    status = agent.tracker.status(unit_id)
    assert status is not None
    return status.state


async def test_without_them_there_is_no_process(tmp_path: Path) -> None:
    """No lane either."""
    async with unit(answering(S21_STATS)) as address, running(tmp_path, ledger_row("u1", 1, address)) as agent:
        await until(lambda: state(agent, "u1") is UnitState.HASHING)
        assert agent._polling.foreign.lane is None
        assert fake_pyasic.starts(tmp_path / "starts") == []


async def test_a_lane_that_fails_is_the_lanes_units_alone(tmp_path: Path) -> None:
    """One unit of another make is read, one ends the process: that one is unreadable, our own hashes on."""
    async with unit(answering(S21_STATS)) as address:
        rows = ledger_row("own", 1, address)
        rows += ledger_row("sound", 2, (f"127.0.0.{SOUND}", 4028), "foreign")
        async with running(tmp_path, rows) as agent:
            await until(lambda: state(agent, "sound") is UnitState.HASHING)
            await until(lambda: agent.rounds.is_whole)
            (tmp_path / "ledger.csv").write_text(
                HEAD + rows + ledger_row("bad", 3, (f"127.0.0.{ENDS}", 4028), "foreign"), encoding="utf-8"
            )
            await agent.reload()
            agent._polling.foreign._poller.offer_all()  # type: ignore[union-attr]  # not a minute later
            await until(lambda: agent.metrics.own.lane_replaced["ended"] > 0)
            await until(lambda: state(agent, "bad") is UnitState.UNREADABLE)
            status = agent.tracker.status("bad")
            assert status is not None
            assert status.reason is Reason.LANE_FAILED
            assert state(agent, "own") is UnitState.HASHING
            body, _ = await agent.metrics.scrape()
            assert re.search(rb'miner_agent_lane_replacements_total\{[^}]*why="ended"\} ', body)


async def test_a_process_that_hangs_ends_floods_and_babbles(tmp_path: Path) -> None:
    """Those units are unreadable within two of their intervals, all others untouched; a line and a metric say so."""
    octets = {HANGS: "deadline", ENDS: "ended", FLOODS: "flood", BABBLES: "nonsense"}
    healed = tmp_path / "healed"
    healed.write_text(" ".join(map(str, octets)), encoding="ascii")
    others = ("own", *(f"sound{number}" for number in range(1, 9)))
    bad = tuple(f"bad{octet}" for octet in octets)
    async with unit(answering(S21_STATS)) as address:
        rows = ledger_row("own", 1, address)
        for number, unit_id in enumerate(others[1:], start=1):
            rows += ledger_row(unit_id, 10 + number, (f"127.0.0.{number}", 4028), "foreign")
        rows += "".join(ledger_row(f"bad{octet}", octet, (f"127.0.0.{octet}", 4028), "foreign") for octet in octets)
        with structlog.testing.capture_logs() as lines:
            async with running(tmp_path, rows, config=SHORT) as agent:
                await until(lambda: all(state(agent, each) is UnitState.HASHING for each in (*others, *bad)))
                healed.unlink()
                harmed: set[str] = set()

                def are_found() -> bool:
                    harmed.update(each for each in others if state(agent, each) is not UnitState.HASHING)
                    return all(state(agent, each) is UnitState.UNREADABLE for each in bad)

                await until(are_found)
                assert harmed == set()
                for unit_id in bad:
                    status = agent.tracker.status(unit_id)
                    assert status is not None
                    assert status.reading is not None
                    assert status.since - status.reading.at <= 2 * FOREIGN_INTERVAL_S
                counted = agent.metrics.own.lane_replaced
                assert all(counted[why] > 0 for why in octets.values()), counted
    assert sum(1 for line in lines if line["event"] == "pyasic's process replaced") == 1


async def test_a_unit_may_change_to_the_lane_and_back(tmp_path: Path) -> None:
    """With the last of them, the process ends."""
    async with unit(answering(S21_STATS)) as address:
        own, foreign = ledger_row("u1", 1, address), ledger_row("u1", 1, address, "foreign", mac="02:00:00:00:00:01")
        async with running(tmp_path, own) as agent:
            for rows, reader in ((foreign, "foreign"), (own, "antminer"), (foreign, "foreign")):
                (tmp_path / "ledger.csv").write_text(HEAD + rows, encoding="utf-8")
                await agent.reload()
                if reader == "foreign":
                    agent._polling.foreign._poller.offer_all()  # type: ignore[union-attr]  # not a minute later
                await until(lambda reader=reader: reader_of(agent) == reader)
                assert agent.poller.units == (0 if reader == "foreign" else 1)
            (tmp_path / "ledger.csv").write_text(HEAD + own, encoding="utf-8")
            await agent.reload()
            lane = agent._polling.foreign.lane
            assert lane is not None
            await until(lambda: lane.is_idle)


def reader_of(agent: Agent) -> str:
    """Return the reader of the latest reading of u1."""
    status = agent.tracker.status("u1")
    assert status is not None
    return "" if status.reading is None else status.reading.reader


async def test_a_make_is_enough(tmp_path: Path) -> None:
    """A row of another make goes through pyasic without a word in its column `reader`."""
    head = HEAD.replace("reader", "make")
    row = f"w1,Rig 9000,200,127.0.0.{SOUND},C1,R1,1,2025-01-01,,deployed,,Other\n"
    async with running(tmp_path, row, head=head) as agent:
        await until(lambda: state(agent, "w1") is UnitState.HASHING)
        status = agent.tracker.status("w1")
        assert status is not None
        assert status.reading is not None
        assert (status.reading.reader, status.hashrate_hs) == ("foreign", 190e12)


async def test_one_sweep_reads_them_too(tmp_path: Path) -> None:
    """`hashsight once`: the process ends with it."""
    (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
    rows = ledger_row("f1", 1, (f"127.0.0.{SOUND}", 4028), "foreign")
    (tmp_path / "ledger.csv").write_text(HEAD + rows, encoding="utf-8")
    agent = Agent(load_setup(tmp_path / "site.toml"))
    agent._polling.foreign._lane_of = partial(Lane, command=fake_pyasic.command(tmp_path / "starts"))
    figures = await agent.sweep()
    assert figures.site.operating_hs == 190e12
    lane = agent._polling.foreign.lane
    assert lane is not None
    assert lane.is_idle


async def test_they_are_asked_for_no_page(tmp_path: Path) -> None:
    """The units' login goes to stock firmware's pages alone."""
    rows = ledger_row("f1", 1, (f"127.0.0.{SOUND}", 4028), "foreign", mac="02:00:00:00:00:01")
    async with running(tmp_path, rows) as agent:
        await until(lambda: state(agent, "f1") is UnitState.HASHING)
        assert not agent.identity.figures().is_watched
        assert [entry.unit_id for entry in agent.identity.polled_entries()] == ["f1"]
