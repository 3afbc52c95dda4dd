"""Ordered curtailments as two agents exchange them: the first one's list read, and what it lacks. Pure."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from agent.site.curtailment.events import Event, Phase, Scope
from agent.site.curtailment.windows import SCHEDULE

_KINDS = frozenset({"container", "rack", "model", "unit"})


class _Listed(msgspec.Struct, frozen=True):
    """One event of the list; fields as in `CurtailmentAnswer`."""

    id: str
    phase: Phase
    scope: dict[str, str]
    target_percent: float
    start: datetime
    end: datetime | None
    source: str
    is_stopped: bool


class _List(msgspec.Struct, frozen=True):
    """The answer with the list."""

    site: str
    curtailments: list[_Listed]


def read_events(body: bytes, *, site: str) -> tuple[Event, ...]:
    """Return the ordered events in another agent's list that may still matter; the schedule's are left out.

    Raises:
        ValueError: It is no such list, or another site's.
    """
    try:
        listed = msgspec.json.decode(body, type=_List)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no list of curtailments: {error}") from error
    if listed.site != site:
        raise ValueError(f"the list of site {listed.site!r}, not of {site!r}")
    return tuple(
        Event(
            id=each.id,
            start=each.start.timestamp(),
            end=None if each.end is None else each.end.timestamp(),
            target_ratio=each.target_percent / 100,
            scope=Scope(**{kind: name for kind, name in each.scope.items() if kind in _KINDS}),
            source=each.source,
            is_started=each.phase is not Phase.PENDING,
            is_stopped=each.is_stopped,
        )
        for each in listed.curtailments
        if each.phase is not Phase.ENDED and not each.id.startswith(f"{SCHEDULE}:")
    )


def missing_orders(
    ours: Iterable[Event], theirs: Iterable[Event], *, at: float
) -> Iterator[tuple[str, dict[str, object] | None]]:
    """Yield what another agent lacks: the id of an event with the order that starts it, or with None to stop it.

    Args:
        ours: Our ordered events.
        theirs: The other agent's.
        at: Unix time now, s.
    """
    open_phases = {Phase.PENDING, Phase.ACTIVE}
    there = {event.id: event for event in theirs}
    for event in ours:
        known = there.get(event.id)
        if event.phase_at(at) in open_phases and known is None:
            order: dict[str, object] = {
                "id": event.id,
                "start": datetime.fromtimestamp(event.start, UTC).isoformat(),
                "target_percent": event.target_ratio * 100,
                "scope": event.scope.names(),
                "source": event.source,
            }
            if event.end is not None:
                order["end"] = datetime.fromtimestamp(event.end, UTC).isoformat()
            yield event.id, order
        elif event.is_stopped and known is not None and known.phase_at(at) in open_phases:
            yield event.id, None
