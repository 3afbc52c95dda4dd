"""Simulated sites under abuse: farm, agent with probes, real Prometheus, and the comparison with the truth."""

import asyncio
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from figures import Measure, lost
from programs import Program, agent, farm, get, get_json, until
from prometheus_client.parser import text_string_to_metric_families
from scraping import Scraping

PROBED = str(Path(__file__).with_name("probed_agent.py"))
# No unit is in trouble, and all are of one bin: the truth is steady.
SOUND = tuple(f"--{name}=0%" for name in ("off", "asleep", "starting", "missing-board", "missing-chips", "slow"))
SOUND_S21 = ("--mix", "S21:200=100%", *SOUND)
ASK_S = 30.0
LOOK_S = 0.5
SILENT = frozenset({"unreachable", "unreadable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One abuse run.

    Attributes:
        folder: Files of the run.
        scale: Length over the default length.
        scraping: The real Prometheus; None without one.
        is_wanted: True for the names of figures that are to be made.
    """

    folder: Path
    scale: float
    scraping: Scraping | None
    is_wanted: Callable[[str], bool]

    def seconds(self, default_s: float, *, least_s: float = 2.0) -> float:
        """Return the length of something, by the scale of the run, s."""
        return max(least_s, default_s * self.scale)

    def count(self, default: int, *, least: int = 1) -> int:
        """Return how many of something, by the scale of the run."""
        return max(least, round(default * self.scale))

    def room(self, name: str) -> Path:
        """Make a folder for one figure."""
        folder = self.folder / name
        folder.mkdir()
        return folder


class Probe(NamedTuple):
    """What an agent's probes found since the last time.

    Attributes:
        lag_p99_ms: Event loop lag that the agent itself caused, 99th percentile, ms.
        lag_worst_ms: Likewise at worst.
        pause_ms: CPU of the longest pass of the garbage collector, ms.
        objects: Objects that the collector tracks.
        blocks: Memory blocks in use.
        holders: Functions that held the loop for long: name, times, mean and worst, s.
    """

    lag_p99_ms: float
    lag_worst_ms: float
    pause_ms: float
    objects: int
    blocks: int
    holders: list[list[Any]]

    def costs(self, *, lag_ms: float = 100.0, pause_ms: float = 10.0) -> tuple[Measure, ...]:
        """Return lag and pause as measures, with their bounds."""
        return (
            Measure(name="own-lag", value=self.lag_worst_ms, most=lag_ms, unit="ms", digits=1),
            Measure(name="collector-pause", value=self.pause_ms, most=pause_ms, unit="ms", digits=1),
        )


@dataclass(slots=True)
class Compared:
    """Published figures held against the truth once in a while.

    Attributes:
        times: How often figures were compared.
        withheld: How often there were none.
        worst_points: Largest difference of operating, in points of deployed.
        wronged: Units that answered all the time and were called unreachable or unreadable, by id.
        unready: How often `/readyz` was not 200.
        failed: Requests to the agent that failed.
    """

    times: int = 0
    withheld: int = 0
    worst_points: float = 0.0
    wronged: Counter[str] = field(default_factory=Counter)
    unready: int = 0
    failed: int = 0

    def losses(self, *, points: float = 1.0) -> tuple[Measure, ...]:
        """Return what may not happen to sound units, as measures."""
        return (
            lost("sound-units-blamed", len(self.wronged)),
            Measure(name="points-off-the-truth", value=self.worst_points, most=points, digits=2),
            lost("requests", self.failed, self.times + self.withheld + self.failed),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running agent over a farm.

    Attributes:
        running: The agent.
        url: Its address.
        control: Address of the farm's control API; empty without a farm.
        folder: Its files.
    """

    running: Program
    url: str
    control: str
    folder: Path

    @property
    def pid(self) -> int:
        """The agent's process id."""
        return self.running.process.pid

    @property
    def target(self) -> str:
        """Host and port of the agent, as Prometheus takes it."""
        return self.url.removeprefix("http://")

    async def ask(self, path: str) -> Any:
        """Return the JSON at a path of the agent."""
        async with asyncio.timeout(ASK_S):
            return await get_json(f"{self.url}{path}")

    async def shown(self) -> Any:
        """Return the site's figures in JSON; None while there are none."""
        return (await self.ask("/api/v1/site"))["figures"]

    async def truth(self) -> Any:
        """Return the farm's truth."""
        async with asyncio.timeout(ASK_S):
            return await get_json(f"{self.control}/truth?units=false")

    async def count(self, name: str) -> float:
        """Return the sum of a metric over its labels; 0 if there is none."""
        return (await self.counts(name))[name]

    async def counts(self, *names: str, label: str | None = None) -> Counter[str]:
        """Return sums of metrics by name, or of one metric by a label."""
        async with asyncio.timeout(2 * ASK_S):
            _, text = await get(f"{self.url}/metrics/site")
        sums: Counter[str] = Counter()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in names:
                    sums[sample.name if label is None else sample.labels[label]] += sample.value  # type: ignore[assignment]
        return sums

    async def polls(self) -> Counter[str]:
        """Return polls by result, and those that were due and not made as ``missed``."""
        polls = await self.counts("miner_agent_polls_total", label="result")
        polls["missed"] = await self.count("miner_agent_polls_skipped_total")  # type: ignore[assignment]
        return polls

    async def inject(self, fault: str, units: list[str] | None = None, **values: Any) -> None:
        """Inject a fault into some units, or all."""
        order: dict[str, Any] = {"fault": fault, "values": values}
        if units is not None:
            order["who"] = {"units": units}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.control}/faults", json=order) as answer,
        ):
            assert answer.status == 201, await answer.text()

    async def clear(self) -> None:
        """Clear all faults."""
        async with aiohttp.ClientSession() as session, session.delete(f"{self.control}/faults") as answer:
            assert answer.status == 200, await answer.text()

    async def probe(self) -> Probe:
        """Return what the agent's probes found since the last time."""
        report = self.folder / "probe.json"
        report.unlink(missing_ok=True)
        self.running.process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(2 * ASK_S):
            while not report.exists():  # noqa: ASYNC110  a file of another process sets no event
                await asyncio.sleep(0.05)
        return Probe(**json.loads(report.read_text(encoding="utf-8")))

    def cpu_s(self) -> float:
        """Return the CPU that the agent has used, s."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / 100

    def memory_mb(self) -> float:
        """Return the agent's resident memory, MB."""
        return self._status_kb("VmRSS") / 1e3

    def forget_peak(self) -> None:
        """Measure the peak of memory from now on."""
        with suppress(OSError):
            Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak_mb(self) -> float:
        """Return the peak of the agent's resident memory since `forget_peak`, MB."""
        return self._status_kb("VmHWM") / 1e3

    def _status_kb(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))

    def events(self) -> list[dict[str, Any]]:
        """Return the agent's log."""
        events = []
        for line in self.running.said.splitlines():
            with suppress(ValueError):
                events.append(json.loads(line))
        return events

    def has_said(self, event: str) -> bool:
        """Return True if an event is in the agent's log."""
        return any(each.get("event") == event for each in self.events())

    async def whole(self) -> None:
        """Wait until figures can be trusted."""

        async def is_ready() -> bool:
            return (await get(f"{self.url}/readyz"))[0] == 200

        await until(is_ready, self.running, 60)

    @asynccontextmanager
    async def compared(
        self, *, left_out: Callable[[str], bool] | None = None, is_counted: bool = True, every_s: float = LOOK_S
    ) -> AsyncIterator[Compared]:
        """Hold published figures against the truth while the block runs.

        Args:
            left_out: Units that are hostile themselves, by id: they may be called anything.
            is_counted: True if their hashrate is in the figures all the same.
            every_s: Time between two looks, s.
        """
        compared = Compared()

        async def look() -> None:
            await self.compare(compared, left_out or (lambda _: False), None if is_counted else left_out)

        async def watch() -> None:
            while True:
                await look()
                await asyncio.sleep(every_s)

        task = asyncio.create_task(watch(), name="comparison with the truth")
        try:
            yield compared
            # A last look, because the block may have been over before the first.
            await look()
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled() and task.exception() is not None:
            raise task.exception() or RuntimeError

    async def true_hs(self, left_out: Callable[[str], bool] | None) -> tuple[float, float]:
        """Return the farm's hashrate without some units, and what is deployed with them, H/s."""
        if left_out is None:
            site = (await self.truth())["site"]
            return site["hashrate_hs"], site["deployed_hs"]
        async with asyncio.timeout(ASK_S):
            truth = await get_json(f"{self.control}/truth")
        assert truth["next_offset"] is None
        counted = [unit["hashrate_hs"] for unit in truth["units"] if not left_out(unit["unit_id"])]
        return sum(counted), truth["site"]["deployed_hs"]

    async def compare(
        self, compared: Compared, left_out: Callable[[str], bool], not_counted: Callable[[str], bool] | None
    ) -> None:
        """Look at the agent once."""
        hashrate_hs, deployed_hs = await self.true_hs(not_counted)
        try:
            figures = await self.shown()
            units = [
                unit
                for state in SILENT
                for unit in (await self.ask(f"/api/v1/units?limit=1000&state={state}"))["units"]
            ]
            async with asyncio.timeout(ASK_S):
                status, _ = await get(f"{self.url}/readyz")
        except (aiohttp.ClientError, OSError, TypeError):
            compared.failed += 1
            return
        compared.wronged.update(unit["unit_id"] for unit in units if not left_out(unit["unit_id"]))
        compared.unready += status != 200
        if figures is None:
            compared.withheld += 1
            return
        compared.times += 1
        off = figures["operating_hs"] - hashrate_hs
        compared.worst_points = max(compared.worst_points, abs(100 * off / deployed_hs))


