"""What is known of every unit by now: polls go in, statuses come out.

Pure but for its memory: times are arguments. Wall time stamps what leaves the process; the monotonic clock decides
what is fresh, so that a stepped clock neither revives a dead unit nor kills a living one.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import msgspec

from agent.errors import PollError
from agent.site.curtailment.events import Curtailments, Event, Phase, Slice
from agent.site.ledger.delta import LedgerDelta
from agent.site.ledger.entries import LedgerEntry
from agent.site.losses import attribute
from agent.site.power import Power, PowerModel, unit_power
from agent.site.status import UnitState, UnitStatus, is_definite_refusal, is_straggling, judge
from agent.unit.reading import Mode, Poll, UnitReading

# A unit's uptime counts whole seconds. Assumed: firmware renews it every few seconds at least; none was seen to lag.
FROZEN_AFTER_S = 15.0

# Judging and rendering a whole sleeping fleet anew would hold the event loop for a third of a second.
RENAMED_AT_ONCE = 1000


class Part(NamedTuple):
    """Some units, looked over.

    Attributes:
        statuses: Of each of them.
        changes: Those that are new, with the unit's state before.
    """

    statuses: list[UnitStatus]
    changes: list[tuple[UnitStatus, UnitState]]


class _Track:
    """One unit's memory."""

    __slots__ = (
        "curtailed_by",
        "entry",
        "error",
        "failures",
        "fresh_until",
        "has_hashed",
        "is_frozen",
        "metered_watts",
        "moved_at",
        "reading",
        "status",
    )

    def __init__(self, entry: LedgerEntry) -> None:
        self.entry = entry
        self.reading: UnitReading | None = None
        self.fresh_until = float("-inf")
        # When its uptime last moved on, by the monotonic clock.
        self.moved_at = float("-inf")
        self.is_frozen = False
        self.error: PollError | None = None
        self.failures = 0
        self.metered_watts: float | None = None
        # The event that last curtailed the unit, until it hashes again.
        self.curtailed_by: Event | None = None
        self.has_hashed = False
        self.status: UnitStatus


