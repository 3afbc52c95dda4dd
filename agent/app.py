"""Composition: one site's agent, built from its setup, started and stopped."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import chain

import structlog

from agent import __version__
from agent.alertmanager.asking import Alertmanager
from agent.config.file import Config
from agent.errors import OtherUnitError
from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.prometheus.store import Metrics
from agent.exporters.web.server import serve
from agent.meters.meters import Meters
from agent.pool_accounts.accounts import PoolAccounts
from agent.runtime import garbage
from agent.runtime.counting import Counting
from agent.runtime.credited import Credited
from agent.runtime.discovery import Discovery
from agent.runtime.facts import Facts
from agent.runtime.fan_out import FanOut, recorder_of
from agent.runtime.in_force import InForce
from agent.runtime.loop_watch import watch_loop
from agent.runtime.mqtt import new_mqtt
from agent.runtime.parts import Parts
from agent.runtime.polling import Polling
from agent.runtime.recent_file import RecentFile
from agent.runtime.repairs import Repairs
from agent.runtime.round_timer import RoundTimer
from agent.runtime.rounds import Rounds
from agent.runtime.setup import Setup
from agent.runtime.snapshots import Snapshots
from agent.runtime.standby import Standby
from agent.runtime.standstill import Standstill
from agent.runtime.systemd import ServiceManager
from agent.runtime.web_source import web_source
from agent.site.curtailment.book import CurtailmentBook
from agent.site.curtailment.events import Curtailments
from agent.site.identity.watch import IdentityWatch
from agent.site.ledger.entries import LedgerEntry
from agent.site.metered import add_up
from agent.site.poller import Poller
from agent.site.totals import SiteFigures
from agent.site.tracker import Tracker
from agent.slices import run_at_once
from agent.text.losses import LossLine, loss_lines
from agent.unit import registry
from agent.unit.reading import Poll

log = structlog.get_logger("agent")

# Polls spread over an interval are taken in together every 25 ms: half the CPU, for 50 ms more per request.
POLLING_REST_S = 0.025


class Agent:
    """One site, watched.

    Args:
        setup: Checked configuration and ledger.
        manager: The service manager that hears of start, progress and end; none by default.

    Attributes:
        metrics: Everything Prometheus reads.
        tracker: Every unit's status.
        rounds: Each interval's figures.
        timer: Makes the rounds; its `on_figures` is called with each of them.
        on_polled: Called after each poll.
        stop: Set it to end `run`.
        reload_wanted: Set it to have the files read again.
        served_at: Address and port of the web server while it runs.
    """

    def __init__(self, setup: Setup, *, manager: ServiceManager | None = None) -> None:
        config, at = setup.config, time.time()
        self.manager = manager or ServiceManager({})
        self.started_at = at
        self.on_polled: Callable[[], None] = lambda: None
        self.served_at: tuple[str, int] | None = None
        self.stop = asyncio.Event()
        self.metrics = Metrics(
            config.site.name,
            version=__version__,
            clock=time.monotonic,
            is_shard=config.shard.count > 1,
            detail=config.metrics.detail,
        )
        self.metrics.own.page_url = config.web.external_url
        self.book = CurtailmentBook(
            setup.curtailments_file,
            site=config.site.name,
            windows=setup.windows,
            entries=lambda: self.setup.ledger.entries,
            wall=time.time,
        )
        self.book.on_change = self._on_curtailments
        self.tracker = Tracker(
            setup.watched.at(at),
            stale_after_s=config.poll.stale_after_s,
            foreign_stale_after_s=config.poll.foreign_stale_after_s,
            at=at,
            curtailments=self.book.curtailments,
        )
        self.meters = Meters(config.meter)
        self.alertmanager = Alertmanager(config.site.name, lambda: self.config.web.alertmanager)
        self.identity = IdentityWatch(
            config_file=setup.path,
            fetch=registry.FETCH_SYSTEM_INFO,
            on_misread=self._on_misread,
            on_rerouted=self._on_rerouted,
            clock=time.monotonic,
        )
        self.discovery = Discovery(
            setup=lambda: self.setup,
            polled=self.identity.polled_entries,
            is_active=self._is_active,
        )
        primary = config.standby.of
        self.fan_out = FanOut(self.metrics, self._new_mqtt(setup, is_silent=primary is not None), recorder_of(setup))
        self.repairs = Repairs(setup, self.fan_out, wall=time.time)
        self._counting = Counting(setup, lambda: self.metrics.simulated)
        self.credited = Credited(
            PoolAccounts(config.pool_account, archive=self.fan_out.archive, is_active=self._is_active),
            statuses=lambda: self._counting.counted(self.tracker.statuses()),
            interval_s=config.poll.interval_s,
        )
        self._standstill = Standstill(longest_s=lambda: self.tracker.stale_after_s)
        self.rounds = Rounds(
            self.tracker,
            self.fan_out,
            metered=lambda: add_up(chain(self.meters.readings(), self.fan_out.mqtt.meter_readings())),
            curtailments=lambda: self.book.curtailments,
            counted=self._counting.counted,
            simulated_units=self._counting.simulated_units,
            interval_s=config.poll.interval_s,
            standstill=self._standstill,
            repairs=self.repairs,
            credited=self.credited,
        )
        reader_named = registry.reader_finder(setup.catalogue.layouts, self.fan_out.unread.note)
        self.rounds.on_standstill = self._on_standstill
        self._polling = Polling(
            config,
            reader_of=lambda entry: reader_named(entry.reader_name),
            on_poll=self._on_poll,
            on_skipped=self.metrics.on_skipped,
            on_replaced=self.metrics.on_lane_replaced,
        )
        self._parts = Parts(
            tracker=self.tracker,
            identity=self.identity,
            discovery=self.discovery,
            counting=self._counting,
            polling=self._polling,
            rounds=self.rounds,
            repairs=self.repairs,
            meters=self.meters,
            credited=self.credited,
            alertmanager=self.alertmanager,
            book=self.book,
            fan_out=self.fan_out,
            layouts=setup.catalogue.layouts,
        )
        self.in_force = InForce(setup, self._parts, at=at)
        self.reload_wanted = self.in_force.reload_wanted
        self.timer = RoundTimer(self.rounds, self.in_force, self.book, self.fan_out, self._polling)
        self.in_force.on_interval_changed = self.timer.on_interval_changed
        self.snapshots = Snapshots(lambda: self.setup, self._parts)
        self.recent_file = RecentFile(lambda: self.setup, self._parts)
        self.facts = Facts(lambda: self.setup, self._parts, self.snapshots)
        self.in_force.on_reloaded = self.facts.on_reloaded
        self.metrics.watch_meters(self.meters.states)
        self.metrics.watch_pool_accounts(self.credited.accounts.states)
        self.metrics.watch_identity(self.identity.figures)
        self.metrics.watch_discovery(self.discovery.figures)
        self.metrics.watch_unread(lambda: self.fan_out.unread.figures().names)
        # A standby replaces the exporter when it takes over.
        self.metrics.watch_mqtt(lambda: self.fan_out.mqtt.numbers())  # noqa: PLW0108
        self.standby = None if primary is None else self._stand_by(primary)

    def _new_mqtt(self, setup: Setup, *, is_silent: bool = False) -> MqttExporter:
        return new_mqtt(setup, self.book, lambda: self.setup.watched, is_silent=is_silent)

    def _stand_by(self, primary: str) -> Standby:
        standby = Standby(
            primary, lambda: self.setup, self._parts, self.timer, new_mqtt=lambda: self._new_mqtt(self.setup)
        )
        self.in_force.on_poll_changed = standby.on_reload
        return standby

    def _is_active(self) -> bool:
        return self.standby is None or self.standby.lease.is_active

    @property
    def setup(self) -> Setup:
        """The setup in force."""
        return self.in_force.setup

    @property
    def config(self) -> Config:
        """The configuration in force."""
        return self.setup.config

    @property
    def poller(self) -> Poller:
        """The poller, from `polling` on."""
        return self._polling.poller

    @property
    def other_process(self) -> int | None:
        """A process of this machine that polled the same site when `polling` began; as of `Polling`."""
        return self._polling.other_process

    @asynccontextmanager
    async def polling(self) -> AsyncIterator[None]:
        """Hold the sockets that polling needs while the block runs; nothing is polled yet."""
        with self._polling.connected(self.identity.polled_entries()):
            self.metrics.watch_lane(lambda: len(self._polling.foreign.quarantine))
            self.metrics.watch_polling(lambda: self._polling.in_flight, lambda: self.poller.stretch_ratio)
            yield

    async def run(self) -> None:
        """Poll, sum and export until `stop` is set."""
        config = self.config
        log.info(
            "agent started",
            version=__version__,
            site=config.title,
            units=len(self.tracker),
            interval_s=config.poll.interval_s,
            ledger=str(config.ledger.file),
        )
        self.snapshots.restore()
        self.recent_file.restore()
        self.repairs.restore()
        for status in self.tracker.statuses():
            self.metrics.on_unit(status)
            # Before the first figures: what was not offered by then is deleted from brokers.
            self.fan_out.mqtt.on_unit(status)
        self.in_force.warn_of_simulated()
        self.metrics.on_reload(is_successful=True, at=self.started_at)
        self.metrics.watch_curtailments(lambda: self.book.is_kept)
        takes_orders = bool(self.setup.token or config.web.operators) or any(
            section.curtailment for section in config.mqtt
        )
        if takes_orders:
            await self.book.keep()
        garbage.settle()
        self._polling.rest_s = POLLING_REST_S
        source = web_source(lambda: self.setup, self._parts, self.in_force, self.standby)
        listen, most = config.web.listen, self._polling.web_connections
        self.facts.begin()
        history = config.history.path(self.setup.path) if config.history.keep else None
        async with (
            self.polling(),
            serve(source, listen.host, listen.port, max_connections=most) as self.served_at,
            self.fan_out.recording(),
            self.fan_out.mqtt.running() if self.standby is None else self.standby.running(),
            asyncio.TaskGroup() as tasks,
        ):
            running = [
                tasks.create_task(self.poller.run(), name="poller"),
                tasks.create_task(self._polling.foreign.run(), name="lane"),
                tasks.create_task(self.identity.run(), name="identity"),
                tasks.create_task(self.discovery.run(), name="discovery"),
                tasks.create_task(self.timer.run(), name="figures"),
                tasks.create_task(watch_loop(self._on_loop_lag), name="loop watch"),
                tasks.create_task(self.meters.run(), name="meters"),
                tasks.create_task(self.credited.run(history), name="pool accounts"),
                tasks.create_task(self.alertmanager.run(), name="alertmanager"),
                tasks.create_task(self.in_force.run(), name="reload"),
                tasks.create_task(self.snapshots.run(), name="snapshot"),
                tasks.create_task(self.recent_file.run(), name="recent"),
                tasks.create_task(self.facts.run(), name="facts"),
                *([tasks.create_task(self.book.keep_trying(), name="curtailments")] if takes_orders else []),
                tasks.create_task(self.manager.watch(lambda: self.poller.last_progress), name="watchdog"),
            ]
            self._standstill.begin()
            self.manager.notify("READY=1")
            await self.stop.wait()
            self.manager.notify("STOPPING=1")
            self.repairs.save()
            self.facts.close()
            for task in running:
                task.cancel()
        await self.snapshots.close()
        await self.recent_file.close()
        self.book.close()
        log.info("agent stopped", ran_s=round(time.time() - self.started_at, 1))

    async def reload(self) -> None:
        """Read the files again and put them in force, or keep the old ones and log why."""
        await self.in_force.reload()

    async def sweep(self) -> SiteFigures:
        """Poll every unit once and return the figures."""
        async with self.polling(), asyncio.TaskGroup() as tasks:
            tasks.create_task(self.meters.read_once(), name="meters")
            await self._polling.sweep()
        self.rounds.is_whole = True
        return self.sum_up()

    def sum_up(self) -> SiteFigures:
        """Judge which units went stale, make the figures of this moment and pass them to the exporters."""
        return run_at_once(self.rounds.slices())

    def loss_lines(self, figures: SiteFigures) -> list[LossLine]:
        """Return the losses in words, largest first; `figures` must be the latest."""
        return loss_lines(
            figures.site,
            self._counting.counted(self.tracker.statuses()),
            now=figures.at,
            zone=self.config.site.zone,
            seen_from=self.rounds.whole_at,
        )

    def _on_poll(self, poll: Poll, clock_s: float) -> None:
        self.metrics.on_poll(poll)
        credited = self.identity.credit(poll, clock_s=clock_s)
        recorded = None if credited is None else self.tracker.record(credited, clock_s=clock_s)
        if recorded is not None:
            self.fan_out.on_status(*recorded)
            if self._counting.is_counted(recorded[0]):
                self.rounds.delivered.record(recorded[0], clock_s=clock_s)
                self.credited.record(recorded[0])
        self.on_polled()

    def _on_loop_lag(self, lag_s: float) -> None:
        self.metrics.on_lag(lag_s)
        self.rounds.look_for_standstill()

    def _on_standstill(self, stood_s: float) -> None:
        log.warning("agent stood still", stood_s=round(stood_s, 1), units=len(self.tracker))
        self.metrics.on_standstill()
        # Polls in flight say nothing of now, and the time they took is not the units'.
        self._polling.start_over()

    def _on_misread(self, unit_id: str, error: OtherUnitError) -> None:
        discredited = self.tracker.discredit(unit_id, error, at=time.time())
        if discredited is not None:
            self.fan_out.on_status(*discredited)

    def _on_rerouted(self, entries: Iterable[LedgerEntry]) -> None:
        self._polling.take_over(entries)

    def _on_curtailments(self, curtailments: Curtailments) -> None:
        self.tracker.curtailments = curtailments
        self.facts.on_curtailments()
