"""The whole path of a poll, measured: connect, request, read, decode, judge, attribute, render, and the site's figures.

    python tests/bench/bench_polls.py [--units 1000] [--seconds 5] [--runs 5] [--memory-units 10000] [--alone]

A simulated farm runs in its own process. Every figure is the median of the runs. Each run measures every client in turn
against the same farm, so that other load on the machine does not change the ratios. CPU is the client's alone; "polls/s
of one core" is its inverse, which holds even if the farm is slower than the client.

The path is compared with a bare client in C if there is a compiler (`reference.c`: the kernel's cost, replies not
decoded), with pyasic's `get_data()`, and with asic-rs' Python binding if it is installed. The binding needs the units'
usual ports 4028 and 80, which must be free and permitted.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Coroutine, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from bench_farm import Site, is_free, resident_bytes, simulated_site, verdict

from agent.app import Agent
from agent.runtime import garbage, logs
from agent.runtime.process import run_loop
from agent.runtime.setup import load_setup

IN_FLIGHT = 64
OURS = "hashsight, whole path"
REFERENCE = "C, nothing decoded"
PYASIC = "pyasic get_data(), API alone"
PYASIC_WEB = "pyasic get_data()"
ASIC_RS = "pyasic_rs get_data()"
USUAL_PORTS = (4028, 80)
# Target ratio of our polls a second to each client's.
AIMS = {REFERENCE: 0.5, PYASIC: 100.0, PYASIC_WEB: 100.0, ASIC_RS: 10.0}


class Measured(NamedTuple):
    """One run of one client."""

    polls_per_s: float
    cpu_us_per_poll: float


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run of each client")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory-units", type=int, default=10_000, help="0 leaves memory out")
    parser.add_argument("--alone", action="store_true", help="leave pyasic and asic-rs out")
    parser.add_argument("--json", type=Path, help="also write the medians to this file")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logs.set_up("error")
    if arguments.memory_of is not None:
        print(run_loop(_resident_bytes(arguments.memory_of)))
        return
    medians = _measure_all(arguments.units, arguments.seconds, arguments.runs, is_alone=arguments.alone)
    if arguments.memory_units:
        medians["kB a unit"] = _print_memory(arguments.memory_units)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(medians), encoding="utf-8")


def _measure_all(units: int, seconds: float, runs: int, *, is_alone: bool) -> dict[str, float]:
    """Measure every available client in turn, print the table, and return each one's median CPU a poll, us."""
    measured: dict[str, list[Measured]] = {}
    has_usual_ports = not is_alone and all(map(is_free, USUAL_PORTS))
    port, http_port = USUAL_PORTS if has_usual_ports else (None, None)
    with (
        tempfile.TemporaryDirectory(prefix="hashsight-reference-") as folder,
        simulated_site(units, port=port, http_port=http_port) as site,
    ):
        reference = compile_reference(Path(folder))
        clients: dict[str, Callable[[], Measured]] = {
            OURS: lambda: run_loop(_measure_agent(site.config, seconds)),
        }
        if reference is not None:
            clients[REFERENCE] = lambda: _measure_reference(reference, site, seconds)
        if not is_alone:
            clients[PYASIC] = lambda: asyncio.run(_measure_pyasic(site, min(seconds, 3.0), web_port=1))
        if has_usual_ports:
            clients[PYASIC_WEB] = lambda: asyncio.run(_measure_pyasic(site, min(seconds, 3.0), web_port=80))
        if has_usual_ports and find_spec("pyasic_rs"):
            clients[ASIC_RS] = lambda: asyncio.run(_measure_asic_rs(site, min(seconds, 3.0)))
        for _ in range(runs):
            for name, measure in clients.items():
                measured.setdefault(name, []).append(measure())
    _print_table(units, measured)
    return {name: statistics.median(run.cpu_us_per_poll for run in runs) for name, runs in measured.items()}


def _print_table(units: int, measured: dict[str, list[Measured]]) -> None:
    ours = measured[OURS]
    print(f"\n{units:,} simulated units, medians of {len(ours)} runs")
    print(f"{'client':<30}{'polls/s':>10}{'CPU us/poll':>14}{'polls/s of one core':>22}{'of ours':>10}")
    for name, runs in measured.items():
        polls_per_s = statistics.median(run.polls_per_s for run in runs)
        cpu_us = statistics.median(run.cpu_us_per_poll for run in runs)
        ratio = statistics.median(
            our.cpu_us_per_poll / run.cpu_us_per_poll for our, run in zip(ours, runs, strict=True)
        )
        print(f"{name:<30}{polls_per_s:>10,.0f}{cpu_us:>14,.0f}{1e6 / cpu_us:>22,.0f}{_times(ratio):>10}")
    cpu_us = statistics.median(run.cpu_us_per_poll for run in ours)
    print(f"10,000 units every 10 s take {cpu_us * 1000 / 1e4:.0f} % of one core")
    for name, least in AIMS.items():
        if name in measured:
            pairs = list(zip(ours, measured[name], strict=True))
            ratio = statistics.median(our.polls_per_s / run.polls_per_s for our, run in pairs)
            # A slow farm limits the polls/s of a fast client, but not its polls per CPU-second.
            by_cpu = statistics.median(run.cpu_us_per_poll / our.cpu_us_per_poll for our, run in pairs)
            result = f"{ratio:.2f} times the polls/s of {name}, {by_cpu:.2f} times its polls per CPU-second"
            verdict(ratio >= least, result, f"at least {least:g}")


