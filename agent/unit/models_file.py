"""The form of a catalogue file: a row a bin of a model, with the source of every figure.

The catalogue shipped with the agent is `models.csv` beside this file; a site's own file has the same form. Rows without
a hashrate describe hardware whose rating has no source.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.errors import ConfigError, Mistake
from agent.unit.coolant import NAMED_LAYOUTS, CoolantLayout
from agent.unit.limits import HS_PER_THS
from agent.unit.model_names import BITMAIN, base_key, known_make, make_in, model_key, short_model

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
OPTIONAL_COLUMNS = ("coolant_layout", "make")
# For TH/s, W, boards, chips and fans: far above any machine, and figures computed from it stay finite.
MAX_CELL = 1_000_000
# A model is a label of every unit's series.
MAX_NAME_CHARS = 64
HYDRO = "hydro"
COOLINGS = frozenset({"air", HYDRO, "immersion"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Fields that all bins of a model share; None where no source gives it.

    Attributes:
        model: Commercial model without the maker, e.g. ``S21``, ``Whatsminer M50S``.
        make: Its maker.
        boards, chips_per_board: Hashboards, and chips on each.
        chip: Name of the ASIC.
        fans: 0 for hydro and immersion.
        cooling: ``air``, ``hydro`` or ``immersion``.
        coolant_layout: Where a hydro unit reports its coolant.
    """

    model: str
    make: str = BITMAIN
    boards: int | None = None
    chips_per_board: int | None = None
    chip: str | None = None
    fans: int | None = None
    cooling: str
    coolant_layout: CoolantLayout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One row.

    Attributes:
        hardware: The machine.
        hashrate_hs: Rated hashrate, H/s; None if no source gives one.
        power_watts: Rated power at the wall; None if no source gives one.
        source: Where the figures come from.
    """

    hardware: Hardware
    hashrate_hs: float | None
    power_watts: float | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsFile:
    """The content of one file.

    Attributes:
        file: Its name in messages.
        columns: Its header.
        rows: In the order of the file.
    """

    file: str
    columns: tuple[str, ...]
    rows: tuple[ModelRow, ...]


def read_models(text: str, file: str) -> ModelsFile:
    """Return the content of a catalogue file.

    Raises:
        ConfigError: Carries every mistake, by line.
    """
    mistakes: list[Mistake] = []
    rows: list[ModelRow] = []
    columns: list[str] = []
    rated: set[tuple[str, float]] = set()
    for reader in _rows(text, file, columns, mistakes):
        hashrate_th, power_watts = reader.number("hashrate_th_s"), reader.number("power_w")
        hardware = _read_hardware(reader)
        hashrate_hs = None if hashrate_th is None else hashrate_th * HS_PER_THS
        if hashrate_hs is not None:
            key = (model_key(hardware.model), hashrate_hs)
            if key in rated:
                reader.refuse("hashrate_th_s", f"{hardware.model} has a row of this hashrate already")
            rated.add(key)
        rows.append(
            ModelRow(hardware=hardware, hashrate_hs=hashrate_hs, power_watts=power_watts, source=reader.text("source"))
        )
    if mistakes:
        raise ConfigError(mistakes)
    return ModelsFile(file=file, columns=tuple(columns), rows=tuple(rows))


def _read_hardware(reader: "_RowReader") -> Hardware:
    boards, chips, fans = (reader.whole(column) for column in ("hashboards", "chips_per_board", "fans"))
    cooling = reader.text("cooling")
    if cooling not in COOLINGS:
        reader.refuse("cooling", f"one of {', '.join(sorted(COOLINGS))} is expected")
    # No figure is made of it, but a cell that is none is a slip of the row.
    reader.number("efficiency_j_per_th")
    model = short_model(reader.name("model"))
    if not base_key(model):
        reader.refuse("model", "a model needs a name")
    return Hardware(
        model=model,
        make=make_named(reader.name("make"), model),
        boards=boards,
        chips_per_board=chips,
        chip=reader.name("chip") or None,
        fans=fans,
        cooling=cooling,
        coolant_layout=_read_layout(reader, cooling),
    )


def make_named(cell: str, model: str) -> str:
    """Return the make of a row: what its cell says, in the spelling of known makes; else the brand in its model."""
    if cell:
        return known_make(cell) or cell
    return make_in(model) or BITMAIN


def _read_layout(reader: "_RowReader", cooling: str) -> CoolantLayout | None:
    word = reader.text("coolant_layout")
    if not word:
        return None
    if word not in NAMED_LAYOUTS:
        reader.refuse("coolant_layout", f"one of {', '.join(NAMED_LAYOUTS)} is expected, or nothing")
        return None
    if cooling != HYDRO:
        reader.refuse("coolant_layout", f"only a machine with {HYDRO} cooling reports its coolant")
    return CoolantLayout(word)


def _rows(text: str, file: str, columns: list[str], mistakes: list[Mistake]) -> Iterator["_RowReader"]:
    """Yield the rows as wide as the header, which is added to `columns`; the others are added to `mistakes`."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)

    def refuse(reason: str) -> None:
        mistakes.append(Mistake(file=file, where=f"line {max(rows.line_num, 1)}", value="", reason=reason))

    try:
        columns += next(rows, [])
        missing = [column for column in COLUMNS if column not in columns]
        if missing:
            refuse(f"columns missing: {', '.join(missing)}")
            return
        for cells in rows:
            if len(cells) == len(columns):
                yield _RowReader(file, rows.line_num, dict(zip(columns, cells, strict=True)), mistakes)
            elif cells:
                refuse(f"{len(cells)} cells where the header has {len(columns)}; a comma inside a cell needs quotes")
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
        """Return a cell without the blanks around it; empty for an optional column that the file leaves out."""
        return self._row.get(column, "").strip()

    def name(self, column: str) -> str:
        """Return a text that is fit for a label."""
        text = self.text(column)
        if len(text) > MAX_NAME_CHARS or not text.isprintable():
            self.refuse(column, f"at most {MAX_NAME_CHARS} printable characters are expected")
        return text

    def number(self, column: str) -> float | None:
        """Return a positive number; None for an empty or bad cell."""
        cell = self.text(column)
        if not cell:
            return None
        # As in the ledger: Python alone would also read 1_0 and the digits of other scripts.
        value = float(cell) if re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", cell) else 0.0
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
