"""What units say of their nameplates, as facts in history: daily, at the first whole round, and when it changes."""

from collections.abc import Callable, Iterable

import structlog

from agent.history.keeper import History
from agent.site.nameplates import FACT, Bins, NameplateBook, Nameplates
from agent.site.status import UnitStatus
from agent.slices import Slices
from agent.unit.limits import HS_PER_THS

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 3600.0
"""Units are looked at so often; no more facts are written than that."""
FACT_EVERY_S = 86_400.0
# A ledger that grew by less changes no mean that anybody states.
_GROWN_RATIO = 0.01


class NameplateFacts:
    """Writes what units say of their nameplates into history.

    Args:
        history: Where facts go.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._book = NameplateBook()
        self._looked_at_s = float("-inf")
        self._written_at_s = float("-inf")
        self._written: Nameplates | None = None

    def on_round(
        self, at: float, *, clock_s: float, statuses: Callable[[], Iterable[UnitStatus]], bins_of: Bins
    ) -> Slices[None]:
        """Look at all units, if it is time to.

        Args:
            at: Unix time, s.
            clock_s: The monotonic clock, s.
            statuses: Returns the status of every unit that is in the figures.
            bins_of: Returns the known bins of a model, H/s.
        """
        if clock_s - self._looked_at_s < LOOK_EVERY_S:
            return
        self._looked_at_s = clock_s
        found = yield from self._book.look(statuses(), bins_of)
        if clock_s - self._written_at_s < FACT_EVERY_S and not _is_changed(self._written, found):
            return
        if found.units_differing and (self._written is None or found.groups != self._written.groups):
            log.warning(
                "rows differ from what units say of their nameplates",
                units=found.units_differing,
                ledger_th=found.row_hs / HS_PER_THS,
                own_th=found.own_hs / HS_PER_THS,
            )
        self._history.record_fact(FACT, at, **found.body)
        self._written, self._written_at_s = found, clock_s


def _is_changed(written: Nameplates | None, found: Nameplates) -> bool:
    if written is None or (written.groups, written.other_hs) != (found.groups, found.other_hs):
        return True
    return abs(found.row_hs - written.row_hs) > _GROWN_RATIO * written.row_hs
