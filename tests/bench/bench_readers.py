"""CPU of one request by firmware: whole agents in turn, each over a farm of one firmware, against stock.

    python tests/bench/bench_readers.py [--units 100] [--seconds 2] [--runs 5]

All farms run at once, in processes of their own; the agents are measured in turn, so that other load on the machine
does not change the ratios. Connecting, asking, reading, decoding, judging, attributing and rendering all count, divided
by the requests that were sent. A unit far below its nameplate costs more to judge, and a part of the farms of other
firmware runs low profiles; so as many units of the stock farm are slowed by as much.
"""

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench_farm import Site, simulated_site, verdict

from agent.app import Agent
from agent.runtime import garbage, logs
from agent.runtime.process import run_loop
from agent.runtime.setup import load_setup
from agent.site.poller import Poller
from agent.unit.reading import Poll

MIXES = {
    "antminer": "S21:200=100%",
    "braiins": "S21:200/braiins=100%",
    "luxos": "S21:200/luxos=100%",
    "vnish": "S21:200/vnish=100%",
    "epic": "S21:200/epic=100%",
}
STOCK = "antminer"
BELOW = ((0.84, 0.25), (0.7, 0.1))
"""Rate over rated rate, with the share of units: those of ePIC's farm. Of the others' at least as many run below."""
MOST_RATIO = 1.3


class Measured(NamedTuple):
    """One run of one agent: CPU a request, us, and requests a poll."""

    cpu_us: float
    requests: float


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=100, help="of each firmware")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    logs.set_up("error")
    measured: dict[str, list[Measured]] = {}
    with contextlib.ExitStack() as stack:
        sites = {
            name: stack.enter_context(simulated_site(arguments.units, mix=mix, base=f"127.{20 + place}.0.1"))
            for place, (name, mix) in enumerate(MIXES.items())
        }
        _slow(sites[STOCK])
        configs = {name: site.config for name, site in sites.items()}
        for _ in range(arguments.runs):
            for name, config in configs.items():
                measured.setdefault(name, []).append(run_loop(_measure(name, config, arguments.seconds)))
    _print(measured)


def _slow(site: Site) -> None:
    """Slow some units of the stock farm, as the others' profiles do."""
    units = [row["unit_id"] for row in site.rows()]
    for ratio, share in BELOW:
        count = round(share * len(site.hosts()))
        site.inject("hashrate_drift", units[:count], ratio=ratio)
        units = units[count:]


def _print(measured: dict[str, list[Measured]]) -> None:
    print(f"{'reader':<12}{'CPU us/request':>16}{'requests/poll':>15}{'of stock':>10}")
    for name, runs in measured.items():
        ratio = statistics.median(run.cpu_us / ours.cpu_us for run, ours in zip(runs, measured[STOCK], strict=True))
        cpu_us, requests = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:<12}{cpu_us:>16.0f}{requests:>15.2f}{ratio:>9.2f}x")
        if name != STOCK:
            verdict(ratio <= MOST_RATIO, f"{name}: {ratio:.2f} times a request of stock firmware", f"{MOST_RATIO:g}")


async def _measure(name: str, config: Path, seconds: float) -> Measured:
    """Sweep all units repeatedly, with figures after each sweep."""
    agent = Agent(load_setup(config))
    garbage.settle()
    polls = requests = failed = 0
    async with agent.polling():
        for _ in range(3):
            # The first polls choose readers and ask for what is asked once.
            await agent.poller.sweep()

        def count(poll: Poll) -> None:
            nonlocal polls, requests, failed
            polls, requests = polls + 1, requests + poll.requests
            failed += poll.reading is None or poll.reading.reader != name

        _count_on(agent.poller, count)
        began, until = time.process_time(), time.perf_counter() + seconds
        while time.perf_counter() < until:
            await agent.poller.sweep()
            agent.sum_up()
        spent = time.process_time() - began
    if failed:
        raise SystemExit(f"{name}: {failed} of {polls} polls were not read by it")
    return Measured(spent / requests * 1e6, requests / polls)


def _count_on(poller: Poller, count: Callable[[Poll], None]) -> None:
    """Count each poll before it is recorded."""
    record = poller._on_poll

    def counted(poll: Poll, now: float) -> None:
        count(poll)
        record(poll, now)

    poller._on_poll = counted


if __name__ == "__main__":
    main()
