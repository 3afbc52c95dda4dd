"""Memory over millions of polls: a whole agent at a short interval, with none, some or all of its units failing.

    python tests/bench/bench_soak.py [--units 3000] [--polls 1000000] [--modes healthy sick dark flapping changing]

Each mode runs an agent of its own, in a process of its own, with its web server and everything that follows a poll. All
units are polled once a second and never backed off, so that a day of a dark site passes in minutes. In mode `changing`
every unit is healthy, and a sixth of them have a page that says another identity each time it is read. After a warm-up
of a third of the polls, memory and live objects are sampled every two seconds; the growth is that of a straight line
through the samples, with the error of that line. Memory that time fills and not polls is full by then: averages over
minutes, and the points of delivered hashrate, whose hour and day are shortened to one minute and two.
"""

import argparse
import asyncio
import csv
import gc
import json
import math
import subprocess
import sys
import time
from array import array
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from bench_farm import Site, asked, free_port, resident_bytes, simulated_site, verdict
from changing_pages import changing_pages
from loop_probe import LoopProbe, Passes

from agent.app import Agent
from agent.runtime.process import run_loop
from agent.runtime.setup import load_setup
from agent.site import delivered
from agent.site.identity.agenda import Urgency

SAMPLE_S = 2.0
# More than there are in two hours; the last place is used again.
SAMPLES = 4000
FLAP_S = 5.0
AIM_RATIO = 0.01
AIM_PAUSE_MS = 10.0
# Share of the units that refuse every connection.
REFUSING = {"healthy": 0.0, "sick": 0.3, "dark": 1.0, "flapping": 0.0, "changing": 0.0}
# One page of how many units changes, and how many pages are read a second: the most that a configuration allows.
CHANGING_EVERY = 6
PAGES_PER_S = 100
TYPES_SHOWN = 5


class Sample(NamedTuple):
    """The agent's process at one moment.

    Attributes:
        polls: Polls so far.
        resident_bytes: Resident memory.
        objects: Objects that the garbage collector tracks, frozen ones included.
        blocks: Memory blocks that the interpreter has in use.
    """

    polls: int
    resident_bytes: int
    objects: int
    blocks: int


class Soaked(NamedTuple):
    """The measurements of one mode.

    Attributes:
        mode: Its name.
        samples: The fields of each `Sample` after the warm-up.
        pause: CPU of the longest pass of the garbage collector after the warm-up at the machine's best speed, ms, and
            its generation.
        lag_ms: Event loop lag caused by the process itself after the warm-up, p99 and worst, ms.
        grown: Types with the most new objects since the warm-up, and how many.
        pages: Identity pages read.
    """

    mode: str
    samples: list[list[int]]
    pause: tuple[float, int]
    lag_ms: tuple[float, float]
    grown: list[tuple[str, int]]
    pages: int

    @property
    def first(self) -> Sample:
        """The first sample after the warm-up."""
        return Sample(*self.samples[0])

    @property
    def last(self) -> Sample:
        """The last sample."""
        return Sample(*self.samples[-1])

    def growth(self, field: str) -> "Growth":
        """Return the growth of a field of the samples by a million polls."""
        points = [(sample.polls / 1e6, float(getattr(sample, field))) for sample in map(Sample._make, self.samples)]
        return line(points).over(getattr(self.first, field))


class Growth(NamedTuple):
    """Growth by a million polls, and its standard error: absolute, or as a ratio after `over`."""

    value: float
    error: float

    def over(self, base: float) -> "Growth":
        """Return the growth relative to a base."""
        return Growth(self.value / base, self.error / base)

    @property
    def least(self) -> float:
        """The growth that is certain: two standard errors below the value."""
        return self.value - 2 * self.error


def line(points: list[tuple[float, float]]) -> Growth:
    """Return the slope of the straight line through all points (least squares) and its standard error.

    With fewer than four points the error is the slope itself.

    Samples in a row resemble each other, so they count as fewer: by the correlation of each residual with the next.
    """
    count = len(points)
    mean_x, mean_y = (sum(column) / count for column in zip(*points, strict=True))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    residuals = [y - mean_y - slope * (x - mean_x) for x, y in points]
    square = sum(residual**2 for residual in residuals)
    if count < 4 or not square:
        return Growth(slope, abs(slope) if count < 4 else 0.0)
    alike = sum(now * then for now, then in zip(residuals[1:], residuals, strict=False)) / square
    alike = min(max(alike, 0.0), 0.95)
    independent = max(3.0, count * (1 - alike) / (1 + alike))
    return Growth(slope, math.sqrt(square / (independent - 2) / spread))


