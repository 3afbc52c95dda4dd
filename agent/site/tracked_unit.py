"""One deployed unit: its latest reading and error, the curtailment it has to wake from, and its status."""

from collections.abc import Callable

import msgspec

from agent.errors import PollError, UnreachableError
from agent.site.curtailment.events import Slice
from agent.site.event_memory import EventMemory
from agent.site.ledger.entries import LedgerEntry
from agent.site.losses import attribute, is_noise, shortfall_finding
from agent.site.mismatch import Mismatch, mismatch_of, with_mismatch
from agent.site.pools.allow import AllowList
from agent.site.pools.watch import WorkWatch
from agent.site.power import Power, PowerModel, unit_power
from agent.site.reasons import Reason
from agent.site.restarts import Restarts, ends_credit, is_reset, is_restart, is_young
from agent.site.status import (
    STEADY,
    Course,
    UnitState,
    UnitStatus,
    is_definite_refusal,
    is_straggling,
    judge,
)
from agent.site.unpaid import Unpaid, has_fee_pool
from agent.unit.reading import Mode, Poll, UnitReading

# A unit's uptime counts whole seconds. Assumed (A16): firmware renews it every few seconds at least.
FROZEN_AFTER_S = 15.0


class TrackedUnit:
    """One unit's memory.

    Attributes:
        entry: The ledger's entry in force.
        reading: The latest reading, however old; None before the first.
        fresh_until: When it goes stale, by the monotonic clock, s.
        asked_at: When the latest poll ended, by the monotonic clock, s.
        is_overdue: True if this agent did not ask in time: what was read last still counts.
        moved_at: When the unit's uptime last advanced, by the monotonic clock, s.
        is_frozen: True while the unit repeats its figures, uptime included.
        error: Why the latest poll failed; None if it did not.
        failures: Polls failed in a row.
        metered_watts: The unit's own meter; None without one.
        events: Its memory of curtailment.
        mismatch: Another model or bin than its row's that the unit reports.
        restarts: Its latest restart; None while none was seen.
        unpaid: What its pools accepted; None without a pool of the firmware's own.
        watch: Where its work goes; None where pools are not judged.
        status: As of its latest poll or judgement; set by the first `judge`.
    """

    __slots__ = (
        "_compared",
        "asked_at",
        "entry",
        "error",
        "events",
        "failures",
        "fresh_until",
        "is_frozen",
        "is_overdue",
        "metered_watts",
        "mismatch",
        "moved_at",
        "reading",
        "restarts",
        "status",
        "unpaid",
        "watch",
    )

    def __init__(self, entry: LedgerEntry) -> None:
        self.entry = entry
        self.reading: UnitReading | None = None
        self.fresh_until = float("-inf")
        self.moved_at = float("-inf")
        self.asked_at = float("-inf")
        self.is_overdue = False
        self.is_frozen = False
        self.error: PollError | None = None
        self.failures = 0
        self.metered_watts: float | None = None
        self.events = EventMemory()
        self.restarts: Restarts | None = None
        self.mismatch: Mismatch | None = None
        self.unpaid: Unpaid | None = None
        self.watch: WorkWatch | None = None
        self._compared: tuple[object, ...] = ()
        self.status: UnitStatus

    def record(self, poll: Poll, *, clock_s: float, stale_after_s: float) -> None:
        """Keep the outcome of one poll, which ended at `clock_s` on the monotonic clock."""
        self.asked_at, self.is_overdue = clock_s, False
        if poll.reading is None:
            self._record_failure(poll.error, clock_s=clock_s)
            return
        before, reading = self.reading, poll.reading
        if self.restarts is None and is_young(reading):
            self.restarts = Restarts()
        if self.restarts is not None:
            self.restarts.see_reading(reading, is_restarted=is_restart(before, reading), clock_s=clock_s)
        if before is None or before.uptime_s != reading.uptime_s or not _is_repeated(reading):
            self.moved_at = clock_s
        if self.unpaid is not None:
            self.unpaid.see(reading, clock_s)
        elif (before is None or reading.pools is not before.pools) and has_fee_pool(reading):
            self.unpaid = Unpaid()
            self.unpaid.see(reading, clock_s)
        self.reading = reading
        # Figures that a hung program repeats are as old as the last ones that changed.
        self.is_frozen = clock_s - self.moved_at >= FROZEN_AFTER_S
        self.fresh_until = clock_s if self.is_frozen else clock_s + stale_after_s
        self.error, self.failures = None, 0

    def _record_failure(self, error: PollError | None, *, clock_s: float) -> None:
        # A unit that was read until now, or comes back from silence, restarts when it resets connections.
        was_there = clock_s < self.fresh_until or isinstance(self.error, UnreachableError)
        if self.restarts is None and was_there and is_reset(error):
            self.restarts = Restarts()
        if ends_credit(error, self.restarts, clock_s):
            self.fresh_until = min(self.fresh_until, clock_s)
        if self.restarts is not None:
            self.restarts.see_failure(error, was_there=was_there, clock_s=clock_s)
        self.error, self.is_frozen = error, False
        self.failures += 1

    def watch_work(self, allow: AllowList, *, clock_s: float, at: float, stale_after_s: float) -> None:
        """Judge where its work goes, as of the poll that was just recorded.

        Args:
            allow: The site's allow-list.
            clock_s: The monotonic clock, s.
            at: Unix time, s.
            stale_after_s: As of `record`.
        """
        watch = self.watch
        if watch is None:
            watch = self.watch = WorkWatch(at)
        # Pools of a unit that is asked seldom are as fresh as its readings.
        stale_after_s = max(allow.stale_after_s, stale_after_s)
        if self.error is None and self.reading is not None:
            owner = self.entry.owner
            watch.see(self.reading.pools, allow, owner, clock_s=clock_s, at=at, stale_after_s=stale_after_s)
        else:
            watch.age(clock_s=clock_s, at=at, stale_after_s=stale_after_s)

    @property
    def is_held(self) -> bool:
        """True if the latest reading counts although it is no longer fresh."""
        return self.is_overdue and self.error is None and self.reading is not None

    def forget_reading(self) -> None:
        """Drop the latest reading: it came from another machine."""
        self.reading, self.fresh_until, self.is_frozen = None, float("-inf"), False
        self.unpaid = self.watch = None
        self.is_overdue = False

    def lapses(self, *, clock_s: float, asked_from: float, refusal_holds_s: float) -> bool:
        """Return True if what is known of the unit has just grown too old; it is overdue then if no poll is to blame.

        Call it once `fresh_until` has passed.

        Args:
            clock_s: The monotonic clock, s.
            asked_from: Polls until then were before this process stood still, so their failures say little, s.
            refusal_holds_s: How long a definite refusal is knowledge: a silent unit is asked less often.
        """
        if self.is_overdue:
            return False
        is_of_before = self.asked_at <= asked_from
        if self.status.is_fresh:
            self.is_overdue = self.error is None or is_of_before
            return True
        is_old = is_of_before or clock_s >= self.asked_at + refusal_holds_s
        self.is_overdue = is_old and is_definite_refusal(self.error)
        return self.is_overdue

    def compare(self, bins_of: Callable[[str], tuple[float, ...]]) -> None:
        """Hold what the unit says it is against its row; `bins_of` returns the known bins of a model, H/s."""
        reading, nameplate = self.reading, self.entry.nameplate
        if reading is None:
            self.mismatch, self._compared = None, ()
            return
        reported_hs = reading.hashrate_sale_hs or reading.hashrate_ideal_hs
        # These hardly ever change; comparing them takes a tenth of the time of judging them.
        compared = (reading.identity, reported_hs, reading.mode, nameplate, bins_of)
        if compared != self._compared:
            self.mismatch, self._compared = mismatch_of(nameplate, reading, bins_of), compared

    def is_changed_by_events(self, around: Slice) -> bool:
        """Return True if events change the state of this sleeping or silent unit; any other unit is polled soon.

        Args:
            around: The events that matter now.
        """
        status = self.status
        if not status.is_fresh or self.failures:
            # Its next poll may be a minute away: an event that is over must not count as in force until then.
            is_changed = status.event != around.active(self.entry)
            if is_changed or not self.is_held:
                return is_changed
        if status.reading is None or status.reading.mode is not Mode.SLEEP:
            return False
        if status.state is UnitState.CURTAILED:
            return around.active(self.entry) is None and around.restoring_event(self.entry) is None
        return status.state is UnitState.STOPPED and around.active(self.entry) is not None

    def judge(self, around: Slice, power_model: PowerModel, *, at: float, is_fresh: bool) -> None:
        """Make a new status.

        Args:
            around: The events that matter at Unix time `at`.
            power_model: For a unit that is not metered and reports no power.
            at: Unix time now, s.
            is_fresh: True while `reading` is younger than the site's `stale_after_s`.
        """
        entry, reading, error = self.entry, self.reading, self.error
        event, waking_from, is_curtailed = None, None, False
        if around.in_force or around.restoring:
            event = around.active(entry)
            is_curtailed = event is not None or around.restoring_event(entry) is not None
            if event is None:
                waking_from = self.events.waking_from(around, entry, reading)
        cut_by, is_waking = event or waking_from, waking_from is not None
        target_ratio = 1 if cut_by is None else cut_by.target_ratio
        state, finding, also = judge(
            entry,
            reading,
            error,
            is_fresh=is_fresh,
            is_curtailed=is_curtailed,
            target_ratio=1 if event is None else event.target_ratio,
            course=STEADY
            if self.restarts is None and not self.is_frozen and not is_waking
            else _course(self.restarts, is_frozen=self.is_frozen, is_waking=is_waking),
        )
        fresh = reading if is_fresh else None
        hashrate_hs = fresh.rate_hs if fresh is not None else None
        losses, uplift_hs = attribute(entry, state, fresh, hashrate_hs, target_ratio=target_ratio, is_waking=is_waking)
        is_straggler = event is not None and is_straggling(event, fresh, entry.nameplate)
        if state is UnitState.HASHING and fresh is not None and (is_straggler or not is_noise(entry.nameplate, losses)):
            finding, also = shortfall_finding(
                entry.nameplate,
                fresh,
                losses,
                target_ratio=target_ratio,
                is_waking=is_waking,
                is_straggler=is_straggler,
            )
        mismatch = self.mismatch
        if mismatch is not None and state is UnitState.HASHING:
            finding, also = with_mismatch(entry.nameplate, mismatch, finding, also)
        unpaid = None if self.unpaid is None else self.unpaid.finding
        if unpaid is not None and state is UnitState.HASHING:
            # Whatever else is wrong with it: its work is for nothing.
            also = also if finding.reason is Reason.HASHING else (finding, *also)
            finding = unpaid
        if event is not None:
            self.events.note_cut(event, losses)
        elif waking_from is not None and state is UnitState.HASHING and fresh is not None:
            is_settled = self.restarts is not None and self.restarts.is_settled and is_young(fresh)
            self.events.note_return(fresh, entry.nameplate, is_settled=is_settled)
        before = getattr(self, "status", None)
        unrestored = None
        if state is not UnitState.HASHING or not self.events.is_settled:
            unrestored = self.events.unrestored(state, around, event=event, entry=entry, reading=reading, at=at)
        # CPython hands over more than 15 keywords in a dictionary, so those that hardly any unit needs come after.
        status = UnitStatus(
            entry=entry,
            state=state,
            reason=finding.reason,
            why=finding.why,
            since=before.since if before is not None and before.state is state else at,
            is_fresh=is_fresh,
            is_known=(is_fresh and state is not UnitState.UNREADABLE)
            or state is UnitState.MAINTENANCE
            or is_definite_refusal(error),
            reading=reading,
            error=error,
            hashrate_hs=hashrate_hs,
            losses=losses,
            uplift_hs=uplift_hs,
            power=self._power(finding.reason, power_model, is_fresh=is_fresh),
            work=None if self.watch is None else self.watch.work,
        )
        if also or event is not None or unrestored is not None or mismatch is not None or self.failures:
            status = msgspec.structs.replace(
                status,
                also=also,
                failures=self.failures,
                event=event,
                is_straggler=is_straggler,
                unrestored=unrestored,
                mismatch=mismatch,
            )
        self.status = status

    def take_meter(self, watts: float | None, power_model: PowerModel) -> None:
        """Put what the unit's own meter reads now into its status; None without a meter."""
        self.metered_watts = watts
        status = self.status
        power = self._power(status.reason, power_model, is_fresh=status.is_fresh or self.is_held)
        self.status = msgspec.structs.replace(status, power=power)

    def _power(self, reason: Reason, power_model: PowerModel, *, is_fresh: bool) -> Power | None:
        return unit_power(
            self.entry.nameplate,
            self.reading if is_fresh else None,
            model=power_model,
            is_starting=reason in _RAMPING,
            metered_watts=self.metered_watts,
        )


def _course(restarts: Restarts | None, *, is_frozen: bool, is_waking: bool) -> Course:
    return Course(
        is_frozen=is_frozen,
        is_restarting=restarts is not None and restarts.is_restarting,
        is_settled=restarts is not None and restarts.is_settled,
        is_waking=is_waking,
    )


_RAMPING = frozenset({Reason.RAMPING_UP, Reason.WAKING})


def _is_repeated(now: UnitReading) -> bool:
    """Return True if a reading with the uptime of the one before claims to hash, so that its uptime should move on."""
    return now.uptime_s is not None and bool(now.rate_hs) and now.mode is not Mode.SLEEP
