"""A web server over a small site with known figures."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from exporter_cases import AT, entry, gone_silent, reading, status

from agent.errors import DeadlineError
from agent.exporters.prometheus.store import Metrics
from agent.exporters.web import server as web
from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.site.curtailment.book import CurtailmentBook
from agent.site.ledger.entries import Place
from agent.site.status import UnitStatus
from agent.site.totals import site_figures

UNITS = (
    status(entry("a1"), reading("a1")),
    status(entry("a2", place=Place(container="C1", rack="R9")), reading("a2", hashrate_5s_hs=150e12)),
    gone_silent("b1"),
    status(entry("b2", place=Place(container="C2"), host="10.0.0.9"), error=DeadlineError("no whole reply in 5 s")),
    status(entry("c1", is_simulated=True, is_in_maintenance=True)),
    status(entry("c2")),
)


def source(statuses: Iterable[UnitStatus] = UNITS, **changes: Any) -> web.Source:
    """Return a source over these statuses, ready unless `changes` says otherwise."""
    by_id = {one.entry.unit_id: one for one in statuses}
    metrics = Metrics("nd-1", version="1.2.3", clock=lambda: 0.0)
    for one in by_id.values():
        metrics.on_unit(one)
    figures = site_figures(by_id.values(), AT)
    metrics.on_site(figures, is_whole=True)
    made = web.Source(
        name="nd-1",
        version="1.2.3",
        scrape=metrics.scrape,
        site=lambda: figures,
        units=by_id.values,
        unit=by_id.get,
        unreadiness=lambda: None,
        illness=lambda: None,
        wall=lambda: AT + 12.34,
    )
    return replace(made, **changes)


@asynccontextmanager
async def served(shown: web.Source | None = None, **bounds: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """Serve on a free loopback port, and yield a client with that base address."""
    async with (
        web.serve(shown or source(), "127.0.0.1", 0, **bounds) as (host, port),
        aiohttp.ClientSession(
            f"http://{host}:{port}", auto_decompress=False, headers={"Accept-Encoding": "identity"}
        ) as client,
    ):
        yield client


async def get_json(client: aiohttp.ClientSession, path: str) -> Any:
    """Return the JSON at `path`; fail unless the status is 200."""
    async with client.get(path) as response:
        assert (response.status, response.content_type) == (200, "application/json")
        return await response.json()


def curtailment_api(folder: Path) -> CurtailmentApi:
    """Return the API of a site without curtailments."""
    book = CurtailmentBook(folder / "state.json", site="nd-1", windows=(), entries=tuple, wall=lambda: AT)
    return CurtailmentApi("nd-1", book, units=tuple, wall=lambda: AT, clock=lambda: 1000.0)
