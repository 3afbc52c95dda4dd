"""The curtailments that a standby and its primary share: the primary's list, and what was ordered at the standby."""

from collections.abc import Callable

import structlog

from agent.runtime.setup import Setup
from agent.site.curtailment.book import CurtailmentBook
from agent.site.curtailment.events import Event
from agent.site.curtailment.orders import OrderError
from agent.site.curtailment.retention import ordered
from agent.standby.orders import missing_orders, read_events
from agent.standby.watch import Primary, PrimaryError, RefusedOrderError

log = structlog.get_logger("agent.standby")


class OrderSharing:
    """Keeps the standby's book like the primary's, and loses no order that was followed here.

    Args:
        book: The standby's curtailments.
        setup: Returns the setup in force.
        clock: Returns the monotonic clock, s.
        wall: Returns Unix time, s.

    Attributes:
        owes_orders: The primary may lack orders that were followed here.
    """

    def __init__(
        self,
        book: CurtailmentBook,
        setup: Callable[[], Setup],
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._book, self._setup, self._clock, self._wall = book, setup, clock, wall
        # From the start: an order may not have reached the primary before an earlier process ended.
        self.owes_orders = True
        self._has_been_active = False
        self._refused: set[str] = set()
        self._trouble: str | None = None

    def begin_return(self) -> None:
        """Note that the primary has its place back, and may lack what was ordered here meanwhile."""
        self.owes_orders = self._has_been_active = True
        self._refused.clear()

    async def share(self, primary: Primary, *, within_s: float, offset_s: float | None) -> None:
        """Pass on the curtailments that were ordered here, then take over the primary's list.

        Its list replaces ours only once it has all of ours, or has refused them: no answer is no refusal.

        Args:
            primary: The primary.
            within_s: How long it may take for an answer, and for all orders, s.
            offset_s: Its wall clock minus ours, s; None if it did not say.
        """
        if self._setup().primary_token is None:
            return
        trouble = None
        try:
            body = await primary.curtailments(within_s=within_s)
            theirs = read_events(body, site=self._setup().config.site.name)
            is_complete = not self.owes_orders or not await self._hand_back(
                primary, theirs, within_s=within_s, offset_s=offset_s or 0.0
            )
            self.owes_orders = False
            if is_complete:
                await self._book.mirror(theirs)
        except (PrimaryError, OrderError, ValueError) as error:
            trouble = str(error)
        if trouble is not None and trouble != self._trouble:
            log.warning("curtailments not shared", primary=primary.url, reason=trouble)
        self._trouble = trouble

    async def _hand_back(self, primary: Primary, theirs: tuple[Event, ...], *, within_s: float, offset_s: float) -> int:
        """Order at the primary what it lacks; return how many orders it followed.

        Raises:
            PrimaryError: It cannot be reached, takes no orders now, or is not done within this time.
        """
        # After a restart, what was the primary's and is no longer there may have ended there meanwhile.
        ours = ordered(self._book.curtailments.events) if self._has_been_active else self._book.ordered_here
        began, followed = self._clock(), 0
        for event_id, order in missing_orders(ours, theirs, at=self._wall(), offset_s=offset_s):
            if event_id in self._refused:
                continue
            if self._clock() - began > within_s:
                # The primary is looked for in between.
                raise PrimaryError(f"{primary.url} followed {followed} orders in {within_s:.1f} s; more to come")
            try:
                if order is None:
                    await primary.stop(event_id, within_s=within_s)
                else:
                    await primary.start(order, within_s=within_s)
            except RefusedOrderError as error:
                # One that is refused must not keep those behind it.
                self._refused.add(event_id)
                log.warning("curtailment not handed back", id=event_id, reason=str(error))
                continue
            followed += 1
            log.info("curtailment handed back", id=event_id, is_stopped=order is None)
        return followed
