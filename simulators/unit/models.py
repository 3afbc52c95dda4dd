"""The catalogue of models a farm may hold: nameplate, layout and cooling of each bin, read from `models.csv`.

The table is the simulators' own copy, with the source of every row. A bin can be simulated if its power figure is
sourced; the other rows are known names only. Assumed (A15): boards and chips without a source are those of the nearest
relative; such rows are marked in `layout_grade`.
"""

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

HS_PER_TH = 1e12

MHZ_PER_STEP = 5

# GH/s per chip and MHz: the number of small cores of a chip, in thousands.
# BM1368. Documented (D33): 1276 small cores. Observed (O51): 108 x 1.276 x 490 = 67,526 against a
# `rate_ideal` of 67,525 (s21-stock-aml-202407, http-stats).
# BM1370. Documented (D35, D34): 2040 small cores, and boards of S21 Pro+ and S21 XP Hyd. that fit.
GHS_PER_CHIP_MHZ = {"BM1368": 1.276, "BM1370": 2.04}

# Chips of 2026 that no source names. Documented (D81): a board of 42 at 581 MHz has a `rate_ideal` of 169,051 on an
# S21j XP Hyd. Assumed (A97): the chip of an S23 Hyd. is the same.
_GHS_PER_UNNAMED_CHIP_MHZ = {"S21j XP Hyd.": 6.928, "S23 Hyd.": 6.928}

# Assumed (A20): no source names the chip of S21+ and S21 XP; their clock comes out plausible with BM1370.
UNNAMED_CHIP = "BM1370"

# Observed (O52): three boards of 67,525 on a 200,000 unit, s21-stock-aml-202407.
IDEAL_OVER_NAMEPLATE = 1.0129


class PowerGrade(StrEnum):
    """Quality of the source of a bin's power figure."""

    MANUAL = "manual"
    SECOND_HAND = "second-hand"
    UNSOURCED = "unsourced"


class LayoutGrade(StrEnum):
    """Quality of the source of a bin's boards, chips and fans."""

    SOURCED = "sourced"
    ASSUMED = "assumed"


class Cooling(StrEnum):
    """Cooling of a unit."""

    AIR = "air"
    HYDRO = "hydro"
    IMMERSION = "immersion"


class ModelError(ValueError):
    """A model or bin that cannot be simulated; the message lists those that can."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """One bin of one model, with everything the simulation derives from its nameplate. Each bin has one object.

    Attributes:
        name: Name in the ledger, without the maker: ``S21 Hyd.``.
        api_type: Name in the unit's own API: ``Antminer S21 Hyd.``. Assumed (A14): without a bin's mode.
        hashrate_hs: Nameplate, H/s.
        power_watts: Nameplate at the wall.
        power_grade: How well the power figure is sourced.
        boards: Hashboards.
        chips_per_board: Chips on a complete board.
        fans: Fans; 0 on hydro units.
        layout_grade: How well boards, chips and fans are sourced.
        cooling: How the unit is cooled.
        ghs_per_chip_mhz: GH/s of one chip per MHz.
        frequency_mhz: Steady chip clock, a multiple of 5 MHz.
        share_difficulty: Difficulty of the pool's shares, a power of two for about ten shares a minute.
        chips_by_board: Chips of each board when all are complete.
    """

    name: str
    api_type: str
    hashrate_hs: float
    power_watts: float
    power_grade: PowerGrade
    boards: int
    chips_per_board: int
    fans: int
    layout_grade: LayoutGrade
    cooling: Cooling
    ghs_per_chip_mhz: float
    frequency_mhz: int
    share_difficulty: int
    chips_by_board: tuple[int, ...]

    @property
    def hashrate_th(self) -> float:
        """Nameplate bin in TH/s, the number on the sticker."""
        return self.hashrate_hs / HS_PER_TH

    @property
    def joules_per_hash(self) -> float:
        """Nameplate energy of one hash, J."""
        return self.power_watts / self.hashrate_hs

    @property
    def board_ideal_ghs(self) -> float:
        """Hashrate the firmware expects of one complete board, GH/s, truncated to a whole number as in replies."""
        return float(int(self.chips_per_board * self.ghs_per_chip_mhz * self.frequency_mhz))


@cache
def farmable_models() -> tuple[Model, ...]:
    """Return every bin with sourced power in the order of the table, a model's default bin first."""
    table = resources.files("simulators.unit").joinpath("models.csv").read_text(encoding="utf-8").splitlines()
    return tuple(_model(row) for row in csv.DictReader(table) if row["power_w"])


def find_model(name: str, hashrate_th: float | None = None) -> Model:
    """Return the bin of `hashrate_th` of model `name`, or its first bin if no hashrate is given.

    Raises:
        ModelError: No such model or bin with a sourced power figure.
    """
    plain = name.strip().removeprefix("Antminer ").casefold()
    bins = [model for model in farmable_models() if model.name.casefold() == plain]
    if not bins:
        known = ", ".join(dict.fromkeys(model.name for model in farmable_models()))
        raise ModelError(f"unknown model {name!r}; known: {known}")
    for model in bins:
        if hashrate_th is None or model.hashrate_th == hashrate_th:
            return model
    offered = ", ".join(f"{model.hashrate_th:g}" for model in bins)
    raise ModelError(f"model {name!r} has no sourced bin of {hashrate_th:g} TH/s; it has: {offered}")


def _share_difficulty(hashrate_th: float) -> int:
    # Observed (O38): 262144 on the 200 TH/s unit of s21-stock-aml-202407, 65535 on slower ones.
    if hashrate_th < 100.0:
        return 65536
    return 262144 if hashrate_th < 300.0 else 524288


def _model(row: dict[str, str]) -> Model:
    name = row["model"].removeprefix("Antminer ")
    hashrate_th = float(row["hashrate_th_s"])
    boards, chips = int(row["hashboards"]), int(row["chips_per_board"])
    ghs_per_chip_mhz = _GHS_PER_UNNAMED_CHIP_MHZ.get(name) or GHS_PER_CHIP_MHZ[row["chip"] or UNNAMED_CHIP]
    wanted_mhz = hashrate_th * 1e3 * IDEAL_OVER_NAMEPLATE / (boards * chips * ghs_per_chip_mhz)
    return Model(
        name=name,
        api_type=f"Antminer {name.partition(' (')[0]}",
        hashrate_hs=hashrate_th * HS_PER_TH,
        power_watts=float(row["power_w"]),
        power_grade=PowerGrade(row["power_grade"]),
        boards=boards,
        chips_per_board=chips,
        fans=int(row["fans"]),
        layout_grade=LayoutGrade(row["layout_grade"]),
        cooling=Cooling(row["cooling"]),
        ghs_per_chip_mhz=ghs_per_chip_mhz,
        frequency_mhz=MHZ_PER_STEP * round(wanted_mhz / MHZ_PER_STEP),
        share_difficulty=_share_difficulty(hashrate_th),
        chips_by_board=(chips,) * boards,
    )
