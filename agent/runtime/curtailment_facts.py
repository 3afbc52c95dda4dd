"""Facts of curtailments: declared, changed, withdrawn, ended, and what each took."""

from collections.abc import Callable, Mapping
from typing import Any

from agent.runtime.fact_log import FactLog
from agent.runtime.parts import Parts
from agent.site.curtailed_work import CurtailedWork
from agent.site.curtailment.occurrences import Happening, Occurrence, OccurrenceBook, Told
from agent.slices import run_slices

HOUR_S = 3600.0


class CurtailmentFacts:
    """Watches the book of curtailments.

    Args:
        facts: Where facts go.
        parts: The running parts of the agent.
        wall: Returns Unix time, s.
        clock: Returns the monotonic clock, s.
    """

    def __init__(self, facts: FactLog, parts: Parts, *, wall: Callable[[], float], clock: Callable[[], float]) -> None:
        self._facts, self._parts = facts, parts
        self._wall, self._clock = wall, clock
        self._occurrences: OccurrenceBook | None = None
        self._work = CurtailedWork()
        self._looked_s = clock()

    def begin(self, told: Mapping[str, Told]) -> None:
        """Go on from what an earlier process told; nothing is told before."""
        self._occurrences = OccurrenceBook(told)
        self.look()

    def look(self) -> None:
        """Record what happened since the last look; a standby's orders are its primary's."""
        if self._occurrences is None or self._parts.fan_out.is_silent:
            return
        at = self._wall()
        for each in self._occurrences.look(self._parts.book.curtailments.near(at), at):
            self._facts.record("curtailment", at, **self._body(each))

    def _body(self, occurrence: Occurrence) -> dict[str, Any]:
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

    async def add(self) -> None:
        """Add what events in force take, for the time since the last call."""
        now_s = self._clock()
        passed_s, self._looked_s = now_s - self._looked_s, now_s
        around = self._parts.book.curtailments.around(self._wall())
        if around.in_force and not self._parts.fan_out.is_silent and self._parts.rounds.is_whole:
            statuses = self._parts.counting.counted(self._parts.tracker.statuses())
            await run_slices(self._work.add(around, statuses, passed_s))
