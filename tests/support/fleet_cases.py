"""Fleets for tests: their file, reports of sites with round figures, and stand-ins for agents on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from patience import PATIENT_S

from agent.fleet.asking import ask, session
from agent.fleet.figures import Heard, SiteView, site_view
from agent.fleet.passing import Passing
from agent.fleet.report import Report, ReportedFigures
from agent.fleet.server import FleetServer
from agent.fleet.setup import FleetSetup, load_fleet_setup
from agent.fleet.watch import Ask, Watch

AT = 1763674560.0  # 2025-11-20 21:36:00 UTC
STALE_AFTER_S = 30.0
PHS = 1e15


def site(name: str, url: str, **keys: str) -> str:
    """Return the section of one site as TOML."""
    lines = "".join(f'{key} = "{value}"\n' for key, value in ({"name": name, "url": url} | keys).items())
    return f"[[site]]\n{lines}"


def fleet_setup(folder: Path, *sites: str, fleet: str = "") -> FleetSetup:
    """Return the setup of a fleet from its file's sections."""
    path = folder / "fleet.toml"
    path.write_text("\n".join((f'[fleet]\nlisten = "127.0.0.1:0"\n{fleet}', *sites)), encoding="utf-8")
    return load_fleet_setup(path)


def figures(
    deployed_phs: float,
    operating_phs: float,
    *,
    losses_phs: Mapping[str, float] | None = None,
    known_phs: float | None = None,
    diverted_units: int | None = None,
    diverted_phs: float | None = None,
) -> ReportedFigures:
    """Return figures in PH/s whose sums agree; what no loss explains is uplift."""
    losses = {"stopped": max(0.0, deployed_phs - operating_phs)} if losses_phs is None else losses_phs
    return ReportedFigures(
        deployed_hs=deployed_phs * PHS,
        operating_hs=operating_phs * PHS,
        uplift_hs=(operating_phs - deployed_phs + sum(losses.values())) * PHS,
        known_hs=(deployed_phs if known_phs is None else known_phs) * PHS,
        losses_hs={cause: loss_phs * PHS for cause, loss_phs in losses.items()},
        units=int(deployed_phs),
        operational_efficiency_ratio=operating_phs / deployed_phs if deployed_phs else None,
        diverted_units=diverted_units,
        diverted_hs=None if diverted_phs is None else diverted_phs * PHS,
    )


def report(name: str = "a", shown: ReportedFigures | None = None, **changes: Any) -> Report:
    """Return an agent's report; without figures it deploys 100 PH/s."""
    deployed_hs = 100 * PHS if shown is None else shown.deployed_hs
    plain: dict[str, Any] = {
        "site": name,
        "now": "2025-11-20T21:36:00Z",
        "deployed_hs": deployed_hs,
        "units": int(deployed_hs / PHS),
        "is_ready": shown is not None,
        "not_ready_reason": None if shown is not None else "the agent has just started",
        "figures": None if shown is None else msgspec.to_builtins(shown),
        "figures_age_s": None if shown is None else 1.0,
    }
    return msgspec.convert(plain | changes, Report)


def heard(given: Report | None, *, age_s: float = 2.0, url: str = "http://agent:9184", **changes: Any) -> Heard:
    """Return what was heard of an agent `age_s` before `AT`."""
    return Heard(url=url, report=given, clock_s=AT - age_s, at=AT - age_s, **changes)


def view(name: str, *agents: Heard) -> SiteView:
    """Return a site as it is at `AT`."""
    return site_view(name, agents, clock_s=AT, stale_after_s=STALE_AFTER_S)


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]


class StandIn:
    """A program at an agent's address that answers every request as a test likes.

    Attributes:
        url: Its address.
        heads: The heads of the requests so far.
        behave: Answers one request.
    """

    def __init__(self, behave: Behaviour) -> None:
        self.url = ""
        self.heads: list[bytes] = []
        self.behave = behave

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            await self.behave(reader, writer, head)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def answering(body: bytes, head: str = "200 OK\r\nContent-Type: application/json") -> Behaviour:
    """Answer with status, headers and a body of known length."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes) -> None:
        shown = b"" if asked.startswith(b"HEAD ") else body
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + shown)
        await writer.drain()

    return behave


@asynccontextmanager
async def stand_in(behave: Behaviour, *, host: str = "127.0.0.1", tls: Any = None) -> AsyncIterator[StandIn]:
    """Run a stand-in on a free loopback port."""
    one = StandIn(behave)
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await one.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    one.url = f"{'https' if tls else 'http'}://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield one
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def served(setup: FleetSetup, *, ask: Ask = ask) -> AsyncIterator[tuple[Watch, aiohttp.ClientSession]]:
    """Serve a fleet without asking its sites; yield the watch, and a client of the server.

    Args:
        setup: The fleet.
        ask: Asks one agent when the watch is told to.
    """
    watch = Watch(setup, ask=ask)
    async with (
        session(connections=32) as outgoing,
        FleetServer(watch, Passing(outgoing)).serve() as (host, port),
        aiohttp.ClientSession(
            f"http://{host}:{port}", auto_decompress=False, headers={"Accept-Encoding": "identity"}
        ) as client,
    ):
        yield watch, client


async def raw(port: int, request: bytes) -> bytes:
    """Send bytes to a server on loopback and return its whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENT_S):
            return await reader.read()
    finally:
        writer.close()


def names(views: Iterable[SiteView]) -> list[str]:
    """Return the names of sites in their order."""
    return [view.name for view in views]
