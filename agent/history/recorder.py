"""Turns figures and statuses into history: minutes and state changes, queued for the file."""

from collections import Counter
from collections.abc import Callable, Iterable

from agent.history.health import Health
from agent.history.keeper import History
from agent.history.minutes import MinuteBook
from agent.history.state_changes import AHEAD_S, ChangeBook
from agent.site.energy import longest_gap_s
from agent.site.repairs.entries import RepairEntry
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.slices import Slices

UNITS_PER_SLICE = 1000


class Recorder:
    """Records one site's history.

    Args:
        history: Where rows and changes go.
        interval_s: Time between two rounds of figures, s.

    Attributes:
        begins_at: Unix time from which this process has figures, s; None until then.
    """

    def __init__(self, history: History, *, interval_s: float) -> None:
        self._history = history
        self._minutes = MinuteBook(longest_gap_s=0.0)
        self._changes = ChangeBook()
        self._at = float("-inf")
        self.begins_at: float | None = None
        self.set_interval(interval_s)

    @property
    def health(self) -> Health:
        """Counters and state of the history writer."""
        return self._history.health

    def set_interval(self, interval_s: float) -> None:
        """Change the interval."""
        self._minutes.longest_gap_s = longest_gap_s(interval_s)

    def start(self) -> None:
        """Start the writing thread."""
        self._history.start()

    def stop(self) -> None:
        """Write everything pending and close the file, within two seconds."""
        self._history.record(self._minutes.close())
        self._history.stop()

    def pause(self) -> None:
        """Begin a gap: there are no figures until `on_site` is called again."""
        self._minutes.pause()

    def on_status(self, status: UnitStatus) -> None:
        """Record a unit's status if its state changed."""
        for change in self._changes.observe(status):
            self._history.record_change(change)

    def on_repairs(self, entries: Iterable[RepairEntry], *, is_said: bool = False) -> None:
        """Record entries of the walk list; what an operator said is written at once."""
        self._history.record_repairs(entries, wakes=is_said)

    @property
    def history(self) -> History:
        """Where rows and changes go."""
        return self._history

    def on_site(
        self,
        figures: SiteFigures,
        *,
        statuses: Callable[[], Iterable[UnitStatus]],
        is_there: Callable[[str], bool],
        simulated_units: Callable[[], int],
        clock_s: float,
    ) -> Slices[None]:
        """Record the current figures. Once a minute, check every unit for a change that `on_status` did not see.

        Args:
            figures: Figures of all units; call only after every unit has been polled once.
            statuses: Returns every unit's status.
            is_there: Returns True if a unit is deployed now.
            simulated_units: Returns the number of simulated units in the figures.
            clock_s: Monotonic clock, s.
        """
        if figures.at < self._at - AHEAD_S:
            for change in self._changes.set_back(figures.at):
                self._history.record_change(change)
        self._at = figures.at
        if self.begins_at is None:
            self.begins_at = figures.at
        simulated = simulated_units()
        owned = (yield from _simulated_by_owner(statuses)) if figures.by_owner and simulated else Counter[str]()
        minutes = self._minutes.advance(figures, simulated_units=simulated, simulated_by_owner=owned, clock_s=clock_s)
        if not minutes:
            return
        for number, status in enumerate(statuses(), start=1):
            self.on_status(status)
            if not number % UNITS_PER_SLICE:
                yield
        for change in (yield from self._changes.end_missing(is_there, at=figures.at)):
            self._history.record_change(change)
        self._history.record(minutes)


def _simulated_by_owner(statuses: Callable[[], Iterable[UnitStatus]]) -> Slices[Counter[str]]:
    """Return the number of simulated units of each owner."""
    owned: Counter[str] = Counter()
    for number, status in enumerate(statuses(), start=1):
        owned[status.entry.owner_name] += status.entry.is_simulated
        if not number % UNITS_PER_SLICE:
            yield
    return owned
