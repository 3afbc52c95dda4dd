"""The units' part of the rendered store: one row of numbers a unit, which a scrape turns into lines.

A unit has some 35 lines, and only their numbers change. So each poll writes one short text, the unit's numbers in the
order of `SLOTS`; a scrape adds names and labels. Writing whole lines at each poll took 13 us of CPU and 6 kB a unit.

`unit_families` defines each series. `_row` computes the same numbers for a whole unit at once. Some units do not fit a
row: a board in a fifth slot, the same board twice, a count beyond 64 bits. Their lines are rendered from the families.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from agent.exporters.prometheus.family import Family
from agent.exporters.prometheus.text_format import Lines, label_pairs
from agent.exporters.prometheus.unit_families import (
    BOARDS_SHOWN,
    FAMILIES,
    FANS_SHOWN,
    SECTIONS,
    UNIT_LABELS,
    UnitInfo,
    info_of,
    shown_reason,
    tenths,
    thousandths,
)
from agent.site.ledger.entries import LedgerEntry
from agent.site.power import PowerSource
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.unit.reading import UnitReading
from agent.unit.sensors import hottest_of_unit

UNITS_AT_ONCE = 250
# A unit whose firmware's name differs at each poll makes at most this many series: one in ten minutes.
INFO_SETTLES_S = 600.0
WORK_S = 0.0005
_ABSENT: Final = "null"


class Slot(NamedTuple):
    """One place in a row: one series of a unit.

    Attributes:
        family: Name of its family.
        values: Values of the family's labels after those of every unit.
    """

    family: str
    values: tuple[str, ...] = ()


def _each(family: str, values: Iterable[str]) -> tuple[Slot, ...]:
    return tuple(Slot(family, (value,)) for value in values)


_BOARDS: Final = tuple(map(str, range(BOARDS_SHOWN)))

SLOTS: Final = (
    Slot("miner_up"),
    *_each("miner_state", UnitState),
    Slot("miner_last_reading_timestamp_seconds"),
    *_each("miner_loss_hashrate_hashes_per_second", Cause),
    *_each("miner_power_watts", PowerSource),
    Slot("miner_nameplate_hashrate_hashes_per_second"),
    Slot("miner_hashrate_hashes_per_second"),
    Slot("miner_hashrate_30m_hashes_per_second"),
    Slot("miner_uptime_seconds"),
    Slot("miner_pcb_temperature_celsius"),
    *_each("miner_fan_speed_rpm", map(str, range(1, FANS_SHOWN + 1))),
    *_each("miner_board_hashrate_hashes_per_second", _BOARDS),
    *_each("miner_board_chip_temperature_celsius", _BOARDS),
    Slot("miner_pools_alive"),
    *_each("miner_board_chips", _BOARDS),
    *_each("miner_board_frequency_hertz", _BOARDS),
    *_each("miner_board_hardware_errors_total", _BOARDS),
    *_each("miner_shares_total", ("accepted", "rejected", "stale")),
    Slot("miner_difficulty_accepted_total"),
    Slot("miner_difficulty_rejected_total"),
)
"""The order of numbers in a row: every series that a unit can have except `miner_info` and `miner_reason`."""

_PLACES: Final = {
    family.name: tuple(place for place, slot in enumerate(SLOTS) if slot.family == family.name) for family in FAMILIES
}
"""Indices of each family's slots in a row; none for `miner_info` and `miner_reason`."""


class _RowIndex:
    """Indices into a row, read off `SLOTS`; one for each board and fan, counted from 0, and for each label value."""

    def __init__(self) -> None:
        (self.up,) = _PLACES["miner_up"]
        self.by_state = dict(zip(UnitState, _PLACES["miner_state"], strict=True))
        (self.read_at,) = _PLACES["miner_last_reading_timestamp_seconds"]
        self.by_cause = dict(zip(Cause, _PLACES["miner_loss_hashrate_hashes_per_second"], strict=True))
        self.by_source = dict(zip(PowerSource, _PLACES["miner_power_watts"], strict=True))
        (self.nameplate,) = _PLACES["miner_nameplate_hashrate_hashes_per_second"]
        (self.rate,) = _PLACES["miner_hashrate_hashes_per_second"]
        (self.rate_30m,) = _PLACES["miner_hashrate_30m_hashes_per_second"]
        (self.uptime,) = _PLACES["miner_uptime_seconds"]
        (self.hottest_pcb,) = _PLACES["miner_pcb_temperature_celsius"]
        self.fans = _PLACES["miner_fan_speed_rpm"]
        self.board_rates = _PLACES["miner_board_hashrate_hashes_per_second"]
        self.hottest_chips = _PLACES["miner_board_chip_temperature_celsius"]
        (self.pools_alive,) = _PLACES["miner_pools_alive"]
        self.board_chips = _PLACES["miner_board_chips"]
        self.board_clocks = _PLACES["miner_board_frequency_hertz"]
        self.board_errors = _PLACES["miner_board_hardware_errors_total"]
        self.accepted, self.rejected, self.stale = _PLACES["miner_shares_total"]
        (self.difficulty_accepted,) = _PLACES["miner_difficulty_accepted_total"]
        (self.difficulty_rejected,) = _PLACES["miner_difficulty_rejected_total"]


