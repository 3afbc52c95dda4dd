"""Units that answer as another model or bin than their row, as log lines: once each time that changes."""

import structlog

from agent.site.mismatch import Mismatch
from agent.site.status import UnitStatus
from agent.text.unit_notes import mismatch_text
from agent.unit.limits import HS_PER_THS

log = structlog.get_logger("agent.units")

LINES_AN_INTERVAL = 20


class MismatchLog:
    """Logs mismatches, naming at most `LINES_AN_INTERVAL` units in each interval."""

    def __init__(self) -> None:
        self._known: dict[str, Mismatch] = {}
        self._named = 0
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
        self.forget(entry.unit_id)
        if mismatch is not None:
            self._known[entry.unit_id] = mismatch
        if self._named >= LINES_AN_INTERVAL:
            self._unnamed += 1
            return
        self._named += 1
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

    def close_interval(self) -> None:
        """Log how many more units there were than were named, and start the next interval."""
        if self._unnamed:
            log.warning("models of more units changed", units=self._unnamed)
        self._named = self._unnamed = 0
