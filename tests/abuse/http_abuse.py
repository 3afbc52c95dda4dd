"""Clients of the web server that never read, never leave, send bombs, leave at once, or come all together."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
from figures import Figure, Measure, lost
from sites import Run, Site, watched
from steps import Step

UNITS = 300
METRICS = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
TOKEN = "abuse-of-the-web-server"  # noqa: S105  no secret: it is made up for one run
SCRAPE_S = 30.0


@dataclass(slots=True)
class Load:
    """What one kind of client did to an agent.

    Attributes:
        times: How many clients or requests.
        scrapes, failed: Scrapes beside them, and how many of these failed.
        others: Further losses and costs.
    """

    times: int = 0
    scrapes: int = 0
    failed: int = 0
    others: list[Measure] = field(default_factory=list)

    async def scrape(self, site: Site, local: str = "127.0.0.9") -> None:
        """Scrape once from another address than the clients."""
        self.scrapes += 1
        connector = aiohttp.TCPConnector(local_addr=(local, 0), force_close=True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=SCRAPE_S)) as session,
                session.get(f"{site.url}/metrics") as answer,
            ):
                text = await answer.text()
                if answer.status != 200 or "miner_agent_polls_total" not in text:
                    self.failed += 1
        except (aiohttp.ClientError, OSError):
            self.failed += 1


@asynccontextmanager
async def connected(
    site: Site, count: int, *, local: str = "127.0.0.2", is_deaf: bool = False
) -> AsyncIterator[list[socket.socket]]:
    """Hold so many connections to the agent, from a local address."""
    host, _, port = site.target.partition(":")
    async with AsyncExitStack() as stack:
        sockets = []
        for _ in range(count):
            one = stack.enter_context(closing(socket.socket()))
            if is_deaf:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.setblocking(False)  # noqa: FBT003 - the name of the socket's own method says it
            with suppress(OSError):
                one.bind((local, 0))
                await asyncio.get_running_loop().sock_connect(one, (host, int(port)))
                sockets.append(one)
        yield sockets


async def never_read(run: Run, site: Site, load: Load) -> None:
    """200 clients ask for all metrics and read nothing."""
    async with connected(site, 200, is_deaf=True) as clients:
        for client in clients:
            with suppress(OSError):
                client.send(METRICS)
        load.times = len(clients)
        until_s = time.monotonic() + run.seconds(20)
        while time.monotonic() < until_s:
            await load.scrape(site)
            await asyncio.sleep(0.5)


async def idle(run: Run, site: Site, load: Load) -> None:
    """256 connections had an answer and stay; 68 scrapes from the same address."""
    async with connected(site, 256, local="127.0.0.1") as clients:
        for client in clients:
            with suppress(OSError):
                client.send(HEALTH)
        load.times = len(clients)
        for _ in range(68):
            await load.scrape(site, "127.0.0.1")
            await asyncio.sleep(run.seconds(10) / 68)


async def posts(run: Run, site: Site, load: Load) -> None:
    """40 orders of 100 MB of blanks, compressed to 100 kB, half of them with the right token, at once."""
    text = json.dumps({"target_percent": 0}).encode() + b" " * 100_000_000
    bomb = await asyncio.to_thread(gzip.compress, text, 6)
    taken = 0

    async def post(session: aiohttp.ClientSession, number: int) -> None:
        nonlocal taken
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        if number % 2:
            headers["Authorization"] = f"Bearer {TOKEN}"
        with suppress(aiohttp.ClientError, OSError):
            async with session.post(f"{site.url}/api/v1/curtailments", data=bomb, headers=headers) as answer:
                taken += answer.status < 400

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        for _ in range(run.count(2)):
            await asyncio.gather(*(post(session, number) for number in range(40)))
            load.times += 40
            await load.scrape(site)
    load.others.append(lost("orders-taken", taken, load.times))


async def leavers(run: Run, site: Site, load: Load) -> None:
    """Clients ask for something long and leave before it comes."""
    before = len(list(Path(f"/proc/{site.pid}/fd").iterdir()))
    for number in range(run.count(20)):
        async with connected(site, 25) as clients:
            path = ("/metrics", "/api/v1/units?limit=1000", "/", "/api/v1/history")[number % 4]
            for client in clients:
                with suppress(OSError):
                    client.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            load.times += len(clients)
            await asyncio.sleep(0.01)
        await load.scrape(site)
    left = 0
    for _ in range(100):
        left = len(list(Path(f"/proc/{site.pid}/fd").iterdir())) - before
        if left <= 2:
            break
        await asyncio.sleep(0.1)
    load.others.append(lost("descriptors-left-open", max(0, left), most=2))


async def ten_scrapers(run: Run, site: Site, load: Load) -> None:
    """Ten clients scrape everything at the same time, again and again."""
    for _ in range(run.count(20)):
        await asyncio.gather(*(load.scrape(site, f"127.0.1.{number + 1}") for number in range(10)))
        load.times += 10


# Name, words, load, and how many megabytes more the agent may take.
KINDS = (
    ("never-read", "clients that ask for /metrics and never read", never_read, 150.0),
    ("idle", "idle connections beside 68 scrapes from their address", idle, 40.0),
    ("posts", "gzip bombs of 100 MB posted as orders", posts, 40.0),
    ("leavers", "clients that ask and leave", leavers, 150.0),
    ("ten-scrapers", "scrapes, ten at a time", ten_scrapers, 150.0),
)


async def abuse(number: int, run: Run) -> Figure:
    """Load an agent with one kind of client and return what that did to scrapes, polls and memory."""
    name, done, work, most_mb = KINDS[number]
    folder = run.room(f"http.{name}")
    token = folder / "token"
    token.write_text(TOKEN, encoding="ascii")
    token.chmod(0o600)
    async with watched(run, folder, units=UNITS, more=f'[api]\ntoken_file = "{token}"\n') as site:
        load = Load()
        await load.scrape(site)
        await site.probe()
        before, polls, cpu_s, began_s = site.memory_mb(), await site.polls(), site.cpu_s(), time.monotonic()
        site.forget_peak()
        async with site.compared() as compared:
            await work(run, site, load)
        probe, took_s = await site.probe(), time.monotonic() - began_s
        done_polls = await site.polls() - polls
        cpu_share = 100 * (site.cpu_s() - cpu_s) / took_s
        return Figure(
            name=f"http.{name}",
            done=done,
            times=load.times,
            losses=(
                lost("scrapes", load.failed, load.scrapes),
                *poll_losses(done_polls),
                *load.others,
                *compared.losses(),
            ),
            costs=(
                Measure(name="memory", value=site.peak_mb() - before, most=most_mb, unit="MB", digits=1),
                Measure(name="cpu", value=cpu_share, unit="%"),
                *probe.costs(lag_ms=250),
            ),
        )


def poll_losses(polls: dict[str, int], *, hostile: float = 0) -> tuple[Measure, ...]:
    """Return failed and missed polls as measures; `hostile` polls fail by intention."""
    made = sum(count for result, count in polls.items() if result != "missed")
    failed = max(0.0, made - polls.get("ok", 0) - hostile)
    missed = polls.get("missed", 0)
    # A machine that stands still for a second delays a poll into the next one.
    return lost("polls-failed", failed, made), lost("polls-missed", missed, made + missed, most=(made + missed) // 100)


STEPS = tuple(Step(f"http.{kind[0]}", kind[1], partial(abuse, number)) for number, kind in enumerate(KINDS))
