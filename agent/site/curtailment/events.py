"""Declared curtailment: dated events, the units they cover, and which of them is in force at a moment.

Nothing here guesses and nothing is ever sent to a unit: an event names a shortfall, it does not control a unit. Events
go by the wall clock, because contracts and signals do:

- A clock that is set forward or back moves an event's start and end with it.
- An event started with "now" has begun, even if the clock is set back afterwards. An event that was stopped stays
  stopped.

If several events cover a unit, the one with the lowest target counts.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from agent.site.ledger.entries import LedgerEntry

RESTORE_S = 900.0
"""Time a unit may stay asleep after an event's end before it is called stopped, s."""
REMEMBERED_S = 86400.0
"""Time for which an ended event explains to an agent that just started why a unit still sleeps, s."""
# Windows are looked up around a moment; the result is used for at most this long.
_SLICE_S = 3600.0


class Phase(StrEnum):
    """The phase of an event."""

    PENDING = "pending"
    ACTIVE = "active"
    RESTORING = "restoring"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The units an event covers: those that match every name given; the whole site if none is given.

    Attributes:
        container, rack, model, unit: Names as in the ledger; None matches all.
    """

    container: str | None = None
    rack: str | None = None
    model: str | None = None
    unit: str | None = None

    def covers(self, entry: LedgerEntry) -> bool:
        """Return True if `entry` is in this scope."""
        return (
            (self.container is None or self.container == entry.place.container)
            and (self.rack is None or self.rack == entry.place.rack)
            and (self.model is None or self.model == entry.nameplate.model)
            and (self.unit is None or self.unit == entry.unit_id)
        )

    def names(self) -> dict[str, str]:
        """Return the names that are given, by kind; empty for the whole site."""
        kinds = {"container": self.container, "rack": self.rack, "model": self.model, "unit": self.unit}
        return {kind: name for kind, name in kinds.items() if name is not None}

    def __str__(self) -> str:
        return ", ".join(f"{kind} {name}" for kind, name in self.names().items()) or "the whole site"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One declared curtailment.

    Attributes:
        id: Its name in the log and the API; at most 80 characters.
        start: Unix time, s.
        end: Unix time, s, the first moment that is no longer inside; None for an event that lasts until it is stopped.
        target_ratio: Share of the nameplate that is left to hash; 0 to below 1.
        scope: The units it covers.
        source: The declaring party, in a few words.
        is_started: True if it was started with "now": a clock set back later does not undo that.
        is_stopped: True if it was stopped, at `end`, or called off before it started.
    """

    id: str
    start: float
    end: float | None
    target_ratio: float
    scope: Scope
    source: str
    is_started: bool = False
    is_stopped: bool = False

    def phase_at(self, at: float) -> Phase:
        """Return the event's phase at Unix time `at`."""
        if self.is_stopped and self.end is not None:
            # Before the end too: the clock may have been set back since.
            is_lately = self.is_started and -RESTORE_S <= at - self.end < RESTORE_S
            return Phase.RESTORING if is_lately else Phase.ENDED
        if self.end is not None and at >= self.end:
            return Phase.RESTORING if at < self.end + RESTORE_S else Phase.ENDED
        return Phase.ACTIVE if self.is_started or at >= self.start else Phase.PENDING

    def is_remembered_at(self, at: float) -> bool:
        """Return True if the event began, and ended within the `REMEMBERED_S` before Unix time `at`."""
        is_called_off = self.is_stopped and not self.is_started
        return self.end is not None and not is_called_off and self.end <= at < self.end + REMEMBERED_S

    def moments(self) -> tuple[float, ...]:
        """Return every Unix time at which `phase_at` or `is_remembered_at` may change."""
        if self.end is None:
            return (self.start,)
        return (self.start, self.end - RESTORE_S, self.end, self.end + RESTORE_S, self.end + REMEMBERED_S)


class Window(Protocol):
    """A source of recurring events: the schedule."""

    def events_near(self, at: float) -> Iterable[Event]:
        """Yield every event that may matter within a day of Unix time `at`, and those that ended the day before."""


