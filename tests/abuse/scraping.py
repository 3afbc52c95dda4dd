"""A real Prometheus that scrapes every agent of an abuse run."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from figures import Figure, Measure, lost, not_done
from programs import free_port, get, get_json, program, query, until

EVERY_S = 5.0
# Prometheus notices a changed list of targets at once, and looks at it this often in any case.
REFRESH_S = 1
NAME = "prometheus.throughout"
DONE = "scrapes of every agent by a real Prometheus"
UNDER_WAY_S = 1.0


class Scraping:
    """A Prometheus, and the list of its targets.

    Args:
        folder: Its files.
        url: Its address.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._targets_file = folder / "targets.json"
        self._url = url
        self._parts: dict[str, str] = {}
        # Host and port of each agent, and the Unix times between which it had to answer.
        self._spans: list[tuple[str, float, float]] = []

    @asynccontextmanager
    async def scraped(self, target: str, part: str) -> AsyncIterator[None]:
        """Scrape an agent while the block runs, from its first successful scrape on."""
        self._parts[target] = part
        self._write()
        try:
            async with asyncio.timeout(60 * EVERY_S):
                while not await query(self._url, f'up{{instance="{target}"}} == 1'):  # noqa: ASYNC110
                    await asyncio.sleep(EVERY_S / 4)
            began_at = time.time()
            try:
                yield
            finally:
                # Prometheus takes up to five seconds to drop a target; what it misses from now on is not counted.
                self._spans.append((target, began_at, time.time()))
            # A scrape under way ends; then the agent may.
            await asyncio.sleep(UNDER_WAY_S)
        finally:
            del self._parts[target]
            self._write()

    def _write(self) -> None:
        groups = [{"targets": [target], "labels": {"part": part}} for target, part in self._parts.items()]
        new = self._targets_file.with_suffix(".new")
        new.write_text(json.dumps(groups), encoding="utf-8")
        new.replace(self._targets_file)

    @property
    def is_used(self) -> bool:
        """True once an agent was scraped."""
        return bool(self._spans)

    async def figure(self) -> Figure:
        """Return what became of all scrapes."""
        made = passed = most = added = at_once = slowest_s = 0.0
        for span in self._spans:
            made += await self._over(span, "count_over_time", "up")
            passed += await self._over(span, "sum_over_time", "up")
            # The first scrape was before the span.
            target, began_at, ended_at = span
            earlier = (target, began_at - 2 * EVERY_S, ended_at)
            series = await self._over(earlier, "max_over_time", "scrape_samples_scraped")
            most, at_once = max(most, series), at_once + series
            added += await self._over(span, "sum_over_time", "scrape_series_added")
            slowest_s = max(slowest_s, await self._over(span, "max_over_time", "scrape_duration_seconds"))
        return Figure(
            name=NAME,
            done=f"{DONE} ({len(self._spans)})",
            times=int(made),
            losses=(lost("scrapes", made - passed, made),),
            costs=(
                Measure(name="series-at-once", value=most),
                # A series that ends with its unit and comes back is the same; a label that changes makes others.
                Measure(name="series-in-all", value=await self._in_all(), most=round(1.1 * at_once) + 1000),
                Measure(name="churned-series", value=added),
                Measure(name="slowest-scrape", value=slowest_s, unit="s", digits=2),
            ),
        )

    async def _in_all(self) -> float:
        """Return how many different series Prometheus has seen."""
        status = await get_json(f"{self._url}/api/v1/status/tsdb")
        return float(status["data"]["headStats"]["numSeries"])

    async def _over(self, span: tuple[str, float, float], function: str, metric: str) -> float:
        """Return a function over the samples of a metric in a span; 0 if there are none."""
        target, began_at, ended_at = span
        expression = f'{function}({metric}{{instance="{target}"}}[{max(1, round((ended_at - began_at) * 1e3))}ms])'
        return sum(value for _, _, value in await query(self._url, expression, at=ended_at))


@asynccontextmanager
async def prometheus(folder: Path) -> AsyncIterator[Scraping | None]:
    """Run a Prometheus without targets; yield None if it is not installed."""
    if shutil.which("prometheus") is None:
        yield None
        return
    folder.mkdir()
    address = f"127.0.0.1:{free_port()}"
    scraping = Scraping(folder, f"http://{address}")
    scraping._write()
    config = {
        "global": {"scrape_interval": f"{EVERY_S:g}s", "scrape_timeout": f"{EVERY_S:g}s"},
        "scrape_configs": [
            {
                "job_name": "hashsight",
                "file_sd_configs": [{"files": [str(folder / "targets.json")], "refresh_interval": f"{REFRESH_S}s"}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    command = ("prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}")
    async with program(*command, f"--web.listen-address={address}", log=folder / "prometheus.log") as running:

        async def is_ready() -> bool:
            return (await get(f"http://{address}/-/ready"))[0] == 200

        await until(is_ready, running)
        yield scraping


def missing() -> Figure:
    """Return the line of a run without Prometheus."""
    return not_done(NAME, DONE, "prometheus is not installed")