@asynccontextmanager
async def watched(
    run: Run,
    folder: Path,
    *,
    units: int = 60,
    options: tuple[str, ...] = SOUND_S21,
    interval_s: float = 1,
    more: str = "",
    is_scraped: bool = True,
) -> AsyncIterator[Site]:
    """Run a farm and an agent over it; yield once every unit was polled.

    Args:
        run: The run.
        folder: An empty folder for files.
        units: Units of the farm.
        options: Further options of the farm.
        interval_s: Poll interval, s.
        more: Further sections of the agent's configuration.
        is_scraped: True if the run's Prometheus scrapes this agent and may lose no scrape.
    """
    scraping = run.scraping if is_scraped else None
    async with (
        farm(folder, units=units, options=options) as control,
        probed(folder, control, interval_s=interval_s, more=more, scraping=scraping) as site,
    ):
        yield site


@asynccontextmanager
async def probed(
    folder: Path,
    control: str,
    *,
    interval_s: float = 1,
    timeouts_s: tuple[float, float] = (0.5, 1),
    more: str = "",
    is_awaited: bool = True,
    words: tuple[str, ...] = (),
    scraping: Scraping | None = None,
) -> AsyncIterator[Site]:
    """Run an agent with probes over the ledger in `folder`.

    Args:
        folder: Holds the ledger.
        control: Address of the farm's control API.
        interval_s: Poll interval, s.
        timeouts_s: Limits for connecting and for a whole poll, s.
        more: Further sections of its configuration.
        is_awaited: False to yield as soon as its process is started.
        words: Go before its command line.
        scraping: Scrapes it, if given, and may lose no scrape.
    """
    async with agent(
        folder,
        interval_s=interval_s,
        timeouts_s=timeouts_s,
        more=more,
        is_awaited=is_awaited,
        program_of=(*words, sys.executable, PROBED, str(folder / "probe.json")),
    ) as (running, url):
        site = Site(running=running, url=url, control=control, folder=folder)
        if scraping is None:
            yield site
            return
        async with scraping.scraped(site.target, folder.name):
            yield site


async def every(action: Callable[[], Awaitable[object]], wait_s: float, length_s: float) -> int:
    """Do something every so many seconds for so long; return how often it was done."""
    until_s, times = time.monotonic() + length_s, 0
    while time.monotonic() < until_s:
        await action()
        times += 1
        await asyncio.sleep(wait_s)
    return times
