"""A whole agent at work, measured from inside: CPU, memory, missed polls, lag of the event loop, age of readings.

    python tests/bench/bench_fleet.py steady [--units 10000] [--interval 10] [--seconds 40]
    python tests/bench/bench_fleet.py sick   [--units 2000] [--seconds 30]
    python tests/bench/bench_fleet.py scale  [--units 256000] [--interval 60] [--seconds 120] [--shards 1]
    python tests/bench/bench_fleet.py growth [--counts 1000 10000 100000] [--svg tests/bench/growth.svg]

The agent is the one that `hashsight run` runs, history and all, on core 0; the farm, and whoever scrapes, on core 1.
Lag is how late a timer of 5 ms comes, and whose fault that is (`loop_probe`). A reading's age is looked at once a
second, for every healthy unit.
"""

import argparse
import asyncio
import csv
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench_farm import Site, asked, resident_bytes, simulated_site
from loop_probe import LoopProbe

from agent import logs
from agent.app import Agent
from agent.process import run_loop
from agent.setup import load_setup

SCRAPE_EVERY_S = 15.0
MOST_UNITS_OF_A_FARM = 128_000
SETTLE_S = 15.0
# Blackholed, hanging after the connection, dripping a byte a second; what such units are at a bad site at a bad time.
SICK = (("down", 0.30, {}), ("timeout", 0.10, {}), ("slicer", 0.05, {"piece_bytes": 1, "gap_s": 1.0}))


