"""Network namespaces of the run's own: a farm in one, an agent in another, and a link between them that can be bad."""

import asyncio
import json
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from programs import Program, free_port, get_json, program, until
from relay import DEVICE
from sites import SOUND_S21, Run, Site, probed
from steps import RefusedHereError

HERE = Path(__file__).parent
# A network that no namespace but these two knows.
AGENT_AT, FARM_AT, UNITS_IN, FIRST_UNIT = "10.94.0.1", "10.94.0.2", "10.94.1.0/24", "10.94.1.1"
# The defaults of a configuration, for connecting and for a whole poll, s.
TIMEOUTS_S = (2.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Far:
    """An agent and its farm on both sides of a link.

    Attributes:
        site: The agent.
        farm: The farm's process.
    """

    site: Site
    farm: Program
    _relay: asyncio.subprocess.Process

    async def shape(self, *, delay_s: float = 0.0, loss_ratio: float = 0.0) -> None:
        """Make the link so: delay of each direction, s, and share of packets that are lost."""
        stdin = self._relay.stdin
        assert stdin is not None
        stdin.write(json.dumps({"delay_s": delay_s, "loss_ratio": loss_ratio}).encode() + b"\n")
        await stdin.drain()

    async def packets(self) -> Any:
        """End the link; return how many packets it passed and dropped."""
        stdin, stdout = self._relay.stdin, self._relay.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.close()
        async with asyncio.timeout(5):
            return json.loads(await stdout.readline())


@asynccontextmanager
async def far(run: Run, name: str, *, units: int, interval_s: float) -> AsyncIterator[Far]:
    """Run a farm and an agent in namespaces of their own.

    Raises:
        RefusedHereError: This machine does not allow it.
    """
    folder = run.room(name)
    async with AsyncExitStack() as stack:
        near, distant = [await stack.enter_async_context(_namespace(side)) for side in ("agent", "farm")]
        await _connect(near, distant)
        relay = await stack.enter_async_context(_relay(near, distant))
        control, port = free_port(), free_port()
        await stack.enter_async_context(_portal(distant, control))
        command = (*_inside(distant), sys.executable, "-m", "simulators", "farm", "--units", str(units), "--seed", "7")
        command += ("--port", str(port), "--no-pages", "--base", FIRST_UNIT, "--allow-remote", *SOUND_S21)
        command += ("--control", f"127.0.0.1:{control}", "--ledger-out", str(folder / "ledger.csv"))
        farm = await stack.enter_async_context(program(*command, log=folder / "farm.log"))
        control_url = f"http://127.0.0.1:{control}"
        await until(lambda: get_json(f"{control_url}/truth?units=false"), farm)
        site = await stack.enter_async_context(
            probed(
                folder,
                control_url,
                interval_s=interval_s,
                timeouts_s=TIMEOUTS_S,
                is_awaited=False,
                words=_inside(near),
            )
        )
        await stack.enter_async_context(_portal(near, int(site.target.rpartition(":")[2])))
        await site.whole()
        if run.scraping is not None:
            await stack.enter_async_context(run.scraping.scraped(site.target, name))
        yield Far(site=site, farm=farm, _relay=relay)


def _inside(namespace: str) -> tuple[str, ...]:
    return ("ip", "netns", "exec", namespace)


async def _ip(*words: str) -> None:
    """Run ip(8).

    Raises:
        RefusedHereError: It is not there, or failed.
    """
    if shutil.which("ip") is None:
        raise RefusedHereError("ip is not installed (Debian package iproute2)")
    process = await asyncio.create_subprocess_exec(
        "ip", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RefusedHereError(f"ip {' '.join(words)}: {said.decode(errors='replace').strip()[:200]}")


@asynccontextmanager
async def _namespace(side: str) -> AsyncIterator[str]:
    name = f"hashsight-{os.getpid()}-{side}"
    await _ip("netns", "add", name)
    try:
        await _ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        await _ip("netns", "del", name)


async def _connect(near: str, distant: str) -> None:
    """Make a TUN device in both namespaces, and routes between agent and units through it."""
    for name, mine, theirs in ((near, AGENT_AT, UNITS_IN), (distant, FARM_AT, f"{AGENT_AT}/32")):
        await _ip("-n", name, "tuntap", "add", "dev", DEVICE, "mode", "tun")
        await _ip("-n", name, "addr", "add", f"{mine}/32", "dev", DEVICE)
        await _ip("-n", name, "link", "set", DEVICE, "up")
        await _ip("-n", name, "route", "add", theirs, "dev", DEVICE)
    # Every address of the units' network is the farm's.
    await _ip("-n", distant, "route", "add", "local", UNITS_IN, "dev", "lo")


@asynccontextmanager
async def _relay(near: str, distant: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, str(HERE / "relay.py"), near, distant)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        async with asyncio.timeout(20):
            if not await process.stdout.readline():
                said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
                raise RefusedHereError(said[-1] if said else "the relay ended")
        yield process
    finally:
        await _end(process)


@asynccontextmanager
async def _portal(namespace: str, port: int) -> AsyncIterator[None]:
    """Serve a port of a namespace's loopback on the same port here."""
    with socket.create_server(("127.0.0.1", port), backlog=512) as listener:
        command = (*_inside(namespace), sys.executable, str(HERE / "portal.py"), str(listener.fileno()), str(port))
        process = await asyncio.create_subprocess_exec(*command, pass_fds=(listener.fileno(),))
        try:
            yield
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
