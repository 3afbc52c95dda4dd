"""The book of declared curtailments: follows orders, keeps them over a restart, logs what begins and ends.

A receiver of orders (HTTP, a command, a broker) parses them with `orders.read_order` and passes them to `start` and
`stop` here. An order is followed once it is on disk, or not at all.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import structlog

from agent.site.curtailment.events import Curtailments, Event, Phase
from agent.site.curtailment.file import MAX_WRITTEN_BYTES, KeptOrders, encode_orders
from agent.site.curtailment.keeper import OrderKeeper
from agent.site.curtailment.orders import OrderError, Refusal, StartOrder, empty_scope, order_event
from agent.site.curtailment.retention import is_scheduled, ordered, refuse_too_many_spent, settled, with_room
from agent.site.curtailment.windows import SCHEDULE, DailyWindow
from agent.site.ledger.entries import LedgerEntry

log = structlog.get_logger("agent.curtailment")

RETRY_S = 30.0
_OVER = "this event is over; a new one needs an id of its own"


class CurtailmentBook:
    """The curtailments declared for one site.

    Args:
        path: The file that keeps ordered events.
        site: The site's name.
        windows: The schedule.
        entries: Returns the ledger's entries of all times.
        wall: Returns Unix time, s.

    Attributes:
        curtailments: Everything that is declared now.
        on_change: Called with `curtailments` after each order and each change of the schedule.

    Raises:
        ConfigError: The file is another site's.
    """

    def __init__(
        self,
        path: Path,
        *,
        site: str,
        windows: Iterable[DailyWindow],
        entries: Callable[[], Iterable[LedgerEntry]],
        wall: Callable[[], float],
    ) -> None:
        self.path = path
        self.on_change: Callable[[Curtailments], None] = lambda _: None
        self._site = site
        self._entries = entries
        self._wall = wall
        self._lock = asyncio.Lock()
        self._logged: dict[str, Event] = {}
        self._keeper = OrderKeeper(path, site=site)
        self._kept = self._keeper.read()
        self.curtailments = Curtailments(windows, self._kept.events)

    @property
    def ordered_here(self) -> tuple[Event, ...]:
        """The ordered events without those that `mirror` brought."""
        return tuple(event for event in ordered(self.curtailments.events) if event.id not in self._kept.mirrored)

    @property
    def is_kept(self) -> bool | None:
        """True if the ordered events are on disk; None until the first attempt to write them."""
        return self._keeper.is_kept

    async def start(self, order: StartOrder, *, source: str, is_state: bool = False) -> tuple[Event, bool]:
        """Follow an order to start a curtailment.

        Args:
            order: The order as received.
            source: The sender, for an order that names none.
            is_state: True if this is the present state of a sender that changes it often. If there are too many events,
                its oldest one that ended is forgotten, instead of refusing the order.

        Returns:
            The event, and True if it is new: the same order under the same id is followed once.

        Raises:
            OrderError: Nothing was changed.
        """
        async with self._lock:
            await self._claim()
            at, events = self._wall(), self.curtailments.events
            known = next((event for event in events if event.id == order.id), None)
            if known is not None:
                return self._same(known, order, source, at), False
            if order.id is not None and self._kept.is_spent(order.id, at):
                raise OrderError(Refusal.CONFLICT, _OVER)
            taken = {event.id for event in events} | self._kept.spent.keys()
            event = order_event(order, at=at, source=source, is_taken=taken.__contains__)
            reason_empty = empty_scope(event.scope, self._entries())
            if reason_empty is not None:
                raise OrderError(Refusal.MALFORMED, f"scope: {reason_empty}")
            events = with_room(events, at, giving_way=event.source if is_state else None)
            await self._put((*events, event), at, added=event, is_named=order.id is not None and not is_state)
            log.info("curtailment ordered", **_facts(event))
            return event, True

    async def stop(self, event_id: str, *, source: str) -> Event:
        """Follow an order to stop an event, or to call it off before it began.

        Args:
            event_id: The event's id; an event that has ended stays as it is.
            source: The sender of the order.

        Raises:
            OrderError: Nothing was changed.
        """
        async with self._lock:
            await self._claim()
            at, events = self._wall(), self.curtailments.events
            event = next((event for event in events if event.id == event_id), None)
            if event is None:
                if self._kept.is_spent(event_id, at):
                    raise OrderError(Refusal.CONFLICT, "this event is over")
                if event_id.startswith(f"{SCHEDULE}:"):
                    reason = "declared by the configuration; change [[curtailment]] there and reload"
                    raise OrderError(Refusal.CONFLICT, reason)
                raise OrderError(Refusal.UNKNOWN, "there is no such event")
            phase = event.phase_at(at)
            if phase not in {Phase.PENDING, Phase.ACTIVE}:
                return event
            stopped = replace(event, end=at, is_started=phase is Phase.ACTIVE, is_stopped=True)
            await self._put(tuple(stopped if each is event else each for each in events), at)
            log.info("curtailment stopped", id=event_id, stopped_by=source, was=phase)
            return stopped

    async def mirror(self, events: tuple[Event, ...]) -> bool:
        """Put another agent's ordered events in the place of this one's; returns True if that changed anything.

        Raises:
            OrderError: They could not be written; nothing was changed.
        """
        async with self._lock:
            await self._claim()
            scheduled = tuple(event for event in self.curtailments.events if is_scheduled(event))
            mirrored = frozenset(event.id for event in events)
            if events == ordered(self.curtailments.events) and mirrored == self._kept.mirrored:
                return False
            await self._put((*events, *scheduled), self._wall(), mirrored=mirrored)
            log.info("curtailments taken over", events=len(events))
            return True

    async def keep(self) -> None:
        """Lock and write the file, so that an unwritable one, or another agent, is found before the first order."""
        async with self._lock:
            try:
                await self._claim()
            except OrderError:
                return
            await self._keeper.write(replace(self._kept, events=ordered(self.curtailments.events)))

    async def keep_trying(self) -> None:
        """Call `keep` now and then while events are not kept: another agent may end, a disk may become writable."""
        while True:
            await asyncio.sleep(RETRY_S)
            if self.is_kept is False:
                await self.keep()

    def close(self) -> None:
        """Let another agent have the file."""
        self._keeper.close()

    def replace_windows(self, windows: Iterable[DailyWindow]) -> None:
        """Put another schedule in force; events it no longer holds end now, and their units get their time to wake."""
        at, windows = self._wall(), tuple(windows)
        if windows == self.curtailments.windows:
            return
        still = {event.id for window in windows for event in window.events_near(at)}
        # A window that an earlier reload dropped and this one brings back belongs to the schedule again.
        events = tuple(event for event in self.curtailments.events if event.id not in still)
        ids = {event.id for event in events}
        dropped = tuple(
            replace(event, end=at, is_started=True, is_stopped=True)
            for event in self.curtailments.around(at).in_force
            if event.id not in still | ids
        )
        self._set(Curtailments(windows, (*events, *dropped)))

    def log_changes(self, at: float) -> None:
        """Log the events that began or ended since the last call."""
        in_force = {event.id: event for event in self.curtailments.around(at).in_force}
        for event_id, event in in_force.items():
            if event_id not in self._logged:
                log.info("curtailment began", **_facts(event))
        for event_id in self._logged.keys() - in_force.keys():
            log.info("curtailment ended", id=event_id)
        self._logged = in_force

    def _same(self, known: Event, order: StartOrder, source: str, at: float) -> Event:
        """Return the event that an order repeats.

        Raises:
            OrderError: The order differs from the event, or the event is over.
        """
        if known.phase_at(at) not in {Phase.PENDING, Phase.ACTIVE}:
            raise OrderError(Refusal.CONFLICT, _OVER)
        again = order_event(order, at=known.start, source=source, is_taken=lambda _: False)
        if replace(again, is_started=known.is_started) != known:
            raise OrderError(Refusal.CONFLICT, "an event of this id was declared otherwise; stop it first")
        return known

    async def _claim(self) -> None:
        """Make sure that no other agent writes the file; what one wrote since the start is put in force.

        Raises:
            OrderError: Another agent has it, or it cannot be locked.
        """
        try:
            kept = await self._keeper.claim()
        except OSError as error:
            is_busy = isinstance(error, BlockingIOError)
            reason = "another agent is writing it" if is_busy else error.strerror or str(error)
            self._keeper.fail(reason)
            raise OrderError(Refusal.NOT_KEPT, f"nothing was changed: {self.path}: {reason}") from error
        if kept is None:
            return
        self._kept = kept
        scheduled = tuple(event for event in self.curtailments.events if is_scheduled(event))
        if (*kept.events, *scheduled) != self.curtailments.events:
            self._set(Curtailments(self.curtailments.windows, (*kept.events, *scheduled)))

    async def _put(
        self,
        events: tuple[Event, ...],
        at: float,
        *,
        added: Event | None = None,
        is_named: bool = True,
        mirrored: frozenset[str] | None = None,
    ) -> None:
        """Write events to disk, then put them in force.

        Args:
            events: All events.
            at: Unix time now, s.
            added: The event among them that is new.
            is_named: True if the order of that event named it.
            mirrored: Ids of the events that came from another agent; None for those of before.

        Raises:
            OrderError: They could not be written, or are too many; nothing was changed.
        """
        unnamed = self._kept.unnamed if added is None or is_named else self._kept.unnamed | {added.id}
        after = replace(self._kept, events=events, unnamed=unnamed)
        if mirrored is not None:
            after = replace(after, mirrored=mirrored)
        kept = settled(self._kept, after, at)
        fresh = Curtailments(self.curtailments.windows, kept.events)
        kept = replace(kept, events=ordered(kept.events))
        if added is not None:
            _refuse_too_long(kept, site=self._site)
        try:
            is_written = await self._keeper.write(kept)
        except asyncio.CancelledError:
            # The thread goes on writing: the events in force must be those in the file.
            self._kept = kept
            self._set(fresh)
            raise
        if not is_written:
            raise OrderError(Refusal.NOT_KEPT, "could not be written down, so nothing was changed; see the agent's log")
        self._kept = kept
        self._set(fresh)

    def _set(self, curtailments: Curtailments) -> None:
        self.curtailments = curtailments
        self.on_change(curtailments)


def _refuse_too_long(kept: KeptOrders, *, site: str) -> None:
    """Refuse an addition that would make the file too long to be read again.

    Raises:
        OrderError: It would.
    """
    refuse_too_many_spent(kept)
    if len(encode_orders(kept, site=site)) > MAX_WRITTEN_BYTES:
        reason = f"the file of curtailments would be longer than {MAX_WRITTEN_BYTES >> 20} MiB; stop some events"
        raise OrderError(Refusal.FULL, reason)


def _facts(event: Event) -> dict[str, object]:
    return {
        "id": event.id,
        "scope": str(event.scope),
        "target_ratio": event.target_ratio,
        "start": event.start,
        "end": event.end,
        "source": event.source,
    }