class Tracker:
    """The latest status of every unit that is deployed now.

    Args:
        entries: The ledger's entries in force.
        stale_after_s: A reading older than this is no longer believed.
        at: Unix time now, s; the moment from which the first states count.
        curtailments: What somebody declared; may be replaced, and counts from each unit's next poll or refresh on.
        power_model: What turns a reading into watts where nobody measures; may be replaced like them.
    """

    def __init__(
        self,
        entries: Iterable[LedgerEntry],
        *,
        stale_after_s: float,
        at: float,
        curtailments: Curtailments | None = None,
        power_model: PowerModel | None = None,
    ) -> None:
        self.stale_after_s = stale_after_s
        self.power_model = power_model or PowerModel()
        self.curtailments = curtailments or Curtailments()
        self._slice: Slice = self.curtailments.around(at)
        self._is_renaming = False
        self._metered: set[str] = set()
        self._tracks: dict[str, _Track] = {}
        self.replace_entries(entries, at=at)

    def __len__(self) -> int:
        return len(self._tracks)

    def __contains__(self, unit_id: object) -> bool:
        return unit_id in self._tracks

    def statuses(self) -> Iterator[UnitStatus]:
        """Give every unit's status as of its latest poll or refresh."""
        return (track.status for track in self._tracks.values())

    def status(self, unit_id: str) -> UnitStatus | None:
        """Give one unit's status, or None when it is not deployed now."""
        track = self._tracks.get(unit_id)
        return None if track is None else track.status

    def compare(self, entries: Iterable[LedgerEntry]) -> LedgerDelta:
        """Say what changes with the entries of another ledger, or of another day.

        May be asked in a thread while polls are recorded; not while another ledger is taken over.
        """
        tracks, changed, there = self._tracks, [], set()
        for entry in entries:
            there.add(entry.unit_id)
            track = tracks.get(entry.unit_id)
            if track is None or (track.entry is not entry and track.entry != entry):
                changed.append(entry)
        return LedgerDelta(tuple(changed), tuple(unit_id for unit_id in tracks if unit_id not in there))

    def take_over(self, delta: LedgerDelta, *, at: float) -> list[UnitStatus]:
        """Take over what changed; all other units, and their statuses, stay the very same objects.

        Returns:
            The statuses of the units that are new or changed.
        """
        tracks = self._tracks
        if delta.gone or any(entry.unit_id not in tracks for entry in delta.changed):
            # Whoever goes through the units meanwhile goes on with those that there were.
            tracks = self._tracks = tracks.copy()
        for unit_id in delta.gone:
            del tracks[unit_id]
        firsts: dict[tuple[int, bool], UnitStatus] = {}
        for entry in delta.changed:
            track = tracks.get(entry.unit_id)
            if track is None:
                track = tracks[entry.unit_id] = _Track(entry)
                self._judge_first(track, firsts, at=at)
                continue
            if (track.entry.host, track.entry.port) != (entry.host, entry.port):
                # Another machine may stand behind another address: what was read there is not this unit's.
                track.reading, track.fresh_until, track.is_frozen = None, float("-inf"), False
                track.error, track.failures = None, 0
            track.entry = entry
            self._judge(track, at=at, is_fresh=track.status.is_fresh and track.reading is not None)
        return [tracks[entry.unit_id].status for entry in delta.changed]

    def replace_entries(self, entries: Iterable[LedgerEntry], *, at: float) -> Collection[str]:
        """Take over all entries of a changed ledger; gives the ids of units that are gone."""
        delta = self.compare(entries)
        self.take_over(delta, at=at)
        return delta.gone

    def record(self, poll: Poll, *, clock_s: float) -> tuple[UnitStatus, UnitState] | None:
        """Take one poll in.

        Args:
            poll: What came of it.
            clock_s: The monotonic clock at its end, s.

        Returns:
            The unit's new status and its state before; None when the unit left the ledger meanwhile.
        """
        track = self._tracks.get(poll.unit_id)
        if track is None:
            return None
        if poll.reading is not None:
            if not _stands_still(track.reading, poll.reading):
                track.moved_at = clock_s
            track.reading = poll.reading
            # Figures that a hung program repeats are as old as the last that moved.
            track.is_frozen = clock_s - track.moved_at >= FROZEN_AFTER_S
            track.fresh_until = clock_s if track.is_frozen else clock_s + self.stale_after_s
            track.error, track.failures = None, 0
        else:
            track.error, track.is_frozen = poll.error, False
            track.failures += 1
        before = track.status.state
        self._judge(track, at=poll.at, is_fresh=clock_s < track.fresh_until)
        return track.status, before

    def discredit(self, unit_id: str, error: PollError, *, at: float) -> tuple[UnitStatus, UnitState] | None:
        """Take back what was credited to a unit that turned out to be somewhere else.

        Args:
            unit_id: Whose reading is not its own.
            error: What is known instead.
            at: Unix time, s.

        Returns:
            As `record`.
        """
        track = self._tracks.get(unit_id)
        if track is None:
            return None
        track.reading, track.fresh_until, track.is_frozen = None, float("-inf"), False
        track.error, track.failures = error, 1
        before = track.status.state
        self._judge(track, at=at, is_fresh=False)
        return track.status, before

    def take_meters(self, unit_watts: Mapping[str, float]) -> list[UnitStatus]:
        """Take over what the meters of single units say now; gives the statuses in which that changed something."""
        changed = []
        for unit_id in self._metered | unit_watts.keys():
            track = self._tracks.get(unit_id)
            if track is not None and track.metered_watts != unit_watts.get(unit_id):
                track.metered_watts = unit_watts.get(unit_id)
                status = track.status
                power = self._power(track, status.state, is_fresh=status.is_fresh)
                track.status = msgspec.structs.replace(status, power=power)
                changed.append(track.status)
        self._metered = set(unit_watts)
        return changed

    def _power(self, track: _Track, state: UnitState, *, is_fresh: bool) -> Power | None:
        return unit_power(
            track.entry.nameplate,
            track.reading if is_fresh else None,
            model=self.power_model,
            is_starting=state is UnitState.STARTING,
            metered_watts=track.metered_watts,
        )

    def refresh(self, *, at: float, clock_s: float) -> list[tuple[UnitStatus, UnitState]]:
        """Judge again each unit whose reading went stale, or whom an event that began or ended gives another name.

        Of the latter at most `RENAMED_AT_ONCE`: the others get their name at the next refresh, or at their next poll if
        that comes first.

        Returns:
            These units' statuses, with their states before.
        """
        return [change for part in self.look_over(at=at, clock_s=clock_s) for change in part.changes]

    def look_over(self, *, at: float, clock_s: float, at_once: int | None = None) -> Iterator[Part]:
        """Do what `refresh` does, to so many units at a time; each comes once, as it is when its part is taken.

        Polls may be recorded between two parts; another ledger is not to be taken over before the last.
        """
        around = self.curtailments.around(at)
        self._is_renaming |= around != self._slice
        self._slice = around
        names_left = RENAMED_AT_ONCE if self._is_renaming else 0
        tracks = iter(self._tracks.values())
        while some := list(islice(tracks, at_once)):
            changes = []
            for track in some:
                is_stale = clock_s >= track.fresh_until and track.status.is_fresh
                is_renamed = names_left > 0 and not is_stale and self._is_renamed(track, around)
                if is_stale or is_renamed:
                    names_left -= is_renamed
                    before = track.status.state
                    self._judge(track, at=at, is_fresh=track.status.is_fresh and not is_stale)
                    changes.append((track.status, before))
            yield Part([track.status for track in some], changes)
        self._is_renaming = self._is_renaming and names_left == 0

    def _is_renamed(self, track: _Track, around: Slice) -> bool:
        """Say whether events make another of a unit that sleeps or is silent; all others are polled anyway."""
        status = track.status
        if not status.is_fresh or track.failures:
            # Polled again after a minute, perhaps: an event that is over must not count as in force until then.
            return status.event != around.active(track.entry)
        if status.reading is None or status.reading.mode is not Mode.SLEEP:
            return False
        if status.state is UnitState.CURTAILED:
            return around.active(track.entry) is None and around.restoring_event(track.entry) is None
        return status.state is UnitState.STOPPED and around.active(track.entry) is not None

    def _unrestored(self, track: _Track, state: UnitState, event: Event | None, at: float) -> Event | None:
        """Remember who curtailed a unit until it hashes again; give that event once the unit had its time to wake."""
        if state is UnitState.HASHING:
            track.curtailed_by, track.has_hashed = None, True
            return None
        around = self.curtailments.around(at)
        if state is UnitState.CURTAILED:
            track.curtailed_by = event or around.restoring_event(track.entry)
        elif track.curtailed_by is not None:
            # Who stops an event gives it an end that it did not have before.
            track.curtailed_by = around.ended(track.curtailed_by.id) or track.curtailed_by
        elif not track.has_hashed and track.reading is not None and track.reading.mode is Mode.SLEEP:
            # An agent that was not running at the time knows it from what ended since.
            track.curtailed_by = around.remembered_event(track.entry)
        by = track.curtailed_by
        if by is None or event is not None or state in {UnitState.CURTAILED, UnitState.MAINTENANCE}:
            return None
        return by if by.phase_at(at) is Phase.ENDED else None

    def _judge_first(self, track: _Track, firsts: dict[tuple[int, bool], UnitStatus], *, at: float) -> None:
        """Judge a unit that nobody has polled.

        Those of one nameplate are all alike as long as there is no event that may cover one and not another, and at
        100,000 of them judging each was a tenth of a start.
        """
        entry = track.entry
        alike = (id(entry.nameplate), entry.is_in_maintenance)
        first = firsts.get(alike)
        if first is not None and self.curtailments.around(at).is_empty:
            track.status = msgspec.structs.replace(first, entry=entry)
        else:
            self._judge(track, at=at, is_fresh=False)
            firsts[alike] = track.status

    def _judge(self, track: _Track, *, at: float, is_fresh: bool) -> None:
        entry, reading, error = track.entry, track.reading, track.error
        around = self.curtailments.around(at)
        event = around.active(entry)
        is_curtailed = event is not None or around.restoring_event(entry) is not None
        state, why = judge(
            entry, reading, error, is_fresh=is_fresh, is_curtailed=is_curtailed, is_frozen=track.is_frozen
        )
        fresh = reading if is_fresh else None
        hashrate_hs = fresh.hashrate_5s_hs if fresh is not None else None
        target_ratio = 1 if event is None else event.target_ratio
        losses, uplift_hs = attribute(entry, state, fresh, hashrate_hs, target_ratio=target_ratio)
        before = getattr(track, "status", None)
        track.status = UnitStatus(
            entry=entry,
            state=state,
            why=why,
            since=before.since if before is not None and before.state is state else at,
            is_fresh=is_fresh,
            is_known=(is_fresh and state is not UnitState.UNREADABLE)
            or state is UnitState.MAINTENANCE
            or is_definite_refusal(error),
            reading=reading,
            error=error,
            failures=track.failures,
            hashrate_hs=hashrate_hs,
            losses=losses,
            uplift_hs=uplift_hs,
            power=self._power(track, state, is_fresh=is_fresh),
            event=event,
            is_straggler=event is not None and is_straggling(event, fresh, entry.nameplate.hashrate_hs),
            unrestored=self._unrestored(track, state, event, at),
        )


def _stands_still(before: UnitReading | None, now: UnitReading) -> bool:
    """Say whether a unit that claims to hash tells the same uptime as before."""
    return (
        before is not None
        and now.uptime_s is not None
        and bool(now.hashrate_5s_hs)
        and now.mode is not Mode.SLEEP
        and before.uptime_s == now.uptime_s
    )
