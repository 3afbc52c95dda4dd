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
from functools import partial
from typing import Any

import structlog

from agent import __version__
from agent.errors import HistoryError
from agent.history.chain.links import Fact, fact_body
from agent.history.recorder import Recorder
from agent.runtime.kernel_clock import Clock, read_clock
from agent.runtime.ledger_rows import LedgerRows
from agent.runtime.parts import Parts
from agent.runtime.past import Past, read_gap, read_past
from agent.runtime.recovery import Recovery
from agent.runtime.revision import commit
from agent.runtime.setup import Setup
from agent.runtime.snapshots import Snapshots
from agent.site.curtailed_work import CurtailedWork
from agent.site.curtailment.occurrences import Happening, Occurrence, OccurrenceBook
from agent.site.ledger.row_changes import MOST_NAMED, RowChanges, row_changes, row_digests
from agent.slices import run_at_once, run_slices

log = structlog.get_logger("agent")

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
        self._recorder: Recorder | None = parts.fan_out.recorder
        self._recovery = Recovery(setup, parts, snapshots, clock=clock)
        config = setup().config
        self._rows = LedgerRows(config.ledger_rows_path(setup().path)) if config.history.keep else None
        self._started_at = wall()
        self._past = Past()
        self._occurrences: OccurrenceBook | None = None
        self._work = CurtailedWork()
        self._looked_s = clock()
        self._synchronised: bool | None = None
        self._clock_s = float("-inf")
        self._repairs: Counter[str] = Counter()
        self._repairs_at, self._repairs_s = self._started_at, clock()
        self._ledgers: list[tuple[float, Setup, Setup]] = []
        self._gap_at: float | None = None
        self._failed: set[str] = set()
        self._wanted = asyncio.Event()

    def record(self, kind: str, at: float | None = None, **body: Any) -> None:
        """Queue a fact of Unix time `at`, s; of now by default."""
        if self._recorder is None:
            return
        at = self._wall() if at is None else at
        try:
            fact_body(Fact(kind, int(at), body))
        except (TypeError, ValueError) as error:
            self._fail(kind, str(error))
            return
        self._recorder.history.record_fact(kind, at, **body)

    def _fail(self, kind: str, reason: str) -> None:
        if kind not in self._failed:
            self._failed.add(kind)
            log.warning("fact not made", kind=kind, reason=reason)

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
        self.record(
            "start",
            version=__version__,
            commit=commit(),
            config=setup.digest,
            ledger=setup.ledger.digest,
        )
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
                    self._fail("past", str(error))
                else:
                    await asyncio.sleep(1.0)
        self._occurrences = OccurrenceBook(self._past.told)
        if self._past.ledger != self._setup().ledger.digest:
            await self._tell_ledger(self._started_at, None, self._setup())
        self._look_at_events()

    async def tick(self) -> None:
        """Record what became due."""
        ledgers, self._ledgers = self._ledgers, []
        for at, before, fresh in ledgers:
            await self._tell_ledger(at, before, fresh)
        self._look_at_clock()
        await self._add_curtailed()
        self._look_at_events()
        if self._clock() - self._repairs_s >= DAY_S:
            self._tell_repairs()
        await self._recover()

    def close(self) -> None:
        """Record what is known by an orderly stop, and the stop."""
        if self._recovery.gap is not None and not self._recovery.is_over:
            self.record("recovered", **run_at_once(self._recovery.body()))
            self._recovery.end()
        self._look_at_events()
        self._tell_repairs()
        self.record("stop")

    def on_reloaded(self, before: Setup, fresh: Setup) -> None:
        """Note what a reload changed."""
        if self._recorder is None:
            return
        if fresh.digest != before.digest:
            self.record("config", digest=fresh.digest)
        if fresh.ledger.digest != before.ledger.digest:
            self._ledgers.append((self._wall(), before, fresh))
            self._wanted.set()

    def on_curtailments(self) -> None:
        """Note what an order or a reload declared, changed or withdrew."""
        self._look_at_events()

    # What is declared

    async def _tell_ledger(self, at: float, before: Setup | None, fresh: Setup) -> None:
        """Record another ledger.

        Args:
            at: Unix time from which it is in force, s.
            before: The setup before it; None at a start, when the rows of before are on disk, if anywhere.
            fresh: The setup with it.
        """
        digest = self._past.ledger if before is None else before.ledger.digest
        changes, rows = await asyncio.to_thread(self._compare, before, fresh)
        self.record("ledger", at, digest=fresh.ledger.digest, before=digest, **_named(changes), **_deployed(fresh, at))
        if self._rows is not None:
            try:
                await asyncio.to_thread(self._rows.write, fresh.ledger.digest, rows)
            except OSError as error:
                self._fail("ledger rows", f"{self._rows.path}: {error.strerror}")

    def _compare(self, before: Setup | None, fresh: Setup) -> tuple[RowChanges | None, dict[str, bytes]]:
        rows = row_digests(fresh.watched.entries)
        if before is not None:
            return row_changes(row_digests(before.watched.entries), rows), rows
        earlier = None
        if self._rows is not None and self._past.ledger is not None:
            try:
                earlier = self._rows.read(self._past.ledger)
            except (OSError, ValueError) as error:
                self._fail("ledger rows", f"{self._rows.path}: {error}")
        return None if earlier is None else row_changes(earlier, rows), rows

    def _look_at_events(self) -> None:
        if self._recorder is None or self._occurrences is None or self._parts.fan_out.is_silent:
            return
        at = self._wall()
        for each in self._occurrences.look(self._parts.book.curtailments.near(at), at):
            self.record("curtailment", at, **self._event_body(each))

    def _event_body(self, occurrence: Occurrence) -> dict[str, Any]:
        happening, event = occurrence
        hashes, joules = self._work.take(event) if happening is Happening.ENDED else (None, None)
        return {
            "id": event.id,
            "event": str(happening),
            "scope": str(event.scope),
            "target": event.target_ratio,
            "from": event.start,
            "until": event.end,
            "declared_by": event.source,
            # Orders carry none.
            "reason": None,
            "hours": None if event.end is None else max(0.0, event.end - event.start) / HOUR_S,
            "curtailed_hashes": hashes,
            "energy_j": joules,
        }

    async def _add_curtailed(self) -> None:
        now_s = self._clock()
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        around = self._parts.book.curtailments.around(self._wall())
        if not around.in_force or self._parts.fan_out.is_silent or not self._parts.rounds.is_whole:
            return
        statuses = self._parts.counting.counted(self._parts.tracker.statuses())
        await run_slices(self._work.add(around, statuses, passed_s))

    # What is counted and measured

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
        self.record("repairs", at, **{"from": int(self._repairs_at), "until": int(at)}, counts=counts)
        self._repairs, self._repairs_at, self._repairs_s = counted.copy(), at, self._clock()

    # Time that was not watched

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
            gap = await asyncio.to_thread(partial(read_gap, self._recorder.history.path, start, end))
        except HistoryError as error:
            self._fail("gap", str(error))
            return
        if gap is not None:
            self.record("gap", **{"from": gap.start, "until": gap.end}, reason=str(gap.reason))
        elif self._wall() < end + LAST_ROW_S:
            # The row after it is not on the disk yet.
            self._gap_at = self._wall() + FIRST_ROW_S


def _named(changes: RowChanges | None) -> dict[str, Any]:
    """Return the lists and counts of a ledger's changes; counts are None where the rows of before are not known."""
    if changes is None:
        return {name: [] for name in RowChanges._fields} | {f"{name}_count": None for name in RowChanges._fields}
    lists = changes._asdict()
    return {name: list(ids[:MOST_NAMED]) for name, ids in lists.items()} | {
        f"{name}_count": len(ids) for name, ids in lists.items()
    }


def _deployed(setup: Setup, at: float) -> dict[str, Any]:
    entries = setup.watched.at(at)
    return {"units": len(entries), "deployed_hs": sum(entry.nameplate.hashrate_hs for entry in entries)}
