"""A whole agent measured from inside: CPU, memory, missed polls, event loop lag, and age of readings.

    python tests/bench/bench_fleet.py steady [--units 10000] [--interval 10] [--seconds 40 | --minutes 10]
    python tests/bench/bench_fleet.py sick   [--units 2000] [--seconds 30]
    python tests/bench/bench_fleet.py scale  [--units 256000] [--interval 60] [--minutes 10] [--shards 1]
    python tests/bench/bench_fleet.py growth [--counts 1000 10000 100000] [--svg tests/bench/growth.svg]

The agent is that of `hashsight run`, on core 0; the farm and the scraper run on core 1. Steady has everything on:
history, identity checks, MQTT if mosquitto is installed, and a full scrape every 15 s. Each run ends with its targets,
reached or not. Lag is the delay of a 20 ms timer, split by cause (`loop_probe`). Once a second the ages of some healthy
units' readings are sampled, in turn. CPU is that of the whole process without the probe's own thread.
"""

import argparse
import asyncio
import csv
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench_farm import Site, asked, broker, cpu_s, resident_bytes, simulated_site, verdict
from loop_probe import LoopProbe

from agent.app import Agent
from agent.runtime import garbage, logs
from agent.runtime.process import run_loop
from agent.runtime.setup import load_setup
from agent.runtime.systemd import ServiceManager

SCRAPE_EVERY_S = 15.0
MOST_UNITS_OF_A_FARM = 128_000
SETTLE_S = 15.0
MEMORY_EVERY_S = 60.0
AGES_A_LOOK = 500
# The rate of 10,000 units at the default interval; all sizes of `growth` are polled at this rate.
GROWTH_POLLS_PER_S = 1000
# Shares of units that are blackholed, hang after the connect, or drip a byte a second: a bad day at a bad site.
SICK = (("down", 0.30, {}), ("timeout", 0.10, {}), ("slicer", 0.05, {"piece_bytes": 1, "gap_s": 1.0}))
# The noise of a site's sum is that of one simulated unit, 0.93 %, over the square root of the number of units.
NOISE_A_UNIT = 0.0093


class Reload(NamedTuple):
    """The cost of a reload with one changed ledger row while units were polled.

    Attributes:
        took_s: Duration of the reload, s.
        held_ms: Longest time that this process held the loop, ms.
        renewed: Number of units whose entry object was replaced.
    """

    took_s: float
    held_ms: float
    renewed: int


class Found(NamedTuple):
    """The measurements of one agent.

    Attributes:
        units: Units watched.
        start_s: From the start of the process to serving, imports included, s.
        start_cpu_s: CPU used in that time, s.
        whole_s: From the start of the agent until every unit was polled once, s.
        cpu_share: Share of one core during the measurement.
        polls_per_s: Successful polls a second.
        kb_per_unit: Resident memory above that of the idle process, at the end.
        kb_by_minute: The same once a minute, from the beginning on.
        missed: Due polls that did not happen during the measurement.
        lag_ms: Event loop lag, p99 and worst.
        own_lag_ms: The part of the lag caused by this process, p99 and worst.
        holders: Functions that held the loop for long: name, times, mean and worst, s.
        age_p99_s: p99 age of the healthy units' readings, s.
        rounds: Unix time and operating hashrate of each round of figures, H/s.
        reload: The fields of a `Reload`, if one was requested.
        scrape_s: Duration of the slowest scrape, s; 0 without one.
    """

    units: int
    start_s: float
    start_cpu_s: float
    whole_s: float
    cpu_share: float
    polls_per_s: float
    kb_per_unit: float
    kb_by_minute: list[float]
    missed: int
    lag_ms: tuple[float, float]
    own_lag_ms: tuple[float, float]
    holders: list[tuple[str, int, float, float]]
    age_p99_s: float
    rounds: list[tuple[float, float]]
    reload: tuple[float, float, int] | None = None
    scrape_s: float = 0.0

    @property
    def cpu_us_per_poll(self) -> float:
        """CPU of the whole process for each successful poll, us."""
        return self.cpu_share / max(1e-9, self.polls_per_s) * 1e6


