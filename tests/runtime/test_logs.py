"""The log: the form of a line, and a broken log that does not stop the agent."""

import asyncio
import contextlib
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
import structlog
from programs import CONFIG, Program, farm, free_port, get, until

from agent.runtime import logs


class Full(io.StringIO):
    """A file on a full disk, until `has_room` is set."""

    has_room = False

    def write(self, text: str) -> int:
        """Write, or raise the system's error for a full disk."""
        if not self.has_room:
            raise OSError(28, "No space left on device")
        return super().write(text)


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    """Restore the logging defaults after each test."""
    yield
    structlog.reset_defaults()
    logging.basicConfig(level=logging.WARNING, force=True)


def test_a_line_is_json_where_no_terminal_is() -> None:
    """Each event is one line, even with control characters in a value."""
    out = io.StringIO()
    logs.set_up(stream=out)
    structlog.get_logger("x").info("unit stopped", why="a\nb\x1b[31m")
    (line,) = out.getvalue().splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["level"], logged["why"]) == ("unit stopped", "info", "a\nb\x1b[31m")


def test_a_full_disk_costs_lines_and_nothing_else() -> None:
    """Failed writes raise no error; the next line that gets through counts the lost ones."""
    out = Full()
    logs.set_up(stream=out)
    log = structlog.get_logger("x")
    log.info("one")
    logging.getLogger("library").error("two")
    log.info("three")
    out.has_room = True
    log.info("four")
    log.info("five")
    written = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line.get("log_failures")) for line in written] == [("four", 3), ("five", None)]


def test_no_stream_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without standard error discards its log."""
    monkeypatch.setattr(sys, "stderr", None)
    logs.set_up()
    structlog.get_logger("x").info("one")


@pytest.fixture
def full_disk() -> Iterator[BinaryIO]:
    """Yield a file that refuses every write."""
    with Path("/dev/full").open("wb") as file:
        yield file


async def test_an_agent_goes_on_when_its_log_is_on_a_full_disk(tmp_path: Path, full_disk: BinaryIO) -> None:
    """With its log on a full disk, the agent polls, serves and ends with exit status 0."""
    port = free_port()
    config, said = tmp_path / "site.toml", tmp_path / "agent.log"
    said.touch()
    async with farm(tmp_path, units=3):
        config.write_text(CONFIG.format(interval_s=1, port=port, count_simulated="true"), encoding="utf-8")
        command = (sys.executable, "-m", "agent", "run", "--config", str(config))
        process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.DEVNULL, stderr=full_disk)
        try:

            async def is_ready() -> bool:
                return (await get(f"http://127.0.0.1:{port}/readyz"))[0] == 200

            await until(is_ready, Program(process, said))
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            status = await process.wait()
    assert status == 0


STRAYS = """
import asyncio, gc, logging, sys, threading, warnings
from agent.runtime import logs

logs.set_up(form="json")
logs.catch_strays()

def fail(text="two\\nlines"):
    raise ValueError(text)

class Careless:
    def __del__(self):
        fail()

async def main():
    loop = asyncio.get_running_loop()
    loop.call_soon(fail)
    loop.create_future().set_exception(ValueError("never retrieved"))
    await asyncio.sleep(0.01)
    gc.collect()

asyncio.run(main())
try:
    fail()
except ValueError:
    logging.getLogger("paho").exception("a library's\\ntraceback")
logging.getLogger("aiomqtt").warning("%d of %s", 3, "four")
warnings.warn("old\\nways")
thread = threading.Thread(target=fail, name="worker")
thread.start()
thread.join()
Careless()
fail("the end")
"""


def test_every_stray_line_is_json() -> None:
    """Tracebacks of libraries, callbacks, threads, finalisers and of the end itself are one JSON line each."""
    ended = subprocess.run([sys.executable, "-c", STRAYS], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 1
    assert [line["event"].split("\n")[0].split(" at")[0] for line in lines] == [
        "Future exception was never retrieved",
        "Exception in callback fail()",
        "a library's",
        "3 of four",
        "<string>:28: UserWarning: old",
        "thread failed",
        "error without a caller",
        "unexpected error",
    ]
    failed = [line for line in lines if line["level"] == "error"]
    assert len(failed) == 6
    assert all("ValueError: " in line["exception"] for line in failed)
    assert {line["logger"] for line in lines if "logger" in line} == {"asyncio", "paho", "aiomqtt", "py.warnings"}
