"""The setup in force, and how another one takes its place: all of it or nothing.

A reload touches only units whose rows changed. A round of figures never comes in the middle of a change, so that what
is deployed changes at one moment.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice

import structlog

from agent.errors import ConfigError, Mistake
from agent.exporters.prometheus.store import Metrics
from agent.runtime import garbage, logs
from agent.runtime.parts import Parts
from agent.runtime.reload import read_again
from agent.runtime.rounds import UNITS_PER_SLICE
from agent.runtime.setup import Setup
from agent.site.identity.book import Addresses
from agent.site.ledger.delta import LedgerDelta
from agent.site.ledger.entries import Ledger, LedgerEntry
from agent.site.power import PowerModel

log = structlog.get_logger("agent")

MISTAKES_LOGGED = 20


class InForce:
    """The setup in force and everything that has to follow it.

    Args:
        setup: At the start.
        at: Unix time of the start, s.
        parts: What follows the setup.

    Attributes:
        setup: The setup in force.
        on_interval_changed: Called when the poll section changed.
        on_poll_changed: Called then, too, once polling follows it.
        on_reloaded: Called after a reload with the setup before it and the one in force.
        reload_wanted: Set it to have the files read again.
    """

    def __init__(
        self,
        setup: Setup,
        parts: Parts,
        *,
        at: float,
    ) -> None:
        self.setup = setup
        self._parts = parts
        self.on_interval_changed: Callable[[], None] = lambda: None
        self.on_poll_changed: Callable[[], None] = lambda: None
        self.on_reloaded: Callable[[Setup, Setup], None] = lambda _, __: None
        self.reload_wanted = asyncio.Event()
        self._lock = asyncio.Lock()
        self._reloading = asyncio.Lock()
        self._ledger_changes_at = setup.watched.next_change_after(at)
        self._configure_identity(at)
        self._configure_power()
        self._configure_catalogue()
        self._parts.tracker.allow = setup.allow
        self._parts.tracker.names_owners = bool(setup.ledger.owners)
        self._parts.polling.foreign.use_logins(setup.foreign_logins)
        self._parts.tracker.longest_rest_s = setup.config.poll.backoff_max_s

    @property
    def _metrics(self) -> Metrics:
        return self._parts.fan_out.metrics

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold the setup as it is while the block runs; a change waits."""
        async with self._lock:
            yield

    async def run(self) -> None:
        """Reload whenever `reload_wanted` is set, until cancelled."""
        while True:
            await self.reload_wanted.wait()
            self.reload_wanted.clear()
            await self.reload()

    async def reload(self) -> tuple[Mistake, ...]:
        """Read configuration and ledger again and put them in force, or keep the old ones, log why and return it."""
        async with self._reloading:
            return await self._reload()

    async def _reload(self) -> tuple[Mistake, ...]:
        mistakes: tuple[Mistake, ...] = ()
        try:
            with garbage.paused():
                fresh = await asyncio.to_thread(read_again, self.setup)
        except ConfigError as error:
            mistakes = error.mistakes
        if mistakes:
            self._metrics.on_reload(is_successful=False, at=time.time())
            for mistake in mistakes[:MISTAKES_LOGGED]:
                log.error("reload refused", mistake=str(mistake))
            log.error("old configuration kept", mistakes=len(mistakes))
            return mistakes
        before = self.setup
        async with self._lock:
            await self._put_in_force(fresh)
        self.on_reloaded(before, fresh)
        self._metrics.on_reload(is_successful=True, at=time.time())
        self.warn_of_simulated()
        log.info("reloaded", units=len(self._parts.tracker), ledger_digest=fresh.ledger.digest[:12])
        return ()

    def warn_of_simulated(self) -> None:
        """Log a warning if simulated units are in the figures."""
        simulated = self._parts.counting.simulated_units()
        if simulated:
            log.warning(
                "simulated units count",
                units=simulated,
                of=len(self._parts.tracker),
                keys="site.count_simulated, ledger.detect_simulated",
            )

    async def apply_ledger_if_due(self) -> None:
        """Apply the ledger's changes dated up to now. Call it under `held`."""
        if self._ledger_changes_at is not None and time.time() >= self._ledger_changes_at:
            await self._apply_ledger()

    async def _put_in_force(self, fresh: Setup) -> None:
        before, self.setup = self.setup, fresh
        self._parts.counting.configure(fresh)
        self._configure_power()
        self._configure_catalogue()
        self._parts.tracker.allow = fresh.allow
        self._parts.polling.foreign.use_logins(fresh.foreign_logins)
        self._parts.repairs.configure(fresh)
        if fresh.config.log != before.config.log:
            logs.set_up(fresh.config.log.level, fresh.config.log.format)
        if fresh.config.poll != before.config.poll:
            poll = fresh.config.poll
            self._parts.tracker.set_stale_after(
                poll.stale_after_s, shortens=False, foreign_stale_after_s=poll.foreign_stale_after_s
            )
            self._parts.tracker.longest_rest_s = fresh.config.poll.backoff_max_s
            self._parts.fan_out.set_interval(fresh.config.poll.interval_s)
            self._parts.polling.configure(fresh.config)
            self.on_poll_changed()
            self.on_interval_changed()
        self._parts.polling.ask_pools_every(fresh.config.pools_every)
        self._parts.book.replace_windows(fresh.windows)
        await self._apply_ledger()

    async def _apply_ledger(self) -> None:
        """Apply the ledger as of now; units whose rows did not change are not touched.

        A thread compares all units. Those that changed are applied some at a time.
        """
        at, ledger = time.time(), self.setup.watched
        entries, delta, addresses = await asyncio.to_thread(self._compare, ledger, at)
        polling = self._parts.polling
        polling.take_over((), delta.gone)
        for unit_id in delta.gone:
            self._parts.fan_out.remove_unit(unit_id)
        self._parts.rounds.delivered.forget(delta.gone)
        self._parts.credited.forget(delta.gone)
        # Addresses first: a reading from a unit's former address would otherwise pass for the unit's own.
        if self._is_identity_as_before(entries):
            self._parts.identity.take_over(delta, addresses, entries)
        else:
            self._configure_identity(at)
            polling.replace_entries(self._parts.identity.polled_entries())
        changed, gone = iter(delta.changed), delta.gone
        while (some := tuple(islice(changed, UNITS_PER_SLICE))) or gone:
            for status in self._parts.tracker.take_over(LedgerDelta(some, gone), at=at):
                self._metrics.on_unit(status)
            gone = ()
            await asyncio.sleep(0)
        self._parts.tracker.names_owners = bool(self.setup.ledger.owners)
        self._parts.counting.apply_ledger(self.setup)
        self._parts.rounds.delivered.forget(self._parts.counting.uncounted)
        self._ledger_changes_at = ledger.next_change_after(at)

    def _compare(self, ledger: Ledger, at: float) -> tuple[tuple[LedgerEntry, ...], LedgerDelta, Addresses]:
        entries = ledger.at(at)
        return entries, self._parts.tracker.compare(entries), self._parts.identity.addresses(entries, ledger.entries)

    def _is_identity_as_before(self, entries: tuple[LedgerEntry, ...]) -> bool:
        config = self.setup.config
        return self._parts.identity.has_configuration(
            config.identity, self.setup.unit_login, entries, connect_timeout_s=config.poll.connect_timeout_s
        )

    def _configure_identity(self, at: float) -> None:
        config = self.setup.config
        self._parts.identity.configure(
            config.identity,
            self.setup.unit_login,
            self.setup.watched,
            at=at,
            connect_timeout_s=config.poll.connect_timeout_s,
        )

    def _configure_catalogue(self) -> None:
        catalogue = self.setup.catalogue
        self._parts.layouts.take_over(catalogue.layouts)
        self._parts.tracker.bins_of = catalogue.bins_hs

    def _configure_power(self) -> None:
        config = self.setup.config
        self._parts.tracker.power_model = PowerModel(
            standby_watts=config.power.standby_watts, calibration_ratio=config.power.calibration_ratio
        )
        self._parts.meters.replace(config.meter)
        self._parts.credited.replace(config.pool_account)
        self._parts.rounds.set_interval(config.poll.interval_s, slow_every=config.poll.slow_every)
