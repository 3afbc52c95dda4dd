"""Units that answer as another model or bin than their row, as log lines: once each time that changes."""

import structlog

from agent.runtime.naming import Naming
from agent.site.mismatch import Mismatch
from agent.site.status import UnitStatus
from agent.text.unit_notes import mismatch_text
from agent.unit.limits import HS_PER_THS

log = structlog.get_logger("agent.units")

MOST_A_UNIT = 4
"""Lines about one unit in ten minutes; one that claims another model at each poll is named no more often."""


class MismatchLog:
    """Logs mismatches, naming as many units in each interval, and each as often, as `naming` allows."""

    def __init__(self) -> None:
        self._known: dict[str, Mismatch] = {}
        self._naming = Naming(most_a_unit=MOST_A_UNIT)
        self._unnamed = 0

    @property
    def has_any(self) -> bool:
        """True while a mismatch of some unit is known, so that a unit without one may be news."""
        return bool(self._known)

    def add(self, status: UnitStatus) -> None:
        """Add one unit's new status."""
        mismatch, entry = status.mismatch, status.entry
        # A unit that is not readable now reports no model.
        if status.reading is None or mismatch == self._known.get(entry.unit_id):
            return
        self._known.pop(entry.unit_id, None)
        if mismatch is not None:
            self._known[entry.unit_id] = mismatch
        if not self._naming.has_room(entry.unit_id, status.reading.at):
            self._unnamed += 1
            return
        if mismatch is None:
            log.info("model as in the ledger again", unit=entry.unit_id, host=entry.host)
            return
        log.warning(
            "model differs from the ledger",
            unit=entry.unit_id,
            host=entry.host,
            ledger_model=entry.nameplate.model,
            ledger_th=entry.nameplate.hashrate_hs / HS_PER_THS,
            model=mismatch.model,
            reported_th=None if mismatch.bin is None else mismatch.bin.hashrate_hs / HS_PER_THS,
            reported_by=None if mismatch.bin is None else mismatch.bin.source,
            remark=mismatch_text(entry, mismatch),
        )

    def forget(self, unit_id: str) -> None:
        """Drop a unit that left the ledger."""
        self._known.pop(unit_id, None)
        self._naming.forget(unit_id)

    def close_interval(self) -> None:
        """Log how many more changes there were than lines, and start the next interval."""
        if self._unnamed:
            log.warning("models of more units changed", units=self._unnamed)
        self._unnamed = 0
        self._naming.close_interval()
