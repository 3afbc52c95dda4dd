"""The standby's part in a running agent: it watches its primary, takes over, and gives back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import structlog

from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.mqtt.witness import Witness
from agent.runtime.order_sharing import OrderSharing
from agent.runtime.parts import Parts
from agent.runtime.round_timer import RoundTimer
from agent.runtime.rounds import UNITS_PER_SLICE
from agent.runtime.setup import Setup
from agent.standby.lease import LOOKS_AN_INTERVAL, Lease
from agent.standby.watch import Primary, PrimaryError
from agent.text.numbers import duration_text

log = structlog.get_logger("agent.standby")

PACE_RATIO = 10.0
"""Poll intervals while standing by, in configured ones: what is known then is young enough to be held at a takeover."""
LONGEST_ANSWER_S = 5.0
# A clock that is further off moves a minute of history.
OFFSET_WARNED_S = 5.0


class Standby:
    """Watches the primary and passes this agent from one role to the other.

    Args:
        url: Address of the primary.
        setup: Returns the setup in force.
        parts: The running parts of the agent.
        timer: Makes a round at once after a takeover.
        new_mqtt: Returns a new exporter for the brokers of the configuration.
        clock: Returns the monotonic clock, s.
        wall: Returns Unix time, s.
    """

    def __init__(
        self,
        url: str,
        setup: Callable[[], Setup],
        parts: Parts,
        timer: RoundTimer,
        *,
        new_mqtt: Callable[[], MqttExporter],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._setup, self._parts, self._timer = setup, parts, timer
        self._new_mqtt, self._clock, self._wall = new_mqtt, clock, wall
        now = setup()
        token = None if now.primary_token is None else now.primary_token.text
        self.primary = Primary(url, site=now.config.site.name, token=token, tls=now.primary_tls, wall=wall)
        self.lease = Lease(interval_s=self._interval_s, clock_s=clock())
        self._silent = parts.fan_out.mqtt
        self._stop_mqtt = asyncio.Event()
        self._mqtt: asyncio.Task[None] | None = None
        self._tasks: asyncio.TaskGroup
        self._trouble: str | None = None
        self.sharing = OrderSharing(parts.book, setup, clock=clock, wall=wall)
        self._looks = 0
        self._is_circular = False
        self._differing: tuple[str, str] | None = None
        self._took_over_at = 0.0
        own = parts.fan_out.metrics.own
        own.role, own.takeovers = "standby", 0
        own.is_active = lambda: self.lease.is_active
        own.primary_silent_s = lambda: self._clock() - self.lease.heard_s
        self._own = own
        parts.fan_out.set_silent(is_silent=True)
        parts.rounds.stand_by(self._why)
        self._apply_pace()

    @property
    def _interval_s(self) -> float:
        return self._setup().config.poll.interval_s

    @property
    def _within_s(self) -> float:
        """Deadline for the primary's answer, s."""
        return min(LONGEST_ANSWER_S, self._interval_s / 2)

    @property
    def _why(self) -> str:
        return f"this agent stands by for {self.primary.url}"

    @property
    def words(self) -> str:
        """The role of this agent, in words."""
        if not self.lease.is_active:
            return f"{self._why}; it was heard {duration_text(self._clock() - self.lease.heard_s)} ago"
        since = datetime.fromtimestamp(self._took_over_at, UTC)
        return f"this agent took over from {self.primary.url} at {since:%Y-%m-%d %H:%M:%S} UTC"

    def refusal(self) -> str | None:
        """Why orders are not taken here now; None while this agent publishes the site."""
        return None if self.lease.is_active else f"{self._why}: order it there"

    def _apply_pace(self) -> None:
        """Poll at the pace of the role, and believe readings for as long as that takes."""
        ratio = 1.0 if self.lease.is_active else PACE_RATIO
        self._parts.polling.pace_ratio = ratio
        poll = self._setup().config.poll
        self._parts.tracker.set_stale_after(
            poll.stale_after_s * ratio, shortens=True, foreign_stale_after_s=poll.foreign_stale_after_s * ratio
        )

    def on_reload(self) -> None:
        """Follow a changed poll section."""
        self.lease.interval_s = self._interval_s
        self._apply_pace()
        self._parts.polling.start_over()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Watch the primary while the block runs."""
        witness = Witness(
            self._setup().mqtt_links,
            self._setup().config.site.name,
            on_heard=lambda: self.lease.hear_figures(self._clock()),
        )
        log.info("standing by", primary=self.primary.url, patience_s=self.lease.patience_s)
        async with asyncio.TaskGroup() as self._tasks:
            running = [
                self._tasks.create_task(self._watch(), name="standby"),
                self._tasks.create_task(witness.run(), name="mqtt witness"),
            ]
            try:
                yield
            finally:
                for task in running:
                    task.cancel()
                self._stop_mqtt.set()

    async def _watch(self) -> None:
        while True:
            await self.step()
            await asyncio.sleep(self._interval_s / LOOKS_AN_INTERVAL)

    async def step(self) -> None:
        """Look for the primary once, and change roles if it is time."""
        trouble = None
        try:
            answer = await self.primary.ask(within_s=self._within_s)
        except PrimaryError as error:
            trouble = str(error)
        else:
            self.lease.hear_answer(self._clock(), has_figures=answer.has_figures)
            self._note_offset(answer.clock_offset_s)
            if answer.is_standby and not self._is_circular:
                reason = "it stands by itself, so nobody publishes; one agent must have no [standby] section"
                log.error("primary is a standby", primary=self.primary.url, reason=reason)
            self._is_circular = answer.is_standby
            self._note_ledger(answer.ledger)
        if trouble is not None and self._trouble is None:
            log.warning("primary does not answer", error=trouble)
        elif trouble is None and self._trouble is not None:
            log.info("primary answers again", primary=self.primary.url)
        self._trouble = trouble
        is_changed = self.lease.look(self._clock())
        if is_changed and self.lease.is_active:
            await self._take_over()
        elif is_changed:
            await self._give_back()
        elif not self.lease.is_active and trouble is None:
            if self.sharing.owes_orders or not self._looks % LOOKS_AN_INTERVAL:
                await self._share()
            self._looks += 1

    async def _share(self) -> None:
        await self.sharing.share(self.primary, within_s=self._within_s, offset_s=self._own.primary_offset_s)

    def _note_ledger(self, theirs: str | None) -> None:
        """Log that the ledgers differ: a takeover would change what is deployed."""
        ours = self._setup().ledger.digest
        differing = theirs if theirs not in {None, ours} else None
        if differing is not None and (differing, ours) != self._differing:
            log.warning("ledgers differ", primary=self.primary.url, theirs=differing[:12], ours=ours[:12])
        self._differing = None if differing is None else (differing, ours)

    def _note_offset(self, offset_s: float | None) -> None:
        before, self._own.primary_offset_s = self._own.primary_offset_s, offset_s
        is_off, was_off = (value is not None and abs(value) > OFFSET_WARNED_S for value in (offset_s, before))
        if is_off and not was_off:
            log.warning("clocks differ", primary=self.primary.url, offset_s=offset_s)

    async def _take_over(self) -> None:
        silent_s = round(self._clock() - self.lease.heard_s, 1)
        log.warning("standby took over", primary=self.primary.url, silent_s=silent_s, error=self._trouble)
        self._took_over_at = self._wall()
        self._own.takeovers = (self._own.takeovers or 0) + 1
        self._apply_pace()
        self._parts.polling.start_over()
        self._parts.fan_out.mqtt = self._new_mqtt()
        # Before the first figures: what was not offered by then is deleted from brokers.
        for number, status in enumerate(tuple(self._parts.tracker.statuses()), start=1):
            self._parts.fan_out.mqtt.on_unit(status)
            if not number % UNITS_PER_SLICE:
                await asyncio.sleep(0)
        self._parts.fan_out.set_silent(is_silent=False)
        self._parts.rounds.take_over()
        self._stop_mqtt = asyncio.Event()
        self._mqtt = self._tasks.create_task(self._publish(self._parts.fan_out.mqtt, self._stop_mqtt), name="mqtt")
        await self._timer.tick()

    async def _publish(self, mqtt: MqttExporter, stop: asyncio.Event) -> None:
        async with mqtt.running():
            await stop.wait()
            if not self.lease.is_active:
                mqtt.leave_to_another()

    async def _give_back(self) -> None:
        log.info("standby gave back", primary=self.primary.url, active_s=round(self._wall() - self._took_over_at, 1))
        self._parts.fan_out.set_silent(is_silent=True)
        self._parts.rounds.stand_by(self._why)
        self._parts.fan_out.mqtt = self._silent
        self._stop_mqtt.set()
        self._apply_pace()
        self._parts.polling.start_over()
        self.sharing.begin_return()
        await self._share()
