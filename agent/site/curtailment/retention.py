"""How many orders are kept, and for how long. No I/O; times are arguments.

An order may be repeated: a client asks again after a lost answer, and a broker delivers again. So the id of an ended
event is kept for as long as its order would still be accepted: `MAX_LATE_S` after its start or end, whichever is later.
The event itself may no longer be listed by then.
"""

from collections.abc import Iterable
from dataclasses import replace

from agent.site.curtailment.events import Event, Phase
from agent.site.curtailment.file import KeptOrders
from agent.site.curtailment.orders import MAX_LATE_S, OrderError, Refusal
from agent.site.curtailment.windows import SCHEDULE

MAX_OPEN = 200
"""Ordered events that have not ended, or whose units may still be waking; more of them come from a client in a loop."""
MAX_ENDED = 100
"""Ended events that stay listed."""
MAX_SPENT = 10_000
"""Ids of events that are no longer listed; a client in a loop makes as many within `MAX_LATE_S`."""


def with_room(events: tuple[Event, ...], at: float, *, giving_way: str | None) -> tuple[Event, ...]:
    """Return the events that stay if one is added at Unix time `at`, s.

    Args:
        events: All ordered events.
        at: Now.
        giving_way: Source whose oldest restoring event is forgotten if there are too many; None for none.

    Raises:
        OrderError: There are too many.
    """
    not_over = [event for event in ordered(events) if event.phase_at(at) is not Phase.ENDED]
    if len(not_over) < MAX_OPEN:
        return events
    restoring = (event for event in not_over if event.source == giving_way and event.phase_at(at) is Phase.RESTORING)
    oldest = min(restoring, key=lambda event: event.end or 0.0, default=None)
    if oldest is None:
        raise OrderError(
            Refusal.FULL, f"{MAX_OPEN} events have not ended, or ended less than 15 minutes ago; stop some"
        )
    return tuple(event for event in events if event is not oldest)


def settled(before: KeptOrders, after: KeptOrders, at: float) -> KeptOrders:
    """Return what is kept at Unix time `at`, s, after a change: the latest ended events, and the ids of those left out.

    Args:
        before: What was kept.
        after: The changed events, with the ids among them that the agent made itself.
        at: Now.
    """
    ended = sorted(
        (event for event in after.events if event.phase_at(at) is Phase.ENDED), key=lambda event: event.end or 0.0
    )
    forgotten = {event.id for event in ended[:-MAX_ENDED]}
    events = tuple(event for event in after.events if event.id not in forgotten)
    ids = {event.id for event in events}
    spent = {name: until for name, until in before.spent.items() if until > at}
    for event in (*before.events, *after.events):
        until = max(event.start, event.end or 0.0) + MAX_LATE_S
        is_repeatable = event.id not in after.unnamed and until > at
        if event.id not in ids and is_repeatable and not is_scheduled(event):
            spent[event.id] = until
    return replace(after, events=events, unnamed=after.unnamed & ids, spent=spent, mirrored=after.mirrored & ids)


def refuse_too_many_spent(orders: KeptOrders) -> None:
    """Refuse an addition while too many ids are kept.

    Raises:
        OrderError: There are too many.
    """
    if len(orders.spent) > MAX_SPENT:
        reason = f"{MAX_SPENT} events ended lately; their ids are kept, because an order may be repeated for a day"
        raise OrderError(Refusal.FULL, reason)


def is_scheduled(event: Event) -> bool:
    """Return True for an event of the configured schedule; the configuration declares it, however it ended."""
    return event.id.startswith(f"{SCHEDULE}:")


def ordered(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return the events that the file keeps."""
    return tuple(event for event in events if not is_scheduled(event))
