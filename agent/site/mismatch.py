"""A unit's own word on its model and bin, held against its row in the ledger. Pure.

A row with the wrong model or bin puts a wrong nameplate into every figure. The unit's word changes nothing by itself:
the ledger stays the denominator, and the operator decides.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from agent.site.reasons import Finding, Reason
from agent.unit.limits import HS_PER_THS
from agent.unit.model_names import base_key, is_board_name, names_firmware, plain_model, without_bin
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, UnitReading

# The closest bins of one model are 140 and 141 TH/s.
SAME_BIN_RATIO = 0.005


class BinSource(StrEnum):
    """Where a unit reports its bin: in one of two keys, or behind its model's name."""

    RATE_SALE = "rate_sale"
    RATE_IDEAL = "rate_ideal"
    MODEL_NAME = "model_name"


class ReportedBin(NamedTuple):
    """A unit's word on its bin, H/s."""

    hashrate_hs: float
    source: BinSource


class Mismatch(NamedTuple):
    """How a unit differs from its row; at least one of the two is set.

    Attributes:
        model: The model that it answers as, without the maker; None if that is its row's.
        bin: The bin that it reports; None if that is its row's, or if it reports none.
    """

    model: str | None
    bin: ReportedBin | None


def reported_bin(reading: UnitReading) -> ReportedBin | None:
    """Return a unit's word on its bin; None if it reports none.

    Documented (D84): `rate_sale` is the bin. Assumed (A230): a bin behind the model's name is one too. Observed (O30):
    on firmware without either, `rate_ideal` is the sticker. It is not believed in another work mode, nor if it is no
    whole number of TH/s: then it is the boards' sum. Observed (O97): on firmware of other makers it follows the running
    profile, and says nothing about the bin.
    """
    if reading.hashrate_sale_hs is not None:
        return ReportedBin(reading.hashrate_sale_hs, BinSource.RATE_SALE)
    named_th = without_bin(reading.identity.model)[1] if reading.identity.model else None
    if named_th is not None:
        return ReportedBin(named_th * HS_PER_THS, BinSource.MODEL_NAME)
    ideal_hs = reading.hashrate_ideal_hs
    if not ideal_hs or ideal_hs % HS_PER_THS or reading.mode not in {None, Mode.NORMAL}:
        return None
    if reading.is_profile_ideal or names_firmware(reading.identity.model or ""):
        return None
    return ReportedBin(ideal_hs, BinSource.RATE_IDEAL)


def told_model(reading: UnitReading) -> str | None:
    """Return the model that a unit answers as, without a bin behind it; None if it names none.

    Documented (D25): a hashboard's name may stand in for the model; it is no model.
    """
    if reading.identity.model is None:
        return None
    name = without_bin(reading.identity.model)[0]
    return name if base_key(name) and not is_board_name(name) else None


def mismatch_of(
    nameplate: Nameplate, reading: UnitReading, bins_of: Callable[[str], tuple[float, ...]]
) -> Mismatch | None:
    """Return how a unit differs from its row in the ledger; None if it does not, or does not tell.

    Args:
        nameplate: The row's.
        reading: The unit's.
        bins_of: Returns the known bins of a model, H/s. An ideal rate counts only if it is one of them.
    """
    model = told_model(reading) or nameplate.model
    reported = reported_bin(reading)
    if reported is not None and not is_other_bin(reported, nameplate, bins_of(model)):
        reported = None
    if base_key(model) != base_key(nameplate.model):
        return Mismatch(plain_model(model), reported)
    return None if reported is None else Mismatch(None, reported)


_ANY_WAY = frozenset({Reason.HASHING, Reason.CLOCK_LOW, Reason.SLOW})
_OF_THE_MODEL = frozenset({Reason.BOARD_ABSENT, Reason.CHIPS_MISSING, Reason.CHIPS_BAD})


def with_mismatch(
    nameplate: Nameplate, mismatch: Mismatch, finding: Finding, also: tuple[Finding, ...]
) -> tuple[Finding, tuple[Finding, ...]]:
    """Return the reason and the other findings of a hashing unit that is not what its row says.

    A shortfall against the wrong nameplate says nothing. Of another model, boards and chips do not either; of another
    bin, one that is gone is the more pressing.

    Args:
        nameplate: The row's.
        mismatch: How the unit differs.
        finding: The reason without that.
        also: What else its reply shows.
    """
    wrong = Finding(Reason.WRONG_ROW, _why(nameplate, mismatch))
    rest = () if finding.reason is Reason.HASHING else (finding,)
    if finding.reason in _ANY_WAY or (mismatch.model is not None and finding.reason in _OF_THE_MODEL):
        return wrong, (*rest, *also)
    return finding, (*also, wrong)


def _why(nameplate: Nameplate, mismatch: Mismatch) -> str:
    told = [] if mismatch.model is None else [mismatch.model[:40]]
    told += [] if mismatch.bin is None else [f"{mismatch.bin.hashrate_hs / HS_PER_THS:.6g} TH/s"]
    row = f"{nameplate.model[:40]} of {nameplate.hashrate_hs / HS_PER_THS:.6g} TH/s"
    return f"reports {' of '.join(told)}; its row says {row}"


def is_of_row(reported: ReportedBin, nameplate: Nameplate) -> bool:
    """Return True if a reported bin is the row's. Another work mode of the same machine is no other bin."""
    own_hs = (nameplate.hashrate_hs, *[mode.hashrate_hs for mode in nameplate.modes])
    return any(_is_same(reported.hashrate_hs, hashrate_hs) for hashrate_hs in own_hs)


def is_other_bin(reported: ReportedBin, nameplate: Nameplate, bins_hs: Iterable[float]) -> bool:
    """Return True if a reported bin is not the row's, and is a bin: an ideal rate counts if it is a known one.

    Args:
        reported: The unit's word.
        nameplate: The row's.
        bins_hs: The known bins of the model that the unit answers as, H/s.
    """
    if is_of_row(reported, nameplate):
        return False
    if reported.source is not BinSource.RATE_IDEAL:
        return True
    return any(_is_same(reported.hashrate_hs, bin_hs) for bin_hs in bins_hs)


def _is_same(one_hs: float, other_hs: float) -> bool:
    return abs(one_hs - other_hs) <= SAME_BIN_RATIO * other_hs
