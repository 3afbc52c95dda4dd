"""A round of figures once an interval, and what is due with it."""

import asyncio
import time
from collections.abc import Callable

import structlog

from agent.runtime import garbage
from agent.runtime.change_log import log_summary
from agent.runtime.fan_out import FanOut
from agent.runtime.in_force import InForce
from agent.runtime.polling import Polling
from agent.runtime.rounds import Rounds
from agent.site.curtailment.book import CurtailmentBook
from agent.site.totals import SiteFigures
from agent.slices import run_slices

log = structlog.get_logger("agent")

# Rounds an interval after a restart, until figures can be trusted: their readiness is as of the latest round.
ROUNDS_RECOVERING = 4


class RoundTimer:
    """Makes a round of figures each interval.

    Args:
        rounds: Makes the figures.
        in_force: The setup in force; a dated change of the ledger is applied before a round.
        book: Declared curtailments.
        fan_out: Every exporter.
        polling: The poller.

    Attributes:
        on_figures: Called with each interval's figures, from the first whole round on.
    """

    def __init__(
        self, rounds: Rounds, in_force: InForce, book: CurtailmentBook, fan_out: FanOut, polling: Polling
    ) -> None:
        self._rounds = rounds
        self._in_force = in_force
        self._book = book
        self._fan_out = fan_out
        self._polling = polling
        self._interval_changed = asyncio.Event()
        self._is_frozen = self._is_late = False
        self.on_figures: Callable[[SiteFigures], None] = lambda _: None

    def on_interval_changed(self) -> None:
        """Go by the interval now in force; the round that is waited for comes no later."""
        self._interval_changed.set()

    async def run(self) -> None:
        """Make rounds until cancelled. After a slow round the next begins at once; missed rounds are left out.

        The first is an interval away, unless there are statuses of an earlier process to make it of.
        """
        due = time.monotonic() + (0.0 if self._rounds.is_resuming else self._interval_s)
        while True:
            try:
                async with asyncio.timeout(due - time.monotonic()):
                    await self._interval_changed.wait()
            except TimeoutError:
                await self.tick()
                due = max(due + self._wait_s, time.monotonic())
            else:
                self._interval_changed.clear()
                # Not later than it was due: an interval that changes again and again must not put off every round.
                due = min(due, time.monotonic() + self._interval_s)

    @property
    def _interval_s(self) -> float:
        return self._in_force.setup.config.poll.interval_s

    @property
    def _wait_s(self) -> float:
        """The time to the next round, s: shorter while too many units are not asked since the start."""
        lateness = self._rounds.lateness
        is_recovering = lateness.restored and lateness.is_too_much
        return self._interval_s / ROUNDS_RECOVERING if is_recovering else self._interval_s

    async def tick(self) -> None:
        """Do what is due once an interval."""
        async with self._in_force.held():
            await self._in_force.apply_ledger_if_due()
            self._book.log_changes(time.time())
            figures = await run_slices(self._rounds.slices())
        metrics = self._fan_out.metrics
        self._fan_out.on_health(
            is_read=metrics.own.reload_successful is not False,
            is_kept=self._book.is_kept is not False,
            late=self._rounds.unreadiness if self._rounds.whole_at is not None else None,
        )
        if self._rounds.is_whole and not self._is_frozen and not self._rounds.lateness.restored:
            # Everything that lives as long as the process is there by now.
            garbage.freeze()
            self._is_frozen = True
        self._log_lateness(metrics.own.stretch)
        self._polling.close_interval()
        if self._rounds.standing_by is not None:
            return
        if not self._rounds.is_whole:
            log.info("site not looked at yet", units=figures.site.units, reason=self._rounds.unreadiness)
            return
        log_summary(figures)
        self.on_figures(figures)

    def _log_lateness(self, stretch: Callable[[], float] | None) -> None:
        """Log when too many units were not looked at in time, and when all are again."""
        lateness = self._rounds.lateness
        if lateness.is_too_much and not self._is_late:
            log.warning(
                "agent late",
                units_overdue=lateness.units,
                units_restored=lateness.restored,
                of=lateness.of_units,
                deployed_ratio=round(lateness.ratio, 4),
                longest_s=round(lateness.longest_s, 1),
                poll_stretch_ratio=None if stretch is None else round(stretch(), 2),
            )
        elif not lateness.units and self._is_late:
            log.info("agent on time again", units=lateness.of_units)
        else:
            return
        self._is_late = lateness.is_too_much
