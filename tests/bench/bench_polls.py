"""The whole path of a poll, measured: connect, ask, read, decode, judge, attribute, render, and the site's figures.

    python tests/bench/bench_polls.py [--units 1000] [--seconds 5] [--runs 5] [--memory-units 10000]

A simulated farm runs in a process of its own; every figure is the median of the runs, each client measured in turn
against the same farm in the same run, so that the ratios hold whatever else the machine does. CPU is this process's
alone; "polls/s of one core" is its inverse, which a farm that is slower than the client cannot hide.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agent import logs
from agent.app import Agent, run_loop
from agent.setup import load_setup

CONFIG = """
[site]
name = "bench"
[ledger]
file = "ledger.csv"
[poll]
interval_s = {interval_s}
max_in_flight = 256
max_in_flight_sick = 64
[identity]
enabled = false
"""


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
    parser.add_argument("--memory-units", type=int, default=10_000)
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logs.set_up("error")
    if arguments.memory_of is not None:
        print(run_loop(_resident_bytes(arguments.memory_of)))
        return
    with _farm(arguments.units) as (folder, port):
        ours: list[Measured] = []
        theirs: list[Measured] = []
        for run in range(arguments.runs):
            ours.append(run_loop(_measure_agent(folder / "site.toml", arguments.seconds)))
            theirs.append(asyncio.run(_measure_pyasic(port, min(arguments.seconds, 3.0))))
            print(f"run {run + 1}: {ours[-1].polls_per_s:,.0f} against {theirs[-1].polls_per_s:,.0f} polls/s")
    _print_table(arguments.units, ours, theirs)
    _print_memory(arguments.memory_units)


def _print_table(units: int, ours: list[Measured], theirs: list[Measured]) -> None:
    print(f"\n{units:,} simulated units, medians of {len(ours)} runs")
    print(f"{'client':<28}{'polls/s':>10}{'CPU us/poll':>14}{'polls/s of one core':>22}")
    for name, runs in (("hashsight, whole path", ours), ("pyasic get_data()", theirs)):
        polls_per_s = statistics.median(run.polls_per_s for run in runs)
        cpu_us = statistics.median(run.cpu_us_per_poll for run in runs)
        print(f"{name:<28}{polls_per_s:>10,.0f}{cpu_us:>14,.0f}{1e6 / cpu_us:>22,.0f}")
    ratio = statistics.median(
        their.cpu_us_per_poll / our.cpu_us_per_poll for our, their in zip(ours, theirs, strict=True)
    )
    print(f"one pyasic get_data() costs as much CPU as {ratio:,.0f} polls of the whole path")
    cpu_us = statistics.median(run.cpu_us_per_poll for run in ours)
    print(f"10,000 units every 10 s take {cpu_us * 1000 / 1e4:.0f} % of one core")


def _print_memory(units: int) -> None:
    with _farm(units) as (folder, _):
        command = [sys.executable, __file__, "--memory-of", str(folder / "site.toml")]
        idle, busy = (
            int(part) for part in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        )
    print(f"memory: {idle / 1e6:.0f} MB idle, {busy / 1e6:.0f} MB with {units:,} units read and rendered: ", end="")
    print(f"{(busy - idle) / units / 1e3:.1f} kB a unit")


async def _measure_agent(config: Path, seconds: float) -> Measured:
    """Sweep over all units again and again, with figures after each sweep."""
    agent = Agent(load_setup(config))
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


async def _measure_pyasic(port: int, seconds: float) -> Measured:
    """Read unit after unit the way pyasic's own documentation does; 20 at a time, as its limits suggest."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyasic.miners.antminer import BMMinerS21

        polls = 0
        following = 0

        async def read_one() -> None:
            nonlocal polls, following
            following = following % 200 + 1
            miner = BMMinerS21(f"127.10.0.{following}")
            miner.rpc.port = port
            data = await miner.get_data()
            if not data.hashrate:
                return
            polls += 1

        async def work() -> None:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(20):
                    tasks.create_task(read_one())

        return await _timed(work, seconds, lambda: polls)


async def _timed(work: Callable[[], Coroutine[Any, Any, None]], seconds: float, polls: Callable[[], int]) -> Measured:
    polls_before, cpu, began = polls(), time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        await work()
    done = max(1, polls() - polls_before)
    return Measured(done / (time.perf_counter() - began), (time.process_time() - cpu) / done * 1e6)


async def _resident_bytes(config: Path) -> str:
    """Give this process's resident memory before there are units, and with all of them read and rendered."""
    idle = _resident()
    agent = Agent(load_setup(config))
    async with agent.polling():
        for _ in range(3):
            await agent.poller.sweep()
            agent.sum_up()
        await agent.metrics.scrape()
    return f"{idle} {_resident()}"


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


@contextlib.contextmanager
def _farm(units: int) -> Iterator[tuple[Path, int]]:
    """Run a healthy farm; gives a folder with a configuration for it, and its port."""
    with tempfile.TemporaryDirectory(prefix="hashsight-bench-") as name:
        folder = Path(name)
        (folder / "site.toml").write_text(CONFIG.format(interval_s=10), encoding="utf-8")
        port, control = _free_port(), _free_port()
        troubles = [
            f"--{trouble}=0%" for trouble in ("off", "asleep", "starting", "missing-board", "missing-chips", "slow")
        ]
        arguments = ["--units", str(units), "--seed", "1", "--mix", "S21:200=100%", "--port", str(port), *troubles]
        command = [sys.executable, "-m", "simulators", "farm", *arguments, "--control", f"127.0.0.1:{control}"]
        with (folder / "farm.log").open("wb") as output:
            farm = subprocess.Popen(
                [*command, "--ledger-out", str(folder / "ledger.csv")], stdout=output, stderr=output
            )
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", control), timeout=1):
                    break
                if farm.poll() is not None:
                    raise SystemExit((folder / "farm.log").read_text(encoding="utf-8"))
                time.sleep(0.1)
            if (os.cpu_count() or 1) > 1:
                # A core for the farm, another for whoever is measured.
                os.sched_setaffinity(farm.pid, {1})
                os.sched_setaffinity(0, {0})
            yield folder, port
        finally:
            farm.terminate()
            farm.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
