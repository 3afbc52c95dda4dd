"""Want of sockets in the log: a line when polls begin to be skipped, one when that ended, and one for a low limit."""

import asyncio
import contextlib
import json
import resource
import sys
from pathlib import Path
from typing import Any

import pytest
from exporter_cases import entry
from programs import agent, farm, get, until
from structlog.testing import capture_logs

from agent.config.file import load_config
from agent.errors import LocalResourceError
from agent.runtime import polling as polling_module
from agent.runtime.polling import Polling
from agent.runtime.socket_log import QUIET_S, SocketLog
from agent.unit.registry import DEFAULT

FULL = LocalResourceError("[Errno 24] Too many open files")
CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[web]
max_connections = 100
"""


class Shortage:
    """A log of a shortage, and a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.log = SocketLog(clock=lambda: self.now_s)

    def skip(self, polls: int) -> None:
        """Skip some polls of 300 units."""
        for _ in range(polls):
            self.log.add(FULL, file_limit=64, in_flight=8, units=300)


def test_a_shortage_makes_two_lines_however_many_polls_it_costs() -> None:
    """The first line has the limit and what the system said; the last, how many polls were skipped and how long."""
    site = Shortage()
    with capture_logs() as lines:
        for _ in range(10):
            site.skip(100)
            site.log.close_interval()
            site.now_s += 10
        site.now_s += QUIET_S - 10
        site.log.close_interval()
        site.log.close_interval()
    assert lines == [
        {
            "event": "polls skipped: no socket",
            "log_level": "warning",
            "error": "[Errno 24] Too many open files",
            "file_limit": 64,
            "in_flight": 8,
            "units": 300,
        },
        {"event": "sockets suffice again", "log_level": "info", "skipped": 1000, "lasted_s": 90.0},
    ]


def test_a_shortage_that_comes_and_goes_is_one_shortage() -> None:
    """A skipped poll every 59 s for an hour is one line; a pause of 60 s ends it, and the next skip begins another."""
    site = Shortage()
    with capture_logs() as lines:
        for _ in range(61):
            site.skip(1)
            site.now_s += QUIET_S - 1
            site.log.close_interval()
        assert [line["event"] for line in lines] == ["polls skipped: no socket"]
        site.now_s += 1
        site.log.close_interval()
        site.skip(1)
    assert [line["event"] for line in lines[1:]] == ["sockets suffice again", "polls skipped: no socket"]


@pytest.mark.parametrize(("file_limit", "units", "at_most"), [(64, 300, 8), (64, 9, 8), (264, 300, 100)])
async def test_a_limit_that_slows_polling_is_named(
    file_limit: int, units: int, at_most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer polls at once than configured and than there are units: the line has the limit that would suffice."""
    (line,) = lines_at_start(file_limit, units, tmp_path, monkeypatch)
    assert line == {
        "event": "few polls at once: limit of open files",
        "log_level": "warning",
        "file_limit": file_limit,
        "file_limit_needed": 1164,
        "in_flight_at_most": at_most,
        "max_in_flight": 1000,
        "units": units,
    }
    assert lines_at_start(1164, 10_000, tmp_path, monkeypatch) == []


@pytest.mark.parametrize(("file_limit", "units"), [(64, 8), (1163, 900), (264, 100)])
async def test_a_limit_that_suffices_is_not_named(
    file_limit: int, units: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If all units can be polled at once, a limit below that of the configured polls is no news."""
    assert lines_at_start(file_limit, units, tmp_path, monkeypatch) == []


@pytest.mark.parametrize(("file_limit", "at_most"), [(16, 8), (64, 8), (100, 28), (172, 100), (65536, 100)])
def test_web_connections_leave_polling_its_files(
    file_limit: int, at_most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a limit of 64 files, 42 idle connections took all that polling needs: the limit bounds them too."""
    assert polling_under(file_limit, tmp_path, monkeypatch).web_connections == at_most


async def test_idle_connections_under_a_low_limit_stop_no_poll(tmp_path: Path) -> None:
    """As many connections as the kernel takes, to an agent that may open 80 files: it polls on, and answers."""
    limited = ("bash", "-c", 'ulimit -n 80; exec "$@"', "_", sys.executable, "-m", "agent")
    async with farm(tmp_path, units=10), agent(tmp_path, program_of=limited) as (running, url):
        opened = []
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    opened.append(await asyncio.open_connection(*url.removeprefix("http://").split(":")))
            before = sum_of("miner_agent_polls_total", (await get(f"{url}/metrics/site"))[1])

            async def has_gone_on() -> bool:
                return sum_of("miner_agent_polls_total", (await get(f"{url}/metrics/site"))[1]) >= before + 50

            await until(has_gone_on, running)
            skipped = sum_of("miner_agent_polls_skipped_total", (await get(f"{url}/metrics/site"))[1])
        finally:
            for _, writer in opened:
                writer.close()
        assert skipped == 0
        assert "no socket" not in running.said


def polling_under(file_limit: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Polling:
    """Return the polling of a process that may open so many files."""
    (folder / "site.toml").write_text(CONFIG, encoding="utf-8")
    (folder / "ledger.csv").touch()
    monkeypatch.setattr(polling_module, "raise_file_limit", lambda: file_limit)
    return Polling(
        load_config(folder / "site.toml"),
        reader_of=lambda _: DEFAULT,
        on_poll=lambda _poll, _at: None,
        on_skipped=lambda _reason, _polls: None,
    )


def lines_at_start(file_limit: int, units: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the log of a start of polling with 1000 polls at once by the configuration."""
    polling = polling_under(file_limit, folder, monkeypatch)
    entries = [entry(f"u{number}") for number in range(units)]
    with capture_logs() as lines, polling.connected(entries):
        pass
    # Other tests may poll a site of this name at this moment.
    return [line for line in lines if line["event"] != "another agent polls this site"]


async def test_an_agent_without_sockets_says_so_once_and_carries_on(tmp_path: Path) -> None:
    """A running agent may open no more files: one line, though every poll is skipped; then it polls again."""
    async with farm(tmp_path, units=10), agent(tmp_path, more="[history]\nkeep = false\n") as (running, url):
        pid = running.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)

        async def skipped() -> float:
            return sum_of("miner_agent_polls_skipped_total", (await get(f"{url}/metrics/site"))[1])

        async def is_logged() -> bool:
            return "polls skipped: no socket" in running.said

        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        await until(is_logged, running)
        rounds = running.said.count("site summary")

        async def are_two_rounds_over() -> bool:
            return running.said.count("site summary") >= rounds + 2

        await until(are_two_rounds_over, running)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        assert await until(skipped, running) >= 2
        ok = sum_of('miner_agent_polls_total{result="ok"}', (await get(f"{url}/metrics/site"))[1])

        async def is_polling() -> bool:
            return sum_of('miner_agent_polls_total{result="ok"}', (await get(f"{url}/metrics/site"))[1]) > ok

        await until(is_polling, running)
    lines = [json.loads(line) for line in running.said.splitlines()]
    (line,) = [line for line in lines if line["event"] == "polls skipped: no socket"]
    assert (line["level"], line["error"], line["units"]) == ("warning", "[Errno 24] Too many open files", 10)
    assert line["file_limit"] == before[1]


def sum_of(series: str, metrics: str) -> float:
    """Return the sum of the samples that begin with `series`."""
    return sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(series))
