"""A unit's own word on its model and bin, held against its row in the ledger. Pure.

A row with the wrong model or bin puts a wrong nameplate into every figure. The unit's word changes nothing by itself:
the ledger stays the denominator, and the operator decides.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from agent.site.reasons import Finding, Reason
from agent.unit.limits import HS_PER_THS
from agent.unit.model_names import base_key, is_board_name, names_firmware, plain_model
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, UnitReading

# The closest bins of one model are 140 and 141 TH/s.
SAME_BIN_RATIO = 0.005


class BinSource(StrEnum):
    """The key in which a unit reports its bin."""

    RATE_SALE = "rate_sale"
    RATE_IDEAL = "rate_ideal"


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

    Documented (D84): `rate_sale` is the bin. Observed (O30): on firmware without it, `rate_ideal` is the sticker. It is
    not believed in another work mode, nor if it is no whole number of TH/s: then it is the boards' sum. Observed (O97):
    on firmware of other makers it follows the running profile, and says nothing about the bin.
    """
    if reading.hashrate_sale_hs is not None:
        return ReportedBin(reading.hashrate_sale_hs, BinSource.RATE_SALE)
    ideal_hs = reading.hashrate_ideal_hs
    if not ideal_hs or ideal_hs % HS_PER_THS or reading.mode not in {None, Mode.NORMAL}:
        return None
    if reading.is_profile_ideal or names_firmware(reading.identity.model or ""):
        return None
    return ReportedBin(ideal_hs, BinSource.RATE_IDEAL)


def mismatch_of(
    nameplate: Nameplate, reading: UnitReading, bins_of: Callable[[str], tuple[float, ...]]
) -> Mismatch | None:
    """Return how a unit differs from its row in the ledger; None if it does not, or does not tell.

    Documented (D25): a hashboard's name may stand in for the model; it is no model.

    Args:
        nameplate: The row's.
        reading: The unit's.
        bins_of: Returns the known bins of a model, H/s. An ideal rate counts only if it is one of them.
    """
    name = reading.identity.model
    model = nameplate.model
    if name is not None and base_key(name) and not is_board_name(name):
        model = name
    reported = reported_bin(reading)
    if reported is not None and not _is_other(reported, nameplate, bins_of(model)):
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


def _is_other(reported: ReportedBin, nameplate: Nameplate, bins_hs: Iterable[float]) -> bool:
    # Another work mode of the same machine is no other bin.
    own_hs = (nameplate.hashrate_hs, *[mode.hashrate_hs for mode in nameplate.modes])
    if any(_is_same(reported.hashrate_hs, hashrate_hs) for hashrate_hs in own_hs):
        return False
    return reported.source is BinSource.RATE_SALE or any(_is_same(reported.hashrate_hs, bin_hs) for bin_hs in bins_hs)


def _is_same(one_hs: float, other_hs: float) -> bool:
    return abs(one_hs - other_hs) <= SAME_BIN_RATIO * other_hs
