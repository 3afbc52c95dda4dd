"""The catalogue of models: the ratings of each bin of a model, with the source of every figure.

A model is sold in several TH/s bins, so a nameplate is found by model *and* bin. The data is `models.csv` beside this
file. A site can add rows of the same form from a file of its own.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import chain

from agent.unit.coolant import CoolantLayout, SensorLayouts
from agent.unit.model_names import BITMAIN, base_key, model_key
from agent.unit.models_file import COLUMNS, HYDRO, Hardware, ModelRow, ModelsFile, read_models

# Hashes a chip computes per clock cycle. Documented (D33): a BM1368 has 1276 small cores. Observed (O51):
# 108 x 1.276 x 490 MHz = 67,526 GH/s is a board's `rate_ideal` in s21-stock-aml-202407. Other chips: no source yet.
# Observed (O84): 894 for a BM1366, from board ideals of two firmwares.
HASHES_PER_CYCLE: Mapping[str, int] = {"BM1366": 894, "BM1368": 1276}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RatedMode:
    """The rating of a machine in one work mode: hashrate, H/s, and power at the wall, W."""

    hashrate_hs: float
    power_watts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameplate:
    """One model in one bin.

    Attributes:
        model: Commercial model without the maker, e.g. ``S21``; the metric label.
        make: Its maker.
        hashrate_hs: Rated hashrate, H/s.
        power_watts: Rated power at the wall; None where no source gives one. Documented (D60): +-5 %.
        boards, chips_per_board, chip, fans, cooling, coolant_layout: As of `Hardware`.
        frequency_hz: Mean chip clock at which the unit reaches `hashrate_hs`; None unless the chip's hashes per
            cycle are known.
        is_declared: True if the ledger's row gives it, not the catalogue.
        modes: The ratings of the same machine in its other work modes, slowest first.
        source: Where the figures come from.
    """

    model: str
    make: str = BITMAIN
    hashrate_hs: float
    power_watts: float | None = None
    boards: int | None = None
    chips_per_board: int | None = None
    chip: str | None = None
    frequency_hz: float | None = None
    fans: int | None = None
    cooling: str
    coolant_layout: CoolantLayout | None = None
    modes: tuple[RatedMode, ...] = ()
    source: str
    is_declared: bool = False

    @property
    def layout(self) -> CoolantLayout:
        """The layout of a hydro unit's sensors, UNKNOWN if no source tells it; NONE for other units."""
        if self.cooling != HYDRO:
            return CoolantLayout.NONE
        return self.coolant_layout or CoolantLayout.UNKNOWN


class Catalogue:
    """Nameplates by model and bin. All spellings of a model are one model, under the name that the catalogue has first.

    Args:
        shipped: The rows shipped with the agent.
        own: The rows of a site's own file, which replace or extend them.

    Attributes:
        own_file: Name of the site's own file; None without one.
        columns: The columns of a row to add: those of the site's own file, or else all but `make`, which follows from
            the brand in the model.
        layouts: The sensor layouts of all models.
    """

    def __init__(self, shipped: ModelsFile, own: ModelsFile | None = None) -> None:
        self.own_file = None if own is None else own.file
        self.columns = (*COLUMNS, "coolant_layout") if own is None else own.columns
        self._hardware: dict[str, Hardware] = {}
        self._bins: dict[str, dict[float, Nameplate]] = {}
        self._modes: dict[str, list[str]] = {}
        coolings: dict[str, set[str]] = {}
        for row in (*shipped.rows, *(() if own is None else own.rows)):
            key = base_key(row.hardware.model)
            self._hardware[key] = _completed(row.hardware, self._hardware.get(key))
            coolings.setdefault(key, set()).add(row.hardware.cooling)
        for row in (*shipped.rows, *(() if own is None else own.rows)):
            if row.hashrate_hs is not None:
                self._add(row, row.hashrate_hs)
        self._add_modes()
        self.layouts = SensorLayouts(
            {key: _layout(self._hardware[key]) if len(coolings[key]) == 1 else None for key in coolings}
        )

    def __iter__(self) -> Iterator[Nameplate]:
        return (nameplate for bins in self._bins.values() for nameplate in bins.values())

    def models(self) -> tuple[str, ...]:
        """Return the names of all models that have at least one bin."""
        return tuple(next(iter(bins.values())).model for bins in self._bins.values())

    def bins_hs(self, model: str) -> tuple[float, ...]:
        """Return the bins of `model`, H/s, largest first; empty when the model is unknown."""
        return tuple(sorted(self._bins_of(model), reverse=True))

    def find(self, model: str, hashrate_hs: float) -> Nameplate | None:
        """Return the nameplate of `model` in the bin of `hashrate_hs`, or None.

        A name without a work mode finds the bins of all modes: `S21 Imm.` of 301 TH/s is `S21 Imm. (HEM)`.
        """
        for bin_hs, nameplate in self._bins_of(model).items():
            if math.isclose(bin_hs, hashrate_hs, rel_tol=1e-9):
                return nameplate
        return None

    def hardware(self, model: str) -> Hardware | None:
        """Return what is known of a model's hardware, whether or not it has a rating; None if nothing is."""
        return self._hardware.get(base_key(model))

    def _bins_of(self, model: str) -> Mapping[float, Nameplate]:
        key = model_key(model)
        modes = self._modes.get(key, ())
        if len(modes) < 2:
            return self._bins.get(modes[0] if modes else key, {})
        return {bin_hs: nameplate for mode in modes for bin_hs, nameplate in self._bins[mode].items()}

    def _add(self, row: ModelRow, hashrate_hs: float) -> None:
        key, base = model_key(row.hardware.model), base_key(row.hardware.model)
        bins = self._bins.get(key)
        if bins is None:
            self._modes.setdefault(base, []).append(key)
            bins = self._bins[key] = {}
        name = next(iter(bins.values())).model if bins else row.hardware.model
        layout = row.hardware.coolant_layout or self._hardware[base].coolant_layout
        bins[hashrate_hs] = _nameplate(replace(row.hardware, model=name, coolant_layout=layout), row, hashrate_hs)

    def _add_modes(self) -> None:
        """Give each nameplate the ratings of its machine in other modes.

        A bin is another machine, a mode another clock of the same one: `S21 Imm. (NEM)` and `S21 Imm. (HEM)` are one
        machine in two modes, and `S21` of 200 and of 188 TH/s are two machines. Documented (D140): all bins of an
        S21 Imm. have the same high energy mode. Assumed (A77): so have those of a T21.
        """
        for keys in self._modes.values():
            if len(keys) < 2:
                continue
            rated = {key: _rated_modes(self._bins[key].values()) for key in keys}
            for key in keys:
                modes = sorted(chain.from_iterable(rated[other] for other in keys if other != key))
                for hashrate_hs, nameplate in self._bins[key].items():
                    self._bins[key][hashrate_hs] = replace(nameplate, modes=tuple(modes))