_AT: Final = _RowIndex()
_EMPTY: Final[list[float | None]] = [None] * len(SLOTS)
# The shortest form that reads back the same number; null for absent, NaN and infinite numbers.
_encode = msgspec.json.Encoder().encode
_NOTHING: Final = _encode(_EMPTY)[1:-1]
_NAMEPLATES_KEPT = 1024


def _row(status: UnitStatus) -> list[float | None] | None:
    """Return the numbers of a unit with a known state, in the order of `SLOTS`; None if they do not fit."""
    at, row = _AT, _EMPTY.copy()
    reading = status.reading
    row[at.nameplate] = status.entry.nameplate.hashrate_hs
    row[at.up] = 1 if status.is_fresh else 0
    row[at.rate] = status.hashrate_hs
    row[at.by_state[status.state]] = 1
    for loss in status.losses:
        place = at.by_cause[loss.cause]
        if row[place] is not None:
            return None
        row[place] = loss.hashrate_hs
    if status.power is not None:
        row[at.by_source[status.power.source]] = tenths(status.power.watts)
    if reading is None:
        return row
    row[at.read_at] = thousandths(reading.at)
    return _with_reading(row, reading) if status.is_fresh else row


def _with_reading(row: list[float | None], reading: UnitReading) -> list[float | None] | None:
    at = _AT
    row[at.rate_30m] = reading.hashrate_30m_hs
    row[at.uptime] = reading.uptime_s
    for number, rpm in enumerate(reading.fan_rpm[:FANS_SHOWN]):
        row[at.fans[number]] = rpm
    boards, slot_before = reading.boards, -1
    hottest_chips, row[at.hottest_pcb] = hottest_of_unit(boards)
    # No alert takes what firmware works out for a measurement.
    is_measured = not reading.is_chip_computed
    for place, board in enumerate(boards):
        slot = board.slot
        if not slot_before < slot < BOARDS_SHOWN:
            return None
        slot_before = slot
        row[at.board_rates[slot]] = board.hashrate_hs
        row[at.board_chips[slot]] = board.chips
        row[at.board_clocks[slot]] = board.frequency_hz
        row[at.board_errors[slot]] = board.hw_errors
        row[at.hottest_chips[slot]] = hottest_chips[place] if is_measured else None
    alive = None
    for pool in reading.pools:
        if pool.status is not None and not pool.is_fee:
            alive = (alive or 0) + (pool.status == "Alive")
    row[at.pools_alive] = alive
    shares = reading.shares
    if shares is not None:
        row[at.accepted] = shares.accepted
        row[at.rejected] = shares.rejected
        row[at.stale] = shares.stale
        row[at.difficulty_accepted] = shares.difficulty_accepted
        row[at.difficulty_rejected] = shares.difficulty_rejected
    return row


@lru_cache(_NAMEPLATES_KEPT)
def _declared(nameplate_hs: float) -> bytes:
    """Return the text of a unit known from the ledger alone, as every unit is at the start."""
    row = _EMPTY.copy()
    row[_AT.nameplate] = nameplate_hs
    return _text(row)


def _text(row: list[float | None]) -> bytes:
    return _encode(row)[1:-1]


class _Unit(msgspec.Struct, gc=False):
    """One unit's cell in the store, and the objects that its cell was rendered from.

    Attributes:
        info_at: Unix time of the reading with which the unit's own words in `miner_info` last changed, s.
    """

    cell: int
    info_at: float = -math.inf
    entry: object = None
    identity: object = None
    dialect: object = None
    reader: str = ""
    reason: Reason | None = None
    status: UnitStatus | None = None


