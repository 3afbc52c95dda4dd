"""Advice for a machine that the catalogue does not have: the row to add to a site's own catalogue file."""

import csv
import io
from dataclasses import dataclass

from agent.unit.limits import HS_PER_THS
from agent.unit.model_names import (
    BITMAIN,
    base_key,
    is_hydro_name,
    make_in,
    model_key,
    near_model,
    plain_model,
    without_mode,
)
from agent.unit.models_file import HYDRO, Hardware
from agent.unit.nameplate import Catalogue

SETTING = "ledger.models_file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine as far as it is known.

    Attributes:
        model: Its model in any spelling.
        hashrate_hs: Its rated hashrate, H/s.
        boards, chips_per_board: As a unit reports them; None if no unit was read.
        source: Where the figures come from, for the row's last cell.
        is_antminer: False for another maker's, which is in its model's name.
    """

    model: str
    hashrate_hs: float | None
    boards: int | None = None
    chips_per_board: int | None = None
    source: str
    is_antminer: bool = True


def missing_text(catalogue: Catalogue, machine: Machine) -> str:
    """Return why a model or bin is not found, and the row to add. A machine of another family is never proposed."""
    bins_hs = catalogue.bins_hs(machine.model)
    if bins_hs:
        rates = ", ".join(map(_th, bins_hs))
        return f"{_name(catalogue, machine.model)} comes with {rates} TH/s; {_advice(catalogue, machine)}"
    near = near_model(machine.model, catalogue.models())
    guess = "" if near is None else f"; did you mean {without_mode(near)}?"
    return f"not in the catalogue{guess}; {_advice(catalogue, machine)}"


def row_to_add(catalogue: Catalogue, machine: Machine) -> str:
    """Return a complete row for a site's own catalogue file, in its columns.

    What another bin of the model, or the model's name, tells is filled in. An empty cell is not known.
    """
    cooling = cooling_in(machine.model)
    make = make_in(machine.model) or BITMAIN
    known = catalogue.hardware(machine.model) or Hardware(
        model=machine.model,
        make=make,
        boards=machine.boards,
        chips_per_board=machine.chips_per_board,
        fans=None if cooling == "air" else 0,
        cooling=cooling,
    )
    is_antminer = machine.is_antminer and known.make == BITMAIN
    cells: dict[str, object] = {
        "model": f"{'Antminer ' if is_antminer else ''}{_name(catalogue, machine.model)}",
        "make": known.make,
        "hashrate_th_s": None if machine.hashrate_hs is None else _th(machine.hashrate_hs),
        "hashboards": known.boards,
        "chips_per_board": known.chips_per_board,
        "chip": known.chip,
        "fans": known.fans,
        "cooling": known.cooling,
        "coolant_layout": known.coolant_layout,
        "source": machine.source,
    }
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([cells.get(column) for column in catalogue.columns])
    return line.getvalue()


def _advice(catalogue: Catalogue, machine: Machine) -> str:
    row = row_to_add(catalogue, machine)
    if catalogue.own_file is not None:
        return f"to add it, append this line to {SETTING} ({catalogue.own_file}): {row}"
    header = ",".join(catalogue.columns)
    return f"to add it, name a file in {SETTING} with the header {header} and this line: {row}"


def _name(catalogue: Catalogue, model: str) -> str:
    """Return a model's name as the catalogue writes it, or else as it is written here."""
    known = catalogue.hardware(model)
    is_of_a_mode = model_key(model) != base_key(model)
    return plain_model(model) if known is None or is_of_a_mode else without_mode(known.model)


def cooling_in(model: str) -> str:
    """Return the cooling that a model's name tells: hydro or immersion, else air."""
    if is_hydro_name(model):
        return HYDRO
    return "immersion" if "imm" in base_key(model) else "air"


def _th(hashrate_hs: float) -> str:
    return f"{hashrate_hs / HS_PER_THS:.12g}"
