"""What the agent leaves on disk is not for others to read, whatever the shell that starts it allows."""

import signal
import stat
import sys
from pathlib import Path

from mqtt_agent import section, toml
from programs import CONFIG, farm, free_port, get, program, until

OPEN_TO_ALL = (
    "import os, runpy, sys; os.umask(0); sys.argv[0:1] = ['hashsight']; runpy.run_module('agent', run_name='__main__')"
)


def modes(folder: Path) -> dict[str, str]:
    """Return the mode of each file in a folder."""
    return {path.name: f"{stat.S_IMODE(path.stat().st_mode):04o}" for path in folder.iterdir()}


def core_limits(pid: int) -> list[str]:
    """Return soft and hard limit of a process's core dumps."""
    lines = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    return next(line.split()[-3:-1] for line in lines if line.startswith("Max core file size"))


def first_unit(folder: Path) -> str:
    """Return a unit of the ledger."""
    return (folder / "ledger.csv").read_text(encoding="utf-8").splitlines()[-1].partition(",")[0]


async def test_files_are_private_and_memory_is_not_dumped(tmp_path: Path) -> None:
    """With umask 0, history, outbox, curtailments, locks and journals are 0640 or stricter; no core is dumped."""
    config, port = tmp_path / "site.toml", free_port()
    (tmp_path / "token").write_text("a-token-of-at-least-32-characters-please", encoding="utf-8")
    (tmp_path / "token").chmod(0o600)
    text = CONFIG.format(interval_s=1, port=port, count_simulated="true")
    more = f'[api]\ntoken_file = "token"\n[history]\nkeep = true\n{toml(section(free_port(), curtailment=True))}'
    config.write_text(f"{text}{more}", encoding="utf-8")
    async with farm(tmp_path, units=2):
        # The ledger's backup has the mode of the ledger, which is the operator's.
        known = {*modes(tmp_path), "agent.log", "ledger.log", "ledger.csv.bak"}
        command = (sys.executable, "-c", OPEN_TO_ALL, "run", "--config", str(config))
        async with program(*command, log=tmp_path / "agent.log") as running:

            async def is_ready() -> bool:
                return (await get(f"http://127.0.0.1:{port}/readyz"))[0] == 200

            await until(is_ready, running)
            limits = core_limits(running.process.pid)
            while_running = modes(tmp_path)
            running.process.send_signal(signal.SIGTERM)
            assert await running.ended() == 0
        change = ("ledger", "set", first_unit(tmp_path), "--rack", "R77", "--at", "2026-01-01", "--config", str(config))
        async with program(sys.executable, "-c", OPEN_TO_ALL, *change, log=tmp_path / "ledger.log") as changing:
            assert await changing.ended() == 0, changing.said
    found = {name: mode for name, mode in (while_running | modes(tmp_path)).items() if name not in known}
    assert limits == ["0", "0"]
    assert {"site.history.sqlite", "site.history.sqlite-wal", "site.mqtt-site.sqlite"} <= found.keys()
    assert {"site.curtailments.json", "site.curtailments.json.lock", "ledger.csv.journal.jsonl"} <= found.keys()
    assert (found.pop("site.history.key"), found.pop("site.history.key.pub")) == ("0600", "0644")
    assert set(found.values()) <= {"0640", "0600"}, found
