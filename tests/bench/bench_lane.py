"""The lane of other makes beside a hot loop: an agent polls stock units every 10 s, then 500 Whatsminers besides.

Agent, pyasic's process and simulated site are processes of their own. One run of one agent measures both: first with
the stock units alone, then, after a reload of the ledger and a minute in which every Whatsminer is identified, with
both. So the ratio of the loop's lag is one of the same process on the same machine.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from programs import Program, free_port, get, program, until

FARM = """\
[farm]
units = {stock}
mix = {{ "S21:200" = "100%" }}
[[strangers]]
make = "whatsminer"
addresses = ["127.60.0.1-127.60.{last}"]
deployed = "Whatsminer M30S+:126"
"""
CONFIG = """\
[site]
name = "bench"
count_simulated = true
[ledger]
file = "ledger.csv"
[web]
listen = "127.0.0.1:{port}"
[history]
keep = false
[snapshot]
keep = false
[identity]
enabled = false
"""
WARM_S = 70.0
# Of an idle loop: how long each of its sleeps lasts.
LOOK_S = 0.02
MOST_OF_A_CORE = 30.0


class Look(NamedTuple):
    """Counters of the agent and of pyasic's process at one moment; times in s."""

    at: float
    lags: float
    lag_s: float
    late: float
    own_cpu_s: float
    lane_cpu_s: float
    lane_mb: float
    foreign_units: float


class Spent(NamedTuple):
    """What a stretch of time cost: mean lag of the loop, share of lags above 10 ms, CPU in percent of a core.

    `idle_lag_ms` is the mean lag of a loop that does nothing, in a process of its own at the same time: the machine's.
    """

    lag_ms: float
    idle_lag_ms: float
    late_percent: float
    own_percent: float
    lane_percent: float


def _value(text: str, line: str) -> float:
    return sum(float(each.rsplit(" ", 1)[1]) for each in text.splitlines() if each.startswith(line))


async def look(running: Program, url: str) -> Look:
    """Return the counters now."""
    text = (await get(f"{url}/metrics/site"))[1]
    own = psutil.Process(running.process.pid)
    lane = [each for each in own.children() if "pyasic_child" in " ".join(each.cmdline())]
    times = [process.cpu_times() for process in (own, *lane)]
    name = "miner_agent_loop_lag_seconds"
    count = _value(text, f"{name}_count")
    return Look(
        time.monotonic(),
        count,
        _value(text, f"{name}_sum"),
        count - _value(text, f'{name}_bucket{{le="0.01"}}'),
        times[0].user + times[0].system,
        sum(each.user + each.system for each in times[1:]),
        sum(each.memory_info().rss for each in lane) / 1e6,
        _value(text, 'mining_site_reader_units{site="bench",reader="foreign"}'),
    )


async def idle_lag_ms(seconds: float) -> float:
    """Return the mean lag of this process' idle loop over a time, ms."""
    ends, lags = time.monotonic() + seconds, []
    while (at := time.monotonic()) < ends:
        await asyncio.sleep(LOOK_S)
        lags.append(time.monotonic() - at - LOOK_S)
    return 1000 * sum(lags) / len(lags)


def between(before: Look, after: Look, idle_ms: float) -> Spent:
    """Return what the time between two looks cost."""
    took_s, lags = after.at - before.at, max(1.0, after.lags - before.lags)
    return Spent(
        1000 * (after.lag_s - before.lag_s) / lags,
        idle_ms,
        100 * (after.late - before.late) / lags,
        100 * (after.own_cpu_s - before.own_cpu_s) / took_s,
        100 * (after.lane_cpu_s - before.lane_cpu_s) / took_s,
    )


@asynccontextmanager
async def site(folder: Path, *, stock: int, foreign: int) -> AsyncIterator[str]:
    """Run the simulated site; yield its ledger."""
    (folder / "farm.toml").write_text(
        FARM.format(stock=stock, last=f"{foreign // 256}.{foreign % 256}"), encoding="utf-8"
    )
    ledger = folder / "all.csv"
    options = ("--farm", str(folder / "farm.toml"), "--port", "0", "--no-pages", "--ledger-out", str(ledger))
    async with program(sys.executable, "-m", "simulators", "farm", *options, log=folder / "farm.log") as running:

        async def is_written() -> str:
            text = ledger.read_text(encoding="utf-8") if ledger.exists() else ""
            return text if text.count("\n") == 1 + stock + foreign else ""

        yield await until(is_written, running)


async def measure(*, stock: int, foreign: int, seconds: float) -> tuple[Spent, Spent, Look]:
    """Return what both stretches cost, and the last look."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        url = f"http://127.0.0.1:{port}"
        (folder / "site.toml").write_text(CONFIG.format(port=port), encoding="utf-8")
        async with site(folder, stock=stock, foreign=foreign) as rows:
            ours = [row for row in rows.splitlines(keepends=True) if "MicroBT" not in row]
            (folder / "ledger.csv").write_text("".join(ours), encoding="utf-8")
            command = (sys.executable, "-m", "agent", "run", "--config", str(folder / "site.toml"))
            async with program(*command, log=folder / "agent.log") as running:

                async def is_ready() -> bool:
                    return (await get(f"{url}/readyz"))[0] == 200

                await until(is_ready, running)
                await asyncio.sleep(10.0)
                first = await look(running, url)
                idle_ms = await idle_lag_ms(seconds)
                alone = between(first, await look(running, url), idle_ms)
                (folder / "ledger.csv").write_text(rows, encoding="utf-8")
                running.process.send_signal(signal.SIGHUP)
                await asyncio.sleep(WARM_S)
                first = await look(running, url)
                idle_ms = await idle_lag_ms(seconds)
                last = await look(running, url)
                return alone, between(first, last, idle_ms), last


def main() -> None:
    """Measure, and print; fail if the lane takes more than its share of a core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock", type=int, default=1000)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    alone, beside, last = asyncio.run(measure(stock=options.stock, foreign=options.units, seconds=options.seconds))
    print(f"{options.stock} stock units every 10 s, without and with {options.units} Whatsminers every 60 s:")
    print(f"  of other makes read: {last.foreign_units:.0f} of {options.units}")
    print(f"  pyasic's process:    {beside.lane_percent:.1f} % of a core, {last.lane_mb:.0f} MB")
    print(f"  agent's own process: {alone.own_percent:.1f} % -> {beside.own_percent:.1f} % of a core")
    print(f"  mean lag of loop:    {alone.lag_ms:.3f} -> {beside.lag_ms:.3f} ms")
    print(f"  of an idle loop:     {alone.idle_lag_ms:.3f} -> {beside.idle_lag_ms:.3f} ms, the machine's own")
    ratio = (beside.lag_ms / beside.idle_lag_ms) / (alone.lag_ms / alone.idle_lag_ms)
    print(f"  lag over that lag:   {ratio:.2f} times what it is without the lane")
    print(f"  lags above 10 ms:    {alone.late_percent:.2f} -> {beside.late_percent:.2f} %")
    if beside.lane_percent >= MOST_OF_A_CORE or last.foreign_units < options.units:
        raise SystemExit("the lane costs too much, or reads too little")


if __name__ == "__main__":
    main()