class Snapshot(NamedTuple):
    """All units at one moment, by cell.

    Attributes:
        bases: The rendered labels that every series of a unit has; empty in a free cell.
        rows: Their numbers.
        infos: Their `miner_info` lines.
        reasons: Their `miner_reason` lines; empty for units that are fine.
        odd: For units that do not fit a row, their lines by family.
    """

    bases: list[str]
    rows: list[bytes]
    infos: list[str]
    reasons: list[str]
    odd: dict[int, dict[str, str]]


class UnitRows:
    """Every unit's numbers.

    Args:
        site_pair: The rendered label of the site.

    Attributes:
        simulated: Ids of the units that are simulated.
    """

    def __init__(self, site_pair: str) -> None:
        self._site_pair = site_pair
        self._units: dict[str, _Unit] = {}
        self._free_cells: list[int] = []
        self._now = Snapshot([], [], [], [], {})
        self.simulated: set[str] = set()

    def __len__(self) -> int:
        return len(self._units)

    def put(self, status: UnitStatus) -> None:
        """Write one unit's current numbers."""
        entry = status.entry
        unit = self._units.get(entry.unit_id)
        if unit is None:
            unit = self._add(entry.unit_id)
        elif unit.status is status:
            return
        bases, rows, _, _, odd = self._now
        cell = unit.cell
        is_moved = unit.entry is not entry
        if is_moved:
            self._put_entry(cell, entry)
        info = info_of(status)
        is_known = unit.identity is info.identity and unit.dialect is info.dialect and unit.reader == info.reader
        if unit.entry is not entry or not is_known:
            self._put_info(unit, info, status.reading)
        unit.status = status
        reason = None if status.reason is Reason.HASHING else shown_reason(status)
        if is_moved or unit.reason is not reason:
            unit.reason = reason
            self._now.reasons[cell] = _REASON.render(bases[cell], status)
        if not status.is_looked_at:
            rows[cell] = _declared(entry.nameplate.hashrate_hs)
            odd.pop(cell, None)
            return
        try:
            row = _row(status)
            text = None if row is None else _text(row)
        except OverflowError:
            # A count beyond 64 bits.
            text = None
        if text is None:
            rows[cell], odd[cell] = _NOTHING, _lines_by_family(status, bases[cell])
            return
        rows[cell] = text
        if odd:
            odd.pop(cell, None)

    def _put_entry(self, cell: int, entry: LedgerEntry) -> None:
        pairs = label_pairs(UNIT_LABELS[1:], (entry.place.container, entry.unit_id))
        self._now.bases[cell] = f"{self._site_pair},{pairs}"
        if entry.is_simulated:
            self.simulated.add(entry.unit_id)
        else:
            self.simulated.discard(entry.unit_id)

    def _put_info(self, unit: _Unit, info: UnitInfo, reading: UnitReading | None) -> None:
        """Render `miner_info`, unless the unit's own words changed moments ago: each change makes a new series."""
        if info.entry is unit.entry:
            if reading is None:
                # What the unit said of itself is taken back at once; it is not shown again before it has settled.
                unit.info_at = _read_at(unit.status)
            elif 0 <= reading.at - unit.info_at < INFO_SETTLES_S:
                return
            elif unit.identity is not None:
                unit.info_at = reading.at
        self._now.infos[unit.cell] = _INFO.render(self._now.bases[unit.cell], info)
        unit.entry, unit.identity, unit.dialect, unit.reader = info

    def _add(self, unit_id: str) -> _Unit:
        if self._free_cells:
            cell = self._free_cells.pop()
        else:
            bases, rows, infos, reasons, _ = self._now
            cell = len(rows)
            bases.append("")
            rows.append(_NOTHING)
            infos.append("")
            reasons.append("")
        unit = self._units[unit_id] = _Unit(cell)
        return unit

    def remove(self, unit_id: str) -> None:
        """Remove a unit with all its series."""
        unit = self._units.pop(unit_id, None)
        if unit is None:
            return
        bases, rows, infos, reasons, odd = self._now
        bases[unit.cell], rows[unit.cell], infos[unit.cell], reasons[unit.cell] = "", _NOTHING, "", ""
        odd.pop(unit.cell, None)
        self._free_cells.append(unit.cell)
        self.simulated.discard(unit_id)

    def snapshot(self) -> Snapshot:
        """Return all units as they are now; a later `put` does not change it."""
        bases, rows, infos, reasons, odd = self._now
        return Snapshot(bases.copy(), rows.copy(), infos.copy(), reasons.copy(), odd.copy())


