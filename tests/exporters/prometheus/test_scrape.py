"""A scrape is consistent while units change, arrive and leave during it."""

import asyncio
import gzip
import zlib
from collections import Counter
from typing import Any

import pytest
from exporter_cases import entry, reading, status

from agent.exporters.prometheus import store as metrics
from agent.exporters.prometheus.store import Metrics
from agent.exporters.prometheus.unit_rows import UNITS_AT_ONCE
from agent.site.status import UnitStatus
from agent.site.totals import site_figures

UNITS = 1200


def fleet(units: int) -> Metrics:
    """Return a store of `units` units that hash 200 TH/s each."""
    store = Metrics("alpha", version="0", clock=lambda: 0.0, share_s=0.0)
    for number in range(units):
        store.on_unit(hashing(f"u{number}", 200e12))
    return store


def hashing(unit_id: str, hashrate_hs: float) -> UnitStatus:
    """Return the status of a unit whose rate and average are the same."""
    rates = {"hashrate_5s_hs": hashrate_hs, "hashrate_30m_hs": hashrate_hs}
    return status(entry(unit_id), reading(unit_id, **rates))


async def begun(store: Metrics) -> "asyncio.Task[str]":
    """Return a scrape that is under way."""

    async def scrape() -> str:
        body, _ = await store.scrape()
        return body.decode()

    task = asyncio.create_task(scrape())
    # The body is made in a task of its own, which many scrapes may wait for.
    for _ in range(2):
        await asyncio.sleep(0)
    return task


async def test_no_unit_is_shown_half() -> None:
    """A unit polled during a scrape appears with its old numbers in all of its lines."""
    store = fleet(UNITS)
    first, last = "u0", f"u{UNITS - 1}"
    scrape = await begun(store)
    for unit_id in (first, last):
        store.on_unit(hashing(unit_id, 100e12))
    shown = await scrape
    names = ("miner_hashrate_hashes_per_second", "miner_hashrate_30m_hashes_per_second")
    for unit_id in (first, last):
        rates = [
            line.rpartition(" ")[2]
            for line in shown.splitlines()
            if f'unit="{unit_id}"' in line and line.startswith(names)
        ]
        assert rates == ["200000000000000.0", "200000000000000.0"]


async def test_no_unit_is_shown_twice() -> None:
    """A unit that moves to another cell during a scrape appears once, and so does a unit that leaves."""
    units = 2 * UNITS_AT_ONCE
    store = fleet(units)
    scrape = await begun(store)
    for number in range(5):
        # The cell freed last is taken first, so the first units move to the cells of the last units.
        mover, leaver = f"u{number}", f"u{units - 1 - number}"
        store.remove_unit(mover)
        store.remove_unit(leaver)
        store.on_unit(hashing(mover, 200e12))
    shown = await scrape
    times = Counter(line.rpartition(" ")[0] for line in shown.splitlines() if line.startswith("miner_up{"))
    assert len(times) == units
    assert set(times.values()) == {1}


async def test_groups_are_of_one_moment() -> None:
    """While new figures are being rendered, a scrape shows all of the previous ones."""
    store = fleet(1)
    store.on_site(site_figures([hashing("u0", 200e12)], 0.0), is_whole=True)
    slices = store.on_site_in_slices(site_figures([hashing("u0", 100e12)], 10.0), is_whole=True)
    shown = [await operating(store) for _ in slices]
    assert set(shown) == {"200000000000000.0"}
    assert await operating(store) == "100000000000000.0"


async def operating(store: Metrics) -> str:
    """Return the exported hashrate of the site."""
    body, _ = await store.scrape(scope="site")
    name = "mining_site_operating_hashrate_hashes_per_second"
    return next(line for line in body.decode().splitlines() if line.startswith(f"{name}{{")).rpartition(" ")[2]


@pytest.mark.parametrize("packing", [zlib, metrics.zlib], ids=["standard", "installed"])
async def test_compressed_by_either_library_it_is_the_same(packing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body compressed in several pieces unpacks to the plain one and is at most an eighth of its size."""
    store = fleet(UNITS)
    plain, _ = await store.scrape(scope="all")
    monkeypatch.setattr(metrics, "zlib", packing)
    body, headers = await store.scrape(accept_encoding="gzip", scope="all")
    assert headers["Content-Encoding"] == "gzip"
    lines, packed_lines = (
        [line for line in text.splitlines() if line.startswith(b"miner_") and b"unit=" in line]
        for text in (plain, gzip.decompress(body))
    )
    assert lines == packed_lines
    assert len(lines) > 10 * UNITS
    assert len(body) < len(plain) / 8
