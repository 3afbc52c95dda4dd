"""The parser of a ledger's text.

A ledger is accepted as a whole or refused as a whole, with every mistake in it: a fleet's denominator is not the place
for best efforts.
"""

import csv
import hashlib
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from operator import attrgetter
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from agent.address import Endpoint, Network
from agent.config.mistakes import SHOWN_MISTAKES, clip, more_mistakes, near_match
from agent.errors import ConfigError, Mistake
from agent.site.ledger.cells import CellParser, cell_parsers
from agent.site.ledger.entries import Ledger, LedgerEntry, Place
from agent.site.ledger.machines import MACHINE_COLUMNS, SOURCE, Declared, Machines, MissingMachine, Refused
from agent.site.ledger.simulated import with_detection
from agent.unit.model_advice import Machine
from agent.unit.nameplate import Catalogue, Nameplate

REQUIRED_COLUMNS = (
    "unit_id",
    "model",
    "hashrate_th",
    "host",
    "container",
    "rack",
    "slot",
    "deployed_from",
    "deployed_to",
    "status",
)
OPTIONAL_COLUMNS = ("serial", "mac", "simulated", "web_port", "reader", *MACHINE_COLUMNS, "owner")
COLUMNS = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
MAX_OWNERS = 256
"""Most owners of a ledger: figures are kept of each, as label values."""
# These take about a millisecond.
ROWS_A_REST = 50

IMPORT_HINT = "`hashsight ledger import` also takes semicolons and tabs"

_T = TypeVar("_T")
# A line's number with its cells, and with its entry.
_Cells = tuple[int, list[str]]
_Row = tuple[int, LedgerEntry]


def read_ledger(
    text: str,
    file: str,
    *,
    catalogue: Catalogue,
    zone: ZoneInfo,
    networks: tuple[Network, ...],
    detect_simulated: bool = True,
    before: Ledger | None = None,
    may_be_empty: bool = False,
    rest: Callable[[], None] = lambda: None,
) -> Ledger:
    """Read a ledger from its text.

    The text is CSV: one header, one row per line, ``#`` before a comment. A unit has a row for each span of time in
    which its place, address and status stay the same.

    Args:
        text: As in the file, byte order mark included.
        file: Its name in messages.
        catalogue: The known models.
        zone: The zone of dates and times without an offset.
        networks: The networks in which units may be.
        detect_simulated: Take units at loopback addresses, and with serial numbers of the bundled simulator, for
            simulated, whatever the column says.
        before: An earlier ledger; rows it shares become the very same entries.
        may_be_empty: Accept a ledger without units, such as one that is about to get its first.
        rest: Called every `ROWS_A_REST` rows, to yield to other work of the process.

    Raises:
        ConfigError: With every mistake, in file order; after `SHOWN_MISTAKES` only their number.
    """
    mistakes = _Mistakes(file)
    nul = text.find("\0")
    if nul >= 0:
        mistakes.add(text.count("\n", 0, nul) + 1, "a NUL byte; save the file as UTF-8 text")
        mistakes.raise_any()
    lines = _resting(_read_rows(text.removeprefix("\ufeff"), mistakes), rest)
    columns = _read_header(*next(lines, (1, [])), mistakes)
    parsers = cell_parsers(zone=zone, networks=networks)
    rows = list(_RowReader(columns, parsers, catalogue, mistakes).entries(lines))
    if detect_simulated:
        rows = [(line, with_detection(entry)) for line, entry in _resting(rows, rest)]
    if before is not None:
        known = {(entry.unit_id, entry.deployed_from): entry for entry in before.entries}
        rows = [(line, _kept(entry, known)) for line, entry in _resting(rows, rest)]
    _refuse_overlaps(rows, mistakes, rest)
    _refuse_many_owners(rows, mistakes)
    if not rows and not may_be_empty:
        mistakes.add_if_none("no units: there is nothing to watch")
    mistakes.raise_any()
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return Ledger(entries=tuple(entry for _, entry in rows), digest=digest)


def _resting(rows: Iterable[_T], rest: Callable[[], None]) -> Iterator[_T]:
    for number, row in enumerate(rows):
        if not number % ROWS_A_REST:
            rest()
        yield row


