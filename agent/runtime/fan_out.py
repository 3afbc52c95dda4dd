"""Fans statuses and figures out to every exporter: Prometheus, MQTT brokers, history and the log."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from agent import __version__
from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.prometheus.store import Metrics
from agent.history.keeper import History
from agent.history.recorder import Recorder
from agent.runtime.change_log import ChangeLog
from agent.runtime.mismatch_log import MismatchLog
from agent.runtime.nameplate_facts import NameplateFacts
from agent.runtime.pool_archive import PoolArchive
from agent.runtime.setup import Setup
from agent.runtime.unread_log import UnreadLog
from agent.site.curtailment.events import Event
from agent.site.energy import Energy
from agent.site.recent.days import RecentDays
from agent.site.repairs.entries import RepairEntry
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.site.tracker import Tracker
from agent.slices import Slices


class FanOut:
    """Passes each status and each interval's figures to every exporter.

    Args:
        metrics: The Prometheus exporter.
        mqtt: The MQTT exporter.
        recorder: The history; None where none is kept.

    Attributes:
        unread: Fields of units' replies that no reader uses.
        recent: The last 24 hours of every unit.
        archive: Where closed windows of pools' accounts are kept; None where no history is.
        is_silent: True while another agent publishes the site: nothing leaves this one but its own numbers.
    """

    def __init__(self, metrics: Metrics, mqtt: MqttExporter, recorder: Recorder | None) -> None:
        self.metrics = metrics
        self._recorder = recorder
        self.mqtt = mqtt
        self.is_silent = False
        self._changes = ChangeLog()
        self._mismatches = MismatchLog()
        self.unread = UnreadLog()
        self.recent = RecentDays()
        self.archive = None if recorder is None else PoolArchive(recorder.history)
        self._nameplates = None if recorder is None else NameplateFacts(recorder.history)

    @property
    def mqtt(self) -> MqttExporter:
        """The MQTT exporter; a standby replaces it when it takes over."""
        return self._mqtt

    @mqtt.setter
    def mqtt(self, mqtt: MqttExporter) -> None:
        self._mqtt = mqtt
        if self._recorder is not None:
            mqtt.hear_heads(self._recorder.history.hear_head)

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        """Keep history while the block runs, if the site keeps one."""
        if self._recorder is None:
            yield
            return
        self.metrics.watch_history(self._recorder.health)
        self._recorder.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._recorder.stop)

    @property
    def recorder(self) -> Recorder | None:
        """The history; None where none is kept."""
        return self._recorder

    def set_interval(self, interval_s: float) -> None:
        """Take figures at another interval, s, from now on."""
        if self._recorder is not None:
            self._recorder.set_interval(interval_s)

    @property
    def history_trouble(self) -> str | None:
        """Why history is not written; None while it is, or where none is kept."""
        return None if self._recorder is None else self._recorder.health.trouble

    def on_status(self, status: UnitStatus, before: UnitStatus) -> None:
        """Pass on a unit's new status, with the one before it."""
        self.metrics.on_unit(status)
        self.recent.on_status(status)
        if self.is_silent:
            return
        self.mqtt.on_unit(status)
        if status.mismatch is not None or self._mismatches.has_any:
            self._mismatches.add(status)
        if status.state is not before.state:
            self._changes.add(status, before.state if before.is_looked_at else None)
            if self._recorder is not None:
                self._recorder.on_status(status)

    def remove_unit(self, unit_id: str) -> None:
        """Drop a unit that left the ledger; history counts the units that are there at the end of a minute."""
        self.metrics.remove_unit(unit_id)
        self.recent.remove(unit_id)
        self.mqtt.remove_unit(unit_id)
        self._mismatches.forget(unit_id)
        self.unread.forget((unit_id,))
        self._changes.forget(unit_id)

    def withdraw(self) -> None:
        """Show no figures until the next ones: the latest cannot be believed any more."""
        self.metrics.withdraw()
        if self._recorder is not None:
            self._recorder.pause()

    def set_silent(self, *, is_silent: bool) -> None:
        """Publish nothing of the site and its units from now on, or all of it again."""
        self.is_silent = is_silent
        self.metrics.set_silent(is_silent=is_silent)
        if is_silent:
            self.withdraw()

    def close_interval(self, at: float) -> None:
        """Log how many more units changed, and how many more fields no reader uses, than were named.

        Args:
            at: Unix time, s.
        """
        self.recent.set_time(at)
        self._changes.close_interval()
        self._mismatches.close_interval()
        self.unread.close_interval()

    def on_figures(
        self,
        figures: SiteFigures,
        *,
        energy: Callable[[], Energy] | None,
        events: Iterable[Event],
        tracker: Tracker,
        simulated_units: Callable[[], int],
        interval_s: float,
        clock_s: float,
    ) -> Slices[None]:
        """Pass on the figures of an interval.

        Args:
            figures: Sums over all units.
            energy: Adds the interval's energy and returns the totals. None until every unit was polled once; until then
                only what the ledger declares is shown.
            events: Curtailments around this moment.
            tracker: Every unit's status.
            simulated_units: Returns how many simulated units are in the figures.
            interval_s: Time from one round of figures to the next.
            clock_s: The monotonic clock, s.
        """
        yield from self.metrics.on_site_in_slices(figures, is_whole=energy is not None)
        if not self.is_silent:
            self.mqtt.on_curtailments(events, figures.at)
        if energy is None or self.is_silent:
            return
        joules = energy()
        self.metrics.on_energy(joules)
        yield
        if self._recorder is not None:
            health = self._recorder.health
            self.mqtt.on_heads((health.day_head, health.head))
        self.mqtt.on_figures(figures, joules, interval_s=interval_s, simulated_units=simulated_units)
        yield
        if self._recorder is not None:
            yield from self._recorder.on_site(
                figures,
                statuses=tracker.statuses,
                is_there=tracker.__contains__,
                simulated_units=simulated_units,
                clock_s=clock_s,
            )

    def on_whole_round(
        self,
        at: float,
        *,
        clock_s: float,
        tracker: Tracker,
        counted: Callable[[Iterable[UnitStatus]], Iterable[UnitStatus]],
    ) -> Slices[None]:
        """Keep what units say of their nameplates, once in a while, after a round in which every unit was known.

        Args:
            at: Unix time, s.
            clock_s: The monotonic clock, s.
            tracker: Every unit's status.
            counted: Returns those of some units whose hashrate is the site's.
        """
        if self._nameplates is not None and not self.is_silent:
            yield from self._nameplates.on_round(
                at, clock_s=clock_s, statuses=lambda: counted(tracker.statuses()), bins_of=tracker.bins_of
            )

    def on_repairs(self, entries: Iterable[RepairEntry], *, is_said: bool = False) -> None:
        """Record entries of the walk list; `is_said` if an operator said something about them."""
        if self._recorder is not None and not self.is_silent:
            self._recorder.on_repairs(entries, is_said=is_said)

    def on_health(self, *, is_read: bool, is_kept: bool, late: str | None) -> None:
        """Publish over MQTT whether the agent itself is in order, by the same facts that alerts use.

        Args:
            is_read: True if configuration and ledger were accepted when last read.
            is_kept: True if declared curtailments are on disk, as far as that was tried.
            late: Why figures cannot be trusted, or are withdrawn, once there were any; None if they can be trusted.
        """
        self.mqtt.on_health("polling", is_well=late is None, detail=late or "every unit is looked at in time")
        detail = "configuration and ledger are read" if is_read else "a change was refused; the one before is in force"
        self.mqtt.on_health("configuration", is_well=is_read, detail=detail)
        detail = "declared curtailments are kept" if is_kept else "declared curtailments cannot be written or read"
        self.mqtt.on_health("curtailments", is_well=is_kept, detail=detail)
        if self._recorder is not None:
            trouble = self.history_trouble
            self.mqtt.on_health("history", is_well=trouble is None, detail=trouble or "history is written")
            trouble = self._recorder.health.chain_trouble
            self.mqtt.on_health("chain", is_well=trouble is None, detail=trouble or "the history's heads are signed")


def recorder_of(setup: Setup) -> Recorder | None:
    """Return the recorder of the history that a configuration asks for; None where it asks for none."""
    kept, site = setup.config.history, setup.config.site
    if not kept.keep:
        return None
    history = History(
        kept.path(setup.path),
        site=setup.config.title,
        zone=site.zone.key,
        keep_days=kept.keep_days,
        max_bytes=int(kept.max_mb * 1e6),
        key_path=kept.key_path(setup.path),
        version=__version__,
        other_agents=kept.other_agents,
    )
    return Recorder(history, interval_s=setup.config.poll.interval_s)
