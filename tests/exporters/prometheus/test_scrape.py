"""What a scrape shows while units change, come and go in the middle of it."""

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
    """Give a store of so many units that each hash 200 TH/s."""
    store = Metrics("alpha", version="0", clock=lambda: 0.0, share_s=0.0)
    for number in range(units):
        store.on_unit(told(f"u{number}", 200e12))
    return store


def told(unit_id: str, hashrate_hs: float) -> UnitStatus:
    """Give the status of a unit of which rate and average are the same."""
    rates = {"hashrate_5s_hs": hashrate_hs, "hashrate_30m_hs": hashrate_hs}
    return status(entry(unit_id), reading(unit_id, **rates))


async def begun(store: Metrics) -> "asyncio.Task[str]":
    """Give a scrape that is under way."""

    async def scrape() -> str:
        body, _ = await store.scrape()
        return body.decode()

    task = asyncio.create_task(scrape())
    await asyncio.sleep(0)
    return task


async def test_no_unit_is_shown_half() -> None:
    """A unit polled in the middle of a scrape is shown as it was, in all of its lines."""
    store = fleet(UNITS)
    first, last = "u0", f"u{UNITS - 1}"
    scrape = await begun(store)
    for unit_id in (first, last):
        store.on_unit(told(unit_id, 100e12))
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
    """A unit that gets another place in the middle of a scrape is in it once, and so is one that left meanwhile."""
    units = 2 * UNITS_AT_ONCE
    store = fleet(units)
    scrape = await begun(store)
    for number in range(5):
        # The last place to become free is the first to be taken: the first units move to the places of the last.
        mover, leaver = f"u{number}", f"u{units - 1 - number}"
        store.remove_unit(mover)
        store.remove_unit(leaver)
        store.on_unit(told(mover, 200e12))
    shown = await scrape
    times = Counter(line.rpartition(" ")[0] for line in shown.splitlines() if line.startswith("miner_up{"))
    assert len(times) == units
    assert set(times.values()) == {1}


async def test_groups_are_of_one_moment() -> None:
    """While another round's figures are being rendered, a scrape shows those before, all of them."""
    store = fleet(1)
    store.on_site(site_figures([told("u0", 200e12)], 0.0), is_whole=True)
    turns = store.on_site_in_turns(site_figures([told("u0", 100e12)], 10.0), is_whole=True)
    shown = [await operating(store) for _ in turns]
    assert set(shown) == {"200000000000000.0"}
    assert await operating(store) == "100000000000000.0"


async def operating(store: Metrics) -> str:
    """Give what the site is shown to hash."""
    body, _ = await store.scrape(scope="site")
    name = "mining_site_operating_hashrate_hashes_per_second"
    return next(line for line in body.decode().splitlines() if line.startswith(f"{name}{{")).rpartition(" ")[2]


@pytest.mark.parametrize("packing", [zlib, metrics.zlib], ids=["standard", "installed"])
async def test_compressed_by_either_library_it_is_the_same(packing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of several pieces is the plain one, an eighth as big at most, by zlib and by what stands in for it."""
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
