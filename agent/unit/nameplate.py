"""The catalogue of models: the ratings of each bin of a model, with the source of every figure.

A model is sold in several TH/s bins, so a nameplate is found by model *and* bin. The data is `models.csv` beside this
file. A site can add rows of the same form from a file of its own.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files

from agent.errors import ConfigError, Mistake
from agent.unit.limits import HS_PER_THS

COLUMNS = (
    "model",
    "hashrate_th_s",
    "power_w",
    "efficiency_j_per_th",
    "hashboards",
    "chips_per_board",
    "chip",
    "fans",
    "cooling",
    "source",
)
# For TH/s, W, boards, chips and fans: far above any machine, and figures computed from it stay finite.
MAX_CELL = 1_000_000
COOLINGS = frozenset({"air", "hydro", "immersion"})

# Hashes a chip computes per clock cycle. Documented (D33): a BM1368 has 1276 small cores. Observed (O51):
# 108 x 1.276 x 490 MHz = 67,526 GH/s is a board's `rate_ideal` in s21-stock-aml-202407. Other chips: no source yet.
HASHES_PER_CYCLE: Mapping[str, int] = {"BM1368": 1276}


# The work modes in which Bitmain rates a machine: normal, high and low energy. A mode is a part of a row's model.
_MODE = re.compile(r"\s*\((?:NEM|HEM|LPM)\)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedMode:
    """The rating of a machine in one work mode: hashrate, H/s, and power at the wall, W."""

    hashrate_hs: float
    power_watts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameplate:
    """One model in one bin.

    Attributes:
        model: Commercial model without the maker, e.g. ``S21``; the metric label.
        hashrate_hs: Rated hashrate, H/s.
        power_watts: Rated power at the wall; None where no source gives one. Documented (D60): +-5 %.
        boards, chips_per_board: None where no source gives them.
        chip: Name of the ASIC.
        frequency_hz: Mean chip clock at which the unit reaches `hashrate_hs`; None unless the chip's hashes per
            cycle are known.
        fans: 0 for hydro and immersion.
        cooling: ``air``, ``hydro`` or ``immersion``.
        modes: The ratings of the same machine in its other work modes, slowest first.
        source: Where the figures come from.
    """

    model: str
    hashrate_hs: float
    power_watts: float | None = None
    boards: int | None = None
    chips_per_board: int | None = None
    chip: str | None = None
    frequency_hz: float | None = None
    fans: int | None = None
    cooling: str
    modes: tuple[RatedMode, ...] = ()
    source: str


def short_model(name: str) -> str:
    """Return the catalogue's key for a model as a person or a firmware spells it: ``Antminer S21`` is ``S21``."""
    words = name.split()
    if words and words[0].casefold() == "antminer":
        words = words[1:]
    return " ".join(words)


class Catalogue:
    """Nameplates by model and bin."""

    def __init__(self, nameplates: Iterable[Nameplate]) -> None:
        self._by_key: dict[str, dict[float, Nameplate]] = {}
        for nameplate in nameplates:
            self._by_key.setdefault(nameplate.model.casefold(), {})[nameplate.hashrate_hs] = nameplate
        self._add_modes()

    def _add_modes(self) -> None:
        """Give each nameplate the ratings of its machine in other modes.

        A bin is another machine, a mode another clock of the same one: `S21 Imm. (NEM)` and `S21 Imm. (HEM)` are one
        machine in two modes, and `S21` of 200 and of 188 TH/s are two machines. Documented (D140): all bins of an
        S21 Imm. have the same high energy mode. Assumed (A77): so have those of a T21.
        """
        machines: dict[str, list[str]] = {}
        for key in self._by_key:
            machines.setdefault(_MODE.sub("", key), []).append(key)
        for key, bins in self._by_key.items():
            others = [other for other in machines[_MODE.sub("", key)] if other != key]
            modes = tuple(
                RatedMode(hashrate_hs=rated.hashrate_hs, power_watts=rated.power_watts)
                for rated in sorted(
                    (rated for other in others for rated in self._by_key[other].values()),
                    key=lambda rated: rated.hashrate_hs,
                )
                if rated.power_watts is not None
            )
            if modes:
                bins.update({hashrate_hs: replace(nameplate, modes=modes) for hashrate_hs, nameplate in bins.items()})

    def __iter__(self) -> Iterator[Nameplate]:
        return (nameplate for bins in self._by_key.values() for nameplate in bins.values())

    def models(self) -> tuple[str, ...]:
        """Return the names of all models that have at least one bin."""
        return tuple(next(iter(bins.values())).model for bins in self._by_key.values())

    def bins_hs(self, model: str) -> tuple[float, ...]:
        """Return the bins of `model`, H/s, largest first; empty when the model is unknown."""
        return tuple(sorted(self._by_key.get(short_model(model).casefold(), {}), reverse=True))

    def find(self, model: str, hashrate_hs: float) -> Nameplate | None:
        """Return the nameplate of `model` in the bin of `hashrate_hs`, or None."""
        for bin_hs, nameplate in self._by_key.get(short_model(model).casefold(), {}).items():
            if math.isclose(bin_hs, hashrate_hs, rel_tol=1e-9):
                return nameplate
        return None


