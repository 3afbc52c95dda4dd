"""What a unit says it is, held against its row in the ledger. Pure.

A row with the wrong model or bin puts a wrong nameplate into every figure. The unit's word changes nothing by itself:
the ledger stays the denominator, and the operator is told.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from agent.unit.limits import HS_PER_THS
from agent.unit.model_names import base_key, is_board_name, plain_model
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, UnitReading

# The closest bins of one model are 140 and 141 TH/s.
SAME_BIN_RATIO = 0.005


class BinSource(StrEnum):
    """The key in which a unit tells its bin."""

    RATE_SALE = "rate_sale"
    RATE_IDEAL = "rate_ideal"


class ToldBin(NamedTuple):
    """A unit's word on its bin, H/s."""

    hashrate_hs: float
    source: BinSource


class Mismatch(NamedTuple):
    """How a unit differs from its row; at least one of the two is set.

    Attributes:
        model: The model that it answers as, without the maker; None if that is its row's.
        bin: The bin that it tells; None if that is its row's, or if it tells none.
    """

    model: str | None
    bin: ToldBin | None


def told_bin(reading: UnitReading) -> ToldBin | None:
    """Return a unit's word on its bin; None if it tells none.

    Documented (D84): `rate_sale` is the bin. Observed (O30): on firmware without it, `rate_ideal` is the sticker. It is
    not believed in another work mode, nor if it is no whole number of TH/s: then it is the boards' sum.
    """
    if reading.hashrate_sale_hs is not None:
        return ToldBin(reading.hashrate_sale_hs, BinSource.RATE_SALE)
    ideal_hs = reading.hashrate_ideal_hs
    if not ideal_hs or ideal_hs % HS_PER_THS or reading.mode not in {None, Mode.NORMAL}:
        return None
    return ToldBin(ideal_hs, BinSource.RATE_IDEAL)


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
    reported = reading.identity.model
    model = nameplate.model
    if reported is not None and base_key(reported) and not is_board_name(reported):
        model = reported
    told = told_bin(reading)
    if told is not None and not _is_other(told, nameplate, bins_of(model)):
        told = None
    if base_key(model) != base_key(nameplate.model):
        return Mismatch(plain_model(model), told)
    return None if told is None else Mismatch(None, told)


def _is_other(told: ToldBin, nameplate: Nameplate, bins_hs: Iterable[float]) -> bool:
    # Another work mode of the same machine is no other bin.
    own_hs = (nameplate.hashrate_hs, *[mode.hashrate_hs for mode in nameplate.modes])
    if any(_is_same(told.hashrate_hs, hashrate_hs) for hashrate_hs in own_hs):
        return False
    return told.source is BinSource.RATE_SALE or any(_is_same(told.hashrate_hs, bin_hs) for bin_hs in bins_hs)


def _is_same(one_hs: float, other_hs: float) -> bool:
    return abs(one_hs - other_hs) <= SAME_BIN_RATIO * other_hs
