"""What this agent knew of every unit, kept over a restart. Pure: times are arguments.

What comes back is *held*, like everything that was not asked in time (`lateness`): it keeps rate and losses, it is
neither fresh nor known, and it ends four times `stale_after_s` after its poll. Nothing that comes back counts as
looked at. If this agent was away for longer than `stale_after_s`, its absence is a standstill: the statuses come back,
and each unit is unseen until it is asked, so that there are no figures before that.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from agent.site.kept_counters import KeptCounter, counter_of
from agent.site.lateness import HELD_FOR_RATIO
from agent.site.remembered import Moment, Remembered, kept_error, kept_reading, restored_error, restored_reading
from agent.site.tracked_unit import TrackedUnit
from agent.site.tracker import Tracker

VERSION = 2
READABLE = (1, 2)
"""Version 1 lacks each reading's reader and window: it was written by agents that read stock firmware."""
NEVER = float("-inf")
_NO_COUNTERS: Mapping[str, KeptCounter] = MappingProxyType({})


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot is of.

    Attributes:
        version: Version of the format.
        site: Title of the site, with its shard.
        ledger: Digest of the ledger.
        at: When it was made, Unix time, s.
        boot_id: The boot of the machine that made it.
        boot_s: The time on the clock that counts from this boot and never is set, s.
        whole_at: When every unit had been polled, Unix time, s; None before that.
    """

    version: int
    site: str
    ledger: str
    at: Moment
    boot_id: str
    boot_s: Moment
    whole_at: Moment | None


class Gap(NamedTuple):
    """The time between a snapshot and the start of this process, s; or why it is not known."""

    seconds: float
    trouble: str | None = None


# A clock that is disciplined, not set, drifts by less between two looks.
_SET_S = 2.0


def gap_since(header: Header, *, at: float, boot_id: str, boot_s: float) -> Gap:
    """Return how long ago a snapshot was made.

    In the same boot of a machine the boot clock says it, and tells if the wall clock was set meanwhile: then the times
    of all readings are of another clock. After a reboot there is the wall clock alone.

    Args:
        header: The snapshot's.
        at: Unix time now, s.
        boot_id: This boot.
        boot_s: Its clock now, s.
    """
    wall_s = at - header.at
    if boot_id and header.boot_id == boot_id:
        passed_s = boot_s - header.boot_s
        if abs(wall_s - passed_s) > _SET_S:
            return Gap(passed_s, f"the clock was set by {wall_s - passed_s:+.0f} s since")
        return Gap(max(0.0, passed_s))
    if wall_s < 0:
        return Gap(wall_s, f"it is from the future, by {-wall_s:.0f} s")
    return Gap(wall_s)


def memories(
    tracker: Tracker, *, at: float, clock_s: float, at_once: int, counters: Mapping[str, KeptCounter] = _NO_COUNTERS
) -> Iterator[list[Remembered]]:
    """Yield what is kept of a site's units, `at_once` units at a time; polls may be recorded in between.

    Args:
        tracker: The units.
        at: Unix time now, s.
        clock_s: The monotonic clock, s.
        at_once: Units to look at before each yield.
        counters: Counters that an earlier process kept, for as long as nobody asked what they prove.
    """
    units = iter(tracker.units.values())
    while some := list(islice(units, at_once)):
        kept = (remember(unit, at=at, clock_s=clock_s, counter=counters.get(unit.entry.unit_id)) for unit in some)
        yield [each for each in kept if each is not None]


def remember(unit: TrackedUnit, *, at: float, clock_s: float, counter: KeptCounter | None = None) -> Remembered | None:
    """Return what is kept of a unit; None if nothing is known of it.

    Args:
        unit: The unit.
        at: Unix time now, s.
        clock_s: The monotonic clock, s.
        counter: Its counter as an earlier process kept it, which comes first; None without one.
    """
    status, reading, error = unit.status, unit.reading, unit.error
    # What a hung program repeats is no knowledge, and its next poll shows it again.
    if unit.asked_at == NEVER or unit.is_frozen or (reading is None and error is None):
        return None
    asked_ago_s = clock_s - unit.asked_at
    is_counted = reading is not None and (status.is_fresh or unit.is_held)
    if is_counted and error is not None and reading is not None:
        # A silent poll settles nothing yet: what counts is as old as the reading.
        asked_ago_s, error = max(asked_ago_s, at - reading.at), None
    return Remembered(
        unit.entry.unit_id,
        max(0.0, asked_ago_s),
        status.state,
        status.reason,
        status.since,
        is_counted,
        0 if error is None else unit.failures,
        None if error is None else kept_error(error),
        None if reading is None else kept_reading(reading),
        counter or counter_of(reading),
    )


def restore(tracker: Tracker, kept: Iterable[Remembered], *, at: float, clock_s: float, gap_s: float) -> int:
    """Put what was kept into units that were not asked yet; those that are not deployed now are left out.

    Args:
        tracker: The units, just made.
        kept: As `memories` yielded it.
        at: Unix time now, s.
        clock_s: The monotonic clock, s.
        gap_s: Time since then, s.

    Returns:
        The number of units that show their last status again.
    """
    tracker.restored_at, restored = clock_s, 0
    for each in kept:
        unit, asked_ago_s = tracker.units.get(each.unit_id), each.asked_ago_s + gap_s
        if unit is None or asked_ago_s >= HELD_FOR_RATIO * tracker.stale_after_s:
            continue
        unit.reading = None if each.reading is None else restored_reading(each.unit_id, each.reading)
        unit.error = None if each.error is None else restored_error(each.error)
        unit.failures = each.failures
        # Its uptime counts as moved then: a unit that repeats it at its next poll stood still since.
        unit.asked_at = unit.moved_at = clock_s - asked_ago_s
        unit.is_overdue = True
        tracker.take_restored(unit, at=at, is_counted=each.is_counted, since=each.since, state=each.state)
        restored += 1
    if gap_s > tracker.stale_after_s:
        tracker.distrust(clock_s=clock_s)
    return restored
