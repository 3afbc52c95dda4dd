"""The latest status of every deployed unit: polls go in, statuses come out.

Pure but for its memory: times are arguments. Wall time stamps what leaves the process. The monotonic clock decides
what is fresh, so that a stepped clock neither revives a dead unit nor kills a living one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import msgspec

from agent.errors import OtherUnitError, PollError
from agent.site.curtailment.events import Curtailments, Slice
from agent.site.lateness import HELD_FOR_RATIO, held
from agent.site.ledger.delta import LedgerDelta, delta_between
from agent.site.ledger.entries import LedgerEntry
from agent.site.pools.allow import AllowList
from agent.site.pools.watch import WorkWatch
from agent.site.power import PowerModel
from agent.site.status import UnitStatus
from agent.site.tracked_unit import TrackedUnit
from agent.unit.reading import Poll

# Judging and rendering a whole sleeping fleet again would hold the event loop for a third of a second.
RENAMED_AT_ONCE = 1000


class Part(NamedTuple):
    """Some of the units, looked over.

    Attributes:
        statuses: The status of each of them.
        changes: The statuses that are new, each with the unit's status before.
        unseen: The statuses of the units that have no figures: never asked, not since `distrust`, or too long ago.
        longest_s: Time since the last poll of the overdue unit that waits longest, s; 0 without one.
        restored: Units that were last asked before this process started.
    """

    statuses: list[UnitStatus]
    changes: list[tuple[UnitStatus, UnitStatus]]
    unseen: list[UnitStatus]
    longest_s: float
    restored: int


class Tracker:
    """The latest status of every unit that is deployed now.

    Args:
        entries: The ledger's entries in force.
        stale_after_s: A reading older than this is no longer believed.
        foreign_stale_after_s: The same for units of other makes, which are polled less; None for `stale_after_s`.
        at: Unix time now, s; the moment from which the first states count.
        curtailments: The declared events; may be replaced, and count from each unit's next poll or refresh on.
        power_model: For units that are not metered and report no power; may be replaced in the same way.
        bins_of: Returns the known bins of a model, H/s; may be replaced in the same way.
        allow: The site's allow-list of pools; None to judge none. May be replaced in the same way.

    Attributes:
        names_owners: True if the ledger names owners, of units that are deployed now or at other times.
        longest_rest_s: The longest wait between two polls of a silent unit, s.
        restored_at: When statuses of an earlier process were taken over, by the monotonic clock, s; -inf if none were.
    """

    def __init__(
        self,
        entries: Iterable[LedgerEntry],
        *,
        stale_after_s: float,
        at: float,
        foreign_stale_after_s: float | None = None,
        curtailments: Curtailments | None = None,
        power_model: PowerModel | None = None,
        bins_of: Callable[[str], tuple[float, ...]] = lambda _: (),
        allow: AllowList | None = None,
    ) -> None:
        self.stale_after_s = stale_after_s
        self.foreign_stale_after_s = max(stale_after_s, foreign_stale_after_s or 0.0)
        self.longest_rest_s = stale_after_s
        self._asked_from = self.restored_at = float("-inf")
        self.power_model = power_model or PowerModel()
        self.bins_of = bins_of
        self.allow = allow
        self.names_owners = False
        self.curtailments = curtailments or Curtailments()
        self._slice: Slice = self.curtailments.around(at)
        self._is_renaming = False
        self._metered: set[str] = set()
        self._units: dict[str, TrackedUnit] = {}
        self.replace_entries(entries, at=at)

    def __len__(self) -> int:
        return len(self._units)

    def __contains__(self, unit_id: object) -> bool:
        return unit_id in self._units

    def statuses(self) -> Iterator[UnitStatus]:
        """Return every unit's status as of its latest poll or refresh."""
        return (unit.status for unit in self._units.values())

    def status(self, unit_id: str) -> UnitStatus | None:
        """Return one unit's status, or None if it is not deployed now."""
        unit = self._units.get(unit_id)
        return None if unit is None else unit.status

    @property
    def units(self) -> Mapping[str, TrackedUnit]:
        """Every unit's memory, by id; a mapping that a change of the ledger replaces and does not alter."""
        return self._units

    def owners(self) -> dict[str, str]:
        """Return the name of each unit's owner, by unit."""
        return {unit_id: unit.entry.owner_name for unit_id, unit in self._units.items()}

    def compare(self, entries: Iterable[LedgerEntry]) -> LedgerDelta:
        """Return what changes with the entries of another ledger, or of another day.

        May run in a thread while polls are recorded, but not during `take_over`.
        """
        return delta_between({unit_id: unit.entry for unit_id, unit in self._units.items()}, entries)

    def take_over(self, delta: LedgerDelta, *, at: float) -> list[UnitStatus]:
        """Apply a delta; all other units, and their statuses, stay the very same objects.

        Returns:
            The statuses of the units that are new or changed.
        """
        units = self._units
        if delta.gone or any(entry.unit_id not in units for entry in delta.changed):
            # A reader that is iterating over the units goes on with the old ones.
            units = self._units = units.copy()
        for unit_id in delta.gone:
            del units[unit_id]
        firsts: dict[tuple[int, bool], UnitStatus] = {}
        for entry in delta.changed:
            unit = units.get(entry.unit_id)
            if unit is None:
                unit = units[entry.unit_id] = TrackedUnit(entry)
                self._judge_first(unit, firsts, at=at)
                continue
            if (unit.entry.host, unit.entry.port) != (entry.host, entry.port):
                # Another machine may stand at the new address: what was read at the old one is not this unit's.
                unit.forget_reading()
                unit.error, unit.failures = None, 0
            unit.entry = entry
            self._judge(unit, at=at, is_fresh=unit.status.is_fresh and unit.reading is not None)
        return [units[entry.unit_id].status for entry in delta.changed]

    def replace_entries(self, entries: Iterable[LedgerEntry], *, at: float) -> Collection[str]:
        """Apply all entries of a changed ledger; returns the ids of units that are gone."""
        delta = self.compare(entries)
        self.take_over(delta, at=at)
        return delta.gone

    def record(self, poll: Poll, *, clock_s: float) -> tuple[UnitStatus, UnitStatus] | None:
        """Record one poll.

        Args:
            poll: Its outcome.
            clock_s: The monotonic clock at its end, s.

        Returns:
            The unit's new status and the one before; None if the unit left the ledger meanwhile.
        """
        unit = self._units.get(poll.unit_id)
        if unit is None:
            return None
        stale_after_s = self._stale_after_s(unit)
        unit.record(poll, clock_s=clock_s, stale_after_s=stale_after_s)
        if self.allow is not None:
            unit.watch_work(self.allow, clock_s=clock_s, at=poll.at, stale_after_s=stale_after_s)
        before = unit.status
        self._judge(unit, at=poll.at, is_fresh=clock_s < unit.fresh_until)
        return unit.status, before

    def discredit(self, unit_id: str, error: PollError, *, at: float) -> tuple[UnitStatus, UnitStatus] | None:
        """Take back a reading that was credited to a unit and came from another one.

        Args:
            unit_id: The unit whose reading is not its own.
            error: What is known instead.
            at: Unix time, s.

        Returns:
            As `record`.
        """
        unit = self._units.get(unit_id)
        if unit is None:
            return None
        unit.forget_reading()
        unit.error, unit.failures = error, 1
        before = unit.status
        self._judge(unit, at=at, is_fresh=False)
        return unit.status, before

    def take_meters(self, unit_watts: Mapping[str, float]) -> list[UnitStatus]:
        """Apply what the meters of single units read now; returns the statuses that changed."""
        changed = []
        for unit_id in self._metered | unit_watts.keys():
            unit = self._units.get(unit_id)
            if unit is not None and unit.metered_watts != unit_watts.get(unit_id):
                unit.take_meter(unit_watts.get(unit_id), self.power_model)
                changed.append(unit.status)
        self._metered = set(unit_watts)
        return changed

    def refresh(self, *, at: float, clock_s: float) -> list[tuple[UnitStatus, UnitStatus]]:
        """Judge again each unit whose reading went stale, or whose state an event changed by beginning or ending.

        At most `RENAMED_AT_ONCE` of the latter: the others are judged at the next refresh, or at their next poll if
        that comes first.

        Returns:
            These units' statuses, with those before.
        """
        return [change for part in self.look_over(at=at, clock_s=clock_s) for change in part.changes]

    def distrust(self, *, clock_s: float) -> None:
        """Take every reading for stale: this process stood still until `clock_s`, and what is known is older than that.

        Each unit is unseen until it is asked again.
        """
        self._asked_from = clock_s
        for unit in self._units.values():
            unit.fresh_until = float("-inf")

    def look_over(self, *, at: float, clock_s: float, at_once: int | None = None) -> Iterator[Part]:
        """Do what `refresh` does, `at_once` units at a time; each comes once, as it is when its part is taken.

        Polls may be recorded between two parts. No delta may be applied before the last part.
        """
        around = self.curtailments.around(at)
        if around != self._slice:
            self._is_renaming = True
        self._slice = around
        names_left = RENAMED_AT_ONCE if self._is_renaming else 0
        units = iter(self._units.values())
        while some := list(islice(units, at_once)):
            changes, aged = [], []
            for unit in some:
                has_lapsed = False
                if clock_s >= unit.fresh_until:
                    aged.append(unit)
                    has_lapsed = unit.lapses(
                        clock_s=clock_s,
                        asked_from=self._asked_from,
                        refusal_holds_s=self.longest_rest_s + self._stale_after_s(unit),
                    )
                is_renamed = names_left > 0 and not has_lapsed and unit.is_changed_by_events(around)
                if is_renamed:
                    names_left -= 1
                if has_lapsed or is_renamed:
                    before = unit.status
                    if has_lapsed and unit.is_overdue and not unit.is_held:
                        unit.status = self._held(unit)
                    else:
                        self._judge(unit, at=at, is_fresh=unit.status.is_fresh and not has_lapsed)
                    changes.append((unit.status, before))
            overdue = [unit.asked_at for unit in aged if unit.is_overdue]
            unseen = [unit.status for unit in aged if self._is_unseen(unit, clock_s)]
            yield Part(
                [unit.status for unit in some],
                changes,
                unseen,
                clock_s - min(overdue, default=clock_s),
                sum(1 for asked_at in overdue if asked_at < self.restored_at),
            )
        self._is_renaming = self._is_renaming and names_left == 0

    def _is_unseen(self, unit: TrackedUnit, clock_s: float) -> bool:
        if unit.asked_at <= self._asked_from:
            # Where another unit answers, polls are that one's and say nothing of this one.
            return not isinstance(unit.error, OtherUnitError)
        return unit.is_held and clock_s - unit.asked_at >= HELD_FOR_RATIO * self._stale_after_s(unit)

    def _stale_after_s(self, unit: TrackedUnit) -> float:
        return self.foreign_stale_after_s if unit.entry.is_foreign else self.stale_after_s

    def set_stale_after(
        self, stale_after_s: float, *, shortens: bool, foreign_stale_after_s: float | None = None
    ) -> None:
        """Believe readings for another time.

        A longer time holds for what is fresh now: units are asked less often from now on. Nothing that went stale,
        failed or was distrusted becomes fresh.

        Args:
            stale_after_s: The time, s.
            foreign_stale_after_s: The same for units of other makes; None for `stale_after_s`.
            shortens: True if a shorter time holds for what is there too: what is older already is overdue at the next
                refresh. False to wait for the next poll of each unit.
        """
        self.stale_after_s = stale_after_s
        self.foreign_stale_after_s = max(stale_after_s, foreign_stale_after_s or 0.0)
        for unit in self._units.values():
            until = unit.asked_at + self._stale_after_s(unit)
            if until < unit.fresh_until:
                unit.fresh_until = until if shortens else unit.fresh_until
            elif (
                unit.status.is_fresh and unit.error is None and not unit.is_frozen and unit.asked_at > self._asked_from
            ):
                unit.fresh_until = until

    def take_restored(self, unit: TrackedUnit, *, at: float, is_counted: bool, since: float, state: str) -> None:
        """Judge a unit whose memory an earlier process left, which was in `state` from `since` on (`snapshot`)."""
        self._judge(unit, at=at, is_fresh=is_counted)
        if unit.status.state == state:
            unit.status = msgspec.structs.replace(unit.status, since=min(since, at))

    def _judge_first(self, unit: TrackedUnit, firsts: dict[tuple[int, bool], UnitStatus], *, at: float) -> None:
        """Judge a unit that was never polled.

        Without events, units of one nameplate are all alike. Judging each of 100,000 took a tenth of a start.
        """
        entry = unit.entry
        alike = (id(entry.nameplate), entry.is_in_maintenance)
        first = firsts.get(alike)
        if first is not None and self.curtailments.around(at).is_empty:
            unit.status = msgspec.structs.replace(first, entry=entry)
        else:
            self._judge(unit, at=at, is_fresh=False)
            firsts[alike] = unit.status

    def _judge(self, unit: TrackedUnit, *, at: float, is_fresh: bool) -> None:
        if (unit.watch is None) is not (self.allow is None):
            unit.watch = None if self.allow is None else WorkWatch(at)
        unit.compare(self.bins_of)
        unit.judge(self.curtailments.around(at), self.power_model, at=at, is_fresh=is_fresh or unit.is_held)
        if unit.is_overdue:
            unit.status = self._held(unit)

    def _held(self, unit: TrackedUnit) -> UnitStatus:
        return held(unit.status, is_restored=unit.asked_at < self.restored_at)
