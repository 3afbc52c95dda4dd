"""What the metrics of a site cost a Prometheus at each detail: its series, its memory, its CPU, and a scrape's size.

    python tests/bench/bench_prometheus.py [--units 1000 10000 30000] [--scrapes 20]

A real Prometheus scrapes a real store of that many units, each scrape with other numbers, every five seconds. Its
memory is read at the end: resident memory over that of a Prometheus that scrapes nothing.
"""

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from aiohttp import web
from bench_farm import free_port
from bench_scrape import fleet, ledger

from agent.exporters.prometheus.detail import FAMILIES_BY_DETAIL, Detail
from agent.exporters.prometheus.store import Metrics
from agent.site.totals import site_figures

INTERVAL_S = 5.0


class Cost(NamedTuple):
    """What one Prometheus had after its scrapes."""

    series: int
    resident_mb: float
    cpu_s_per_scrape: float
    body_mb: float


async def main() -> None:
    """Measure every detail and size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[1000, 10_000, 30_000])
    parser.add_argument("--scrapes", type=int, default=20)
    parser.add_argument("--detail", nargs="+", default=list(FAMILIES_BY_DETAIL), choices=list(FAMILIES_BY_DETAIL))
    arguments = parser.parse_args()
    print(f"{'units':>7} {'detail':>7} {'series':>10} {'a unit':>7} {'memory':>9} {'CPU/scrape':>11} {'body':>8}")
    for units in arguments.units:
        for detail in arguments.detail:
            cost = await measured(units, detail, arguments.scrapes)
            print(
                f"{units:>7,} {detail:>7} {cost.series:>10,} {cost.series / units:>7.1f} {cost.resident_mb:>6,.0f} MB"
                f" {cost.cpu_s_per_scrape * 1e3:>8,.0f} ms {cost.body_mb:>5.1f} MB",
                flush=True,
            )


async def measured(units: int, detail: Detail, scrapes: int) -> Cost:
    """Return what a Prometheus costs after some scrapes of a site."""
    rng, at = random.Random(1), time.time()
    entries = ledger(units)
    metrics = Metrics("bench", version="0", clock=time.monotonic, share_s=0.0, detail=detail)
    rounds = [fleet(entries, rng, at + INTERVAL_S * number) for number in range(2)]
    served = size = 0

    async def scrape(request: web.Request) -> web.Response:
        nonlocal served, size
        statuses = rounds[served % 2]
        for status in statuses:
            metrics.on_unit(status)
        metrics.on_site(site_figures(statuses, time.time()), is_whole=True)
        body, headers = await metrics.scrape(request.headers.get("Accept", ""), "")
        served, size = served + 1, len(body)
        return web.Response(body=body, headers=headers)

    application = web.Application()
    application.router.add_get("/metrics", scrape)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        idle = await _prometheus(None, lambda: 1, 1)
        busy = await _prometheus(port, lambda: served, scrapes)
    finally:
        await runner.cleanup()
    return Cost(busy[0], (busy[1] - idle[1]) / 1e6, busy[2] / max(1, served), size / 1e6)


async def _prometheus(port: int | None, scrapes: Callable[[], int], wanted: int) -> tuple[int, int, float]:
    """Run one Prometheus until it has scraped so often; return its series, its resident bytes and its CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="hashsight-prometheus-") as name:
        folder = Path(name)
        targets = "" if port is None else f"\n      - targets: ['127.0.0.1:{port}']"
        config = (
            f"global: {{scrape_interval: {INTERVAL_S:g}s, scrape_timeout: {INTERVAL_S:g}s}}\n"
            f"scrape_configs:\n  - job_name: bench\n    static_configs:{targets or ' []'}\n"
        )
        (folder / "prometheus.yml").write_text(config, encoding="utf-8")
        listen = free_port()
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{listen}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            for _ in range(600):
                await asyncio.sleep(1.0)
                if scrapes() >= wanted:
                    break
            await asyncio.sleep(INTERVAL_S)
            series = await asyncio.to_thread(_head_series, listen)
            resident, cpu_s = _spent(process.pid)
            return series, resident, cpu_s
        finally:
            process.terminate()
            await process.wait()


def _spent(pid: int) -> tuple[int, float]:
    """Return a process' resident bytes and its CPU seconds."""
    times = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def _head_series(port: int) -> int:
    url = f"http://127.0.0.1:{port}/api/v1/status/tsdb"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return int(json.load(answer)["data"]["headStats"]["numSeries"])


if __name__ == "__main__":
    asyncio.run(main())
