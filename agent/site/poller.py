"""The poll loop: starts each unit's poll when it is due, and publishes the result.

Polls in flight are bounded by two lanes: one for units whose last poll succeeded, one for those whose last poll failed.
A dead unit holds its place until the deadline, so it must not take the place of a healthy one. A poll that falls due
while the unit's last one is still in flight is skipped and counted, never queued.

With too little CPU, or with more units than places, intervals stretch for all units alike: those that were polled
longest ago come first, each waits once, and nothing is made up for by a burst.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog

from agent.errors import (
    CostlyReplyError,
    LocalResourceError,
    MisreadReplyError,
    PollError,
    UnreachableError,
    drop_frames,
)
from agent.site.cpu_budget import CpuAccount, charged
from agent.site.lateness import Pace
from agent.site.ledger.entries import LedgerEntry
from agent.site.schedule import Schedule
from agent.unit.cgminer.call import Address, Done, Outcome
from agent.unit.nameplate import Nameplate
from agent.unit.reader import AnyReader
from agent.unit.reading import Poll, UnitReading

log = structlog.get_logger(__name__)

# Small batches keep the event loop responsive.
_BATCH = 64
# Polls that fall due within this time are started together: at a thousand polls/s, waking for every five of them cost
# half as much again (DECISIONS 63).
_GRAIN_S = 0.05
_GRAINS_AN_INTERVAL = 40
_LONGEST_NAP_S = 0.25
# A sixteenth of the places, and never more than this many, stays free for a moment.
_MOST_REFILL, _REFILL_PARTS = 16, 16
# A poll that is later than half an interval counts for the next one, so that no two come closer than half an interval.
# The unit returns to its regular times once it is polled with less than a quarter of an interval of delay.
_DEFER_RATIO = 0.5
_ON_TIME_RATIO = 0.25

SKIP_REASONS = ("busy", "no_socket", "lane_full")
"""Why a due poll was skipped: the last one was in flight; no socket; the lane of other makes has no time for it.

