"""The facts that a running agent adds to the chain of its history: what is no row, and a statement rests on.

    start, stop    version, commit, digests of configuration and ledger; an orderly end
    config         the configuration's digest, when a reload changed it
    ledger         its digest, and which units were added, removed or changed
    clock          whether the kernel's clock is set by a time service, and how far it is off
    curtailment    an order or window that was declared, changed, withdrawn, or ended, and what it took
    repairs        replies repaired and values left out, by name
    gap            time without figures before this start, and why
    recovered      what units did in that time, by their own counters

Nothing here can stop polling or figures: files are read and written in threads, and facts wait in the history's
queue. One that cannot be made is logged once, by its kind.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from agent import __version__
from agent.errors import HistoryError
from agent.runtime.curtailment_facts import CurtailmentFacts
from agent.runtime.fact_log import FactLog
from agent.runtime.kernel_clock import Clock, read_clock
from agent.runtime.ledger_facts import LedgerFacts
from agent.runtime.parts import Parts
from agent.runtime.past import Past, read_gap, read_past
from agent.runtime.recovery import Recovery
from agent.runtime.revision import commit
from agent.runtime.setup import Setup
from agent.runtime.snapshots import Snapshots
from agent.slices import run_at_once, run_slices

TICK_S = 30.0
DAY_S, HOUR_S = 86_400.0, 3600.0
# The first row after a gap is on the disk by then; its edge says whether power was lost.
FIRST_ROW_S, LAST_ROW_S = 120.0, 1800.0
TRIES = 10


class Facts:
    """The facts of one agent; of a site that keeps no history there are none.

    Args:
        setup: Returns the setup in force.
        parts: The running parts of the agent.
        snapshots: Holds the counters that were kept over the restart.
        wall: Returns Unix time, s.
        clock: Returns the monotonic clock, s.
        kernel: Returns what the kernel says about the clock.
    """

    def __init__(
        self,
        setup: Callable[[], Setup],
        parts: Parts,
        snapshots: Snapshots,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        kernel: Callable[[], Clock] = read_clock,
    ) -> None:
        self._setup, self._parts = setup, parts
        self._wall, self._clock, self._kernel = wall, clock, kernel
        self._recorder = parts.fan_out.recorder
        self._log = FactLog(self._recorder, wall=wall)
        self._recovery = Recovery(setup, parts, snapshots, clock=clock)
        self._ledger = LedgerFacts(self._log, setup)
        self._curtailments = CurtailmentFacts(self._log, parts, wall=wall, clock=clock)
        self._started_at = wall()
        self._past = Past()
        self._synchronised: bool | None = None
        self._clock_s = float("-inf")
        self._repairs: Counter[str] = Counter()
        self._repairs_at, self._repairs_s = self._started_at, clock()
        self._gap_at: float | None = None
        self._wanted = asyncio.Event()

    def record(self, kind: str, **body: Any) -> None:
        """Queue a fact of now."""
        self._log.record(kind, **body)

    async def run(self) -> None:
        """Record facts until cancelled."""
        if self._recorder is None:
            self._recovery.end()
            return
        await self.look_back()
        while True:
            try:
                async with asyncio.timeout(TICK_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await self.tick()

    def begin(self) -> None:
        """Record the start, before the writing thread begins: its first write has it then."""
        setup = self._setup()
        self.record("start", version=__version__, commit=commit(), config=setup.digest, ledger=setup.ledger.digest)
        self._look_at_clock()

    async def look_back(self) -> None:
        """Read what history holds of the time before this start."""
        if self._recorder is None:
            return
        path = self._recorder.history.path
        for attempt in range(TRIES):
            try:
                self._past = await asyncio.to_thread(read_past, path, self._started_at)
                break
            except HistoryError as error:
                # The writing thread may be making the file, or upgrading it.
                if attempt == TRIES - 1:
                    self._log.fail("past", str(error))
                else:
                    await asyncio.sleep(1.0)
        await self._ledger.begin(self._past.ledger, self._started_at)
        self._curtailments.begin(self._past.told)

    async def tick(self) -> None:
        """Record what became due."""
        await self._ledger.tell()
        self._look_at_clock()
        await self._curtailments.add()
        self._curtailments.look()
        if self._clock() - self._repairs_s >= DAY_S:
            self._tell_repairs()
        await self._recover()

    def close(self) -> None:
        """Record what is known by an orderly stop, and the stop."""
        if self._recovery.gap is not None and not self._recovery.is_over:
            self.record("recovered", **run_at_once(self._recovery.body()))
            self._recovery.end()
        self._curtailments.look()
        self._tell_repairs()
        self.record("stop")

    def on_reloaded(self, before: Setup, fresh: Setup) -> None:
        """Note what a reload changed."""
        if self._recorder is None:
            return
        if fresh.digest != before.digest:
            self.record("config", digest=fresh.digest)
        if fresh.ledger.digest != before.ledger.digest:
            self._ledger.note(self._wall(), before, fresh)
            self._wanted.set()

    def on_curtailments(self) -> None:
        """Note what an order or a reload declared, changed or withdrew."""
        self._curtailments.look()

    def _look_at_clock(self) -> None:
        """Record the clock at the start, once a day, and once an hour at most if a time service came or went."""
        now_s = self._clock()
        since_s = now_s - self._clock_s
        if since_s < HOUR_S:
            return
        clock = self._kernel()
        if clock.is_synchronised is self._synchronised and since_s < DAY_S:
            return
        self._clock_s, self._synchronised = now_s, clock.is_synchronised
        is_told = clock.is_synchronised is not None
        self.record(
            "clock",
            source="kernel",
            is_synchronized=clock.is_synchronised,
            offset_s=clock.offset_s if is_told else None,
            error_s=clock.error_s if is_told else None,
        )

    def _tell_repairs(self) -> None:
        counted = self._parts.fan_out.metrics.own.repairs
        # A difference of counters has positive counts alone.
        counts = dict(sorted((counted - self._repairs).items()))
        at = self._wall()
        self._log.record("repairs", at, **{"from": int(self._repairs_at), "until": int(at)}, counts=counts)
        self._repairs, self._repairs_at, self._repairs_s = counted.copy(), at, self._clock()

    async def _recover(self) -> None:
        """Record the gap before this start, and what units did in it, once both are known."""
        recorder, recovery = self._recorder, self._recovery
        if recorder is None or (recovery.is_over and self._gap_at is None):
            return
        if recovery.gap is None:
            if recorder.begins_at is None:
                return
            # A standby's own figures end and begin with its role; the primary looked in between.
            seen_until = None if self._setup().config.standby.of is not None else self._past.seen_until
            recovery.begin(seen_until, recorder.begins_at)
            self._gap_at = None if recovery.is_over else recorder.begins_at + FIRST_ROW_S
            return
        if self._gap_at is not None:
            if self._wall() < self._gap_at:
                return
            self._gap_at = None
            await self._tell_gap(*recovery.gap)
        if await run_slices(recovery.is_answered()):
            self.record("recovered", **await run_slices(recovery.body()))
            recovery.end()

    async def _tell_gap(self, start: int, end: int) -> None:
        if self._recorder is None:
            return
        try:
            gap = await asyncio.to_thread(read_gap, self._recorder.history.path, start, end)
        except HistoryError as error:
            self._log.fail("gap", str(error))
            return
        if gap is not None:
            self.record("gap", **{"from": gap.start, "until": gap.end}, reason=str(gap.reason))
        elif self._wall() < end + LAST_ROW_S:
            # The row after it is not on the disk yet.
            self._gap_at = self._wall() + FIRST_ROW_S
