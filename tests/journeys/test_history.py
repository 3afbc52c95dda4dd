"""History in a running agent: it survives kills and restarts, and never holds up polling."""

import asyncio
import json
import signal
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from patience import PATIENT_S
from programs import Program, agent, get, get_json, program, until
from shared_farm import SharedFarm, shared_farm

from agent.history.minutes import Row, row_from
from agent.history.reader import read_history

twenty = shared_farm(units=20)


async def ready(running: Program, url: str) -> None:
    """Wait until every unit was polled once."""

    async def is_ready() -> bool:
        return (await get(f"{url}/readyz"))[0] == 200

    await until(is_ready, running)


async def says(running: Program, url: str, line: str) -> None:
    """Wait until a line is on /metrics."""

    async def is_said() -> bool:
        return f"\n{line}\n" in (await get(f"{url}/metrics"))[1]

    await until(is_said, running)


async def figures_go_on(running: Program, url: str, rounds: int = 2) -> None:
    """Wait for `rounds` new rounds of figures."""
    for _ in range(rounds):
        before = (await get_json(f"{url}/api/v1/site"))["figures_at"]

        async def are_new(before: str = before) -> bool:
            return bool((await get_json(f"{url}/api/v1/site"))["figures_at"] != before)

        await until(are_new, running)


def rows(path: Path) -> list[Row]:
    """Return the site's rows."""
    with closing(read_history(path)) as reader:
        return [row_from(values) for chunk in reader.chunks(0, 1e12) for values in chunk]


def asides(folder: Path) -> list[Path]:
    """Return the damaged files that were kept."""
    return list(folder.glob("site.history.sqlite.damaged-*"))


async def test_history_of_two_runs(tmp_path: Path, twenty: SharedFarm) -> None:
    """Two runs one after the other both write to one history, and the export covers both."""
    history = tmp_path / "site.history.sqlite"
    twenty.copy_ledger(tmp_path)
    began = time.monotonic()
    for _ in range(2):
        async with agent(tmp_path) as (running, url):
            await ready(running, url)
            await figures_go_on(running, url)
            running.process.send_signal(signal.SIGTERM)
            assert await running.ended() == 0
    ran_s = time.monotonic() - began
    truth = await get_json(f"{twenty.control}/truth")
    kept = rows(history)
    assert 4 - 0.5 < sum(row.watched_s for row in kept) < ran_s
    for row in kept:
        assert row.simulated_units == row.units == 20
        assert (
            abs(row.deployed_hs - sum(row.losses_hs.values()) + row.uplift_hs - row.operating_hs)
            < 1e-9 * row.deployed_hs
        )
        assert abs(row.operating_hs / truth["site"]["hashrate_hs"] - 1) < 0.03
    with closing(read_history(history)) as reader:
        facts = list(reader.facts())
        units = {change.unit_id for change in reader.changes(0, 1e12)}
    # Ended in an orderly way, twice; the second run has the ledger of the first.
    assert [fact.kind for fact in facts if fact.kind not in {"key", "nameplates", "repairs"}] == [
        *("genesis", "start", "clock", "ledger", "stop"),
        *("start", "clock", "stop"),
    ]
    assert len([fact for fact in facts if fact.kind == "key"]) == 1
    # Each run records the state of every unit that it could read.
    assert 15 < len(units) <= 20
    month = kept[0].at
    command = (sys.executable, "-m", "agent", "history", "export", "--history", str(history), "--from", "1970-01-01")
    async with program(*command, log=tmp_path / "export.log") as exporting:
        async with asyncio.timeout(PATIENT_S):
            assert await exporting.process.wait() == 0
        assert str(month) in exporting.said


async def test_a_killed_agent_leaves_a_sound_file(tmp_path: Path, twenty: SharedFarm) -> None:
    """After SIGKILL in the middle of a minute the file is sound, and the next agent goes on with it."""
    history = tmp_path / "site.history.sqlite"
    twenty.copy_ledger(tmp_path)
    async with agent(tmp_path) as (running, url):
        await ready(running, url)
        await says(running, url, "miner_agent_history_up 1.0")
        await figures_go_on(running, url)
        running.process.kill()
        await running.process.wait()
    with closing(sqlite3.connect(history)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    async with agent(tmp_path) as (running, url):
        await ready(running, url)
        await says(running, url, "miner_agent_history_up 1.0")
        assert 'miner_agent_history_errors_total{reason="damaged"} 0.0' in (await get(f"{url}/metrics"))[1]
        await figures_go_on(running, url)
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0
    assert rows(history)
    with closing(read_history(history)) as reader:
        runs = [fact.kind for fact in reader.facts(kinds=("start", "stop"))]
    assert runs == ["start", "start", "stop"]


async def test_a_damaged_file_does_not_stop_polling(tmp_path: Path, twenty: SharedFarm) -> None:
    """A history file of garbage is moved aside and a new one begins; the figures do not wait for it."""
    (tmp_path / "site.history.sqlite").write_bytes(b"no database " * 1000)
    twenty.copy_ledger(tmp_path)
    async with agent(tmp_path) as (running, url):
        await ready(running, url)
        await says(running, url, 'miner_agent_history_errors_total{reason="damaged"} 1.0')
        await says(running, url, "miner_agent_history_up 1.0")
        await figures_go_on(running, url)
        assert '"event": "history was damaged and begins anew"' in running.said
    assert len(asides(tmp_path)) == 1


async def test_history_that_cannot_be_written_does_not_stop_polling(tmp_path: Path, twenty: SharedFarm) -> None:
    """With a folder in place of the file, /metrics and the log say so, and everything else goes on."""
    (tmp_path / "site.history.sqlite").mkdir()
    twenty.copy_ledger(tmp_path)
    async with agent(tmp_path) as (running, url):
        await ready(running, url)
        await says(running, url, "miner_agent_history_up 0.0")
        await figures_go_on(running, url)
        status, answer = await get(f"{url}/api/v1/history")
        assert (status, "site.history.sqlite" in json.loads(answer)["error"]) == (503, True)
        assert '"event": "history cannot be written"' in running.said
        assert "History is not being written" in (await get(f"{url}/"))[1]
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0


async def test_two_agents_on_one_history(tmp_path: Path, twenty: SharedFarm) -> None:
    """The second agent polls and serves, writes no history and says why; the first is not disturbed."""
    other = tmp_path / "other"
    other.mkdir()
    twenty.copy_ledger(tmp_path)
    async with agent(tmp_path) as (first, first_url):
        await ready(first, first_url)
        await says(first, first_url, "miner_agent_history_up 1.0")
        history = tmp_path / "site.history.sqlite"
        twenty.copy_ledger(other)
        (other / "site.history.sqlite").symlink_to(history)
        (other / "site.history.sqlite.lock").symlink_to(tmp_path / "site.history.sqlite.lock")
        async with agent(other) as (second, second_url):
            await ready(second, second_url)
            await says(second, second_url, 'miner_agent_history_errors_total{reason="in_use"} 1.0')
            await says(second, second_url, "miner_agent_history_up 0.0")
            await figures_go_on(second, second_url)
        assert "\nminer_agent_history_up 1.0\n" in (await get(f"{first_url}/metrics"))[1]
