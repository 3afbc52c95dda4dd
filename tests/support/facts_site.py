"""A site under whole agents in simulated time: one process after the other over the same files and units, no socket.

Units of a simulated farm are polled with the agent's conversations. Tracker, rounds, history, snapshot and facts are
those of the running agent, on clocks that the test moves. A process ends in an orderly way, or is killed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from polled_farm import Polled

from agent.app import Agent
from agent.history.chain.links import Fact
from agent.history.reader import read_history
from agent.runtime.facts import Facts
from agent.runtime.kernel_clock import Clock
from agent.runtime.setup import load_setup
from agent.runtime.snapshots import Snapshots
from agent.runtime.standstill import Clocks
from agent.slices import run_at_once
from agent.unit import registry
from agent.unit.reader import AnyReader
from simulators.farm.clock import SimClock
from simulators.farm.farm import Farm
from simulators.farm.plan import HEALTHY_FARM, FarmPlan, read_mix
from simulators.farm.selection import EVERYTHING, read_selector
from simulators.faults.vocabulary import read_fault

START = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""
STEP_S = 30.0
CONFIG = """\
[site]
name = "alpha"
count_simulated = true
[ledger]
file = "ledger.csv"
[poll]
interval_s = 30
slow_every = 4
[identity]
enabled = false
"""


class Site:
    """A farm, the files of its agents, and the time.

    Args:
        folder: For the files.
        units: Number of units.
        more: Further sections of the configuration.
        plan: Further arguments of the farm's plan.
    """

    def __init__(self, folder: Path, *, units: int = 40, more: str = "", **plan: Any) -> None:
        self.folder, self.now = folder, START
        self.clock = SimClock(start=START, speed=0)
        if "mix" in plan:
            plan["mix"] = read_mix(plan["mix"])
        plan = {"troubles": HEALTHY_FARM, "seed": 11, "base": "127.31.0.1"} | plan
        self.farm = Farm(FarmPlan(units=units, **plan), self.clock)
        self._done: dict[float, float] = {}
        self._count()
        (folder / "site.toml").write_text(CONFIG + more, encoding="utf-8")
        with (folder / "ledger.csv").open("w", encoding="utf-8") as file:
            self.farm.write_ledger(file)

    @property
    def history(self) -> Path:
        """The history file."""
        return self.folder / "site.history.sqlite"

    def leap(self, seconds: float) -> None:
        """Let time pass without an agent."""
        self.now += seconds
        self.clock.set(self.now)
        self._count()

    def inject(self, fault: str, selector: str | None = None, *, seconds: float | None = None, **values: Any) -> None:
        """Put a fault on units from now on."""
        chosen = EVERYTHING if selector is None else read_selector(selector)
        self.farm.inject(read_fault(fault, values), chosen, at=self.now, duration_s=seconds)

    def true_hashes(self, start: float, end: float) -> float:
        """Return the work of all units between two moments at which the time stood."""
        return self._done[end] - self._done[start]

    def _count(self) -> None:
        self._done[self.now] = sum(unit.totals(self.now).hashes for unit in self.farm.units)

    def facts(self, *kinds: str) -> list[Fact]:
        """Return the facts of history."""
        with closing(read_history(self.history)) as reader:
            return list(reader.facts(kinds=kinds))

    @asynccontextmanager
    async def agent(
        self, *, is_killed: bool = False, reader: AnyReader = registry.DEFAULT, kernel: Clock | None = None
    ) -> AsyncIterator["Process"]:
        """Run one agent inside the block; it ends in an orderly way unless it is killed."""
        process = Process(self, reader, kernel or Clock(is_synchronised=True, offset_s=0.001, error_s=0.02))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("agent.runtime.rounds.time", process)
            async with process.agent.polling():
                await process.begin()
                yield process
                await process.end(is_killed=is_killed)


class Process:
    """One agent of a site.

    Args:
        site: The site.
        reader: Reads its units.
        kernel: What the kernel says about the clock.
    """

    def __init__(self, site: Site, reader: AnyReader, kernel: Clock) -> None:
        self.site, self.kernel = site, kernel
        self.began = site.now
        self.agent = Agent(load_setup(site.folder / "site.toml"))
        agent = self.agent
        agent._standstill._clocks = lambda: Clocks(self.monotonic(), self.monotonic())
        agent.book._wall = self.time
        agent.snapshots = Snapshots(
            lambda: agent.setup,
            agent._parts,
            wall=self.time,
            clock=self.monotonic,
            boot_s=self.monotonic,
            boot_id="boot",
        )
        agent.facts = Facts(
            lambda: agent.setup,
            agent._parts,
            agent.snapshots,
            wall=self.time,
            clock=self.monotonic,
            kernel=lambda: self.kernel,
        )
        agent.in_force.on_reloaded = agent.facts.on_reloaded
        recorder = agent.fan_out.recorder
        assert recorder is not None
        self.history = recorder.history
        self.history._wall = self.time
        self._recorder = recorder
        self.polled = Polled(site.farm.units, at=site.now, slow_every=4, farm=site.farm, reader=reader)

    def monotonic(self) -> float:
        """Return the monotonic clock, s."""
        return self.site.now - START + 1000.0

    def time(self) -> float:
        """Return Unix time, s."""
        return self.site.now

    async def begin(self) -> None:
        """Start as `Agent.run` does."""
        self.agent._standstill.begin()
        self.agent.snapshots.restore()
        self.agent.facts.begin()
        self.history.flush()
        await self.agent.facts.look_back()

    async def watch(self, seconds: float) -> None:
        """Poll, sum and record for some time."""
        for _ in range(int(seconds / STEP_S)):
            self.site.leap(STEP_S)
            for unit in self.polled.units:
                poll = self.polled.poll(unit, self.site.now)
                if unit.identity.unit_id in self.agent.tracker:
                    self.agent._on_poll(poll, self.monotonic())
            run_at_once(self.agent.rounds.slices())
            self.history.flush()
            await self.agent.facts.tick()
            file = self.agent.snapshots._file
            assert file is not None
            await self.agent.snapshots._write(file)

    async def end(self, *, is_killed: bool) -> None:
        """End the process."""
        file = self.agent.snapshots._file
        assert file is not None
        if not is_killed:
            self.agent.facts.close()
            self.history.record(self._recorder._minutes.close())
            self.history.flush()
            await self.agent.snapshots.close()
        self.history.close()
        self.agent.book.close()
        file.release()
