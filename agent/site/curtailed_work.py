"""What each declared curtailment takes: hashrate and power over its time, added up look by look. Pure.

A unit's curtailed hashrate is what its losses give to the cause; its power is the nameplate's share of that, so what it
still draws asleep is not taken off. A unit under several events counts for the one that governs it. What a unit lacks
while it wakes is no part of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.site.curtailment.events import Event, Slice
from agent.site.status import Cause, UnitStatus
from agent.slices import Slices
from agent.unit.nameplate import Nameplate

SEEN_RATIO = 0.95
"""Of an event that was not seen for this share of its time, nothing is told: a part would pass for the whole. What was
seen of others is carried over to all of their time."""
EDGES_S = 60.0
"""The time to the first look at an event, and from the last one, need not be seen."""
UNITS_PER_SLICE = 500
LONGEST_LOOK_S = 300.0
"""Time between two looks that counts at most; more was not seen."""


@dataclass(slots=True)
class _Sums:
    hashes: float = 0.0
    joules: float | None = 0.0
    seen_s: float = 0.0

    def add(self, curtailed_hs: float, nameplate: Nameplate, passed_s: float) -> None:
        """Add one unit's part; without a rated power of each, no energy is known."""
        self.hashes += curtailed_hs * passed_s
        if nameplate.power_watts is None or self.joules is None:
            self.joules = None
        else:
            self.joules += curtailed_hs / nameplate.hashrate_hs * nameplate.power_watts * passed_s


class CurtailedWork:
    """The sums of the events that are under way."""

    def __init__(self) -> None:
        self._sums: dict[str, _Sums] = {}

    def add(self, around: Slice, statuses: Iterable[UnitStatus], passed_s: float) -> Slices[None]:
        """Add what units do now for the time since the last look.

        Args:
            around: The events that matter now.
            statuses: All units.
            passed_s: Time since the last call, s; more than `LONGEST_LOOK_S` is left out.
        """
        if not around.in_force or not 0 < passed_s <= LONGEST_LOOK_S:
            return
        for event in around.in_force:
            self._sums.setdefault(event.id, _Sums()).seen_s += passed_s
        for number, status in enumerate(statuses, start=1):
            if not number % UNITS_PER_SLICE:
                yield
            under = status.event
            if under is None:
                continue
            curtailed_hs = sum(loss.hashrate_hs for loss in status.losses if loss.cause is Cause.CURTAILED)
            if curtailed_hs and under.id in self._sums:
                self._sums[under.id].add(curtailed_hs, status.entry.nameplate, passed_s)

    def take(self, event: Event) -> tuple[float | None, float | None]:
        """Return hashes and joules of an event that ended, and forget them; None where too little was seen."""
        sums = self._sums.pop(event.id, None)
        if sums is None or event.end is None or not sums.seen_s:
            return None, None
        lasted_s = event.end - event.start
        if sums.seen_s < SEEN_RATIO * lasted_s - EDGES_S:
            return None, None
        scale = lasted_s / sums.seen_s
        return sums.hashes * scale, None if sums.joules is None else sums.joules * scale