def _rated_modes(nameplates: Iterable[Nameplate]) -> list[RatedMode]:
    return [
        RatedMode(hashrate_hs=each.hashrate_hs, power_watts=each.power_watts)
        for each in nameplates
        if each.power_watts is not None
    ]


def _nameplate(hardware: Hardware, row: ModelRow, hashrate_hs: float) -> Nameplate:
    cycles = HASHES_PER_CYCLE.get(hardware.chip or "")
    boards, chips = hardware.boards, hardware.chips_per_board
    return Nameplate(
        model=hardware.model,
        make=hardware.make,
        hashrate_hs=hashrate_hs,
        power_watts=row.power_watts,
        boards=boards,
        chips_per_board=chips,
        chip=hardware.chip,
        frequency_hz=hashrate_hs / (boards * chips * cycles) if boards and chips and cycles else None,
        fans=hardware.fans,
        cooling=hardware.cooling,
        coolant_layout=hardware.coolant_layout if hardware.cooling == HYDRO else None,
        source=row.source,
    )


def _completed(hardware: Hardware, before: Hardware | None) -> Hardware:
    """Return hardware with the blanks filled from an earlier row of the same model and cooling, under its name."""
    if before is None or before.cooling != hardware.cooling:
        return hardware
    return Hardware(
        model=before.model,
        make=before.make,
        boards=before.boards if hardware.boards is None else hardware.boards,
        chips_per_board=before.chips_per_board if hardware.chips_per_board is None else hardware.chips_per_board,
        chip=hardware.chip or before.chip,
        fans=before.fans if hardware.fans is None else hardware.fans,
        cooling=hardware.cooling,
        coolant_layout=hardware.coolant_layout or before.coolant_layout,
    )


def _layout(hardware: Hardware) -> CoolantLayout:
    if hardware.cooling != HYDRO:
        return CoolantLayout.NONE
    return hardware.coolant_layout or CoolantLayout.UNKNOWN


def rated_layout(nameplate: Nameplate | None) -> CoolantLayout:
    """Return the sensor layout of a unit's model in the ledger; NONE if it has none or is not known."""
    return CoolantLayout.NONE if nameplate is None else nameplate.layout


@cache
def shipped_layouts() -> SensorLayouts:
    """Return the sensor layouts of the catalogue shipped with the agent."""
    return shipped_catalogue().layouts


def shipped_catalogue(own: ModelsFile | None = None) -> Catalogue:
    """Return the catalogue shipped with the agent; the rows of a site's own file replace or extend it."""
    text = files("agent.unit").joinpath("models.csv").read_text(encoding="utf-8")
    return Catalogue(read_models(text, "models.csv"), own)
