"""Cost of a scrape: rendering units, building and compressing the body, and the time the event loop is held.

Run as ``python tests/bench/bench_scrape.py [units]`` from the root.
"""

import asyncio
import random
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from bench_farm import verdict
from exporter_cases import board, entry, reading, status
from loop_probe import LoopProbe

from agent.exporters.prometheus.store import Metrics
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.status import UnitStatus
from agent.site.totals import site_figures
from agent.unit.reading import Poll

ROUNDS = 5


def ledger(units: int) -> list[LedgerEntry]:
    """Return entries of S21 in containers of 10 racks of 40."""
    return [
        entry(
            f"u{number:06d}",
            place=Place(container=f"C{number // 400:03d}", rack=f"R{number // 40 % 10:02d}", slot=str(number % 40)),
        )
        for number in range(units)
    ]


def fleet(entries: list[LedgerEntry], rng: random.Random, at: float) -> list[UnitStatus]:
    """Return a status of 39 series for each entry; rates, temperatures and fans differ at each call."""
    statuses = []
    for number, declared in enumerate(entries):
        boards = tuple(
            board(
                slot,
                hashrate_hs=round(rng.gauss(66e3, 500), 2) * 1e9,
                chips=107,
                frequency_hz=rng.randrange(48_000, 49_000) * 1e4,
                chip_celsius=(float(rng.randrange(50, 60)), float(rng.randrange(60, 70))),
                hw_errors=rng.randrange(10_000),
            )
            for slot in range(3)
        )
        latest = reading(
            declared.unit_id,
            at=at + number / len(entries),
            hashrate_5s_hs=round(rng.gauss(196e3, 900), 2) * 1e9,
            power_watts=float(rng.randrange(3400, 3600)),
            boards=boards,
            fan_rpm=tuple(float(rng.randrange(5000, 6000)) for _ in range(4)),
        )
        statuses.append(status(declared, latest))
    return statuses


def rss_mb() -> float:
    """Return this process's resident memory now, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def timed(work: Callable[[], object]) -> float:
    """Return the CPU seconds of `work`."""
    start = time.process_time()
    work()
    return time.process_time() - start


async def scrape_and_watch(metrics: Metrics, encoding: str) -> tuple[float, float, float, int]:
    """Return (seconds of one scrape, CPU of the loop's thread, longest time this process held the loop, body bytes)."""
    probe = LoopProbe()
    with probe.watching():
        await asyncio.sleep(0.05)
        start, cpu_s = time.perf_counter(), time.thread_time()
        body, _ = await metrics.scrape("", encoding)
        cpu_s, took_s = time.thread_time() - cpu_s, time.perf_counter() - start
        await asyncio.sleep(0.02)
    return took_s, cpu_s, probe.lag_s(is_own=True)[1], len(body)


def show(label: str, figure: float, unit: str) -> None:
    """Print one line of the table."""
    print(f"{label:34}{figure:10.2f} {unit}")


async def bench(units: int) -> None:
    """Measure and print every figure."""
    rng = random.Random(1)
    at = time.time()
    entries = ledger(units)
    rounds = [fleet(entries, rng, at + 10 * index) for index in range(2)]
    figures = site_figures(rounds[0], at)
    metrics = Metrics("bench", version="0", clock=time.monotonic, share_s=0.0)
    print(f"{units} units, medians of {ROUNDS}")

    def render(index: int) -> None:
        for one in rounds[index % 2]:
            metrics.on_unit(one)

    before = rss_mb()
    show("on_unit, first time", timed(partial(render, 0)) / units * 1e6, "us a unit")
    show("store", (rss_mb() - before) * 1e3 / units, "kB a unit")
    polls = median(timed(partial(render, index)) for index in range(1, ROUNDS + 1))
    show("on_unit, every poll", polls / units * 1e6, "us a unit")
    sums = median(timed(lambda: metrics.on_site(figures, is_whole=True)) for _ in range(ROUNDS))
    show("on_site", sums * 1e3, "ms")
    poll = Poll(unit_id="u0", at=at, took_s=0.02, reading=rounds[0][0].reading)
    show("on_poll", timed(lambda: [metrics.on_poll(poll) for _ in range(100_000)]) * 10, "us a poll")
    for encoding in ("identity", "gzip"):
        results = [await scrape_and_watch(metrics, encoding) for _ in range(ROUNDS)]
        took, cpu, hold, size = (median(column) for column in zip(*results, strict=True))
        show(f"scrape, {encoding}", took * 1e3, "ms")
        show(f"scrape, {encoding}: CPU of the loop", cpu * 1e3, "ms")
        show(f"scrape, {encoding}: loop held", hold * 1e3, "ms at most")
        show(f"scrape, {encoding}: body", size / 1e6, "MB")
    took_ms = []
    for _ in range(50):
        start = time.perf_counter()
        site, _ = await metrics.scrape(scope="site")
        took_ms.append((time.perf_counter() - start) * 1e3)
    show("scrape of the site", median(took_ms), "ms")
    show("scrape of the site: body", len(site) / 1e3, "kB")
    shared = Metrics("bench", version="0", clock=time.monotonic)
    for one in rounds[0]:
        shared.on_unit(one)
    before = rss_mb()
    bodies = await asyncio.gather(*(shared.scrape() for _ in range(10)))
    show("ten scrapers at once: bodies made", len({id(body) for body, _ in bodies}), "")
    show("ten scrapers at once: memory", rss_mb() - before, "MB more")
    verdict(cpu < 0.1, f"a scrape of {units:,} units takes {cpu * 1e3:.0f} ms of the loop", "under 100")
    verdict(median(took_ms) < 2, f"a scrape of the site takes {median(took_ms):.1f} ms", "under 2")
    verdict(len({id(body) for body, _ in bodies}) == 1, "ten scrapers at once share one body", "one")


if __name__ == "__main__":
    asyncio.run(bench(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