def main() -> None:
    """Run every mode and print its growth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=3000)
    parser.add_argument("--polls", type=int, default=1_000_000, help="polls of each mode")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end a mode after this time at the latest")
    parser.add_argument("--modes", nargs="+", choices=REFUSING, default=list(REFUSING))
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
        (mode,) = arguments.modes
        run_loop(_soak(arguments.worker, mode, arguments.polls, arguments.seconds))
        return
    for mode in arguments.modes:
        _print_mode(soaked(mode, arguments.units, arguments.polls, arguments.seconds))


def soaked(
    mode: str, units: int, polls: int, seconds: float = math.inf, *, on_serving: Callable[[int], None] | None = None
) -> Soaked:
    """Run an agent in one mode and return its measurements.

    Args:
        mode: One of `REFUSING`.
        units: Units of the site.
        polls: Polls to make.
        seconds: Time after which it ends at the latest, s.
        on_serving: Called with the port of the agent's web server once the process is started.
    """
    with ExitStack() as stack:
        pages = stack.enter_context(changing_pages()) if mode == "changing" else None
        site = stack.enter_context(
            simulated_site(
                units,
                interval_s=1.0,
                backoff_max_s=1.0,
                max_in_flight=512,
                max_in_flight_sick=256,
                identity_port=None if pages is None else pages.port,
            )
        )
        _refuse(site, round(units * REFUSING[mode]))
        command = [sys.executable, __file__, "--worker", str(site.config), "--modes", mode]
        command += ["--polls", str(polls), "--seconds", str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            try:
                if on_serving is not None:
                    on_serving(site.web_port)
                _flap_until_done(site, worker, is_flapping=mode == "flapping")
                output = worker.stdout.read() if worker.stdout is not None else ""
            finally:
                worker.terminate()
    if worker.returncode:
        raise SystemExit(f"the agent of mode {mode} ended with status {worker.returncode}")
    return Soaked(mode, *json.loads(output))


def _print_mode(found: Soaked) -> None:
    first, last = found.first, found.last
    memory, objects, blocks = (found.growth(field) for field in ("resident_bytes", "objects", "blocks"))
    print(
        f"{found.mode}: {last.polls:,} polls, {first.resident_bytes / 1e6:.1f} MB after the warm-up, "
        f"{last.resident_bytes / 1e6:.1f} MB at the end; {first.objects:,} objects, then {last.objects:,}"
    )
    if found.pages:
        print(f"  {found.pages:,} pages read, each with another identity")
    per_million = f"{memory.value * first.resident_bytes / 1e6:+.2f} MB ({memory.value:+.2%})"
    print(
        f"  a million polls: {per_million}, {objects.value * first.objects:+,.0f} objects, {blocks.value:+.2%} blocks"
    )
    print(
        f"  standard errors: {memory.error:.2%} of memory, {objects.error:.2%} of objects, {blocks.error:.2%} of blocks"
    )
    print("  most new objects: " + (", ".join(f"{name} {count:+,}" for name, count in found.grown) or "none"))
    p99_ms, worst_ms = found.lag_ms
    print(f"  loop held by the agent itself: p99 {p99_ms:.1f} ms, worst {worst_ms:.1f} ms")
    verdict(memory.value < AIM_RATIO, f"resident memory grows by {memory.value:+.2%} a million polls", "under 1%")
    pause_ms, generation = found.pause
    result = f"longest pass of the collector {pause_ms:.1f} ms of CPU, generation {generation}"
    verdict(pause_ms < AIM_PAUSE_MS, result, f"under {AIM_PAUSE_MS:g}")


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


def _shorten_windows() -> None:
    """Fill the windows of delivered hashrate within minutes, so that they are no growth."""
    delivered.HOUR_S, delivered._HOUR_GRAIN_S = 60.0, 10.0
    delivered.DAY_S, delivered._DAY_GRAIN_S = 120.0, 7.5


async def _soak(config: Path, mode: str, polls: int, seconds: float) -> None:
    """Run an agent for so many polls and print the measurements after the warm-up as JSON."""
    _shorten_windows()
    agent = Agent(load_setup(config))
    made = 0

    def count() -> None:
        nonlocal made
        made += 1

    agent.on_polled = count
    until = time.monotonic() + seconds
    # Made before the first sample, so that the samples are no growth: four numbers each.
    room = array("q", bytes(8 * 4 * SAMPLES))
    taken = 0
    before: Counter[str] = Counter()
    with ExitStack() as stack:
        running = asyncio.create_task(agent.run(), name="agent")
        asking = asyncio.create_task(_ask_again(agent), name="pages") if mode == "changing" else None
        probe, passes = LoopProbe(), Passes()
        while made < polls and not running.done() and time.monotonic() < until:
            await asyncio.sleep(SAMPLE_S)
            is_warm = made >= polls / 3 or time.monotonic() > until - seconds * 2 / 3
            if is_warm and not taken:
                before = _census()
                await asyncio.sleep(0)
                stack.enter_context(probe.watching())
                stack.enter_context(passes.watching())
            if is_warm:
                objects = sum(len(gc.get_objects(generation)) for generation in range(3)) + gc.get_freeze_count()
                sample = Sample(made, resident_bytes(), objects, sys.getallocatedblocks())
                room[4 * taken : 4 * taken + 4] = array("q", sample)
                taken = min(taken + 1, SAMPLES - 1)
    grown = (_census() - before).most_common(TYPES_SHOWN)
    pages = sum(agent.identity.figures().checks.values())
    agent.stop.set()
    if asking is not None:
        asking.cancel()
    await running
    p99_s, worst_s = probe.lag_s(is_own=True)
    samples = [room[4 * number : 4 * number + 4].tolist() for number in range(taken)]
    pause = (passes.longest_s * 1e3, passes.generation)
    print(json.dumps([samples, pause, (p99_s * 1e3, worst_s * 1e3), grown, pages]))


def _census() -> Counter[str]:
    """Return how many objects of each type the garbage collector tracks, frozen ones left out."""
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())


async def _ask_again(agent: Agent) -> None:
    """Have some of the identity pages read again and again, instead of once a day."""
    while (book := agent.identity._book) is None:  # noqa: ASYNC110  a book sets no event
        await asyncio.sleep(SAMPLE_S)
    book.inquiries.spacing_s = 0.0
    endpoints = list(book.inquiries.web_ports)[::CHANGING_EVERY]
    while True:
        for endpoint in endpoints:
            book.inquiries.want(endpoint, Urgency.RESTARTED, time.monotonic())
        await asyncio.sleep(len(endpoints) / PAGES_PER_S)


if __name__ == "__main__":
    main()
