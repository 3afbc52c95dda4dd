"""An agent killed with SIGKILL and started again: how long until its figures may be believed, and what keeping costs.

    python tests/bench/bench_recovery.py [--units 10000] [--interval 10] [--runs 3] [--before REVISION]

The agent is `hashsight run` on core 0; the farm is on core 1. Each run lets it poll for some intervals, kills it, and
starts it again at once. Measured from the kill: the first figures, figures within half a point of the truth, and
`/readyz` with 200. With `--before`, another commit's agent does the same for comparison. At the end, a snapshot of as
many units is packed and written in this process: bytes, CPU, and how long the loop is held.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench_farm import Site, asked, simulated_site, verdict
from compare import ROOT, unpack

from agent.app import Agent
from agent.files.snapshot import write_packed
from agent.runtime import logs
from agent.runtime.setup import load_setup
from agent.slices import run_slices

LOOK_S = 0.1
WARM_INTERVALS = 3
CLOSE_POINTS = 0.5
GIVEN_UP_INTERVALS = 12
# A machine with other work takes long to start a program, whatever the interval.
GIVEN_UP_S = 120.0


class Recovery(NamedTuple):
    """Times from the kill of an agent, s.

    Attributes:
        shown_s: Until there were figures.
        close_s: Until these were within `CLOSE_POINTS` of the truth.
        ready_s: Until `/readyz` succeeded.
    """

    shown_s: float
    close_s: float
    ready_s: float


def main() -> None:
    """Print the recovery of this agent, and of another one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--before", help="another commit, measured in the same way")
    arguments = parser.parse_args()
    logs.set_up("error")
    with (
        tempfile.TemporaryDirectory(prefix="hashsight-before-") as name,
        simulated_site(arguments.units, interval_s=arguments.interval, max_in_flight=1000) as site,
    ):
        if arguments.before:
            unpack(arguments.before, Path(name))
            measure(site, Path(name), arguments.before[:12], arguments)
        intervals = measure(site, ROOT, "this agent", arguments)
        verdict(intervals < 2, f"ready {intervals:.2f} intervals after a kill", "under 2")
        show_cost(site, arguments.interval)


def measure(site: Site, code: Path, title: str, arguments: argparse.Namespace) -> float:
    """Print one agent's recoveries; return the median time until it was ready, in intervals."""
    units, interval_s = arguments.units, arguments.interval
    print(f"\n{title}: {units:,} units every {interval_s:g} s, killed and started again {arguments.runs} times")
    recoveries = []
    for _ in range(arguments.runs):
        for kept in site.config.parent.glob("site.*"):
            if kept != site.config:
                kept.unlink()
        recoveries.append(recovery(site, code, interval_s))
    for field, words in (
        ("shown_s", "figures again"),
        ("close_s", f"within {CLOSE_POINTS:g} points of the truth"),
        ("ready_s", "/readyz 200"),
    ):
        times = [getattr(each, field) for each in recoveries]
        median_s, worst_s = statistics.median(times), max(times)
        print(f"  {words}: {median_s:.1f} s, {median_s / interval_s:.2f} intervals; worst {worst_s:.1f} s")
    return statistics.median(each.ready_s for each in recoveries) / interval_s


def recovery(site: Site, code: Path, interval_s: float) -> Recovery:
    """Kill an agent that has polled for a while, start it again, and return the times."""
    with running(site, code) as first:
        until_ready(site, first, interval_s)
        time.sleep(WARM_INTERVALS * interval_s)
        began = time.monotonic()
        first.send_signal(signal.SIGKILL)
        first.wait()
    shown_s = close_s = None
    with running(site, code) as second:
        while True:
            passed_s = time.monotonic() - began
            if passed_s > max(GIVEN_UP_S, GIVEN_UP_INTERVALS * interval_s):
                raise SystemExit(f"not ready {passed_s:.0f} s after the kill")
            is_ready, ratio = looked_at(site)
            passed_s = time.monotonic() - began
            if ratio is not None:
                shown_s = shown_s or passed_s
                if close_s is None and abs(ratio - true_ratio(site)) * 100 <= CLOSE_POINTS:
                    close_s = passed_s
            if is_ready and shown_s is not None and close_s is not None:
                return Recovery(shown_s, close_s, passed_s)
            if second.poll() is not None:
                raise SystemExit(f"the agent ended with {second.returncode}")
            time.sleep(LOOK_S)


@contextlib.contextmanager
def running(site: Site, code: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run an agent inside the block, on the core that the farm leaves."""
    command = [sys.executable, "-m", "agent", "run", "--config", str(site.config)]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    with site.config.with_name("agent.log").open("ab") as output:
        agent = subprocess.Popen(command, cwd=code, env=environment, stdout=output, stderr=output)
    try:
        yield agent
    finally:
        if agent.poll() is None:
            agent.terminate()
        agent.wait(timeout=30)


def until_ready(site: Site, agent: "subprocess.Popen[bytes]", interval_s: float) -> None:
    """Wait until an agent's figures may be believed."""
    until = time.monotonic() + max(GIVEN_UP_S, GIVEN_UP_INTERVALS * interval_s)
    while not looked_at(site)[0]:
        if agent.poll() is not None or time.monotonic() > until:
            raise SystemExit(site.config.with_name("agent.log").read_text(encoding="utf-8")[-2000:])
        time.sleep(LOOK_S)


def looked_at(site: Site) -> tuple[bool, float | None]:
    """Return True if the agent is ready, and operating over deployed as it publishes it; None without figures."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", site.web_port, timeout=5)
        connection.request("GET", "/readyz")
        reply = connection.getresponse()
        reply.read()
        connection.close()
        text = asked(site.web_port, "GET", "/metrics/site").decode()
    except (OSError, http.client.HTTPException):
        return False, None
    name = "mining_site_operational_efficiency_ratio{"
    line = next((line for line in text.splitlines() if line.startswith(name)), None)
    return reply.status == 200, None if line is None else float(line.rpartition(" ")[2])


def true_ratio(site: Site) -> float:
    """Return the farm's true hashrate over the nameplate of its units."""
    truth = json.loads(asked(site.control, "GET", "/truth"))["site"]
    return float(truth["hashrate_hs"]) / (200e12 * float(truth["units"]))


def show_cost(site: Site, interval_s: float) -> None:
    """Print what one snapshot of the site costs, with real readings of every unit."""

    async def read_and_pack() -> tuple[bytes, float, float]:
        agent = Agent(load_setup(site.config))
        await agent.sweep()
        steps, held = agent.snapshots.packed(), []
        while True:
            began = time.thread_time()
            try:
                next(steps)
            except StopIteration:
                break
            held.append(time.thread_time() - began)
        data, packed_s = await run_slices(agent.snapshots.packed())
        return data, packed_s, max(held)

    data, packed_s, held_s = asyncio.run(read_and_pack())
    with tempfile.TemporaryDirectory() as name:
        began = time.process_time()
        size = write_packed(Path(name) / "site.snapshot", data)
        write_s = time.process_time() - began
    print("\none snapshot, once an interval")
    print(f"  {size / 1e6:.2f} MB, {size / 1e3 / interval_s:.0f} kB/s to the disk")
    print(f"  CPU {packed_s * 1e3:.0f} ms on the loop in slices of {held_s * 1e3:.1f} ms at most", end=", ")
    print(f"{write_s * 1e3:.0f} ms in a thread: {(packed_s + write_s) / interval_s:.2%} of a core")


if __name__ == "__main__":
    main()
