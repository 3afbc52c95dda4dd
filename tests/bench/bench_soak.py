"""Memory over millions of polls: a whole agent at a short interval, with none, some or all of its units failing.

    python tests/bench/bench_soak.py [--units 3000] [--polls 1000000] [--modes healthy sick dark flapping]

Each mode runs an agent of its own, in a process of its own, with its web server and everything that follows a poll. All
units are polled once a second and never backed off, so that a day of a dark site passes in minutes. After a warm-up of
a third of the polls, resident memory and live objects are sampled every two seconds; the growth is that of a straight
line through the samples. Averages over minutes fill during the warm-up.
"""

import argparse
import asyncio
import csv
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import structlog
from bench_farm import Site, asked, free_port, resident_bytes, simulated_site, verdict

from agent.app import Agent
from agent.runtime.process import run_loop
from agent.runtime.setup import load_setup

SAMPLE_S = 2.0
FLAP_S = 5.0
AIM_RATIO = 0.01
# Share of the units that refuse every connection.
REFUSING = {"healthy": 0.0, "sick": 0.3, "dark": 1.0, "flapping": 0.0}


class Sample(NamedTuple):
    """The agent's process at one moment: polls so far, resident memory, and objects the collector tracks."""

    polls: int
    resident_bytes: int
    objects: int


def main() -> None:
    """Run every mode and print its growth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=3000)
    parser.add_argument("--polls", type=int, default=1_000_000, help="polls of each mode")
    parser.add_argument("--modes", nargs="+", choices=REFUSING, default=list(REFUSING))
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
        run_loop(_soak(arguments.worker, arguments.polls))
        return
    for mode in arguments.modes:
        _print_mode(mode, arguments.units, arguments.polls)


def _print_mode(mode: str, units: int, polls: int) -> None:
    with simulated_site(units, interval_s=1.0, backoff_max_s=1.0, max_in_flight=512, max_in_flight_sick=256) as site:
        _refuse(site, round(units * REFUSING[mode]))
        command = [sys.executable, __file__, "--worker", str(site.config), "--polls", str(polls)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            _flap_until_done(site, worker, is_flapping=mode == "flapping")
            output = worker.stdout.read() if worker.stdout is not None else ""
        if worker.returncode:
            raise SystemExit(f"the agent of mode {mode} ended with status {worker.returncode}")
    samples = [Sample(*sample) for sample in json.loads(output)]
    bytes_a_million, objects_a_million = (_slope(samples, field) * 1e6 for field in ("resident_bytes", "objects"))
    first, last = samples[0], samples[-1]
    ratio = bytes_a_million / first.resident_bytes
    print(
        f"{mode}: {last.polls:,} polls, {first.resident_bytes / 1e6:.1f} MB after the warm-up, "
        f"{last.resident_bytes / 1e6:.1f} MB at the end; {first.objects:,} objects, then {last.objects:,}"
    )
    print(f"  a million polls: {bytes_a_million / 1e6:+.2f} MB ({ratio:+.2%}), {objects_a_million:+,.0f} objects")
    verdict(ratio < AIM_RATIO, f"resident memory grows by {ratio:+.2%} a million polls", f"under {AIM_RATIO:.0%}")


def _refuse(site: Site, units: int) -> None:
    """Point the first units of the ledger at a port where nothing listens."""
    port = free_port()
    path = site.config.parent / "ledger.csv"
    rows = site.rows()
    for row in rows[:units]:
        row["host"] = f"{row['host'].partition(':')[0]}:{port}"
    with path.open("w", encoding="utf-8", newline="") as ledger:
        writer = csv.DictWriter(ledger, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _flap_until_done(site: Site, worker: subprocess.Popen[str], *, is_flapping: bool) -> None:
    """Wait for the worker; a flapping site resets the connections of every second unit for half of the time."""
    while is_flapping and worker.poll() is None:
        site.inject("reset_peer", [row["unit_id"] for row in site.rows()[::2]])
        time.sleep(FLAP_S)
        asked(site.control, "DELETE", "/faults")
        time.sleep(FLAP_S)


def _slope(samples: list[Sample], field: str) -> float:
    """Return the growth per poll of the straight line through all samples (least squares)."""
    points = [(sample.polls, float(getattr(sample, field))) for sample in samples]
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


async def _soak(config: Path, polls: int) -> None:
    """Run an agent for so many polls and print the samples after the warm-up as JSON."""
    agent = Agent(load_setup(config))
    made = 0

    def count() -> None:
        nonlocal made
        made += 1

    agent.on_polled = count
    samples: list[Sample] = []
    running = asyncio.create_task(agent.run(), name="agent")
    while made < polls and not running.done():
        await asyncio.sleep(SAMPLE_S)
        if made >= polls / 3:
            objects = sum(len(gc.get_objects(generation)) for generation in range(3))
            samples.append(Sample(made, resident_bytes(), objects))
    agent.stop.set()
    await running
    print(json.dumps(samples))


if __name__ == "__main__":
    main()