class Found(NamedTuple):
    """What one agent was found to need.

    Attributes:
        units: It watched.
        start_s: Reading its files and building it.
        whole_s: From then until every unit was looked at once.
        cpu_share: Of one core, while measured.
        polls_per_s: That succeeded.
        kb_per_unit: Resident memory above that of the idle process.
        missed: Due polls that did not happen while measured.
        lag_ms: Of the event loop, p99 and worst.
        own_lag_ms: The part of it that this process is to blame for, likewise.
        holders: What held the loop for long: name, times, mean and worst, s.
        age_p99_s: Of the readings of the healthy.
        operating_hs: As last told.
        scrape_s: The slowest scrape; 0 without one.
    """

    units: int
    start_s: float
    whole_s: float
    cpu_share: float
    polls_per_s: float
    kb_per_unit: float
    missed: int
    lag_ms: tuple[float, float]
    own_lag_ms: tuple[float, float]
    holders: list[tuple[str, int, float, float]]
    age_p99_s: float
    operating_hs: float
    scrape_s: float = 0.0

    @property
    def cpu_us_per_poll(self) -> float:
        """CPU over all, for each poll that succeeded."""
        return self.cpu_share / max(1e-9, self.polls_per_s) * 1e6


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["steady", "sick", "scale", "growth", "worker"])
    parser.add_argument("--units", type=int)
    parser.add_argument("--interval", type=float)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--svg", type=Path)
    parser.add_argument("--config", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--healthy", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logs.set_up("error")
    if arguments.what == "worker":
        healthy = arguments.healthy and arguments.healthy.read_text(encoding="utf-8").split("\n")
        print(json.dumps(run_loop(_watch(arguments.config, arguments.seconds, healthy))))
    elif arguments.what == "steady":
        steady(arguments.units or 10_000, arguments.interval or 10.0, arguments.seconds or 40.0)
    elif arguments.what == "sick":
        sick(arguments.units or 2000, arguments.interval or 10.0, arguments.seconds or 30.0)
    elif arguments.what == "scale":
        scale(arguments.units or 256_000, arguments.interval or 60.0, arguments.seconds or 120.0, arguments.shards)
    else:
        growth(arguments.counts, arguments.seconds or 20.0, arguments.svg)


def steady(units: int, interval_s: float, seconds: float) -> None:
    """Print what a site takes, with one Prometheus that scrapes everything."""
    with simulated_site(units, interval_s=interval_s) as site:
        found = watched(site.config, seconds, scrape=site.web_port)
    show(f"{units:,} units every {interval_s:g} s for {seconds:g} s, scraped every {SCRAPE_EVERY_S:g} s", found)


def sick(units: int, interval_s: float, seconds: float) -> None:
    """Print what units that do not answer cost those that do."""
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
        show(f"{units:,} units every {interval_s:g} s, {'45 % of them sick' if is_sick else 'all well'}", found)
        if before is not None:
            ratio = found.polls_per_s / (before.polls_per_s * (units - first) / units)
            intervals = found.age_p99_s / interval_s
            print(f"the healthy keep {ratio:.1%} of their polls; p99 of their readings' age {intervals:.2f} intervals")
        before = found


def scale(units: int, interval_s: float, seconds: float, shards: int) -> None:
    """Print what a fleet takes, in one process or in several, and whether its sum is the farm's truth."""
    with ExitStack() as running:
        sites = []
        for number in range(-(-units // MOST_UNITS_OF_A_FARM)):
            share = min(MOST_UNITS_OF_A_FARM, units - number * MOST_UNITS_OF_A_FARM)
            farm = simulated_site(share, interval_s=interval_s, base=f"127.{10 + 10 * number}.0.1", seed=number + 1)
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
        every = [_result(worker) for worker in workers]
        truth_hs = sum(each.true_hashrate_hs() for each in sites)
    for index, found in enumerate(every):
        show(f"{found.units:,} units every {interval_s:g} s" + (f", shard {index}" if shards > 1 else ""), found)
    operating_hs = sum(found.operating_hs for found in every)
    print(f"operating {operating_hs / 1e18:.4f} EH/s of {truth_hs / 1e18:.4f} true: {operating_hs / truth_hs - 1:+.3%}")


def join_ledgers(sites: list[Site]) -> None:
    """Put all farms' units into the first one's ledger, those of the others under names of their own.

    Without MACs: of a hundred thousand that a farm draws at random two may be the same, which no ledger may say.
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


def growth(counts: list[int], seconds: float, svg: Path | None) -> None:
    """Print what a unit takes at several sizes, and draw it."""
    rows = []
    for units in counts:
        # As many polls a second at each size, but not so many that the farm is what is measured.
        interval_s = max(10.0, units / 1500)
        with simulated_site(units, interval_s=interval_s) as site:
            join_ledgers([site])
            found = watched(site.config, seconds)
            reload_s = reload_of_one_row(site)
        rows.append(found)
        show(f"{units:,} units every {interval_s:g} s; reload with one changed row {reload_s:.2f} s", found)
    if svg is not None:
        svg.write_text(_drawn(rows), encoding="utf-8")


def reload_of_one_row(site: Site) -> float:
    """Give how long an agent takes to put a ledger with one changed row in force; checks that the others stay."""
    agent = Agent(load_setup(site.config))
    ledger = site.config.with_name("ledger.csv")
    text = ledger.read_text(encoding="utf-8")
    before = {status.entry.unit_id: status for status in agent.tracker.statuses()}
    changed = site.rows()[0]["unit_id"]
    line = next(line for line in text.splitlines() if line.startswith(f"{changed},"))
    ledger.write_text(text.replace(line, line.replace(",200,", ",195,", 1), 1), encoding="utf-8")

    async def reload() -> float:
        async with agent.polling():
            began = time.perf_counter()
            await agent.reload()
            return time.perf_counter() - began

    took_s = run_loop(reload())
    kept = sum(status is before[status.entry.unit_id] for status in agent.tracker.statuses())
    if kept != len(before) - 1:
        print(f"{len(before) - kept:,} units were made anew")
    return took_s


def show(title: str, found: Found) -> None:
    """Print one agent's figures."""
    print(f"\n{title}")
    print(f"  start {found.start_s:.2f} s, first whole round after {found.whole_s:.1f} s")
    print(f"  {found.cpu_share:.1%} of a core, {found.polls_per_s:,.0f} polls/s, {found.cpu_us_per_poll:.0f} us each")
    print(f"  {found.kb_per_unit:.1f} kB a unit above the idle process; {found.missed} polls missed")
    (p99_ms, worst_ms), (own_p99_ms, own_worst_ms) = found.lag_ms, found.own_lag_ms
    print(f"  loop lag p99 {p99_ms:.1f} ms, worst {worst_ms:.1f} ms; its own {own_p99_ms:.1f} and {own_worst_ms:.1f}")
    for name, times, mean_s, most_s in found.holders:
        print(f"    held by {name}: {times} times, mean {mean_s * 1e3:.0f} ms, worst {most_s * 1e3:.0f} ms")
    if found.scrape_s:
        print(f"  slowest scrape {found.scrape_s * 1e3:.0f} ms")
    print(f"  p99 of the readings' age {found.age_p99_s:.1f} s", flush=True)


@contextmanager
def working(config: Path, seconds: float, *, healthy: Path | None = None) -> Iterator["subprocess.Popen[str]"]:
    """Run an agent that measures itself, in a process of its own."""
    command = [sys.executable, __file__, "worker", "--config", str(config), "--seconds", str(seconds)]
    if healthy is not None:
        command += ["--healthy", str(healthy)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(worker.pid, {0})
        os.sched_setaffinity(0, {1})
    try:
        yield worker
    finally:
        worker.terminate()
        worker.wait(timeout=30)


def watched(config: Path, seconds: float, *, healthy: Path | None = None, scrape: int | None = None) -> Found:
    """Run one agent to its end, scraped at a port if one is given, and give what it found."""
    slowest_s = 0.0
    is_over = threading.Event()

    def scrape_again_and_again(port: int) -> None:
        nonlocal slowest_s
        while not is_over.wait(SCRAPE_EVERY_S):
            began = time.perf_counter()
            with suppress(OSError):
                asked(port, "GET", "/metrics", accept_encoding="gzip")
            slowest_s = max(slowest_s, time.perf_counter() - began)

    with working(config, seconds, healthy=healthy) as worker:
        scraper = threading.Thread(target=scrape_again_and_again, args=(scrape,))
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
    told, _ = worker.communicate()
    if worker.returncode:
        raise SystemExit(f"the agent ended with {worker.returncode}")
    return Found(**json.loads(told))


async def _watch(config: Path, seconds: float, healthy: list[str] | None) -> dict[str, Any]:
    """Run an agent, wait for its first whole round and a little more, then measure for so long."""
    idle = resident_bytes()
    began = time.perf_counter()
    agent = Agent(load_setup(config))
    start_s = time.perf_counter() - began
    ids = healthy or [status.entry.unit_id for status in agent.tracker.statuses()]
    is_whole = asyncio.Event()
    agent.on_figures = lambda _: is_whole.set()
    ages: list[float] = []
    probe = LoopProbe()

    async def watch_ages() -> None:
        # A slice of the units each time: to look at all of a big fleet would itself hold the loop.
        place, step = 0, max(1, min(2000, len(ids)))
        while True:
            await asyncio.sleep(1.0)
            now = time.time()
            for unit_id in ids[place : place + step]:
                status = agent.tracker.status(unit_id)
                ages.append(now - status.reading.at if status and status.reading else float("inf"))
            place = (place + step) % len(ids)

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(agent.run())
        await is_whole.wait()
        whole_s = time.perf_counter() - began - start_s
        await asyncio.sleep(min(SETTLE_S, agent.config.poll.interval_s))
        watching = tasks.create_task(watch_ages())
        own = agent.metrics.own
        polls, missed = own.polls["ok"], sum(own.skipped.values())
        cpu, wall = time.process_time(), time.perf_counter()
        with probe.watching():
            await asyncio.sleep(seconds)
        wall_s = time.perf_counter() - wall
        cpu_share = (time.process_time() - cpu) / wall_s
        polls_per_s = (own.polls["ok"] - polls) / wall_s
        missed = sum(own.skipped.values()) - missed
        resident = resident_bytes()
        watching.cancel()
        agent.stop.set()
        await running
    if agent.figures is None:
        raise SystemExit("no figures")
    return Found(
        units=len(agent.tracker),
        start_s=start_s,
        whole_s=whole_s,
        cpu_share=cpu_share,
        polls_per_s=polls_per_s,
        kb_per_unit=(resident - idle) / len(agent.tracker) / 1e3,
        missed=missed,
        lag_ms=[lag_s * 1e3 for lag_s in probe.lag_s()],
        own_lag_ms=[lag_s * 1e3 for lag_s in probe.lag_s(is_own=True)],
        holders=probe.holders(),
        age_p99_s=sorted(ages)[int(len(ages) * 0.99)],
        operating_hs=agent.figures.site.operating_hs,
    )._asdict()


def _drawn(rows: list[Found]) -> str:
    """Give a picture of what a unit takes at each size."""
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


if __name__ == "__main__":
    main()