A late poll is not skipped: intervals stretch. In the lane it is, once it is late by an interval.
"""


class Conversing(Protocol):
    """Holds conversations with units."""

    def start(
        self, address: Address, conversation: Generator[bytes, bytes, UnitReading], done: Done[UnitReading]
    ) -> None:
        """Start a conversation; `done` is called once, later, from the event loop.

        Raises:
            LocalResourceError: This process has no socket to spare; `done` will not be called.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits on polls in flight.

    Attributes:
        healthy: Limit for units whose last poll succeeded, and for those not polled yet.
        sick: Limit for units whose last poll failed.
    """

    healthy: int
    sick: int


class _Lane:
    """A limit on polls in flight, and the units that wait for a place.

    Attributes:
        refill: So many places are free before waiting units get them: connecting takes the CPU's caches from the code
            that reads replies, so it is not done between any two of them.
    """

    __slots__ = ("bound", "in_flight", "refill", "waiting")

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.refill = max(1, min(_MOST_REFILL, bound // _REFILL_PARTS))
        self.in_flight = 0
        self.waiting: deque[_Unit] = deque()


class _Unit(msgspec.Struct, gc=False):
    """The poller's state of one unit.

    Attributes:
        nameplate: The unit's rating in the ledger.
        memory: The reader's memory of the unit.
        account: Of the CPU that its replies take; None while they are regular.
        failures: Failed polls since the last success.
        due_at: When the poll that waits or is in flight was due, by the monotonic clock, s.
        asked_at: When the latest poll began, s; None before the first, and after one that was skipped.
        is_busy: A poll is waiting or in flight.
        is_waiting: It waits for a place.
        is_deferred: It was polled so late that its next poll is not at a regular time.
        is_gone: The unit left the ledger, moved, or changed its reader; a poll in flight is dropped.
    """

    unit_id: str
    address: tuple[str, int]
    nameplate: Nameplate
    reader: AnyReader
    memory: Any
    account: CpuAccount | None = None
    failures: int = 0
    due_at: float = 0.0
    asked_at: float | None = None
    is_busy: bool = False
    is_waiting: bool = False
    is_deferred: bool = False
    is_gone: bool = False


class Poller:
    """Polls every unit of the ledger when it is due.

    Args:
        client: Holds the conversations.
        reader_of: Returns the reader of a ledger entry.
        schedule: Decides which units are due.
        bounds: How many polls may be in flight.
        slow_every: Ask for share counters and pools every this many polls.
        pools_every: Ask for pools alone every this many polls, besides; None not to.
        on_poll: Called with each finished poll and the monotonic time of its end, s.
        on_skipped: Called with one of `SKIP_REASONS` and the number of polls skipped.
        on_no_socket: Called before that with the reason if this machine has no socket left.
        is_lane: Count a poll that waits for a place for a whole interval as skipped, for ``lane_full``.
        wall: Returns Unix time, s.
        clock: Returns monotonic time, s; the clock of the schedule.
        cpu: Returns the CPU time of the thread, s.

    Attributes:
        pools_every: As given; may be replaced.
        last_progress: Monotonic time at which `run` last looked for due polls, s.
    """

    def __init__(
        self,
        *,
        client: Conversing,
        reader_of: Callable[[LedgerEntry], AnyReader],
        schedule: Schedule,
        bounds: Bounds,
        slow_every: int,
        pools_every: int | None = None,
        on_poll: Callable[[Poll, float], None],
        on_skipped: Callable[[str, int], None],
        on_no_socket: Callable[[LocalResourceError], None] = lambda _: None,
        is_lane: bool = False,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._client = client
        self._reader_of = reader_of
        self._schedule = schedule
        self._healthy = _Lane(bounds.healthy)
        self._sick = _Lane(bounds.sick)
        self._slow_every = slow_every
        self.pools_every = pools_every
        self._on_poll = on_poll
        self._on_skipped = on_skipped
        self._on_no_socket = on_no_socket
        self._is_lane = is_lane
        self._wall = wall
        self._clock = clock
        self._cpu = cpu
        self._units: dict[str, _Unit] = {}
        self._idle = asyncio.Event()
        self.last_progress = clock()
        self._pace = Pace(interval_s=schedule.interval_s, now=self.last_progress)

    @property
    def in_flight(self) -> int:
        """Polls in flight."""
        return self._healthy.in_flight + self._sick.in_flight

    @property
    def units(self) -> int:
        """Units polled."""
        return len(self._units)

    @property
    def unit_ids(self) -> Collection[str]:
        """The ids of the units polled."""
        return self._units.keys()

    @property
    def waiting(self) -> int:
        """Polls that are due and wait for a place."""
        return len(self._healthy.waiting) + len(self._sick.waiting)

    @property
    def stretch_ratio(self) -> float:
        """Achieved over configured interval of the polls over the last interval; 1.0 on time."""
        now, waiting = self._clock(), self._healthy.waiting
        due = [waiting[0].due_at] if waiting else []
        next_due = self._schedule.next_due()
        if next_due is not None:
            due.append(next_due)
        return self._pace.stretch_ratio(now, waits_s=max(0.0, now - min(due, default=now)))

    def replace_entries(self, entries: Iterable[LedgerEntry]) -> None:
        """Replace all entries by those of a changed ledger."""
        entries = tuple(entries)
        self.take_over(entries, self._units.keys() - {entry.unit_id for entry in entries})

    def take_over(self, entries: Iterable[LedgerEntry], gone: Iterable[str] = ()) -> None:
        """Apply changes to the ledger; units that keep their address and reader keep their memory.

        Args:
            entries: Units to poll from now on, each with its address.
            gone: Ids of units to stop polling.
        """
        now = self._clock()
        for unit_id in gone:
            unit = self._units.pop(unit_id, None)
            if unit is not None:
                unit.is_gone = True
                self._schedule.drop(unit_id)
        for entry in entries:
            unit = self._units.get(entry.unit_id)
            reader = self._reader_of(entry)
            address = (entry.host, entry.port)
            if unit is not None:
                if unit.address == address and unit.reader is reader:
                    unit.nameplate = entry.nameplate
                    continue
                unit.is_gone = True
            self._units[entry.unit_id] = _Unit(entry.unit_id, address, entry.nameplate, reader, reader.new_memory())
            self._schedule.add(entry.unit_id, now=now)

    def reconfigure(self, *, client: Conversing, schedule: Schedule, bounds: Bounds, slow_every: int) -> None:
        """Continue with another client and schedule; the old client is closed, so its polls in flight are forgotten."""
        self._client, self._schedule, self._slow_every = client, schedule, slow_every
        self._healthy, self._sick = _Lane(bounds.healthy), _Lane(bounds.sick)
        for unit in self._units.values():
            unit.is_busy = unit.is_waiting = unit.is_deferred = False
            unit.asked_at = None
        now = self._clock()
        self._pace = Pace(interval_s=schedule.interval_s, now=now)
        schedule.replace(self._units, now=now)

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            self.start_due()
            await asyncio.sleep(self.nap_s())

    def start_due(self) -> None:
        """Start a batch of the polls that are due, or let them wait for a place."""
        now = self._clock()
        self.last_progress = now
        for unit_id, due_at in self._schedule.pop_due(now, _BATCH):
            self._offer(self._units[unit_id], due_at, now)

    def nap_s(self) -> float:
        """Return the time until the next look for due polls, s; 0 if one is due already."""
        next_due = self._schedule.next_due()
        if next_due is None:
            return _LONGEST_NAP_S
        nap_s = min(_LONGEST_NAP_S, next_due - self._clock())
        if nap_s <= 0:
            return 0.0
        return max(nap_s, min(_GRAIN_S, self._schedule.interval_s / _GRAINS_AN_INTERVAL))

    async def sweep(self) -> None:
        """Poll every unit once, as fast as the bounds allow, and return when all polls are done."""
        self.offer_all()
        self._idle.clear()
        if self.in_flight:
            await self._idle.wait()

    def offer_all(self) -> None:
        """Poll every unit as soon as the bounds allow, beside its regular times."""
        now = self._clock()
        for unit in list(self._units.values()):
            self._offer(unit, now, now)

    def _offer(self, unit: _Unit, due_at: float, now: float) -> None:
        if unit.is_busy:
            if not unit.is_waiting:
                unit.asked_at = None
                self._on_skipped("busy", 1)
            elif self._is_lane:
                self._on_skipped("lane_full", 1)
            return
        unit.is_busy = unit.is_waiting = True
        unit.due_at = due_at
        lane = self._sick if unit.failures else self._healthy
        lane.waiting.append(unit)
        self._fill(lane, now)

    def _fill(self, lane: _Lane, now: float) -> None:
        """Start waiting polls, up to the limit of the lane."""
        while lane.waiting and lane.in_flight < lane.bound:
            unit = lane.waiting.popleft()
            unit.is_waiting = False
            if unit.is_gone:
                continue
            conversation = unit.reader.converse(
                unit.unit_id,
                unit.memory,
                nameplate=unit.nameplate,
                slow_every=self._slow_every,
                pools_every=self.pools_every,
                wall=self._wall,
            )
            if unit.account is not None:
                conversation = unit.account.metered(conversation)
            try:
                self._client.start(unit.address, conversation, partial(self._done, unit, lane))
            except LocalResourceError as error:
                unit.is_busy = False
                self._skip_for(error)
            else:
                lane.in_flight += 1
                if unit.is_deferred or now - unit.due_at >= _DEFER_RATIO * self._schedule.interval_s:
                    self._note_delay(unit, now)
                if unit.asked_at is not None and not unit.failures:
                    # Units that do not answer rest on purpose.
                    self._pace.add(now - unit.asked_at, now)
                unit.asked_at = now

    def _skip_for(self, error: LocalResourceError) -> None:
        self._on_no_socket(error)
        self._on_skipped("no_socket", 1)

    def _note_delay(self, unit: _Unit, now: float) -> None:
        """Decide when the next poll is due, of a unit that was polled late now or before."""
        late_s, interval_s = now - unit.due_at, self._schedule.interval_s
        if late_s >= _DEFER_RATIO * interval_s:
            unit.is_deferred = True
            self._schedule.defer(unit.unit_id, now=now)
        elif late_s < _ON_TIME_RATIO * interval_s:
            unit.is_deferred = False
            self._schedule.return_to_phase(unit.unit_id, now=now)

    def _done(self, unit: _Unit, lane: _Lane, outcome: Outcome[UnitReading]) -> None:
        lane.in_flight -= 1
        unit.is_busy = False
        now = self._clock()
        if isinstance(outcome.error, LocalResourceError):
            self._skip_for(outcome.error)
        elif not unit.is_gone:
            reading, error = outcome.result, outcome.error
            if reading is None or reading.repairs or unit.account is not None:
                unit.account, error = charged(
                    unit.account, reading, error, cpu=self._cpu, now=now, interval_s=self._schedule.interval_s
                )
            self._reschedule(unit, error, now)
            poll = Poll(
                unit_id=unit.unit_id,
                at=self._wall(),
                took_s=outcome.took_s,
                reading=reading if error is None else None,
                error=error,
                requests=outcome.requests,
            )
            try:
                self._on_poll(poll, now)
            except Exception:
                # A failing receiver must not stop the polling; the traceback names it.
                log.exception("poll not recorded", unit=unit.unit_id)
        if lane.waiting and lane.bound - lane.in_flight >= lane.refill:
            self._fill(lane, now)
        if not self.in_flight:
            self._idle.set()

    def _reschedule(self, unit: _Unit, error: PollError | None, now: float) -> None:
        if error is None:
            if unit.failures:
                unit.failures = 0
                self._schedule.resume(unit.unit_id, now=now)
            return
        unit.failures += 1
        unit.reader.on_failed(unit.memory, error)
        if isinstance(error, CostlyReplyError) and unit.account is not None:
            self._schedule.postpone(unit.unit_id, unit.account.wait_s(self._schedule.interval_s), now=now)
        elif isinstance(error, UnreachableError):
            self._schedule.back_off(unit.unit_id, unit.failures, now=now)
        elif isinstance(error, MisreadReplyError):
            log.error("reply not understood", unit=unit.unit_id, exc_info=error.__cause__)
            # The status keeps the error for as long as the unit fails; its frames are of use to the log alone.
            drop_frames(error)
