"""From figures and statuses to history: the books that make minutes and changes of them, and the file they go to."""

from collections.abc import Callable, Iterable

from agent.history.health import Health
from agent.history.keeper import History
from agent.history.minutes import MinuteBook
from agent.history.state_changes import ChangeBook
from agent.site.energy import longest_gap_s
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.slices import Turns

UNITS_A_TURN = 1000


class Recorder:
    """Keeps one site's history.

    Args:
        history: Where it goes.
        interval_s: From one round of figures to the next.
    """

    def __init__(self, history: History, *, interval_s: float) -> None:
        self._history = history
        self._minutes = MinuteBook(longest_gap_s=0.0)
        self._changes = ChangeBook()
        self.set_interval(interval_s)

    @property
    def health(self) -> Health:
        """How it goes."""
        return self._history.health

    def set_interval(self, interval_s: float) -> None:
        """Take over another interval."""
        self._minutes.longest_gap_s = longest_gap_s(interval_s)

    def start(self) -> None:
        """Begin to write."""
        self._history.start()

    def stop(self) -> None:
        """Write what there is and close the file; takes two seconds at most."""
        self._history.record(self._minutes.close())
        self._history.stop()

    def on_status(self, status: UnitStatus) -> None:
        """Take in a unit's status, one that changed or, once a minute, one of which no change told."""
        for change in self._changes.observe(status):
            self._history.record_change(change)

    def on_site(
        self,
        figures: SiteFigures,
        *,
        statuses: Callable[[], Iterable[UnitStatus]],
        is_there: Callable[[str], bool],
        simulated_units: Callable[[], int],
        clock_s: float,
    ) -> Turns[None]:
        """Take in the figures of this moment; once a minute, look at all units for what no change told of.

        Args:
            figures: Of every unit; not before each was looked at once.
            statuses: Gives every unit's status.
            is_there: Says whether a unit is deployed now.
            simulated_units: Gives how many simulated units are in the figures.
            clock_s: The monotonic clock, s.
        """
        minutes = self._minutes.advance(figures, simulated_units=simulated_units(), clock_s=clock_s)
        if not minutes:
            return
        for number, status in enumerate(statuses(), start=1):
            self.on_status(status)
            if not number % UNITS_A_TURN:
                yield
        for change in (yield from self._changes.end_missing(is_there, at=figures.at)):
            self._history.record_change(change)
        self._history.record(minutes)
