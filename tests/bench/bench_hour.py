"""A whole agent process over time, minute by minute: memory, CPU and event loop lag, in one picture.

    python tests/bench/bench_hour.py [--units 10000] [--interval 10] [--minutes 60] [--svg tests/bench/hour.svg]

The agent is `hashsight run` with history, identity checks and MQTT, scraped in full every 15 s. It is looked at from
outside: memory and CPU of its process, lag and polls from its own metrics. The first `WARM_MINUTES` are for warming up:
caches, the first points of each unit's windows, the allocator. Growth is that of the line through the minutes after
them.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench_farm import START_S, asked, broker, cpu_s, simulated_site, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRAPE_EVERY_S = 15.0
WARM_MINUTES = 15
_SAMPLE = re.compile(r"^(miner_agent_\w+?)(?:_bucket)?(?:\{([^}]*)\})? ([-+.\deE]+|\+Inf)$", re.MULTILINE)
_UPPER = re.compile(r'le="([^"]+)"')


class Minute(NamedTuple):
    """One minute of the agent.

    Attributes:
        resident_mb: Resident memory at its end, MB.
        cpu_share: Share of one core.
        lag_p99_ms: The bucket of the loop's lag that holds the 99th percentile, ms.
        polls: Polls that ended.
        skipped: Polls that were due and not made.
    """

    resident_mb: float
    cpu_share: float
    lag_p99_ms: float
    polls: int
    skipped: int


class Counters(NamedTuple):
    """Counters of the agent and of its process at one moment."""

    at: float
    cpu_s: float
    lags: dict[float, float]
    polls: float
    skipped: float


def main() -> None:
    """Measure, print a line a minute, and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=10_000)
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--minute", type=float, default=60.0, help="length of a minute, s")
    parser.add_argument("--svg", type=Path, help="also draw the picture into this file")
    arguments = parser.parse_args()
    with (
        broker() as mqtt,
        simulated_site(arguments.units, interval_s=arguments.interval, asks_identity=True, more=mqtt) as site,
        agent_process(site.config) as agent,
    ):
        minutes = _watched(agent, site.web_port, arguments.minutes, arguments.minute)
    title = f"{arguments.units:,} units every {arguments.interval:g} s"
    if arguments.svg is not None:
        arguments.svg.write_text(drawn(title, minutes), encoding="utf-8")
    warm = minutes[min(WARM_MINUTES, len(minutes) // 2) :]
    growth = growth_an_hour(warm)
    print(f"{title}, {len(minutes)} minutes")
    verdict(growth < 0.01, f"memory grows by {growth:.2%} an hour after warming up", "under 1 %")
    first, last = (statistics.mean(minute.cpu_share for minute in part) for part in (warm[:5], warm[-5:]))
    verdict(last < first * 1.1, f"CPU {first:.1%} of a core, in the end {last:.1%}", "no more than a tenth higher")
    skipped = sum(minute.skipped for minute in minutes)
    verdict(not skipped, f"{skipped} of {sum(minute.polls for minute in minutes):,} polls skipped", "none")


@contextmanager
def agent_process(config: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Run `hashsight run` inside the block."""
    with (config.parent / "agent.log").open("wb") as log:
        command = [sys.executable, "-m", "agent", "run", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=60)


def _watched(agent: "subprocess.Popen[bytes]", port: int, minutes: int, minute_s: float) -> list[Minute]:
    wait_until_served(agent, port)
    found: list[Minute] = []
    before = None
    began = time.monotonic()
    next_scrape = next_minute = began + min(SCRAPE_EVERY_S, minute_s)
    while len(found) < minutes:
        time.sleep(max(0.0, min(next_scrape, next_minute) - time.monotonic()))
        if agent.poll() is not None:
            raise SystemExit(f"the agent ended with status {agent.returncode}")
        if time.monotonic() >= next_scrape:
            next_scrape += SCRAPE_EVERY_S
            asked(port, "GET", "/metrics", accept_encoding="gzip")
        if time.monotonic() < next_minute:
            continue
        next_minute += minute_s
        now = counters(agent.pid, port)
        if before is not None:
            found.append(_minute(agent.pid, before, now))
            print(len(found), *(f"{value:g}" for value in found[-1]), flush=True)
        before = now
    return found


def wait_until_served(agent: "subprocess.Popen[bytes]", port: int) -> None:
    """Return when the agent answers; end the benchmark if it does not."""
    until = time.monotonic() + START_S
    while agent.poll() is None and time.monotonic() < until:
        with suppress(OSError):
            asked(port, "GET", "/healthz")
            return
        time.sleep(0.1)
    raise SystemExit(f"the agent does not serve; its exit status is {agent.poll()}")


def counters(pid: int, port: int) -> Counters:
    """Return the counters of an agent's process now."""
    text = asked(port, "GET", "/metrics/site").decode()
    lags: dict[float, float] = {}
    sums = {"miner_agent_polls_total": 0.0, "miner_agent_polls_skipped_total": 0.0}
    for name, labels, value in _SAMPLE.findall(text):
        upper = _UPPER.search(labels)
        if name == "miner_agent_loop_lag_seconds" and upper is not None:
            lags[float(upper[1])] = float(value)
        elif name in sums:
            sums[name] += float(value)
    return Counters(time.monotonic(), cpu_s(pid), lags, *sums.values())


def _minute(pid: int, before: Counters, now: Counters) -> Minute:
    lags = {upper: now.lags[upper] - before.lags.get(upper, 0.0) for upper in sorted(now.lags)}
    most = max(lags.values(), default=0.0)
    p99_s = next((upper for upper, count in lags.items() if count >= 0.99 * most), 0.0)
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return Minute(
        resident_mb=pages * 4096 / 1e6,
        cpu_share=round((now.cpu_s - before.cpu_s) / (now.at - before.at), 4),
        lag_p99_ms=p99_s * 1e3,
        polls=int(now.polls - before.polls),
        skipped=int(now.skipped - before.skipped),
    )


def growth_an_hour(minutes: Sequence[Minute]) -> float:
    """Return the growth of memory in 60 minutes by the line through these minutes, over its level."""
    if len(minutes) < 2:
        return 0.0
    places = range(len(minutes))
    sizes = [minute.resident_mb for minute in minutes]
    slope, _ = statistics.linear_regression(places, sizes)
    return slope * 60 / statistics.mean(sizes)


def drawn(title: str, minutes: Sequence[Minute]) -> str:
    """Return an SVG of memory, CPU and lag by minute."""
    panels = (
        ("memory, MB", [minute.resident_mb for minute in minutes]),
        ("CPU, % of a core", [minute.cpu_share * 100 for minute in minutes]),
        ("event loop lag, p99, ms", [minute.lag_p99_ms for minute in minutes]),
    )
    body = [f'<text x="20" y="22" font-weight="bold">{title}</text>']
    for panel, (name, values) in enumerate(panels):
        top, highest = 40 + panel * 110, max(*values, 1e-9)
        step = 560 / max(1, len(values) - 1)
        points = " ".join(
            f"{40 + place * step:.1f},{top + 84 - 70 * value / highest:.1f}" for place, value in enumerate(values)
        )
        body.append(
            f'<text x="40" y="{top + 6}">{name}: {values[0]:,.4g} to {values[-1]:,.4g}, at most {highest:,.4g}</text>'
        )
        body.append(f'<path d="M40 {top + 84}h560" stroke="#999"/>')
        body.append(f'<polyline points="{points}" fill="none" stroke="#3d71d9" stroke-width="1.5"/>')
    body.append(f'<text x="40" y="378">minute 1</text><text x="600" y="378" text-anchor="end">{len(minutes)}</text>')
    text = "\n".join(body)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="390" font-family="sans-serif" font-size="12">\n'
        f'<rect width="640" height="390" fill="white"/>\n{text}\n</svg>\n'
    )


if __name__ == "__main__":
    main()
