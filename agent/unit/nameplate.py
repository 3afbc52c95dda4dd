"""The catalogue of models: what a unit of each is rated for, bin by bin, with the source of every figure.

One model is sold in several TH/s bins, so a nameplate is found by model *and* bin. The data is `models.csv` beside this
file; a site may add rows of the same form from a file of its own.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
# TH/s, W, boards, chips and fans alike: far beyond any machine, and all that is worked out from it stays finite.
MAX_CELL = 1_000_000
COOLINGS = frozenset({"air", "hydro", "immersion"})

# Hashes a chip does per clock cycle. BM1368: 1276 small cores, etc/topol.conf of the S21 Hyd. image, and
# 108 x 1.276 x 490 MHz = 67,526 GH/s is the board's `rate_ideal` in capture s21-stock-aml-202407.
# Other chips: no source yet.
HASHES_PER_CYCLE: Mapping[str, int] = {"BM1368": 1276}


@dataclass(frozen=True, slots=True, kw_only=True)
class Nameplate:
    """One model in one bin.

    Attributes:
        model: Commercial model without the maker, e.g. ``S21``; the metric label.
        hashrate_hs: Rated hashrate, H/s.
        power_watts: Rated power at the wall; None where no source gives one. Bitmain's tolerance is +-5 %.
        boards, chips_per_board: None where no source gives them.
        chip: Name of the ASIC.
        frequency_hz: The mean clock at which all chips together give `hashrate_hs`; None unless the chip's
            hashes per cycle are known.
        fans: 0 for hydro and immersion.
        cooling: ``air``, ``hydro`` or ``immersion``.
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
    source: str


def short_model(name: str) -> str:
    """Give the catalogue's key for a model as a person or a firmware spells it: ``Antminer S21`` is ``S21``."""
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

    def __iter__(self) -> Iterator[Nameplate]:
        return (nameplate for bins in self._by_key.values() for nameplate in bins.values())

    def models(self) -> tuple[str, ...]:
        """Give the names of all models that have at least one bin."""
        return tuple(next(iter(bins.values())).model for bins in self._by_key.values())

    def bins_hs(self, model: str) -> tuple[float, ...]:
        """Give the bins of `model`, H/s, largest first; empty when the model is unknown."""
        return tuple(sorted(self._by_key.get(short_model(model).casefold(), {}), reverse=True))

    def find(self, model: str, hashrate_hs: float) -> Nameplate | None:
        """Give the nameplate of `model` in the bin of `hashrate_hs`, or None."""
        for bin_hs, nameplate in self._by_key.get(short_model(model).casefold(), {}).items():
            if math.isclose(bin_hs, hashrate_hs, rel_tol=1e-9):
                return nameplate
        return None


def shipped_catalogue(extra: Iterable[Nameplate] = ()) -> Catalogue:
    """Give the catalogue that comes with the agent, with the rows of a site's own file on top."""
    text = files("agent.unit").joinpath("models.csv").read_text(encoding="utf-8")
    return Catalogue((*read_nameplates(text, "models.csv"), *extra))


def read_nameplates(text: str, file: str) -> tuple[Nameplate, ...]:
    """Read catalogue rows; rows without a hashrate name hardware without a rating and are left out.

    Raises:
        ConfigError: With every mistake, by line.
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
    """Give the rows that are as wide as the header; what is wrong with the others goes to `mistakes`."""
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
    """One row's cells as numbers; what is wrong goes to the shared list of mistakes."""

    def __init__(self, file: str, line: int, row: Mapping[str, str], mistakes: list[Mistake]) -> None:
        self._file, self._line, self._row, self._mistakes = file, line, row, mistakes

    def refuse(self, column: str, reason: str) -> None:
        where = f"line {self._line}, column {column}"
        self._mistakes.append(Mistake(file=self._file, where=where, value=self._row[column][:80], reason=reason))

    def text(self, column: str) -> str:
        return self._row[column].strip()

    def number(self, column: str) -> float | None:
        """Give a positive number, or None for an empty cell."""
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
        """Give a whole number from 0, or None for an empty cell."""
        cell = self.text(column)
        if not cell:
            return None
        if not re.fullmatch("[0-9]{1,7}", cell) or int(cell) > MAX_CELL:
            self.refuse(column, f"a whole number is expected, at most {MAX_CELL:,}")
            return None
        return int(cell)
