"""What happens to declared curtailments: declared, changed, withdrawn, ended; told once each. Pure.

An ordered event is declared with its order, one of the schedule when it begins: the configuration declares it for every
day. An event that is called off before it began is withdrawn. One whose end passed, or that was stopped, ended.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from agent.site.curtailment.events import Event, Phase
from agent.site.curtailment.retention import is_scheduled

FORGOTTEN_S = 7 * 86_400.0
"""What is over for as long is not told any more: an agent that was off for longer cannot know what became of it."""


class Happening(StrEnum):
    """What happened to an event."""

    DECLARED = "declared"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class Occurrence(NamedTuple):
    """One event and what happened to it."""

    happening: Happening
    event: Event


class Told(NamedTuple):
    """What was told of an event last.

    Attributes:
        happening: The latest occurrence.
        start, end: Its bounds as they were told, Unix times, s; no end for one that lasts until it is stopped.
    """

    happening: Happening
    start: float
    end: float | None


_OVER = frozenset({Happening.WITHDRAWN, Happening.ENDED})


class OccurrenceBook:
    """Tells what happened since the last look.

    Args:
        told: What was told before this process, by the event's id.
    """

    def __init__(self, told: Mapping[str, Told]) -> None:
        self._told = dict(told)

    def look(self, events: Iterable[Event], at: float) -> list[Occurrence]:
        """Return what happened to `events` since the last call.

        Args:
            events: All that are known around Unix time `at`, s.
            at: Unix time now, s.
        """
        found, there = [], set()
        for event in events:
            there.add(event.id)
            for happening in self._of(event, at):
                found.append(Occurrence(happening, event))
                self._told[event.id] = Told(happening, event.start, event.end)
        # Ids of the schedule name their day, so they would pile up.
        for event_id in [each for each, told in self._told.items() if each not in there and told.happening in _OVER]:
            del self._told[event_id]
        return found

    def _of(self, event: Event, at: float) -> Iterable[Happening]:
        told = self._told.get(event.id)
        if told is not None and told.happening in _OVER:
            return
        is_over = event.phase_at(at) in {Phase.RESTORING, Phase.ENDED}
        if told is None:
            if is_over and event.end is not None and at - event.end > FORGOTTEN_S:
                return
            if is_scheduled(event) and (event.phase_at(at) is Phase.PENDING or is_over):
                return
            yield Happening.DECLARED
        elif not is_over and (told.start, told.end) != (event.start, event.end):
            yield Happening.CHANGED
        if is_over:
            is_called_off = event.is_stopped and not event.is_started
            yield Happening.WITHDRAWN if is_called_off else Happening.ENDED
