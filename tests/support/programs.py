"""The project's own programs and Prometheus, run for a test on free loopback ports and ended by process id."""

import asyncio
import contextlib
import json
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from patience import PATIENT_S

CONFIG = """\
[site]
name = "alpha"
count_simulated = {count_simulated}
[ledger]
file = "ledger.csv"
[poll]
interval_s = {interval_s}
connect_timeout_s = 2
deadline_s = 2
slow_every = 3
[identity]
enabled = false
[web]
listen = "127.0.0.1:{port}"
"""


def free_port() -> int:
    """Return a free port below the range of outgoing connections, which could else take it before the listener."""
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(10_000, max(first_outgoing, 11_000))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Program:
    """A running program and its output."""

    process: asyncio.subprocess.Process
    log: Path

    @property
    def said(self) -> str:
        """All output so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    async def ended(self) -> int:
        """Wait until the program ends by itself; return its exit status."""
        async with asyncio.timeout(PATIENT_S):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def program(*command: str, log: Path) -> AsyncIterator[Program]:
    """Run a program; at the end it receives SIGTERM, and SIGKILL if it does not stop."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield Program(process, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(PATIENT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def until(condition: Callable[[], Awaitable[Any]], running: Program, within_s: float = PATIENT_S) -> Any:
    """Call `condition` until it returns something true, and return that; a refused connection counts as false."""
    try:
        async with asyncio.timeout(within_s):
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    found = await condition()
                    if found:
                        return found
                assert running.process.returncode is None, running.said
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s; it said: {running.said[-2000:]}") from None


async def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """GET a page; return status and text."""
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


async def get_json(url: str) -> Any:
    """GET a page; return its JSON if the status is 200, else None."""
    status, text = await get(url)
    return json.loads(text) if status == 200 else None


@contextlib.asynccontextmanager
async def farm(folder: Path, *, units: int, options: tuple[str, ...] = ()) -> AsyncIterator[str]:
    """Run a simulated farm that writes `ledger.csv` into `folder`; yield the address of its control API.

    It has web pages only if `options` name their port: parallel tests would meet each other's pages on port 80.
    """
    control = f"127.0.0.1:{free_port()}"
    command = (
        sys.executable,
        "-m",
        "simulators",
        "farm",
        "--units",
        str(units),
        "--seed",
        "7",
        "--port",
        "0",
        *(() if "--http-port" in options else ("--no-pages",)),
        *options,
    )
    async with program(
        *command, "--control", control, "--ledger-out", str(folder / "ledger.csv"), log=folder / "farm.log"
    ) as running:
        await until(lambda: get_json(f"http://{control}/truth"), running)
        yield f"http://{control}"


@contextlib.asynccontextmanager
async def agent(
    folder: Path,
    *,
    interval_s: float = 1,
    timeouts_s: tuple[float, float] = (2, 2),
    count_simulated: bool = True,
    detect_simulated: bool = True,
    more: str = "",
    site: str = "alpha",
    is_awaited: bool = True,
    stale_after_s: float | None = None,
    poll: str = "",
    program_of: tuple[str, ...] = (sys.executable, "-m", "agent"),
) -> AsyncIterator[tuple[Program, str]]:
    """Run the agent over `ledger.csv` in `folder`; yield the program and its address once it polled every unit.

    Args:
        folder: Holds the ledger, the configuration and the log.
        interval_s: Poll interval of each unit, s.
        timeouts_s: Limits for connecting and for a whole poll, s.
        count_simulated: True if simulated units count in the figures.
        detect_simulated: False if the ledger's column alone says which units are simulated.
        more: Further sections of the configuration.
        site: Name of the site.
        is_awaited: False to yield as soon as the process is started.
        stale_after_s: How long readings live, s; None for the default.
        poll: Further lines of the section of polling.
        program_of: The words that start the agent's command line.
    """
    port = free_port()
    config = folder / "site.toml"
    text = CONFIG.format(interval_s=interval_s, port=port, count_simulated=str(count_simulated).lower())
    connect_s, deadline_s = timeouts_s
    text = text.replace("timeout_s = 2\ndeadline_s = 2\n", f"timeout_s = {connect_s:g}\ndeadline_s = {deadline_s:g}\n")
    if stale_after_s is not None:
        text = text.replace("slow_every", f"stale_after_s = {stale_after_s}\nslow_every")
    text = text.replace("slow_every", f"{poll}slow_every")
    if not detect_simulated:
        text = text.replace("[ledger]\n", "[ledger]\ndetect_simulated = false\n")
    config.write_text(text.replace('"alpha"', f'"{site}"') + more, encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = (*program_of, "run", "--config", str(config))
    async with program(*command, log=folder / "agent.log") as running:

        async def is_ready() -> bool:
            return (await get(f"{url}/readyz"))[0] == 200

        if is_awaited:
            await until(is_ready, running)
        yield running, url


@contextlib.asynccontextmanager
async def prometheus(folder: Path, target: str, *, interval_s: float = 1) -> AsyncIterator[str]:
    """Run a real Prometheus that scrapes `target` (host:port); yield its address once it is ready."""
    address = f"127.0.0.1:{free_port()}"
    config = {
        "global": {"scrape_interval": f"{interval_s}s", "scrape_timeout": f"{interval_s}s"},
        "scrape_configs": [{"job_name": "hashsight", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    command = ("prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}")
    async with program(*command, f"--web.listen-address={address}", log=folder / "prometheus.log") as running:

        async def is_ready() -> bool:
            return (await get(f"http://{address}/-/ready"))[0] == 200

        await until(is_ready, running)
        yield f"http://{address}"


async def query(
    prometheus_url: str, expression: str, *, at: float | None = None
) -> list[tuple[dict[str, str], float, float]]:
    """Query Prometheus for an instant vector, now or at a Unix time; return labels, time and value of each sample."""
    params = {"query": expression} | ({} if at is None else {"time": f"{at:.3f}"})
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{prometheus_url}/api/v1/query", params=params) as response,
    ):
        answer = await response.json()
    assert answer["status"] == "success", answer
    return [(item["metric"], float(item["value"][0]), float(item["value"][1])) for item in answer["data"]["result"]]
