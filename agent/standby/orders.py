"""Ordered curtailments as two agents exchange them: the first one's list read, and what it lacks. Pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

import msgspec

from agent.site.curtailment.events import Event, Phase, Scope
from agent.site.curtailment.file import checked
from agent.site.curtailment.orders import MAX_LATE_S
from agent.site.curtailment.retention import MAX_OPEN
from agent.site.curtailment.windows import SCHEDULE

_KINDS = frozenset({"container", "rack", "model", "unit"})
# As in an order (`StartOrder`); an id that the agent made itself may be longer.
MAX_NAME_CHARS = 64
_ID = re.compile(r"[A-Za-z0-9._-]{1,80}")
_DIGITS = 12
# The clocks of two machines differ, and an order takes time.
_SPARE_S = 3600.0
_Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]


class _Listed(msgspec.Struct, frozen=True):
    """One event of the list; fields as in `CurtailmentAnswer`."""

    id: str
    phase: Phase
    scope: dict[str, str]
    target_percent: float
    start: _Moment
    end: _Moment | None
    source: str
    is_stopped: bool


class _List(msgspec.Struct, frozen=True):
    """The answer with the list."""

    site: str
    curtailments: list[_Listed]


def read_events(body: bytes, *, site: str) -> tuple[Event, ...]:
    """Return the ordered events in another agent's list that may still matter; the schedule's are left out.

    Raises:
        ValueError: It is no such list, another site's, or holds an event that no order can declare.
    """
    try:
        listed = msgspec.json.decode(body, type=_List)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no list of curtailments: {error}") from error
    if listed.site != site:
        raise ValueError(f"the list of site {listed.site[:80]!r}, not of {site!r}")
    kept = [
        each for each in listed.curtailments if each.phase is not Phase.ENDED and not each.id.startswith(f"{SCHEDULE}:")
    ]
    if len(kept) > MAX_OPEN:
        raise ValueError(f"a list of {len(kept)} open curtailments; no agent has more than {MAX_OPEN}")
    return tuple(map(_event, kept))


def _event(listed: _Listed) -> Event:
    if not _ID.fullmatch(listed.id):
        raise ValueError(f"{listed.id[:80]!r} is no id of a curtailment")
    names = listed.scope
    unknown = names.keys() - _KINDS
    if unknown:
        # Without the part that is not understood it would cover more than was declared.
        raise ValueError(f"event {listed.id!r}: a scope of an unknown kind: {min(unknown)[:80]!r}")
    texts = (listed.source, *names.values())
    if not all(0 < len(text) <= MAX_NAME_CHARS and text.isprintable() for text in texts):
        raise ValueError(f"event {listed.id!r}: source and scope need 1 to {MAX_NAME_CHARS} printable characters")
    return checked(
        Event(
            id=listed.id,
            start=listed.start.timestamp(),
            end=None if listed.end is None else listed.end.timestamp(),
            # A percent of many digits is a product of ours: 0.07 is listed as 7.000000000000001.
            target_ratio=round(listed.target_percent / 100, _DIGITS),
            scope=Scope(**names),
            source=listed.source,
            is_started=listed.phase is not Phase.PENDING,
            is_stopped=listed.is_stopped,
        )
    )


def missing_orders(
    ours: Iterable[Event], theirs: Iterable[Event], *, at: float, offset_s: float = 0.0
) -> Iterator[tuple[str, dict[str, object] | None]]:
    """Yield what another agent lacks: the id of an event with the order that starts it, or with None to stop it.

    Args:
        ours: Our ordered events.
        theirs: The other agent's.
        at: Unix time now, s.
        offset_s: The other agent's clock minus ours, s. What is in force here begins there at once, whatever its clock
            says; a time that is still to come is the order's own, and stays.
    """
    now = at + offset_s
    open_phases = {Phase.PENDING, Phase.ACTIVE}
    there = {event.id: event for event in theirs}
    for event in ours:
        known, phase = there.get(event.id), event.phase_at(at)
        if phase in open_phases and known is None:
            # One that began long ago is handed over as late as an order may be entered.
            start = max(event.start, now - MAX_LATE_S + _SPARE_S)
            if phase is Phase.ACTIVE:
                start = min(start, now)
            order: dict[str, object] = {
                "id": event.id,
                "start": datetime.fromtimestamp(start, UTC).isoformat(),
                "target_percent": round(event.target_ratio * 100, _DIGITS),
                "scope": event.scope.names(),
                "source": event.source,
            }
            if event.end is not None:
                order["end"] = datetime.fromtimestamp(event.end, UTC).isoformat()
            yield event.id, order
        elif event.is_stopped and known is not None and known.phase_at(at) in open_phases:
            yield event.id, None
