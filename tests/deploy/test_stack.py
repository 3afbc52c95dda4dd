"""`make stack`: everything comes up natively, works together, and goes away."""

import asyncio
import errno
import importlib
import io
import os
import re
import signal
import sys
from pathlib import Path
from types import ModuleType

import aiohttp
import pytest
from paths import DEPLOY
from patience import PATIENT_S
from programs import get, get_json, program, query, until

STACK = DEPLOY / "stack.py"


@pytest.mark.program("prometheus", "prometheus-alertmanager")
async def test_stack_comes_up_and_goes_away(tmp_path: Path) -> None:
    """All four answer at the printed addresses, the rules are evaluated, and a closed terminal ends every one."""
    command = (sys.executable, str(STACK), "--units", "12", "--interval", "1.5", "--folder", str(tmp_path / "run"))
    async with program(*command, log=tmp_path / "stack.log") as running:

        async def is_up() -> bool:
            return "Ctrl-C" in running.said

        await until(is_up, running, within_s=PATIENT_S)
        found = dict(re.findall(r"^(.*?)\s{2,}(http://\S+)$", running.said, re.MULTILINE))
        assert set(found) == {"status page", "what is true", "Alertmanager", "Prometheus"}
        server = found["Prometheus"].rstrip("/")

        async def is_summed() -> bool:
            return bool(await query(server, "site:mining_operating_per_deployed:ratio"))

        await until(is_summed, running)
        alertmanagers = (await get_json(f"{server}/api/v1/alertmanagers"))["data"]["activeAlertmanagers"]
        assert [each["url"] for each in alertmanagers] == [f"{found['Alertmanager']}api/v2/alerts"]

        async def is_on_the_wall() -> bool:
            return "Alerts firing" in (await get(f"{found['status page']}wall"))[1]

        await until(is_on_the_wall, running)
        assert (await get_json(found["what is true"]))["site"]["hashrate_hs"] > 0
        running.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(PATIENT_S):
            assert await running.process.wait() == 0, running.said
        for address in found.values():
            with pytest.raises(aiohttp.ClientError):
                await get(address)


@pytest.fixture
def stack() -> ModuleType:
    """Return the module of the command."""
    sys.path.insert(0, str(DEPLOY))
    try:
        return importlib.import_module("stack")
    finally:
        sys.path.remove(str(DEPLOY))


def test_a_run_begins_without_the_state_of_the_one_before(stack: ModuleType, tmp_path: Path) -> None:
    """What an earlier run wrote is gone, and another file in the folder is not."""
    (tmp_path / "prometheus/wal").mkdir(parents=True)
    written = ("agent.log", "site.toml", "site.history.sqlite", "site.curtailments.json", "api.token", "ledger.csv")
    for name in (*written, "prometheus.yml", "notes.txt"):
        (tmp_path / name).touch()
    with stack.fresh(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {"lock", "notes.txt"}


def test_two_runs_never_share_a_folder(stack: ModuleType, tmp_path: Path) -> None:
    """A second run is refused before it deletes anything of the first."""
    with stack.fresh(tmp_path):
        (tmp_path / "agent.log").touch()
        with pytest.raises(stack.StackError, match="another run uses"), stack.fresh(tmp_path):
            pass
        assert (tmp_path / "agent.log").exists()
    with stack.fresh(tmp_path):
        assert not (tmp_path / "agent.log").exists()


class GoneTerminal(io.StringIO):
    """Standard output after its terminal was closed."""

    def flush(self) -> None:
        """Fail as the kernel does."""
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_terminal_that_is_gone_stops_nothing(stack: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing to a closed terminal is no error, so that the programs are still ended."""
    terminal = GoneTerminal()
    monkeypatch.setattr("sys.stdout", terminal)
    stack.say("ended")
    assert terminal.getvalue() == "ended\n"
