"""Composition: one site's agent, wired from its setup, started, reloaded and stopped."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import chain, islice

import structlog

from agent import __version__
from agent.config.file import Config
from agent.errors import ConfigError, Mistake, OtherUnitError
from agent.exporters.mqtt.assembly import assemble
from agent.exporters.mqtt.intake import Door
from agent.exporters.mqtt.meters import MqttMeters
from agent.exporters.mqtt.topics import MeterScope
from agent.exporters.prometheus.store import Metrics
from agent.exporters.web import server as web
from agent.exporters.web.curtailment_api import CurtailmentApi
from agent.exporters.web.history_api import HistoryAnswer, HistoryQuery, answer_history
from agent.meters.meters import Meters
from agent.runtime import logs
from agent.runtime.change_log import tell_summary
from agent.runtime.fan_out import Outlets, recorder_of
from agent.runtime.polling import Polling
from agent.runtime.process import collector_at_rest, look_at_youngest, settle_collector
from agent.runtime.reload import read_again
from agent.runtime.rounds import UNITS_A_TURN, Rounds
from agent.runtime.setup import Setup
from agent.runtime.systemd import ServiceManager
from agent.site.curtailment.book import CurtailmentBook
from agent.site.curtailment.events import Curtailments
from agent.site.identity.book import Addresses
from agent.site.identity.watch import IdentityWatch
from agent.site.ledger.delta import LedgerDelta
from agent.site.ledger.entries import Ledger, LedgerEntry
from agent.site.metered import add_up
from agent.site.poller import Poller
from agent.site.power import PowerModel
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.site.tracker import Tracker
from agent.slices import at_once, in_turns
from agent.text.losses import LossLine, loss_lines
from agent.unit.reading import Poll

log = structlog.get_logger("agent")

LAG_EVERY_S = 0.25
YOUNG_S = 1.0
# Of polls spread over an interval, those of 25 ms are taken in together: half the CPU, and 50 ms later a request.
POLLING_REST_S = 0.025
MISTAKES_LOGGED = 20


class Agent:
    """One site, watched.

    Args:
        setup: Checked configuration and ledger.
        manager: Who is told of start, progress and end; nobody unless given.

    Attributes:
        on_figures: Called with each interval's figures, from the first whole round on.
        on_polled: Called after each poll.
    """

    def __init__(self, setup: Setup, *, manager: ServiceManager | None = None) -> None:
        self.setup = setup
        self.manager = manager or ServiceManager({})
        self.metrics = Metrics(
            setup.config.site.name,
            version=__version__,
            clock=time.monotonic,
            is_shard=setup.config.shard.count > 1,
        )
        at = time.time()
        self.book = CurtailmentBook(
            setup.curtailments_file,
            site=setup.config.site.name,
            windows=setup.windows,
            entries=lambda: self.setup.ledger.entries,
            wall=time.time,
        )
        self.book.on_change = self._on_curtailments
        self.tracker = Tracker(
            setup.watched.at(at),
            stale_after_s=setup.config.poll.stale_after_s,
            at=at,
            curtailments=self.book.curtailments,
        )
        self._has_real = self._any_real()
        self.meters = Meters(setup.config.meter)
        self.metrics.watch_meters(self.meters.states)
        self.started_at = at
        self.on_polled: Callable[[], None] = lambda: None
        self.served_at: tuple[str, int] | None = None
        self.stop = asyncio.Event()
        self.reload_wanted = asyncio.Event()
        self._interval_changed = asyncio.Event()
        # A round of figures, or another ledger: neither comes in the middle of the other.
        self._one_at_a_time = asyncio.Lock()
        self.on_figures: Callable[[SiteFigures], None] = lambda _: None
        self._ledger_changes_at = setup.watched.next_change_after(at)
        self.identity = IdentityWatch(
            config_file=setup.path,
            on_misread=self._on_misread,
            on_rerouted=self._on_rerouted,
            clock=time.monotonic,
        )
        self._configure_identity(at)
        self.metrics.watch_identity(self.identity.figures)
        self.mqtt = assemble(
            setup.config.mqtt,
            setup.mqtt_links,
            site=setup.config.site.name,
            version=__version__,
            config_file=setup.path,
            door=self._door,
            clock=time.monotonic,
            wall=time.time,
        )
        self.metrics.watch_mqtt(self.mqtt.numbers)
        self.outlets = Outlets(self.metrics, self.mqtt, recorder_of(setup))
        self.rounds = Rounds(
            self.tracker,
            self.outlets,
            metered=lambda: add_up(chain(self.meters.readings(), self.mqtt.meter_readings())),
            curtailments=lambda: self.book.curtailments,
            counted=self._counted,
            simulated_units=self._count_simulated,
            interval_s=setup.config.poll.interval_s,
        )
        self._polling = Polling(setup.config, on_poll=self._on_poll, on_skipped=self.metrics.on_skipped)
        self._configure_power()

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.setup.config

    @property
    def counts_simulated(self) -> bool:
        """Whether simulated units are in the figures: at a site of nothing else, or if the configuration says so."""
        return self.config.site.count_simulated or not self._has_real

    @property
    def poller(self) -> Poller:
        """What polls, from `polling` on."""
        return self._polling.poller

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        """Hold what polling needs; nothing is polled yet."""
        with self._polling.connected(self.identity.polled_entries()):
            self.metrics.watch_in_flight(lambda: self.poller.in_flight)
            yield

    async def run(self) -> None:
        """Poll, sum and export until `stop` is set."""
        log.info(
            "agent started",
            version=__version__,
            site=self.config.title,
            units=len(self.tracker),
            interval_s=self.config.poll.interval_s,
            ledger=str(self.config.ledger.file),
        )
        for status in self.tracker.statuses():
            self.metrics.on_unit(status)
        self._warn_of_simulated()
        self.metrics.on_reload(is_successful=True, at=self.started_at)
        self.metrics.watch_curtailments(lambda: self.book.is_kept)
        if self.setup.token is not None:
            await self.book.keep()
        settle_collector()
        self._polling.rest_s = POLLING_REST_S
        listen = self.config.web.listen
        async with (
            self.polling(),
            web.serve(
                self._source(), listen.host, listen.port, max_connections=self.config.web.max_connections
            ) as self.served_at,
            self.outlets.recording(),
            self.mqtt.running(),
            asyncio.TaskGroup() as tasks,
        ):
            running = [
                tasks.create_task(self.poller.run(), name="poller"),
                tasks.create_task(self.identity.run(), name="identity"),
                tasks.create_task(self._sum_forever(), name="figures"),
                tasks.create_task(self._watch_loop(), name="loop watch"),
                tasks.create_task(self.meters.run(), name="meters"),
                tasks.create_task(self._reload_when_wanted(), name="reload"),
                tasks.create_task(self.manager.watch(lambda: self.poller.last_progress), name="watchdog"),
            ]
            self.manager.tell("READY=1")
            await self.stop.wait()
            self.manager.tell("STOPPING=1")
            for task in running:
                task.cancel()
        log.info("agent stopped", ran_s=round(time.time() - self.started_at, 1))

    def _answer_history(self, query: HistoryQuery) -> HistoryAnswer:
        return answer_history(self.config.history.path(self.setup.path), self.config.title, query)

    def _warn_of_simulated(self) -> None:
        simulated = len(self.metrics.simulated)
        if simulated and self.counts_simulated:
            log.warning("simulated units count", units=simulated, of=len(self.tracker))

    def _source(self) -> web.Source:
        return web.Source(
            name=self.config.title,
            version=__version__,
            scrape=self.metrics.scrape,
            site=lambda: self.rounds.figures if self.rounds.is_whole else None,
            units=self.tracker.statuses,
            unit=self.tracker.status,
            unreadiness=lambda: self.rounds.unreadiness,
            illness=lambda: self._polling.illness,
            wall=time.time,
            identity=self.identity.figures,
            whereabouts=self.identity.whereabouts,
            counts_simulated=lambda: self.counts_simulated,
            history=self._answer_history if self.config.history.keep else None,
            history_trouble=lambda: self.outlets.history_trouble,
            energy=lambda: self.rounds.energy.energy,
            delivered_hs=self.rounds.delivered_hs,
            zone=lambda: self.config.site.zone,
            seen_from=lambda: self.rounds.whole_at,
            curtailments=CurtailmentApi(
                self.config.site.name,
                self.book,
                token=lambda: self.setup.token,
                units=lambda: self._counted(self.tracker.statuses()),
                wall=time.time,
                clock=time.monotonic,
            ),
        )

    def loss_lines(self, figures: SiteFigures) -> list[LossLine]:
        """Give what took the rest, largest first and in words, as far as these figures are the latest."""
        return loss_lines(
            figures.site,
            self._counted(self.tracker.statuses()),
            now=figures.at,
            zone=self.config.site.zone,
            seen_from=self.rounds.whole_at,
        )

    async def sweep(self) -> SiteFigures:
        """Poll every unit once and give the figures."""
        async with self.polling(), asyncio.TaskGroup() as tasks:
            tasks.create_task(self.meters.read_once(), name="meters")
            await self.poller.sweep()
        self.rounds.is_whole = True
        return self.sum_up()

    async def reload(self) -> None:
        """Read configuration and ledger again and put them in force, or keep the old ones and say why."""
        mistakes: tuple[Mistake, ...] = ()
        try:
            with collector_at_rest():
                fresh = await asyncio.to_thread(read_again, self.setup)
        except ConfigError as error:
            mistakes = error.mistakes
        if mistakes:
            self.metrics.on_reload(is_successful=False, at=time.time())
            for mistake in mistakes[:MISTAKES_LOGGED]:
                log.error("reload refused", mistake=str(mistake))
            log.error("old configuration kept", mistakes=len(mistakes))
            return
        async with self._one_at_a_time:
            await self._put_in_force(fresh)
        self.metrics.on_reload(is_successful=True, at=time.time())
        self._warn_of_simulated()
        log.info("reloaded", units=len(self.tracker), ledger_digest=fresh.ledger.digest[:12])

    async def _put_in_force(self, fresh: Setup) -> None:
        """Put a checked setup in force, all of it."""
        before, self.setup = self.setup, fresh
        self._configure_power()
        if fresh.config.log != before.config.log:
            logs.set_up(fresh.config.log.level, fresh.config.log.format)
        if fresh.config.poll != before.config.poll:
            self.tracker.stale_after_s = fresh.config.poll.stale_after_s
            if self.outlets.recorder is not None:
                self.outlets.recorder.set_interval(fresh.config.poll.interval_s)
            self._polling.configure(fresh.config)
            self._interval_changed.set()
        self.book.replace_windows(fresh.windows)
        await self._apply_ledger()

    def _on_poll(self, poll: Poll, clock_s: float) -> None:
        self.metrics.on_poll(poll)
        credited = self.identity.credit(poll, clock_s=clock_s)
        recorded = None if credited is None else self.tracker.record(credited, clock_s=clock_s)
        if recorded is not None:
            self.outlets.on_status(*recorded)
            if self.counts_simulated or not recorded[0].entry.is_simulated:
                self.rounds.delivered.record(recorded[0], clock_s=clock_s)
        self.on_polled()

    def _on_misread(self, unit_id: str, error: OtherUnitError) -> None:
        discredited = self.tracker.discredit(unit_id, error, at=time.time())
        if discredited is not None:
            self.outlets.on_status(*discredited)

    def _on_rerouted(self, entries: Iterable[LedgerEntry]) -> None:
        self.poller.take_over(entries)

    def _is_identity_as_before(self, entries: Iterable[LedgerEntry]) -> bool:
        return self.identity.has_configuration(
            self.config.identity,
            self.setup.unit_login,
            entries,
            connect_timeout_s=self.config.poll.connect_timeout_s,
        )

    def _configure_identity(self, at: float) -> None:
        self.identity.configure(
            self.config.identity,
            self.setup.unit_login,
            self.setup.watched,
            at=at,
            connect_timeout_s=self.config.poll.connect_timeout_s,
        )

    def _configure_power(self) -> None:
        config = self.config
        self.tracker.power_model = PowerModel(
            standby_watts=config.power.standby_watts, calibration_ratio=config.power.calibration_ratio
        )
        self.meters.replace(config.meter)
        self.rounds.set_interval(config.poll.interval_s, slow_every=config.poll.slow_every)

    def _on_curtailments(self, curtailments: Curtailments) -> None:
        self.tracker.curtailments = curtailments

    def _door(self, meters: MqttMeters) -> Door:
        def has(scope: MeterScope) -> bool:
            entries = self.setup.watched.entries
            if scope.container is not None:
                return any(entry.place.container == scope.container for entry in entries)
            return scope.unit is None or scope.unit in self.setup.watched.unit_ids

        return Door(
            book=self.book,
            in_force=lambda: self.book.curtailments.around(time.time()).in_force,
            meters=meters,
            has=has,
        )

    def _any_real(self) -> bool:
        # Of the whole site, so that all of its shards count alike.
        at = time.time()
        return any(not entry.is_simulated and entry.is_deployed_at(at) for entry in self.setup.ledger.entries)

    def _count_simulated(self) -> int:
        return len(self.metrics.simulated) if self.counts_simulated else 0

    def _counted(self, statuses: Iterable[UnitStatus]) -> Iterable[UnitStatus]:
        """Give the units whose hashrate is this site's: a rehearsal beside real machines is shown, and not counted."""
        if self.counts_simulated:
            return statuses
        return (status for status in statuses if not status.entry.is_simulated)

    async def _apply_ledger(self) -> None:
        """Take over what the ledger says of now; units of which it says nothing new are not touched.

        All units are compared in a thread, those that changed are taken over some at a time. No round of figures comes
        in between, so that what is deployed changes in one go.
        """
        at, ledger = time.time(), self.setup.watched
        entries, takeover, addresses = await asyncio.to_thread(self._compare, ledger, at)
        self.poller.take_over((), takeover.gone)
        for unit_id in takeover.gone:
            self.outlets.remove_unit(unit_id)
        self.rounds.delivered.forget(takeover.gone)
        # First where to ask: what comes from a unit's former address after its entry changed would pass for its own.
        if self._is_identity_as_before(entries):
            self.identity.take_over(takeover, addresses, entries)
        else:
            self._configure_identity(at)
            self.poller.replace_entries(self.identity.polled_entries())
        changed, gone = iter(takeover.changed), takeover.gone
        while (some := tuple(islice(changed, UNITS_A_TURN))) or gone:
            for status in self.tracker.take_over(LedgerDelta(some, gone), at=at):
                self.metrics.on_unit(status)
            gone = ()
            await asyncio.sleep(0)
        self._has_real = self._any_real()
        if not self.counts_simulated:
            self.rounds.delivered.forget(self.metrics.simulated)
        self._ledger_changes_at = ledger.next_change_after(at)

    def _compare(self, ledger: Ledger, at: float) -> tuple[tuple[LedgerEntry, ...], LedgerDelta, Addresses]:
        entries = ledger.at(at)
        return entries, self.tracker.compare(entries), self.identity.addresses(entries, ledger.entries)

    async def _sum_forever(self) -> None:
        due = time.monotonic() + self.config.poll.interval_s
        while True:
            try:
                async with asyncio.timeout(due - time.monotonic()):
                    await self._interval_changed.wait()
            except TimeoutError:
                await self._tick()
                due = max(due + self.config.poll.interval_s, time.monotonic())
            else:
                self._interval_changed.clear()
                due = time.monotonic() + self.config.poll.interval_s

    async def _tick(self) -> None:
        """Do what is due once an interval."""
        was_whole = self.rounds.is_whole
        async with self._one_at_a_time:
            if self._ledger_changes_at is not None and time.time() >= self._ledger_changes_at:
                await self._apply_ledger()
            self.book.tell(time.time())
            figures = await in_turns(self.rounds.turns())
        self.outlets.on_health(
            is_read=self.metrics.own.reload_successful is not False, is_kept=self.book.is_kept is not False
        )
        if self.rounds.is_whole and not was_whole:
            # By now everything is there that lives as long as the process.
            gc.freeze()
        if not self.rounds.is_whole:
            log.info("site not looked at yet", units=figures.site.units, reason=self.rounds.unreadiness)
            return
        tell_summary(figures)
        self.on_figures(figures)

    def sum_up(self) -> SiteFigures:
        """Judge what went stale, make the figures of this moment and hand them to the exporters."""
        return at_once(self.rounds.turns())

    async def _reload_when_wanted(self) -> None:
        while True:
            await self.reload_wanted.wait()
            self.reload_wanted.clear()
            await self.reload()

    async def _watch_loop(self) -> None:
        """Measure how late this loop wakes up a timer, and keep short what the collector holds it for."""
        young_until = 0.0
        while True:
            due = time.monotonic() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self.metrics.on_lag(max(0.0, time.monotonic() - due))
            if due >= young_until:
                look_at_youngest()
                young_until = due + YOUNG_S