class Slice(NamedTuple):
    """The events that matter during a span of time in which none changes its phase.

    Attributes:
        in_force: Lowest target first.
        restoring: Ended less than `RESTORE_S` ago, latest first.
        remembered: Ended less than `REMEMBERED_S` ago, latest first; includes `restoring`.
    """

    in_force: tuple[Event, ...]
    restoring: tuple[Event, ...]
    remembered: tuple[Event, ...]

    @property
    def is_empty(self) -> bool:
        """True if no event matters."""
        return not (self.in_force or self.restoring or self.remembered)

    def active(self, entry: LedgerEntry) -> Event | None:
        """Return the event in force that covers `entry`, the one with the lowest target, or None."""
        return _first(self.in_force, entry) if self.in_force else None

    def restoring_event(self, entry: LedgerEntry) -> Event | None:
        """Return the event that covered `entry` and ended less than `RESTORE_S` ago, or None."""
        return _first(self.restoring, entry) if self.restoring else None

    def remembered_event(self, entry: LedgerEntry) -> Event | None:
        """Return the event that covered `entry` and was the last to end within `REMEMBERED_S`, or None."""
        return _first(self.remembered, entry) if self.remembered else None

    def ended(self, event_id: str) -> Event | None:
        """Return the event of that id if it ended within `REMEMBERED_S`, or None."""
        return next((event for event in self.remembered if event.id == event_id), None)


_NOTHING = Slice((), (), ())


class Curtailments:
    """All events, from the schedule and from orders. Its answers depend on its arguments alone.

    Args:
        windows: The schedule.
        events: The events ordered one by one.
    """

    def __init__(self, windows: Iterable[Window] = (), events: Iterable[Event] = ()) -> None:
        self.windows = tuple(windows)
        self.events = tuple(events)
        self._slice = _NOTHING
        self._valid_from, self._valid_until = math.inf, -math.inf
        if not self.windows and not self.events:
            self._valid_from, self._valid_until = -math.inf, math.inf

    def around(self, at: float) -> Slice:
        """Return the events that matter at Unix time `at`; equal slices mean that nothing began or ended between."""
        if not self._valid_from <= at < self._valid_until:
            self._look_up(at)
        return self._slice

    def active(self, entry: LedgerEntry, at: float) -> Event | None:
        """Return the event in force that covers `entry` at Unix time `at`, the one with the lowest target, or None."""
        return self.around(at).active(entry)

    def near(self, at: float) -> tuple[Event, ...]:
        """Return all ordered events, and those of the schedule within about a day of Unix time `at`, by their start."""
        scheduled = (event for window in self.windows for event in window.events_near(at))
        return tuple(sorted((*self.events, *scheduled), key=lambda event: (event.start, event.id)))

    def listed(self, at: float) -> tuple[Event, ...]:
        """Return the part of `near` worth showing: without events of the schedule that ended long before `at`."""
        ordered = set(self.events)
        return tuple(
            event
            for event in self.near(at)
            if event in ordered or event.phase_at(at) is not Phase.ENDED or event.is_remembered_at(at)
        )

    def _look_up(self, at: float) -> None:
        events = self.near(at)
        phases = [(event, event.phase_at(at)) for event in events]
        in_force = [event for event, phase in phases if phase is Phase.ACTIVE]
        in_force.sort(key=lambda event: event.target_ratio)
        restoring = [event for event, phase in phases if phase is Phase.RESTORING]
        remembered = [
            event
            for event, phase in phases
            if phase is Phase.RESTORING or (phase is Phase.ENDED and event.is_remembered_at(at))
        ]
        for ended in (restoring, remembered):
            ended.sort(key=lambda event: event.end or 0.0, reverse=True)
        self._slice = Slice(tuple(in_force), tuple(restoring), tuple(remembered))
        moments = [moment for event in events for moment in event.moments()]
        self._valid_from = max((moment for moment in moments if moment <= at), default=-math.inf)
        self._valid_until = min((moment for moment in moments if moment > at), default=math.inf)
        if self.windows:
            self._valid_from = max(self._valid_from, at - _SLICE_S)
            self._valid_until = min(self._valid_until, at + _SLICE_S)


def _first(events: tuple[Event, ...], entry: LedgerEntry) -> Event | None:
    for event in events:
        if event.scope.covers(entry):
            return event
    return None
