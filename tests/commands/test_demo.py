"""The demo stops every program it started, however it ends."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest
from patience import PATIENT_S
from programs import Program, get, get_json, program, query, until

from agent.commands.demo_programs import reserved_port

COMMAND = (sys.executable, "-m", "agent", "demo", "--units", "20", "--interval", "1", "--listen", "127.0.0.1:0")

# Python runs this before a program: the simulators never get ready.
NEVER_READY = """
import sys, time
if "simulators" in sys.orig_argv:
    time.sleep(600)
"""


async def _children(running: Program) -> list[psutil.Process]:
    return psutil.Process(running.process.pid).children(recursive=True)


async def _is_watching(running: Program) -> bool:
    return "operational efficiency" in running.said


def _runs(process: psutil.Process) -> bool:
    """Return True while a process runs; one that ended runs no more, even if nothing has collected its status."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _left(children: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that still run; `children` must not be empty."""
    assert children
    return [child for child in children if _runs(child)]


async def test_several_do_not_meet_and_a_signal_stops_each(tmp_path: Path) -> None:
    """Demos started together use different ports; a closed terminal, Ctrl-C or SIGTERM stops one with its programs.

    Its exit status is 0, and the others go on.
    """
    async with contextlib.AsyncExitStack() as stack:
        demos = {
            number: await stack.enter_async_context(program(*COMMAND, log=tmp_path / f"{number.name}.log"))
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
        }
        for running in demos.values():
            await until(lambda running=running: _is_watching(running), running)
        said = [re.findall(r"http://\S+", running.said)[:3] for running in demos.values()]
        children = {number: await _children(running) for number, running in demos.items()}
        for number, running in demos.items():
            others = [child for other in demos if other > number for child in children[other]]
            running.process.send_signal(number)
            async with asyncio.timeout(PATIENT_S):
                assert await running.process.wait() == 0, running.said
            assert _left(children[number]) == []
            assert all(_runs(child) for child in others)
    assert len({url for urls in said for url in urls}) == 9


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_while_starting_stops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal_number: signal.Signals
) -> None:
    """A signal while the simulators start, before the agent runs, leaves no program behind."""
    (tmp_path / "sitecustomize.py").write_text(NEVER_READY, encoding="utf-8")
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    async with program(*COMMAND, log=tmp_path / "demo.log") as running:
        children = await until(lambda: _children(running), running)
        running.process.send_signal(signal_number)
        async with asyncio.timeout(PATIENT_S):
            assert await running.process.wait() == 1, running.said
        assert _left(children) == []
        assert "Traceback" not in running.said


@pytest.mark.program("setpriv")
async def test_killed_it_leaves_no_program_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After SIGKILL, which cannot be handled, the kernel terminates the simulators and Prometheus."""
    # A killed demo leaves its folder behind.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with program(*COMMAND, log=tmp_path / "demo.log") as running:
        await until(lambda: _is_watching(running), running)
        children = await _children(running)
        running.process.kill()
        await running.process.wait()
        async with asyncio.timeout(PATIENT_S):
            while _left(children):  # noqa: ASYNC110  the end of another process's child sets no event
                await asyncio.sleep(0.05)


@pytest.mark.program("prometheus", "prometheus-alertmanager")
async def test_prometheus_has_the_rules_and_an_alertmanager(tmp_path: Path) -> None:
    """From a checkout Prometheus evaluates the shipped rules and alerts an Alertmanager without webhooks."""
    # Prometheus takes no fractional durations, so this interval also tests the conversion.
    command = [word if word != "1" else "1.5" for word in COMMAND]
    async with program(*command, log=tmp_path / "demo.log") as running:
        await until(lambda: _is_watching(running), running)
        found = dict(re.findall(r"^(\w+) +(http://\S+)/$", running.said, re.MULTILINE))
        server, alertmanager = found["Prometheus"], found["Alertmanager"]
        await until(lambda: query(server, "site:mining_operating_per_deployed:ratio"), running)

        async def is_joined() -> bool:
            known = (await get_json(f"{server}/api/v1/alertmanagers"))["data"]["activeAlertmanagers"]
            return [each["url"] for each in known] == [f"{alertmanager}/api/v2/alerts"]

        await until(is_joined, running)
        config = (await get_json(f"{alertmanager}/api/v2/status"))["config"]["original"]
        assert "MiningAgentDown" in config
        assert "http" not in config.split("receivers:")[1].split("inhibit_rules:")[0]
        # The wall asks the same Alertmanager.
        wall = re.search(r"^status page +(\S+)$", running.said, re.MULTILINE)
        assert wall is not None

        async def is_asked() -> bool:
            return "Alerts firing" in (await get(f"{wall[1]}wall"))[1]

        await until(is_asked, running)


async def test_a_program_that_does_not_start_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that exits at once: exit status 1, and the end of its output."""
    false_prometheus = tmp_path / "prometheus"
    false_prometheus.write_text("#!/bin/sh\necho the disk is on fire\nexit 3\n", encoding="utf-8")
    false_prometheus.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    async with program(*COMMAND, log=tmp_path / "demo.log") as running:
        async with asyncio.timeout(PATIENT_S):
            assert await running.process.wait() == 1
        assert "prometheus did not start: the disk is on fire" in running.said


async def test_a_reserved_port_is_kept_for_its_program() -> None:
    """No other program can bind a reserved port; if the wanted port is taken, another one is reserved."""
    with reserved_port("127.0.0.1", 0) as held, socket.socket() as other:
        with pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", held))
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", held):
            with reserved_port("127.0.0.1", held) as instead:
                assert instead != held