def main() -> None:
    """Run the chosen measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["steady", "sick", "scale", "growth", "worker"])
    parser.add_argument("--units", type=int)
    parser.add_argument("--interval", type=float)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, help="length of the measurement")
    length.add_argument("--minutes", type=float, help="likewise")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--healthy", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--reload", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60 if arguments.minutes else arguments.seconds
    logs.set_up("error")
    if arguments.what == "worker":
        healthy = arguments.healthy and arguments.healthy.read_text(encoding="utf-8").split("\n")
        print(json.dumps(run_loop(_watch(arguments.config, seconds, healthy, is_reloaded=arguments.reload))))
    elif arguments.what == "steady":
        steady(arguments.units or 10_000, arguments.interval or 10.0, seconds or 40.0)
    elif arguments.what == "sick":
        sick(arguments.units or 2000, arguments.interval or 10.0, seconds or 30.0)
    elif arguments.what == "scale":
        scale(arguments.units or 256_000, arguments.interval or 60.0, seconds or 600.0, arguments.shards)
    else:
        growth(arguments.counts, arguments.interval, seconds or 20.0, arguments.svg)


def steady(units: int, interval_s: float, seconds: float) -> None:
    """Print the cost of a site with everything on, under one Prometheus that scrapes all series."""
    with broker() as mqtt, simulated_site(units, interval_s=interval_s, asks_identity=True, more=mqtt) as site:
        found = watched(site.config, seconds, scrape=site.web_port)
    show(f"{units:,} units every {interval_s:g} s for {seconds:g} s, scraped every {SCRAPE_EVERY_S:g} s", found)
    verdict(found.cpu_share < 0.25, f"{found.cpu_share:.1%} of a core", "under 25 %")
    verdict(found.kb_per_unit < 15, f"{found.kb_per_unit:.1f} kB a unit", "under 15")
    verdict(not found.missed, f"{found.missed} polls missed", "none")
    (p99_ms, worst_ms), (own_p99_ms, own_worst_ms) = found.lag_ms, found.own_lag_ms
    result = f"lag p99 {p99_ms:.1f} ms, worst {worst_ms:.1f} ms (its own {own_p99_ms:.1f} and {own_worst_ms:.1f})"
    verdict(p99_ms < 20 and worst_ms < 100, result, "under 20 and 100")


def sick(units: int, interval_s: float, seconds: float) -> None:
    """Print the effect of units that do not answer on the polls of healthy ones."""
    before: Found | None = None
    for is_sick in (False, True):
        with simulated_site(units, interval_s=interval_s, max_in_flight=1000, max_in_flight_sick=500) as site:
            ids = [row["unit_id"] for row in site.rows()]
            first = 0
            for fault, share, values in SICK:
                last = first + int(share * units)
                if is_sick:
                    site.inject(fault, ids[first:last], **values)
                first = last
            healthy = site.config.with_name("healthy.txt")
            healthy.write_text("\n".join(ids[first:]), encoding="utf-8")
            found = watched(site.config, seconds, healthy=healthy)
        show(f"{units:,} units every {interval_s:g} s, {'45 % of them sick' if is_sick else 'all healthy'}", found)
        if before is not None:
            ratio = found.polls_per_s / (before.polls_per_s * (units - first) / units)
            intervals = found.age_p99_s / interval_s
            verdict(ratio > 0.9, f"healthy units keep {ratio:.1%} of their polls", "over 90 %")
            verdict(intervals < 1.5, f"p99 age of their readings is {intervals:.2f} intervals", "under 1.5")
        before = found


def scale(units: int, interval_s: float, seconds: float, shards: int) -> None:
    """Print the cost of a fleet in one process or several, and the error of its sum against the farm's truth."""
    with ExitStack() as running:
        sites = []
        for number in range(-(-units // MOST_UNITS_OF_A_FARM)):
            share = min(MOST_UNITS_OF_A_FARM, units - number * MOST_UNITS_OF_A_FARM)
            farm = simulated_site(
                share,
                interval_s=interval_s,
                max_in_flight=1000,
                max_in_flight_sick=500,
                base=f"127.{10 + 10 * number}.0.1",
                seed=number + 1,
            )
            sites.append(running.enter_context(farm))
        site = sites[0]
        join_ledgers(sites)
        configs = [site.config]
        if shards > 1:
            configs = [site.config.with_name(f"shard{index}.toml") for index in range(shards)]
            for index, config in enumerate(configs):
                text = site.config.read_text(encoding="utf-8").replace(f":{site.web_port}", ":0")
                config.write_text(f"{text}[shard]\ncount = {shards}\nindex = {index}\n", encoding="utf-8")
        workers = [running.enter_context(working(config, seconds)) for config in configs]
        with sampled(lambda: sum(each.true_hashrate_hs() for each in sites), interval_s) as truths:
            farm_s, began = sum(cpu_s(each.pid) for each in sites), time.perf_counter()
            every = [_result(worker) for worker in workers]
            farm_share = (sum(cpu_s(each.pid) for each in sites) - farm_s) / (time.perf_counter() - began)
    for index, found in enumerate(every):
        show(f"{found.units:,} units every {interval_s:g} s" + (f", shard {index}" if shards > 1 else ""), found)
    print(f"  the simulated units took {farm_share:.1%} of the other core")
    worst = max((abs(ratio), ratio, at) for ratio, at in _off_truth(every, truths))[1]
    noise = 3 * NOISE_A_UNIT / units**0.5
    rounds = min(len(found.rounds) for found in every)
    result = f"operating is {worst:+.4%} off the truth in the worst of {rounds} rounds"
    verdict(abs(worst) < noise, result, f"three sigma of the units' noise is {noise:.4%}")
    verdict(not sum(found.missed for found in every), f"{sum(found.missed for found in every)} polls missed", "none")
    share, kb = sum(found.cpu_share for found in every), statistics.fmean(found.kb_per_unit for found in every)
    poll_us = statistics.fmean(found.cpu_us_per_poll for found in every)
    print(f"  {poll_us:.0f} us of CPU a poll and {kb:.1f} kB a unit, in all", end=" ")
    print(f"{share:.1%} of a core and {kb * units / 1e6:.2f} GB")


def _off_truth(every: list[Found], truths: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield the relative error of all agents' operating against the nearest truth, and the round's Unix time."""
    for at, _ in every[0].rounds:
        operating_hs = sum(min(found.rounds, key=lambda sample: abs(sample[0] - at))[1] for found in every)
        truth_hs = min(truths, key=lambda sample: abs(sample[0] - at))[1]
        yield operating_hs / truth_hs - 1, at


@contextmanager
def sampled(look: Callable[[], float], every_s: float) -> Iterator[list[tuple[float, float]]]:
    """Sample a value inside the block; yield the growing list of Unix times and values."""
    samples: list[tuple[float, float]] = []
    is_over = threading.Event()

    def run() -> None:
        while not is_over.is_set():
            with suppress(OSError):
                samples.append((time.time(), look()))
            is_over.wait(every_s)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield samples
    finally:
        is_over.set()
        thread.join()


def join_ledgers(sites: list[Site]) -> None:
    """Merge all farms' units into the first one's ledger; ids and containers of the others get a prefix.

    MACs are left out: among 100,000 random ones two may be equal, and a ledger must not have that.
    """
    rows = [
        row | {"mac": ""} | ({key: f"F{number}-{row[key]}" for key in ("unit_id", "container")} if number > 1 else {})
        for number, site in enumerate(sites, start=1)
        for row in site.rows()
    ]
    with sites[0].config.with_name("ledger.csv").open("w", encoding="utf-8") as ledger:
        writer = csv.DictWriter(ledger, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def growth(counts: list[int], interval_s: float | None, seconds: float, svg: Path | None) -> None:
    """Print and draw the cost of a unit at several sizes, with a start and a changed ledger."""
    rows = []
    for units in counts:
        # The same polls a second at every size; at a lower rate each poll would carry more of the idle cost.
        every_s = interval_s or max(1.0, units / GROWTH_POLLS_PER_S)
        with simulated_site(units, interval_s=every_s) as site:
            join_ledgers([site])
            # At least one whole interval, with its round of figures.
            found = watched(site.config, max(seconds, every_s), is_reloaded=True)
        rows.append(found)
        show(f"{units:,} units every {every_s:g} s", found)
    most = rows[-1]
    result = f"a start with {most.units:,} rows takes {most.start_s:.1f} s, {most.start_cpu_s:.1f} s of CPU"
    verdict(most.start_s < 5, result, "under 5")
    if most.reload is not None:
        reload = Reload(*most.reload)
        result = f"a reload with one changed row replaces {reload.renewed} of {most.units:,} units"
        verdict(reload.renewed == 1, f"{result} and holds the loop for {reload.held_ms:.0f} ms", "1")
    if svg is not None:
        svg.write_text(drawn(rows), encoding="utf-8")


def show(title: str, found: Found) -> None:
    """Print one agent's figures."""
    print(f"\n{title}")
    print(f"  serving after {found.start_s:.1f} s ({found.start_cpu_s:.1f} s of CPU)", end="")
    print(f", first whole round {found.whole_s:.1f} s later")
    print(f"  {found.cpu_share:.1%} of a core, {found.polls_per_s:,.0f} polls/s, {found.cpu_us_per_poll:.0f} us each")
    print(f"  {found.kb_per_unit:.1f} kB a unit above the idle process; {found.missed} polls missed")
    if len(found.kb_by_minute) > 1:
        print(f"    minute by minute: {' '.join(f'{kb:.1f}' for kb in found.kb_by_minute)}")
    (p99_ms, worst_ms), (own_p99_ms, own_worst_ms) = found.lag_ms, found.own_lag_ms
    print(f"  loop lag p99 {p99_ms:.1f} ms, worst {worst_ms:.1f} ms; its own {own_p99_ms:.1f} and {own_worst_ms:.1f}")
    for name, times, mean_s, most_s in found.holders:
        print(f"    held by {name}: {times} times, mean {mean_s * 1e3:.0f} ms, worst {most_s * 1e3:.0f} ms")
    if found.scrape_s:
        print(f"  slowest scrape {found.scrape_s * 1e3:.0f} ms")
    if found.reload is not None:
        took_s, held_ms, _ = found.reload
        print(f"  reload with one changed row {took_s:.2f} s, the loop held for {held_ms:.0f} ms at most")
    print(f"  p99 age of readings {found.age_p99_s:.1f} s", flush=True)


@contextmanager
def working(
    config: Path, seconds: float, *, healthy: Path | None = None, is_reloaded: bool = False
) -> Iterator["subprocess.Popen[str]"]:
    """Run an agent that measures itself in its own process."""
    command = [sys.executable, __file__, "worker", "--config", str(config), "--seconds", str(seconds)]
    if healthy is not None:
        command += ["--healthy", str(healthy)]
    if is_reloaded:
        command.append("--reload")
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(worker.pid, {0})
        os.sched_setaffinity(0, {1})
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def watched(
    config: Path,
    seconds: float,
    *,
    healthy: Path | None = None,
    scrape: int | None = None,
    is_reloaded: bool = False,
) -> Found:
    """Run one agent to its end, scraped at a port if one is given, and return its measurements."""
    slowest_s = 0.0
    is_over = threading.Event()

    def scrape_until_over(port: int) -> None:
        nonlocal slowest_s
        while not is_over.wait(SCRAPE_EVERY_S):
            began = time.perf_counter()
            with suppress(OSError):
                asked(port, "GET", "/metrics", accept_encoding="gzip")
            slowest_s = max(slowest_s, time.perf_counter() - began)

    with working(config, seconds, healthy=healthy, is_reloaded=is_reloaded) as worker:
        scraper = threading.Thread(target=scrape_until_over, args=(scrape,))
        if scrape is not None:
            scraper.start()
        try:
            found = _result(worker)
        finally:
            is_over.set()
            if scrape is not None:
                scraper.join()
    return found._replace(scrape_s=slowest_s)


def _result(worker: "subprocess.Popen[str]") -> Found:
    output, _ = worker.communicate()
    if worker.returncode:
        raise SystemExit(f"the agent ended with {worker.returncode}")
    return Found(**json.loads(output))


class _Manager(ServiceManager):
    """Records the age of the process when the agent reports that it is ready."""

    def __init__(self) -> None:
        super().__init__({})
        self.start_s = self.start_cpu_s = 0.0

    def notify(self, *assignments: str) -> None:
        """Take in a message to the service manager."""
        if "READY=1" in assignments:
            started = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
            self.start_cpu_s = time.process_time()
            self.start_s = time.clock_gettime(time.CLOCK_BOOTTIME) - int(started) / os.sysconf("SC_CLK_TCK")


async def _watch(config: Path, seconds: float, healthy: list[str] | None, *, is_reloaded: bool) -> dict[str, Any]:
    """Run an agent, wait for its first whole round and a settling time, then measure for `seconds`."""
    idle = resident_bytes()
    manager = _Manager()
    garbage.pause()
    agent = Agent(load_setup(config), manager=manager)
    ids = healthy or [status.entry.unit_id for status in agent.tracker.statuses()]
    is_whole = asyncio.Event()
    agent.timer.on_figures = lambda _: is_whole.set()
    rounds: list[tuple[float, float]] = []
    # Counted by tenths of a second: millions of single ages would dominate the measured memory.
    ages: Counter[float] = Counter()
    probe = LoopProbe()

    async def watch_ages() -> None:
        # A slice of the units each time: reading all of a big fleet would itself hold the loop.
        place, step = 0, max(1, min(AGES_A_LOOK, len(ids)))
        while True:
            await asyncio.sleep(1.0)
            now = time.time()
            for unit_id in ids[place : place + step]:
                status = agent.tracker.status(unit_id)
                ages[round(now - status.reading.at, 1) if status and status.reading else math.inf] += 1
            place = (place + step) % len(ids)

    kb_by_minute: list[float] = []

    def kb_per_unit() -> float:
        return (resident_bytes() - idle) / len(agent.tracker) / 1e3

    async def watch_memory() -> None:
        while True:
            kb_by_minute.append(kb_per_unit())
            await asyncio.sleep(MEMORY_EVERY_S)

    async with asyncio.TaskGroup() as tasks:
        began = time.perf_counter()
        running = tasks.create_task(agent.run())
        await is_whole.wait()
        whole_s = time.perf_counter() - began
        await asyncio.sleep(min(SETTLE_S, agent.config.poll.interval_s))
        agent.timer.on_figures = lambda figures: rounds.append((figures.at, figures.site.operating_hs))
        watching = [tasks.create_task(watch()) for watch in (watch_ages, watch_memory)]
        own = agent.metrics.own
        polls, missed = own.polls["ok"], sum(own.skipped.values())
        cpu, wall = time.process_time(), time.perf_counter()
        with probe.watching():
            await asyncio.sleep(seconds)
        wall_s = time.perf_counter() - wall
        cpu_share = (time.process_time() - cpu - probe.looker_cpu_s) / wall_s
        polls_per_s = (own.polls["ok"] - polls) / wall_s
        missed = sum(own.skipped.values()) - missed
        resident_kb = kb_per_unit()
        for task in watching:
            task.cancel()
        reload = await _reload_one_row(agent) if is_reloaded else None
        agent.stop.set()
        await running
    return Found(
        units=len(agent.tracker),
        start_s=manager.start_s,
        start_cpu_s=manager.start_cpu_s,
        whole_s=whole_s,
        cpu_share=cpu_share,
        polls_per_s=polls_per_s,
        kb_per_unit=resident_kb,
        kb_by_minute=kb_by_minute,
        missed=missed,
        lag_ms=_milliseconds(*probe.lag_s()),
        own_lag_ms=_milliseconds(*probe.lag_s(is_own=True)),
        holders=probe.holders(),
        age_p99_s=_p99(ages),
        rounds=rounds,
        reload=reload,
    )._asdict()


def _milliseconds(p99_s: float, worst_s: float) -> tuple[float, float]:
    return p99_s * 1e3, worst_s * 1e3


async def _reload_one_row(agent: Agent) -> Reload:
    """Reload a running agent's ledger with another bin for one unit."""
    before = {status.entry.unit_id: status.entry for status in agent.tracker.statuses()}
    changed = next(iter(before))
    ledger = agent.config.ledger.file

    def write() -> None:
        text = ledger.read_text(encoding="utf-8")
        line = next(line for line in text.splitlines() if line.startswith(f"{changed},"))
        ledger.write_text(text.replace(line, line.replace(",200,", ",195,", 1), 1), encoding="utf-8")

    await asyncio.to_thread(write)
    probe = LoopProbe()
    with probe.watching():
        began = time.perf_counter()
        await agent.reload()
        took_s = time.perf_counter() - began
        await asyncio.sleep(0.1)
    renewed = sum(1 for status in agent.tracker.statuses() if status.entry is not before[status.entry.unit_id])
    return Reload(took_s, probe.lag_s(is_own=True)[1] * 1e3, renewed)


def drawn(rows: list[Found]) -> str:
    """Return an SVG of the cost of a unit at each size."""
    bars = []
    for panel, (title, unit, values) in enumerate(
        (
            ("CPU a poll", "us", [found.cpu_us_per_poll for found in rows]),
            ("memory a unit", "kB", [found.kb_per_unit for found in rows]),
        )
    ):
        left, highest = 20 + panel * 320, max(values)
        bars.append(f'<text x="{left}" y="24" font-weight="bold">{title}, {unit}</text>')
        for place, (found, value) in enumerate(zip(rows, values, strict=True)):
            x, height = left + place * 96, 150 * value / highest
            bars.append(f'<rect x="{x}" y="{200 - height:.0f}" width="72" height="{height:.0f}" fill="#3d71d9"/>')
            bars.append(f'<text x="{x + 36}" y="{194 - height:.0f}" text-anchor="middle">{value:.0f}</text>')
            bars.append(f'<text x="{x + 36}" y="220" text-anchor="middle">{found.units:,}</text>')
    body = "\n".join(bars)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="236" font-family="sans-serif" font-size="13">\n'
        f'<rect width="640" height="236" fill="white"/>\n{body}\n</svg>\n'
    )


def _p99(ages: Counter[float]) -> float:
    """Return the 99th percentile of ages; 0 if there are none."""
    left = ages.total() * 0.99
    for age in sorted(ages):
        left -= ages[age]
        if left <= 0:
            return age
    return 0.0


if __name__ == "__main__":
    main()
