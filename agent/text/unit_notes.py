"""Remarks on one unit, in words that JSON, page, log and terminal share."""

from agent.site.ledger.entries import LedgerEntry
from agent.site.mismatch import BinSource, Mismatch, ReportedBin
from agent.site.status import UnitStatus
from agent.unit.coolant import CoolantLayout
from agent.unit.limits import HS_PER_THS
from agent.unit.model_names import plain_model
from agent.unit.reading import UnitReading

_BIN_WORDS = {
    BinSource.RATE_SALE: "says it was sold as",
    BinSource.RATE_IDEAL: "reports an ideal rate of",
    BinSource.MODEL_NAME: "has in its model's name",
}


def bin_text(reported: ReportedBin) -> str:
    """Return a unit's word on its bin: ``says it was sold as 495 TH/s (rate_sale)``."""
    return f"{_BIN_WORDS[reported.source]} {_th(reported.hashrate_hs)} ({reported.source})"


def mismatch_text(entry: LedgerEntry, mismatch: Mismatch) -> str:
    """Return how a unit differs from its row: ``answers as S21 Pro; the ledger says S21 of 200 TH/s``."""
    parts = [] if mismatch.model is None else [f"answers as {mismatch.model}"]
    if mismatch.bin is not None:
        parts.append(bin_text(mismatch.bin))
    nameplate = entry.nameplate
    return f"{' and '.join(parts)}; the ledger says {nameplate.model} of {_th(nameplate.hashrate_hs)}"


def coolant_text(reading: UnitReading) -> str | None:
    """Return why a hydro unit's coolant is not shown; None if it is, and for other units."""
    if reading.coolant_layout is CoolantLayout.NONE or not reading.boards:
        return None
    if any(board.coolant_celsius for board in reading.boards):
        return None
    if reading.coolant_layout is not CoolantLayout.UNKNOWN:
        return "not reported"
    model = "this model" if reading.identity.model is None else plain_model(reading.identity.model)
    return (
        f"not shown: no source tells which sensors of {model} are in the coolant;"
        " a row with coolant_layout in ledger.models_file does"
    )


def unit_notes(status: UnitStatus) -> list[str]:
    """Return what else there is to say about a unit, a sentence each."""
    notes = [] if status.mismatch is None else [mismatch_text(status.entry, status.mismatch)]
    coolant = None if status.reading is None else coolant_text(status.reading)
    return notes if coolant is None else [*notes, f"coolant {coolant}"]


def _th(hashrate_hs: float) -> str:
    return f"{hashrate_hs / HS_PER_THS:.6g} TH/s"
