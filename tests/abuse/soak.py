"""Accelerated polling: growth of memory by a million polls, passes of the garbage collector, and loop lag."""

import asyncio
import time
from contextlib import suppress
from functools import partial

import aiohttp
from bench_soak import AIM_PAUSE_MS, AIM_RATIO, soaked
from figures import Figure, Measure
from programs import get
from sites import Run
from steps import Step

UNITS = 2000
LENGTH_S = 70.0
# In so few polls, memory that is filled once looks like growth: a ratio is held against its bound from here on, and
# before that this much may be filled: at 50,000 polls that is a leak of 100 bytes a poll.
RATIO_FROM_POLLS = 500_000
FILLED_MB = 5.0
# More than can be made: the time ends it.
POLLS = 100_000_000
MODES = {
    "dark": "polls of a site where every unit refuses",
    "sick": "polls of a site where 30 % refuse",
    "flapping": "polls of a site where half of the units reset connections, half of the time",
    "changing": "polls of a site whose identity pages say something else each time",
    "healthy": "polls of a healthy site",
}


async def soak(mode: str, run: Run) -> Figure:
    """Poll as fast as an interval allows and return what grew."""
    length_s = run.seconds(LENGTH_S, least_s=8.0)
    ports: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    scraping = asyncio.create_task(_scrape(run, mode, ports, length_s), name=f"scrapes of {mode}")
    try:
        found = await asyncio.to_thread(
            soaked,
            mode,
            UNITS,
            POLLS,
            length_s,
            on_serving=lambda port: loop.call_soon_threadsafe(ports.put_nowait, port),
        )
    finally:
        scraping.cancel()
        await asyncio.wait([scraping])
    memory, objects = found.growth("resident_bytes"), found.growth("objects")
    polls = found.last.polls - found.first.polls
    is_long = polls >= RATIO_FROM_POLLS
    filled_mb = (found.last.resident_bytes - found.first.resident_bytes) / 1e6
    most = 100 * AIM_RATIO if is_long else None
    return Figure(
        name=f"soak.{mode}",
        done=MODES[mode],
        times=found.last.polls,
        costs=(
            Measure(name="memory", value=found.last.resident_bytes / 1e6, unit="MB", digits=1),
            Measure(
                name="growth",
                value=filled_mb,
                most=None if is_long else FILLED_MB,
                unit=f"MB in {polls:,} polls",
                digits=2,
            ),
            # What is certain: two standard errors below the slope.
            Measure(name="growth-a-million", value=100 * memory.least, most=most, unit="% for certain", digits=2),
            Measure(name="objects-a-million", value=100 * objects.least, most=most, unit="% for certain", digits=2),
            Measure(name="collector-pause", value=found.pause[0], most=AIM_PAUSE_MS, unit="ms", digits=1),
            Measure(name="own-lag-p99", value=found.lag_ms[0], most=50, unit="ms", digits=1),
            Measure(name="own-lag", value=found.lag_ms[1], most=150, unit="ms", digits=1),
        ),
    )


async def _scrape(run: Run, mode: str, ports: asyncio.Queue[int], length_s: float) -> None:
    """Have Prometheus scrape the soaked agent until shortly before its end."""
    if run.scraping is None:
        return
    target = f"127.0.0.1:{await ports.get()}"
    until_s = time.monotonic() + length_s
    is_up = False
    while not is_up:
        await asyncio.sleep(0.1)
        with suppress(OSError, aiohttp.ClientError):
            is_up = (await get(f"http://{target}/healthz"))[0] == 200
    async with run.scraping.scraped(target, f"soak.{mode}"):
        # Its own clock starts a little later.
        await asyncio.sleep(max(0.0, until_s - time.monotonic() - 1.0))


STEPS = tuple(Step(f"soak.{mode}", done, partial(soak, mode), 2 * LENGTH_S + 60) for mode, done in MODES.items())
