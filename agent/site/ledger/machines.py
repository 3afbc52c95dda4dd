"""The nameplate of a row: from the catalogue, or for a machine that it does not have from the row itself.

A row that names no make is held to the catalogue. One that does may have a machine of its own: its `hashrate_th` is the
rating, and `power_w`, `boards` and `chips_per_board` are what else is known. The catalogue is never overruled: a cell
that contradicts it is a mistake. Pure.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

from agent.unit.limits import HS_PER_THS
from agent.unit.model_advice import Machine, cooling_in, missing_text
from agent.unit.model_names import BITMAIN, base_key, make_in, model_key, near_model, plain_model
from agent.unit.nameplate import Catalogue, Nameplate

MACHINE_COLUMNS: Final = ("make", "power_w", "boards", "chips_per_board")
"""What a row may say of its machine besides model and bin."""
SOURCE: Final = "this site's ledger"
# Other makes sell a model in bins of 2 TH/s; the catalogue has some of them. A bin beyond these is a slip.
BIN_SPREAD: Final = 0.3
REMEMBERED: Final = 4096


class Declared(NamedTuple):
    """The machine of a row.

    Attributes:
        model: As written.
        hashrate_hs: Its bin, H/s.
        make: Its make; empty if the row names none.
        power_watts, boards, chips_per_board: None if the row does not say.
    """

    model: str
    hashrate_hs: float
    make: str = ""
    power_watts: float | None = None
    boards: int | None = None
    chips_per_board: int | None = None


class Refused(NamedTuple):
    """Why a row has no nameplate.

    Attributes:
        column: The column to look at.
        reason: Text, or an object whose text is made when it is shown.
    """

    column: str
    reason: object


class Machines:
    """The machines of one ledger.

    Args:
        catalogue: The known models.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._names: dict[str, str] = {}
        self.find = lru_cache(REMEMBERED)(self._find)

    def read(self, values: Mapping[str, Any]) -> Nameplate | Refused:
        """Return the nameplate of a row's values by column, of which `model` and `hashrate_th` must be there."""
        declared = Declared(
            values["model"],
            values["hashrate_th"],
            values.get("make") or "",
            values.get("power_w"),
            values.get("boards"),
            values.get("chips_per_board"),
        )
        return self.find(declared)

    def _find(self, declared: Declared) -> Nameplate | Refused:
        rated = self._catalogue.find(declared.model, declared.hashrate_hs)
        if rated is None:
            if not declared.make:
                return self._missing(declared)
            unrated = self._unrated(declared)
            if isinstance(unrated, Refused):
                return unrated
            rated = unrated
        elif declared.make and declared.make.casefold() != rated.make.casefold():
            return Refused("make", f"{rated.model} is a machine of {rated.make}")
        return _completed(rated, declared)

    def _unrated(self, declared: Declared) -> Nameplate | Refused:
        """Return the nameplate of a machine that the catalogue lacks, as far as the catalogue knows it."""
        catalogue, model, make = self._catalogue, declared.model, declared.make
        known, bins_hs = catalogue.hardware(model), catalogue.bins_hs(model)
        if known is not None and known.make.casefold() != make.casefold():
            return Refused("make", f"{known.model} is a machine of {known.make}")
        if bins_hs and (make == BITMAIN or not _is_near(declared.hashrate_hs, bins_hs)):
            return self._missing(declared)
        if known is None and near_model(model, catalogue.models()) is not None:
            return self._missing(declared)
        cooling = cooling_in(model)
        return Nameplate(
            model=self._names.setdefault(base_key(model), plain_model(model) if known is None else known.model),
            make=make if known is None else known.make,
            hashrate_hs=declared.hashrate_hs,
            boards=None if known is None else known.boards,
            chips_per_board=None if known is None else known.chips_per_board,
            chip=None if known is None else known.chip,
            fans=None if known is None else known.fans,
            # Assumed (A197): a name that tells no cooling may be of any; it is not taken for air-cooled.
            cooling=known.cooling if known is not None else "" if cooling == "air" else cooling,
            coolant_layout=None if known is None else known.coolant_layout,
            source=SOURCE,
            is_declared=True,
        )

    def _missing(self, declared: Declared) -> Refused:
        machine = Machine(model=declared.model, hashrate_hs=declared.hashrate_hs, source=SOURCE)
        column = "hashrate_th" if self._catalogue.bins_hs(declared.model) else "model"
        return Refused(column, MissingMachine(self._catalogue, machine, not declared.make))


class MissingMachine(NamedTuple):
    """The reason for a machine that is not in a catalogue: looking for a similar one takes time.

    Attributes:
        catalogue: The known models.
        machine: What is missing.
        may_be_declared: True if the row does not yet name its make.
    """

    catalogue: Catalogue
    machine: Machine
    may_be_declared: bool = False

    @property
    def key(self) -> tuple[str, float | None]:
        """The key of the machine, for rows that all lack the same one."""
        return model_key(self.machine.model), self.machine.hashrate_hs

    def __str__(self) -> str:
        text = missing_text(self.catalogue, self.machine)
        make = make_in(self.machine.model) or BITMAIN
        if not self.may_be_declared or make == BITMAIN:
            return text
        return f"{text}; or say {make} in a column make of the ledger, and its power_w and boards if you know them"


def _is_near(hashrate_hs: float, bins_hs: tuple[float, ...]) -> bool:
    return min(bins_hs) * (1 - BIN_SPREAD) <= hashrate_hs <= max(bins_hs) * (1 + BIN_SPREAD)


def _completed(rated: Nameplate, declared: Declared) -> Nameplate | Refused:
    """Return a nameplate with the row's figures where it has none; a figure that it contradicts is refused."""
    figures = (
        ("power_w", rated.power_watts, declared.power_watts),
        ("boards", rated.boards, declared.boards),
        ("chips_per_board", rated.chips_per_board, declared.chips_per_board),
    )
    for column, known, said in figures:
        if known is not None and said is not None and not math.isclose(known, said):
            rate = f"{rated.hashrate_hs / HS_PER_THS:.12g}"
            of = f"{rated.model} of {rate} TH/s" if column == "power_w" else rated.model
            return Refused(
                column, f"the catalogue has {known:g} for {of}; leave this cell empty, or correct the catalogue"
            )
    if all(known is not None or said is None for _, known, said in figures):
        return rated
    return replace(
        rated,
        power_watts=_watts(declared) if rated.power_watts is None else rated.power_watts,
        boards=declared.boards if rated.boards is None else rated.boards,
        chips_per_board=declared.chips_per_board if rated.chips_per_board is None else rated.chips_per_board,
        is_declared=True,
    )


def _watts(declared: Declared) -> float | None:
    return None if declared.power_watts is None else float(declared.power_watts)