def _read_at(status: UnitStatus | None) -> float:
    """Return the Unix time of a status' reading, s; before all time without one."""
    return -math.inf if status is None or status.reading is None else status.reading.at


_BY_FAMILY: Final = {family.name: Lines(family, len(UNIT_LABELS)) for family in FAMILIES}
_INFO: Final = _BY_FAMILY["miner_info"]
_REASON: Final = _BY_FAMILY["miner_reason"]


def _lines_by_family(status: UnitStatus, base: str) -> dict[str, str]:
    """Return the lines that a row stands for, by family."""
    parts = [(section.part(status), section.families) for section in SECTIONS]
    return {
        family.name: _BY_FAMILY[family.name].render(base, part)
        for part, families in parts
        if part is not None
        for family in families
        if family not in {_INFO.family, _REASON.family}
    }


class _Part(NamedTuple):
    """Some units of a snapshot, transposed: one text for each slot instead of one for each unit."""

    bases: list[str]
    infos: list[str]
    reasons: list[str]
    columns: list[str]


def texts_by_family(
    snapshot: Snapshot, families: Iterable[Family[Any]] = FAMILIES
) -> Iterator[tuple[Family[Any], bytes]]:
    """Yield the lines of each of the families in pieces of some units each, one family after another.

    Only one piece is in memory at a time. Run this in a thread: it sleeps for as long as it works, so that the event
    loop gets the interpreter.
    """
    rest = _sleeper() if len(snapshot.rows) > UNITS_AT_ONCE else lambda _: None
    parts = []
    for first in range(0, len(snapshot.rows), UNITS_AT_ONCE):
        began, some = time.perf_counter(), slice(first, first + UNITS_AT_ONCE)
        parts.append(
            _Part(snapshot.bases[some], snapshot.infos[some], snapshot.reasons[some], _transposed(snapshot.rows[some]))
        )
        rest(began)
    for family in families:
        for part in parts:
            began = time.perf_counter()
            text = "".join(_texts(family, part)).encode()
            rest(began)
            if text:
                yield family, text
        odd = "".join([lines.get(family.name, "") for lines in snapshot.odd.values()])
        if odd:
            yield family, odd.encode()


def _sleeper() -> Callable[[float], None]:
    """Return a function that sleeps for as long as the thread worked since a time, once that exceeds `WORK_S`.

    A working thread holds the interpreter's lock. The event loop releases it at each system call. Without
    the sleep, the loop would wait a switch interval for it each time, until the scrape is done.
    """
    worked_s = 0.0

    def rest(began: float) -> None:
        nonlocal worked_s
        worked_s += time.perf_counter() - began
        if worked_s >= WORK_S:
            time.sleep(worked_s)
            worked_s = 0.0

    return rest


def _transposed(rows: list[bytes]) -> list[str]:
    """Return the numbers of each slot, comma-separated; empty where no unit has one."""
    numbers = b",".join(rows).decode().split(",")
    columns = (numbers[place :: len(SLOTS)] for place in range(len(SLOTS)))
    return ["" if column.count(_ABSENT) == len(rows) else ",".join(column) for column in columns]


def _texts(family: Family[Any], part: _Part) -> Iterator[str]:
    """Yield some units' lines of a family, series by series."""
    if family is _INFO.family:
        yield from part.infos
        return
    if family is _REASON.family:
        yield from part.reasons
        return
    lines = _BY_FAMILY[family.name]
    for place in _PLACES[family.name]:
        if not part.columns[place]:
            continue
        numbers = part.columns[place].split(",")
        head, suffix = lines.head, lines.suffix(SLOTS[place].values)
        if _ABSENT in numbers:
            for base, number in zip(part.bases, numbers, strict=True):
                if number != _ABSENT:
                    yield f"{head}{base}{suffix}{number}\n"
            continue
        # Five pieces a line, filled in by slices: three times as fast as one line at a time.
        pieces = [head, "", suffix, "", "\n"] * len(numbers)
        pieces[1::5], pieces[3::5] = part.bases, numbers
        yield from pieces
