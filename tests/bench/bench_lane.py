"""The lane of other makes: CPU and memory of pyasic's process, and of this one, with 500 recorded Whatsminers at 60 s.

The first minute identifies every unit and is left out.
"""

import argparse
import asyncio
import json
import multiprocessing
import socket
import time
from pathlib import Path

import psutil

from agent.config.file import parse_config
from agent.runtime.foreign_polling import ForeignPolling
from agent.site.ledger.entries import LedgerEntry, Place
from agent.unit import registry
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Poll
from simulators.strangers.recorded import reply_of
from simulators.strangers.surroundings import Make

PLATE = Nameplate(model="M30S+", hashrate_hs=100e12, boards=3, cooling="air", source="bench")
CONFIG = '[site]\nname = "bench"\n[ledger]\nfile = "ledger.csv"\n'
WARM_S = 65.0
# A lag of the event loop is how much later than this it comes back, s.
LOOK_S = 0.02


def serve(listening: socket.socket) -> None:
    """Answer as a Whatsminer at every address of the loopback network."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(4096)
        if data:
            writer.write(reply_of(Make.WHATSMINER, 1, json.loads(data)["command"], ran_s=int(time.monotonic())) + b"\0")
            await writer.drain()
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(behave, sock=listening, backlog=1024) as server:
            await server.serve_forever()

    asyncio.run(run())


async def watch(units: int, port: int, run_s: float) -> dict[str, float]:
    """Poll the units and return what it cost after the first minute."""
    polls: list[Poll] = []
    skipped: list[int] = []
    polling = ForeignPolling(
        parse_config(CONFIG, "bench.toml", folder=Path()),
        reader_of=lambda entry: registry.READERS[entry.reader],
        on_poll=lambda poll, _: polls.append(poll),
        on_skipped=lambda _, count: skipped.append(count),
        on_replaced=lambda why: print("replaced:", why),
    )
    hosts = [f"127.60.{number // 250}.{1 + number % 250}" for number in range(units)]
    polling.take_over(
        LedgerEntry(unit_id=host, nameplate=PLATE, place=Place(), host=host, port=port, reader="foreign")
        for host in hosts
    )
    running = asyncio.create_task(polling.run())
    try:
        await asyncio.sleep(WARM_S)
        pid = None if polling.lane is None else polling.lane.pid
        child, own = psutil.Process(pid), psutil.Process()
        polls.clear()
        skipped.clear()
        began, before, before_own = time.monotonic(), child.cpu_times(), own.cpu_times()
        lags: list[float] = []
        while (at := time.monotonic()) - began < run_s:
            await asyncio.sleep(LOOK_S)
            lags.append(time.monotonic() - at - LOOK_S)
        took_s = time.monotonic() - began
        after, after_own = child.cpu_times(), own.cpu_times()
        read = sum(1 for poll in polls if poll.reading is not None)
        return {
            "units": units,
            "polls": len(polls),
            "read": read,
            "skipped": sum(skipped),
            "process_cpu_percent": 100 * (after.user + after.system - before.user - before.system) / took_s,
            "process_mb": child.memory_info().rss / 1e6,
            "own_cpu_percent": 100 * (after_own.user + after_own.system - before_own.user - before_own.system) / took_s,
            "lag_p99_ms": 1000 * sorted(lags)[int(0.99 * len(lags))],
        }
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def main() -> None:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    with socket.create_server(("", 0), backlog=1024) as listening:
        port = listening.getsockname()[1]
        machines = multiprocessing.get_context("fork").Process(target=serve, args=(listening,), daemon=True)
        machines.start()
        try:
            figures = asyncio.run(watch(options.units, port, options.seconds))
        finally:
            machines.terminate()
            machines.join()
    print("lane:", ", ".join(f"{name} {value:.4g}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
