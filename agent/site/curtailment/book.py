"""The book of declared curtailments: follows orders, keeps them over a restart, logs what begins and ends.

A receiver of orders (HTTP, a command, a broker) parses them with `orders.read_order` and passes them to `start` and
`stop` here. An order is followed once it is on disk, or not at all.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from agent.site.curtailment.events import Curtailments, Event, Phase
from agent.site.curtailment.file import StateError, read_events, write_events
from agent.site.curtailment.orders import OrderError, Refusal, StartOrder, empty_scope, order_event
from agent.site.curtailment.windows import SCHEDULE, DailyWindow
from agent.site.ledger.entries import LedgerEntry

log = structlog.get_logger("agent.curtailment")

MAX_OPEN = 100
"""Ordered events that have not ended; more of them come from a client in a loop."""
MAX_ENDED = 100
"""Ended events that stay listed."""


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
        is_kept: True if the ordered events are on disk; None until the first attempt to write them.

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
        self.is_kept: bool | None = None
        self._site = site
        self._entries = entries
        self._wall = wall
        self._lock = asyncio.Lock()
        self._logged: dict[str, Event] = {}
        self._is_damaged = False
        events: tuple[Event, ...] = ()
        try:
            events = read_events(path, site=site)
        except StateError as error:
            self.is_kept, self._is_damaged = False, True
            log.error("curtailments forgotten", file=str(path), error=str(error))  # noqa: TRY400 - our file, no bug
        self.curtailments = Curtailments(windows, events)

    async def start(self, order: StartOrder, *, source: str) -> tuple[Event, bool]:
        """Follow an order to start a curtailment.

        Args:
            order: The order as received.
            source: The sender, for an order that names none.

        Returns:
            The event, and True if it is new: the same order under the same id is followed once.

        Raises:
            OrderError: Nothing was changed.
        """
        async with self._lock:
            at, events = self._wall(), self.curtailments.events
            known = next((event for event in events if event.id == order.id), None)
            if known is not None:
                return self._same(known, order, source, at), False
            taken = {event.id for event in events}
            event = order_event(order, at=at, source=source, is_taken=taken.__contains__)
            reason_empty = empty_scope(event.scope, self._entries())
            if reason_empty is not None:
                raise OrderError(Refusal.MALFORMED, f"scope: {reason_empty}")
            if sum(1 for each in events if each.phase_at(at) in {Phase.PENDING, Phase.ACTIVE}) >= MAX_OPEN:
                raise OrderError(Refusal.FULL, f"{MAX_OPEN} events have not ended; stop some")
            await self._put((*events, event), at)
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
            at, events = self._wall(), self.curtailments.events
            event = next((event for event in events if event.id == event_id), None)
            if event is None:
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

    async def keep(self) -> None:
        """Write the ordered events to disk, so that an unwritable file is found before the first order."""
        async with self._lock:
            await self._write(self.curtailments.events)

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
            raise OrderError(Refusal.CONFLICT, "this event is over; a new one needs an id of its own")
        again = order_event(order, at=known.start, source=source, is_taken=lambda _: False)
        if replace(again, is_started=known.is_started) != known:
            raise OrderError(Refusal.CONFLICT, "an event of this id was declared otherwise; stop it first")
        return known

    async def _put(self, events: tuple[Event, ...], at: float) -> None:
        """Write events to disk, then put them in force.

        Raises:
            OrderError: They could not be written; nothing was changed.
        """
        ended = [event for event in events if event.phase_at(at) is Phase.ENDED]
        ended.sort(key=lambda event: event.end or 0.0)
        forgotten = {event.id for event in ended[:-MAX_ENDED]}
        events = tuple(event for event in events if event.id not in forgotten)
        fresh = Curtailments(self.curtailments.windows, events)
        try:
            is_written = await self._write(events)
        except asyncio.CancelledError:
            # The thread goes on writing: the events in force must be those in the file.
            self._set(fresh)
            raise
        if not is_written:
            raise OrderError(Refusal.NOT_KEPT, "could not be written down, so nothing was changed; see the agent's log")
        self._set(fresh)

    async def _write(self, events: tuple[Event, ...]) -> bool:
        # The configuration declares the schedule's own events, however they ended.
        ordered = tuple(event for event in events if not event.id.startswith(f"{SCHEDULE}:"))
        try:
            await asyncio.to_thread(self._replace_file, ordered)
        except OSError as error:
            self.is_kept = False
            log.error("curtailments not kept", file=str(self.path), error=error.strerror)  # noqa: TRY400 - the message is enough
            return False
        self.is_kept, self._is_damaged = True, False
        return True

    def _replace_file(self, events: tuple[Event, ...]) -> None:
        if self._is_damaged:
            # Kept for a look at what was in it.
            with suppress(FileNotFoundError):
                self.path.replace(self.path.with_name(f"{self.path.name}.bad"))
            self._is_damaged = False
        write_events(self.path, events, site=self._site)

    def _set(self, curtailments: Curtailments) -> None:
        self.curtailments = curtailments
        self.on_change(curtailments)


def _facts(event: Event) -> dict[str, object]:
    return {
        "id": event.id,
        "scope": str(event.scope),
        "target_ratio": event.target_ratio,
        "start": event.start,
        "end": event.end,
        "source": event.source,
    }