class _Mistakes:
    """The mistakes of one file: all counted, the first kept."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._kept: list[tuple[int, Mistake]] = []
        self.count = 0

    def add(self, line: int, reason: object, *, column: str = "", value: str = "") -> None:
        """Add a mistake; `reason` is turned into text only if it is shown."""
        self.count += 1
        if len(self._kept) < SHOWN_MISTAKES:
            where = f"line {line}, column {column}" if column else f"line {line}"
            self._kept.append((line, Mistake(file=self._file, where=where, value=clip(value), reason=str(reason))))

    def add_if_none(self, reason: str) -> None:
        """Add a mistake of the file as a whole, unless others explain it."""
        if not self.count:
            self.count = 1
            self._kept.append((0, Mistake(file=self._file, where="file", value="", reason=reason)))

    def raise_any(self) -> None:
        if not self.count:
            return
        mistakes = [mistake for _, mistake in sorted(self._kept, key=lambda kept: kept[0])]
        if self.count > len(mistakes):
            mistakes.append(more_mistakes(self.count - len(mistakes), self._file))
        raise ConfigError(mistakes)


def _read_rows(text: str, mistakes: _Mistakes) -> Iterator[_Cells]:
    """Yield the number and cells of every line that has any.

    Each line is one row. A quote that is not closed on its line is a mistake in that line only.
    """
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1):
        if line.lstrip('" \t').startswith("#"):
            continue
        try:
            # Most lines have no quotes and need no CSV parser.
            cells = next(csv.reader((line,), strict=True, skipinitialspace=True)) if '"' in line else line.split(",")
        except csv.Error:
            mistakes.add(number, "a quote is opened and not closed, or followed by more than a comma", value=line)
            continue
        if " " in line or "\t" in line:
            cells = [cell.strip(" \t") for cell in cells]
        if any(cells):
            yield number, cells


def _read_header(line: int, names: Sequence[str], mistakes: _Mistakes) -> tuple[str | None, ...]:
    """Return the column of each cell, None for one to skip; a bad header does not hide mistakes in the rows."""
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        mistakes.add(line, f"cells are separated by commas; {IMPORT_HINT}", value=names[0])
        mistakes.raise_any()
    # Spreadsheets end every line with the commas of the widest one.
    names = names[: max((place for place, name in enumerate(names, start=1) if name), default=0)]
    columns: list[str | None] = []
    for name in names:
        is_new = name in COLUMNS and name not in columns
        columns.append(name if is_new else None)
        if is_new:
            continue
        reason: object
        if name in COLUMNS:
            reason = "this column is there twice"
        elif name:
            reason = UnknownColumnError(name)
        else:
            reason = f"column {len(columns)} has no name"
        mistakes.add(line, reason, column="header", value=name)
    missing = [name for name in REQUIRED_COLUMNS if name not in columns]
    if missing:
        mistakes.add(line, f"columns missing: {', '.join(missing)}")
    return tuple(columns)


class UnknownColumnError(ValueError):
    """A column that no ledger has; its message suggests one that is similar, or lists all."""

    def __str__(self) -> str:
        near = near_match(self.args[0], COLUMNS)
        return f"unknown column{near or '; known are ' + ', '.join(COLUMNS)}"


class _RowReader:
    """Turns rows into entries.

    Args:
        columns: The column of each cell; None for one to skip.
        parsers: From a cell to its value, by column.
        catalogue: The known models.
        mistakes: Collects the mistakes.
    """

    def __init__(
        self,
        columns: Sequence[str | None],
        parsers: Mapping[str, CellParser],
        catalogue: Catalogue,
        mistakes: _Mistakes,
    ) -> None:
        self._columns = tuple(columns)
        self._readers = [str if column is None else parsers[column] for column in columns]
        self._catalogue, self._mistakes = catalogue, mistakes
        self._machines = Machines(catalogue)
        self._is_complete = not set(REQUIRED_COLUMNS).difference(columns)
        self._missing_at: dict[tuple[str, float | None], int] = {}

    def entries(self, rows: Iterator[_Cells]) -> Iterator[_Row]:
        """Yield the entry of every sound row, with its line."""
        while some := [self._without_tail(row) for row in islice(rows, ROWS_A_REST)]:
            sound = self._sound(some)
            yield from self._each(some) if sound is None else sound

    def _without_tail(self, row: _Cells) -> _Cells:
        """Return a row without the empty cells that a spreadsheet puts beyond the header."""
        line, cells = row
        width = len(self._columns)
        return row if len(cells) <= width or any(cells[width:]) else (line, cells[:width])

    def _sound(self, rows: Sequence[_Cells]) -> Iterable[_Row] | None:
        """Return the entries of rows without a mistake; None if one has any, which `_each` then finds.

        This goes by column, which takes 0.6 of the time of going by row.
        """
        lines, cells = zip(*rows, strict=True)
        if not self._is_complete or None in self._columns or any(len(row) != len(self._columns) for row in cells):
            return None
        columns = zip(self._columns, self._readers, zip(*cells, strict=True), strict=True)
        try:
            values: dict[str | None, list[Any]] = {name: list(map(read, texts)) for name, read, texts in columns}
        except ValueError:
            return None
        of_machine = (values.get(column) or repeat(default) for column, default in _MACHINE_DEFAULTS)
        machines = map(Declared, values["model"], values["hashrate_th"], *of_machine)
        nameplates = [found for found in map(self._machines.find, machines) if not isinstance(found, Refused)]
        if len(nameplates) < len(rows) or any(map(_is_backwards, values["deployed_from"], values["deployed_to"])):
            return None
        filled = [values.get(column) or repeat(_DEFAULTS[column]) for column in _ENTRY_COLUMNS]
        return zip(lines, map(_entry, nameplates, zip(*filled)), strict=True)  # noqa: B905  the defaults never end

    def _each(self, rows: Iterable[_Cells]) -> Iterator[_Row]:
        """Yield the entry of every sound row, and collect the mistakes of the others."""
        for line, cells in rows:
            if len(cells) != len(self._columns):
                reason = f"{len(self._columns)} cells are expected, as in the header; here are {len(cells)}"
                self._mistakes.add(line, reason)
                continue
            before = self._mistakes.count
            values = dict(self._values(line, cells))
            nameplate = self._nameplate(line, cells, values)
            if _is_backwards(values.get("deployed_from"), values.get("deployed_to")):
                self._refuse(line, cells, "deployed_to", "a time after deployed_from is expected")
            if nameplate is not None and self._is_complete and self._mistakes.count == before:
                yield line, _entry(nameplate, [(_DEFAULTS | values)[column] for column in _ENTRY_COLUMNS])

    def _values(self, line: int, cells: Sequence[str]) -> Iterator[tuple[str, Any]]:
        for column, read, cell in zip(self._columns, self._readers, cells, strict=True):
            if column is not None:
                try:
                    yield column, read(cell)
                except ValueError as error:
                    self._mistakes.add(line, error, column=column, value=cell)

    def _nameplate(self, line: int, cells: Sequence[str], values: Mapping[str, Any]) -> Nameplate | None:
        model, hashrate_hs = values.get("model"), values.get("hashrate_th")
        if model is None:
            return None
        if hashrate_hs is None:
            if not self._catalogue.bins_hs(model) and not values.get("make"):
                machine = Machine(model=model, hashrate_hs=None, source=SOURCE)
                self._refuse(line, cells, "model", self._once(line, MissingMachine(self._catalogue, machine)))
            return None
        found = self._machines.read(values)
        if not isinstance(found, Refused):
            return found
        reason = self._once(line, found.reason) if isinstance(found.reason, MissingMachine) else found.reason
        self._refuse(line, cells, found.column, reason)
        return None

    def _once(self, line: int, missing: MissingMachine) -> object:
        """Return what to do about a machine that is not in the catalogue, once for all its rows; text when shown."""
        first = self._missing_at.setdefault(missing.key, line)
        return missing if first == line else f"not in the catalogue, as on line {first}"

    def _refuse(self, line: int, cells: Sequence[str], column: str, reason: object) -> None:
        self._mistakes.add(line, reason, column=column, value=cells[self._columns.index(column)])


def _is_backwards(start: float | None, end: float | None) -> bool:
    return start is not None and end is not None and end <= start


_ENTRY_COLUMNS = (
    *("unit_id", "host", "container", "rack", "slot", "deployed_from", "deployed_to"),
    *("status", "serial", "mac", "simulated", "web_port", "reader", "owner"),
)
# In the order of `Declared`.
_MACHINE_DEFAULTS: tuple[tuple[str, Any], ...] = (("make", ""), *((column, None) for column in MACHINE_COLUMNS[1:]))
# The values of columns that a ledger leaves out.
_DEFAULTS: dict[str, Any] = dict.fromkeys(_ENTRY_COLUMNS) | {"simulated": False, "reader": "", "owner": ""}


def _entry(nameplate: Nameplate, values: Iterable[Any]) -> LedgerEntry:
    """Return an entry from the values of `_ENTRY_COLUMNS`."""
    unit_id, (host, port), container, rack, slot, since, until, is_out, *others = values
    serial, mac, is_simulated, web_port, reader, owner = others
    return LedgerEntry(
        unit_id=unit_id,
        nameplate=nameplate,
        place=Place(container=container, rack=rack, slot=slot),
        host=host,
        port=port,
        deployed_from=since,
        deployed_to=until,
        is_in_maintenance=is_out,
        is_simulated=is_simulated,
        serial=serial,
        mac=mac,
        web_port=web_port,
        reader=reader,
        owner=owner,
    )


def _kept(entry: LedgerEntry, known: Mapping[tuple[str, float | None], LedgerEntry]) -> LedgerEntry:
    """Return the equal entry of the ledger before, if there is one, else this one."""
    same = known.get((entry.unit_id, entry.deployed_from))
    return same if same is not None and same == entry else entry


def _refuse_many_owners(rows: Iterable[_Row], mistakes: _Mistakes) -> None:
    """Refuse the row that names one owner too many."""
    owners: set[str] = set()
    for line, entry in rows:
        if entry.owner:
            owners.add(entry.owner)
        if len(owners) > MAX_OWNERS:
            mistakes.add(line, f"at most {MAX_OWNERS} owners are expected", column="owner", value=entry.owner)
            return


def _refuse_overlaps(rows: Sequence[_Row], mistakes: _Mistakes, rest: Callable[[], None]) -> None:
    """Refuse rows that overlap in time: of one unit, or of two units with the same address, place or identity."""
    for earlier, later in _overlaps(rows, key=attrgetter("unit_id"), owner=lambda row: row[0], rest=rest):
        reason = f"also on line {earlier[0]}, for a span of time that overlaps"
        mistakes.add(later[0], reason, column="unit_id", value=later[1].unit_id)
    for column, key, shown in _EXCLUSIVE:
        for earlier, later in _overlaps(rows, key=key, owner=lambda row: row[1].unit_id, rest=rest):
            reason = f"also of {earlier[1].unit_id} on line {earlier[0]}, for a span of time that overlaps"
            mistakes.add(later[0], reason, column=column, value=shown(later[1]))


_EXCLUSIVE: tuple[tuple[str, Callable[[LedgerEntry], Hashable], Callable[[LedgerEntry], str]], ...] = (
    ("host", attrgetter("host", "port"), lambda entry: str(Endpoint(entry.host, entry.port))),
    (
        "slot",
        lambda entry: entry.place if entry.place.slot else None,
        lambda entry: f"{entry.place.container} / {entry.place.rack} / {entry.place.slot}",
    ),
    ("serial", lambda entry: entry.serial.casefold() if entry.serial else None, lambda entry: entry.serial or ""),
    ("mac", attrgetter("mac"), lambda entry: entry.mac or ""),
)


def _overlaps(
    rows: Sequence[_Row],
    *,
    key: Callable[[LedgerEntry], Hashable],
    owner: Callable[[_Row], Hashable],
    rest: Callable[[], None],
) -> Iterator[tuple[_Row, _Row]]:
    """Yield each row that overlaps in time with one of another owner under the same key, as (upper line, lower line).

    Sorted by start, a row overlaps an earlier one exactly if it starts before the latest end so far. For "of another
    owner", the two latest ends of different owners are kept. So n rows cost n log n.
    """
    if not _is_any_twice(rows, key, rest):
        return
    alone: dict[Hashable, _Row] = {}
    groups: dict[Hashable, list[_Row]] = {}
    for row in _resting(rows, rest):
        name = key(row[1])
        if name is not None and alone.setdefault(name, row) is not row:
            groups.setdefault(name, [alone[name]]).append(row)
    for group in groups.values():
        latest: list[_Row] = []
        for row in sorted(group, key=_start):
            others = [other for other in latest if owner(other) != owner(row)]
            if others and _start(row) < _end(others[0]):
                yield (others[0], row) if others[0][0] < row[0] else (row, others[0])
            mine = [other for other in latest if owner(other) == owner(row)]
            best = max([row, *mine], key=_end)
            latest = sorted([best, *others], key=_end, reverse=True)[:2]


def _is_any_twice(rows: Sequence[_Row], key: Callable[[LedgerEntry], Hashable], rest: Callable[[], None]) -> bool:
    """Return True if two rows have the same key other than None; most ledgers have no such rows to compare."""
    names: set[Hashable] = set()
    count = 0
    for first in range(0, len(rows), ROWS_A_REST):
        rest()
        some = [name for _, entry in rows[first : first + ROWS_A_REST] if (name := key(entry)) is not None]
        count += len(some)
        names.update(some)
    return len(names) < count


def _start(row: _Row) -> float:
    return -math.inf if row[1].deployed_from is None else row[1].deployed_from


def _end(row: _Row) -> float:
    return math.inf if row[1].deployed_to is None else row[1].deployed_to
