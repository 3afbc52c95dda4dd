"""Accelerated polling: growth of memory by a million polls, passes of the garbage collector, and loop lag."""

import asyncio
from contextlib import suppress
from functools import partial

from bench_soak import AIM_PAUSE_MS, AIM_RATIO, soaked
from figures import Figure, Measure
from programs import get
from sites import Run
from steps import Step

UNITS = 1500
LENGTH_S = 70.0
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
    return Figure(
        name=f"soak.{mode}",
        done=MODES[mode],
        times=found.last.polls,
        costs=(
            # A short soak cannot tell a small growth from none, so the bound is for what is certain.
            Measure(
                name="certain-growth-a-million", value=100 * memory.least, most=100 * AIM_RATIO, unit="%", digits=2
            ),
            Measure(name="growth", value=100 * memory.value, unit="%", digits=2),
            Measure(name="error", value=100 * memory.error, unit="%", digits=2),
            Measure(
                name="certain-objects-a-million", value=100 * objects.least, most=100 * AIM_RATIO, unit="%", digits=2
            ),
            Measure(name="memory", value=found.last.resident_bytes / 1e6, unit="MB", digits=1),
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
    is_up = False
    while not is_up:
        await asyncio.sleep(0.1)
        with suppress(OSError, Exception):
            is_up = (await get(f"http://{target}/healthz"))[0] == 200
    async with run.scraping.scraped(target, f"soak.{mode}"):
        await asyncio.sleep(length_s - 6.0)


STEPS = tuple(Step(f"soak.{mode}", done, partial(soak, mode), 2 * LENGTH_S + 60) for mode, done in MODES.items())
