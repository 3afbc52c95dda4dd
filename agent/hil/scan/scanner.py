"""A scan of address ranges: probe all addresses, identify what accepts, yield each find as it comes.

targets --order--> Prober --open--> queue --> workers: Identifier --> finds
                     '--refused, silent--> only counted
"""

import asyncio
import random
import resource
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from typing import Final

import msgspec

from agent.address import Endpoint
from agent.hil.scan.conversing import CONNECT_TIMEOUT_S, DEADLINE_S, FIRST_DEADLINE_S, Clients
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.identify import Identifier
from agent.hil.scan.probe import FIRST_PATIENCE_S, LATER_PATIENCE_S, Prober, Tally
from agent.hil.scan.ranges import Targets
from agent.unit.login import Login
from agent.unit.nameplate import Catalogue

API_PORT: Final = 4028
DEFAULT_RATE_PER_S: Final = 5000.0
MOST_RATE_PER_S: Final = 20_000.0
"""Connections begun per second; each is one packet of 74 bytes, so this is 12 Mbit/s."""
MOST_OPEN: Final = 20_480
"""At the default rate, those of four seconds."""
WORKERS: Final = 1024
MOST_PAGES: Final = 256
# Descriptors left to the rest of the process.
_SPARE: Final = 64
_LEAST: Final = 8


class ScanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a scan.

    Attributes:
        port: The API's.
        web_port: The identity page's.
        rate_per_s: Connections begun per second by the probe.
        most_open: Sockets of the probe open at once; the process's limit of descriptors bounds it too.
        workers: Addresses identified at once, each over one socket.
        most_pages: Pages read at once.
        connect_timeout_s: Time allowed for each first connection to an address that accepted once.
        first_deadline_s: Time allowed for the first conversation with each.
        deadline_s: Time allowed for the second one, and for one page; two are tried.
        patience_s: Time allowed for the first look at an address and for each later one, at least.
    """

    port: int = API_PORT
    web_port: int = 80
    rate_per_s: float = DEFAULT_RATE_PER_S
    most_open: int = MOST_OPEN
    workers: int = WORKERS
    most_pages: int = MOST_PAGES
    connect_timeout_s: float = CONNECT_TIMEOUT_S
    first_deadline_s: float = FIRST_DEADLINE_S
    deadline_s: float = DEADLINE_S
    patience_s: tuple[float, float] = (FIRST_PATIENCE_S, LATER_PATIENCE_S)


DEFAULT_OPTIONS: Final = ScanOptions()


async def scan(
    targets: Targets,
    *,
    catalogue: Catalogue,
    login_of: Callable[[str], Login | None],
    options: ScanOptions = DEFAULT_OPTIONS,
    indices: Iterable[int] | None = None,
    tally: Tally | None = None,
    on_silent: Callable[[int], None] = lambda _: None,
) -> AsyncGenerator[Found, None]:
    """Scan addresses, and yield each that accepts a connection once it is identified or not.

    It sends no request that changes a unit: the four reports of a poll, one GET to the identity page, and at most six
    more reports or pages (`makes`) to what these do not name. A caller that stops early uses `contextlib.aclosing`, so
    that every connection is closed at once.

    Args:
        targets: The addresses.
        catalogue: The known models.
        login_of: Returns the login for the pages of an address; None to leave them alone.
        options: How to scan.
        indices: The addresses to look at, by index, in this order; None for all, from a random one.
        tally: Counted into, for a progress bar.
        on_silent: Called with the index of each address that refuses or stays silent.

    Raises:
        LocalResourceError: This process cannot open a single socket.
    """
    order = targets.order(random.randrange(len(targets))) if indices is None else indices
    counts = Tally() if tally is None else tally
    counts.addresses = counts.addresses or len(targets)
    options = fitted(options)
    workers = min(options.workers, len(targets))
    opened: asyncio.Queue[int | None] = asyncio.Queue()
    finds: asyncio.Queue[Found | None] = asyncio.Queue()
    clients = Clients.with_deadlines(
        connect_timeout_s=options.connect_timeout_s, first_s=options.first_deadline_s, later_s=options.deadline_s
    )
    identifier = Identifier(
        clients,
        catalogue=catalogue,
        login_of=login_of,
        web_port=options.web_port,
        most_pages=options.most_pages,
        connect_timeout_s=options.connect_timeout_s,
        page_deadline_s=options.deadline_s,
    )
    prober = Prober(
        targets.__getitem__,
        port=options.port,
        rate_per_s=options.rate_per_s,
        most_open=options.most_open,
        tally=counts,
        on_open=opened.put_nowait,
        on_silent=on_silent,
        patience_s=options.patience_s,
    )

    async def probe() -> None:
        try:
            await prober.run(order)
        finally:
            for _ in range(workers):
                opened.put_nowait(None)

    async def work() -> None:
        while (index := await opened.get()) is not None:
            found = await identifier.identify(Endpoint(targets[index], options.port))
            if found.kind is Kind.IDENTIFIED:
                counts.identified += 1
            else:
                counts.unidentified += 1
            finds.put_nowait(found)

    async def everything() -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(probe(), name="scan: probe")
                for number in range(workers):
                    tasks.create_task(work(), name=f"scan: identify {number}")
        finally:
            finds.put_nowait(None)

    whole = asyncio.create_task(everything(), name="scan")
    try:
        while (found := await finds.get()) is not None:
            yield found
        try:
            await whole
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group
    finally:
        whole.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await whole
        prober.close()
        clients.close()


def fitted(options: ScanOptions) -> ScanOptions:
    """Return options that fit this process's limit of descriptors, after raising that as far as it may be raised.

    Where the limit is too low, probe and identification get less in proportion.
    """
    wanted = options.most_open + options.workers + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    ratio = 1.0 if soft == resource.RLIM_INFINITY else max(0.0, soft - _SPARE) / (wanted - _SPARE)
    if ratio >= 1.0:
        return options
    return msgspec.structs.replace(
        options,
        most_open=min(options.most_open, max(_LEAST, int(options.most_open * ratio))),
        workers=min(options.workers, max(_LEAST, int(options.workers * ratio))),
    )