def shipped_catalogue(extra: Iterable[Nameplate] = ()) -> Catalogue:
    """Return the catalogue shipped with the agent; the rows of a site's own file replace or extend it."""
    text = files("agent.unit").joinpath("models.csv").read_text(encoding="utf-8")
    return Catalogue((*read_nameplates(text, "models.csv"), *extra))


def read_nameplates(text: str, file: str) -> tuple[Nameplate, ...]:
    """Return the nameplates in a catalogue file; rows without a hashrate describe unrated hardware and are left out.

    Raises:
        ConfigError: Carries every mistake, by line.
    """
    mistakes: list[Mistake] = []
    nameplates: dict[tuple[str, float], Nameplate] = {}
    for reader in _rows(text, file, mistakes):
        hashrate_th = reader.number("hashrate_th_s")
        power_watts = reader.number("power_w")
        boards, chips, fans = (reader.whole(column) for column in ("hashboards", "chips_per_board", "fans"))
        cooling = reader.text("cooling")
        if cooling not in COOLINGS:
            reader.refuse("cooling", f"one of {', '.join(sorted(COOLINGS))} is expected")
        model = short_model(reader.text("model"))
        if not model:
            reader.refuse("model", "a model needs a name")
        if hashrate_th is None:
            continue
        chip = reader.text("chip") or None
        hashrate_hs = hashrate_th * HS_PER_THS
        cycles = HASHES_PER_CYCLE.get(chip or "")
        key = (model.casefold(), hashrate_hs)
        if key in nameplates:
            reader.refuse("hashrate_th_s", f"{model} has a row of this hashrate already")
        nameplates[key] = Nameplate(
            model=model,
            hashrate_hs=hashrate_hs,
            power_watts=power_watts,
            boards=boards,
            chips_per_board=chips,
            chip=chip,
            frequency_hz=hashrate_hs / (boards * chips * cycles) if boards and chips and cycles else None,
            fans=fans,
            cooling=cooling,
            source=reader.text("source"),
        )
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(nameplates.values())


def _rows(text: str, file: str, mistakes: list[Mistake]) -> Iterator["_RowReader"]:
    """Yield the rows as wide as the header; the others are added to `mistakes`."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    header: list[str] = []

    def refuse(reason: str) -> None:
        mistakes.append(Mistake(file=file, where=f"line {max(rows.line_num, 1)}", value="", reason=reason))

    try:
        header = next(rows, [])
        missing = [column for column in COLUMNS if column not in header]
        if missing:
            refuse(f"columns missing: {', '.join(missing)}")
            return
        for cells in rows:
            if len(cells) == len(header):
                yield _RowReader(file, rows.line_num, dict(zip(header, cells, strict=True)), mistakes)
            elif cells:
                refuse(f"{len(cells)} cells where the header has {len(header)}; a comma inside a cell needs quotes")
    except csv.Error as error:
        refuse(f"not CSV from here on: {error}")


class _RowReader:
    """One row's cells as texts and numbers; bad cells are added to the shared list of mistakes."""

    def __init__(self, file: str, line: int, row: Mapping[str, str], mistakes: list[Mistake]) -> None:
        self._file = file
        self._line = line
        self._row = row
        self._mistakes = mistakes

    def refuse(self, column: str, reason: str) -> None:
        where = f"line {self._line}, column {column}"
        self._mistakes.append(Mistake(file=self._file, where=where, value=self._row[column][:80], reason=reason))

    def text(self, column: str) -> str:
        return self._row[column].strip()

    def number(self, column: str) -> float | None:
        """Return a positive number; None for an empty or bad cell."""
        cell = self.text(column)
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not 0 < value <= MAX_CELL:
            self.refuse(column, f"a number above 0 is expected, at most {MAX_CELL:,}")
            return None
        return value

    def whole(self, column: str) -> int | None:
        """Return a whole number from 0; None for an empty or bad cell."""
        cell = self.text(column)
        if not cell:
            return None
        if not re.fullmatch("[0-9]{1,7}", cell) or int(cell) > MAX_CELL:
            self.refuse(column, f"a whole number is expected, at most {MAX_CELL:,}")
            return None
        return int(cell)
