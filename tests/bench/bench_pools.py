"""CPU of judging where work goes: the same site with and without an allow-list, in turn, in one process.

    python tests/bench/bench_pools.py [--units 100] [--runs 5] [--mix S21:200=100%]
    python tests/bench/bench_pools.py --whole [--units 5000] [--minutes 6]

A run is thirty polls of each unit, and after each sweep what an agent does once an interval by default: figures, a
scrape, the snapshot. That is five minutes at ten seconds, so that the slow poll of every unit and its turns are in it.
The two sites are measured in turn: other load does not change a ratio.

With ``--whole`` two whole agents poll the same units at the same time every ten seconds, one with and one without an
allow-list, each with history and MQTT and scraped in full every 15 s: the CPU of their processes is compared.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench_farm import asked, broker, free_port, simulated_site, verdict
from bench_hour import agent_process, counters, wait_until_served

from agent.app import Agent
from agent.runtime import garbage, logs
from agent.runtime.process import run_loop
from agent.runtime.setup import load_setup
from agent.site.poller import Poller
from agent.unit.reading import Poll

SWEEPS = 30
MOST_RATIO = 1.05
ALLOWED = """
[[pools.allowed]]
name = "own"
urls = ["*.pool.example:3333"]
accounts = ["site"]
"""


class Measured(NamedTuple):
    """One run: CPU a poll, us, and requests a poll."""

    cpu_us: float
    requests: float


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--mix", default="S21:200=100%")
    parser.add_argument("--whole", action="store_true", help="compare whole agents")
    parser.add_argument("--minutes", type=float, default=6.0, help="of whole agents, after one to warm up")
    arguments = parser.parse_args()
    logs.set_up("error")
    if arguments.whole:
        _compare_agents(arguments.units, arguments.minutes, arguments.mix)
        return
    measured: dict[str, list[Measured]] = {"off": [], "on": []}
    with simulated_site(arguments.units, mix=arguments.mix, base="127.60.0.1") as site:
        on = site.config.with_name("pools.toml")
        on.write_text(site.config.read_text(encoding="utf-8") + ALLOWED, encoding="utf-8")
        for _ in range(arguments.runs):
            for name, config in (("off", site.config), ("on", on)):
                measured[name].append(run_loop(_measure(config)))
    print(f"{'pools':<8}{'CPU us/poll':>14}{'requests/poll':>16}")
    for name, runs in measured.items():
        cpu_us, requests = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:<8}{cpu_us:>14.1f}{requests:>16.3f}")
    ratio = statistics.median(on.cpu_us / off.cpu_us for off, on in zip(*measured.values(), strict=True))
    verdict(ratio <= MOST_RATIO, f"pools judged: {ratio:.3f} times the CPU", f"{MOST_RATIO:g}")


def _compare_agents(units: int, minutes: float, mix: str) -> None:
    """Run both agents at once, and print what a poll costs each."""
    with (
        broker() as mqtt,
        simulated_site(units, mix=mix, base="127.60.0.1", more=mqtt) as site,
        tempfile.TemporaryDirectory(prefix="hashsight-pools-") as folder,
    ):
        other, port = Path(folder) / "site.toml", free_port()
        text = site.config.read_text(encoding="utf-8").replace(f":{site.web_port}", f":{port}")
        other.write_text(text.replace('name = "bench"', 'name = "bench-pools"') + ALLOWED, encoding="utf-8")
        for file in site.config.parent.glob("*.csv"):
            shutil.copy(file, folder)
        with agent_process(site.config) as off, agent_process(other) as on:
            ports = {off.pid: site.web_port, on.pid: port}
            for process in (off, on):
                wait_until_served(process, ports[process.pid])
            _scraped(ports, 60.0)
            before = {pid: counters(pid, at) for pid, at in ports.items()}
            _scraped(ports, minutes * 60)
            spent = {}
            for pid, at in ports.items():
                now = counters(pid, at)
                spent[pid] = (now.cpu_s - before[pid].cpu_s) / (now.polls - before[pid].polls) * 1e6
            print(f"whole agents: {spent[off.pid]:.0f} us a poll without pools, {spent[on.pid]:.0f} us with")
            ratio = spent[on.pid] / spent[off.pid]
            verdict(ratio <= MOST_RATIO, f"pools judged: {ratio:.3f} times the CPU of an agent", f"{MOST_RATIO:g}")


def _scraped(ports: dict[int, int], seconds: float) -> None:
    """Scrape both agents in full every 15 s for some time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for port in ports.values():
            asked(port, "GET", "/metrics", accept_encoding="gzip")
        time.sleep(min(15.0, max(0.0, until - time.monotonic())))


async def _measure(config: Path) -> Measured:
    agent = Agent(load_setup(config))
    garbage.settle()
    polls = requests = 0

    def count(poll: Poll) -> None:
        nonlocal polls, requests
        polls, requests = polls + 1, requests + poll.requests

    async with agent.polling():
        for _ in range(3):
            # The first polls choose readers and ask for what is asked once.
            await agent.poller.sweep()
        _count_on(agent.poller, count)
        began = time.process_time()
        for _ in range(SWEEPS):
            await agent.poller.sweep()
            agent.sum_up()
            await agent.metrics.scrape(accept_encoding="gzip")
            await agent.snapshots._write(agent.setup.config.snapshot_path(config))
        spent = time.process_time() - began
        await agent.snapshots.close()
    return Measured(spent / polls * 1e6, requests / polls)


def _count_on(poller: Poller, count: Callable[[Poll], None]) -> None:
    before = poller._on_poll

    def both(poll: Poll, clock_s: float) -> None:
        before(poll, clock_s)
        count(poll)

    poller._on_poll = both


if __name__ == "__main__":
    main()
