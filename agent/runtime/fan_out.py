"""Whoever is told of a site, together: Prometheus, MQTT brokers, the history and the log."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.prometheus.store import Metrics
from agent.history.keeper import History
from agent.history.recorder import Recorder
from agent.runtime.change_log import ChangeLog
from agent.runtime.setup import Setup
from agent.site.curtailment.events import Event
from agent.site.energy import Energy
from agent.site.status import UnitState, UnitStatus
from agent.site.totals import SiteFigures
from agent.site.tracker import Tracker
from agent.slices import Turns


class Outlets:
    """Tells everybody what they are to know.

    Args:
        metrics: What Prometheus reads.
        mqtt: The brokers.
        recorder: The history, if any is kept.
    """

    def __init__(self, metrics: Metrics, mqtt: MqttExporter, recorder: Recorder | None) -> None:
        self.metrics = metrics
        self.mqtt = mqtt
        self.recorder = recorder
        self._changes = ChangeLog()

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[None]:
        """Keep history while the block runs, if any is to be kept."""
        if self.recorder is None:
            yield
            return
        self.metrics.watch_history(self.recorder.health)
        self.recorder.start()
        try:
            yield
        finally:
            await asyncio.to_thread(self.recorder.stop)

    @property
    def history_trouble(self) -> str | None:
        """Why history is not written; None while it is, or none is kept."""
        return None if self.recorder is None else self.recorder.health.trouble

    def on_status(self, status: UnitStatus, before: UnitState) -> None:
        """Tell a unit's new status, and with it the state it was in before."""
        self.metrics.on_unit(status)
        self.mqtt.on_unit(status)
        if status.state is not before:
            self._changes.add(status, before)
            if self.recorder is not None:
                self.recorder.on_status(status)

    def remove_unit(self, unit_id: str) -> None:
        """Have a unit that left the ledger forgotten; history goes by what is there at the end of a minute."""
        self.metrics.remove_unit(unit_id)
        self.mqtt.remove_unit(unit_id)

    def close_interval(self) -> None:
        """Tell the log how many more units changed."""
        self._changes.close_interval()

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
    ) -> Turns[None]:
        """Tell the figures of an interval.

        Args:
            figures: Of every unit.
            energy: Gives what has been added up with them; None until every unit was looked at once, when only what the
                ledger declares is shown.
            events: The curtailments around this moment.
            tracker: Knows every unit.
            simulated_units: Gives how many simulated units are in the figures.
            interval_s: From one round of figures to the next.
            clock_s: The monotonic clock, s.
        """
        yield from self.metrics.on_site_in_turns(figures, is_whole=energy is not None)
        self.mqtt.on_curtailments(events, figures.at)
        if energy is None:
            return
        self.metrics.on_energy(energy())
        yield
        self.mqtt.on_figures(figures, interval_s=interval_s, simulated_units=simulated_units)
        yield
        if self.recorder is not None:
            yield from self.recorder.on_site(
                figures,
                statuses=tracker.statuses,
                is_there=tracker.__contains__,
                simulated_units=simulated_units,
                clock_s=clock_s,
            )

    def on_health(self, *, is_read: bool, is_kept: bool) -> None:
        """Have MQTT tell of what else is to be in order: the same as alerts go by.

        Args:
            is_read: Whether configuration and ledger were taken over when they were last read.
            is_kept: Whether declared curtailments are on disk, as far as it was tried.
        """
        told = "configuration and ledger are read" if is_read else "a change was refused; the one before is in force"
        self.mqtt.on_health("configuration", is_well=is_read, detail=told)
        told = "declared curtailments are kept" if is_kept else "declared curtailments cannot be written or read"
        self.mqtt.on_health("curtailments", is_well=is_kept, detail=told)
        if self.recorder is not None:
            trouble = self.history_trouble
            self.mqtt.on_health("history", is_well=trouble is None, detail=trouble or "history is written")


def recorder_of(setup: Setup) -> Recorder | None:
    """Give what keeps the history that a configuration asks for; None where it asks for none."""
    kept, site = setup.config.history, setup.config.site
    if not kept.keep:
        return None
    history = History(
        kept.path(setup.path),
        site=setup.config.title,
        zone=site.zone.key,
        keep_days=kept.keep_days,
        max_bytes=int(kept.max_mb * 1e6),
    )
    return Recorder(history, interval_s=setup.config.poll.interval_s)