def _times(ratio: float) -> str:
    return f"{ratio:.2f}x" if ratio >= 0.1 else f"1/{1 / ratio:,.0f}"


def _print_memory(units: int) -> float:
    with simulated_site(units) as site:
        command = [sys.executable, __file__, "--memory-of", str(site.config)]
        idle, busy = (
            int(part) for part in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        )
    a_unit = (busy - idle) / units / 1e3
    print(f"memory: {idle / 1e6:.0f} MB idle, {busy / 1e6:.0f} MB with {units:,} units read and rendered: ", end="")
    print(f"{a_unit:.1f} kB a unit")
    return a_unit


async def _measure_agent(config: Path, seconds: float) -> Measured:
    """Sweep all units repeatedly, with figures after each sweep."""
    agent = Agent(load_setup(config))
    garbage.settle()
    async with agent.polling():
        await agent.poller.sweep()
        polls = 0

        def count() -> None:
            nonlocal polls
            polls += 1

        agent.on_polled = count

        async def work() -> None:
            await agent.poller.sweep()
            agent.sum_up()

        return await _timed(work, seconds, lambda: polls)


def compile_reference(folder: Path) -> Path | None:
    """Compile the C client; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        print("no C compiler: the reference client is left out")
        return None
    program = folder / "reference"
    source = Path(__file__).with_name("reference.c")
    subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    return program


def _measure_reference(program: Path, site: Site, seconds: float) -> Measured:
    done = subprocess.run(
        [str(program), str(site.port), str(seconds), str(IN_FLIGHT)],
        input="\n".join(site.hosts()),
        check=True,
        capture_output=True,
        text=True,
    )
    polls, failures, took_s, cpu_s = map(float, done.stdout.split())
    if failures:
        print(f"C: {failures:.0f} polls failed")
    return Measured(polls / took_s, cpu_s / max(1, polls) * 1e6)


async def _measure_pyasic(site: Site, seconds: float, *, web_port: int) -> Measured:
    """Read units as pyasic's own documentation does, 20 at a time, as its limits suggest.

    It also reads a unit's web pages, which is most of its cost; on a closed port that fails at once.
    """
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyasic.miners.antminer import BMMinerS21

        async def read_one(host: str) -> bool:
            miner = BMMinerS21(host)
            miner.rpc.port, miner.web.port = site.port, web_port
            return bool((await miner.get_data()).hashrate)

        return await _measure_rival(site.hosts(), read_one, seconds)


async def _measure_asic_rs(site: Site, seconds: float) -> Measured:
    """Read units through handles made before the clock starts: the detection of models is not measured."""
    # Not in the locked set; `make bench` installs it if it can.
    from pyasic_rs import MinerFactory  # type: ignore[import-not-found,unused-ignore]

    miners = {host: await MinerFactory().get_miner(host) for host in site.hosts()[:20]}

    async def read_one(host: str) -> bool:
        return (await miners[host].get_data()).hashrate is not None

    return await _measure_rival(list(miners), read_one, seconds)


async def _measure_rival(
    hosts: Sequence[str], read_one: Callable[[str], Coroutine[Any, Any, bool]], seconds: float
) -> Measured:
    polls = following = 0

    async def read_next() -> None:
        nonlocal polls, following
        host = hosts[following % len(hosts)]
        following += 1
        # `polls += await ...` would read the count before the wait, and count twenty concurrent polls as one.
        is_read = await read_one(host)
        if is_read:
            polls += 1

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(read_next())

    return await _timed(work, seconds, lambda: polls)


async def _timed(work: Callable[[], Coroutine[Any, Any, None]], seconds: float, polls: Callable[[], int]) -> Measured:
    polls_before, cpu, began = polls(), time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        await work()
    done = max(1, polls() - polls_before)
    return Measured(done / (time.perf_counter() - began), (time.process_time() - cpu) / done * 1e6)


async def _resident_bytes(config: Path) -> str:
    """Return this process's resident memory without units, and with all of them read and rendered."""
    idle = resident_bytes()
    agent = Agent(load_setup(config))
    async with agent.polling():
        for _ in range(3):
            await agent.poller.sweep()
            agent.sum_up()
        await agent.metrics.scrape("", "gzip")
    return f"{idle} {resident_bytes()}"


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
