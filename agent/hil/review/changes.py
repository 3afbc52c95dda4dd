"""The differences between a ledger and a proposal, each of one kind. Pure.

A unit is known by its MAC address, serial number or id. Where the ledger declares none of them, it is known by its
address.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from agent.address import Endpoint, parse_endpoint, parse_mac
from agent.hil.review.kinds import Kind
from agent.hil.scan.proposal import Proposed
from agent.site.ledger.cells import API_PORT, host_cell, parse_hashrate_hs
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.mismatch import SAME_BIN_RATIO
from agent.unit.limits import HS_PER_THS
from agent.unit.model_names import base_key

ADDRESS_ID: Final = "at-"
"""Prefix of the id of a proposed unit that tells neither serial number nor MAC address."""


class Change(NamedTuple):
    """One difference.

    Attributes:
        kind: What it is.
        unit_id: The ledger's unit; for NEW and UNREADABLE without one, the proposal's.
        entry: The unit's row in force; None if the ledger has none.
        row: The proposal's row; None for GONE.
        cells: What an import would write, by column; empty for GONE and UNREADABLE.
        is_guess: True if the only difference is a bin that the scan worked out; imported only on request.
        text: What differs, in words.
    """

    kind: Kind
    unit_id: str
    entry: LedgerEntry | None
    row: Proposed | None
    cells: dict[str, str]
    is_guess: bool
    text: str


def changes(entries: Iterable[LedgerEntry], rows: Iterable[Proposed]) -> list[Change]:
    """Return the differences in the order of kinds, within a kind in that of the proposal or ledger.

    A unit can differ in several ways: one that moved may also have another bin.

    Args:
        entries: The ledger's rows in force.
        rows: The proposal.
    """
    known = _Known(tuple(entries))
    seen = [_Seen(row) for row in rows]
    owners = {index: owner for index, each in enumerate(seen) if (owner := known.by_identity(each)) is not None}
    elsewhere = {owner.unit_id for owner in owners.values()}
    found: list[Change] = []
    met: set[str] = set(elsewhere)
    for index, each in enumerate(seen):
        owner, resident = owners.get(index), known.by_address.get(each.endpoint)
        if owner is None and resident is not None and resident.unit_id not in elsewhere:
            met.add(resident.unit_id)
            if _contradicts(resident, each):
                found.append(_exchanged(resident, each))
                continue
            owner = resident
        found.extend([_new(each)] if owner is None else _differences(owner, each))
    found.extend(_gone(entry) for entry in known.entries if entry.unit_id not in met)
    order = list(Kind)
    return sorted(found, key=lambda change: order.index(change.kind))


class _Seen:
    """A row of the proposal with its values."""

    def __init__(self, row: Proposed) -> None:
        self.row = row
        self.endpoint = _endpoint(row.host)
        self.mac = _mac(row.mac)
        self.serial = row.serial.casefold() or None
        self.place = Place(container=row.container, rack=row.rack, slot=row.slot)
        try:
            self.hashrate_hs: float | None = parse_hashrate_hs(row.hashrate_th)
        except ValueError:
            self.hashrate_hs = None

    @property
    def is_readable(self) -> bool:
        return bool(self.row.model) and self.hashrate_hs is not None

    @property
    def cells(self) -> dict[str, str]:
        """The cells of a new unit's row."""
        return {column: cell for column, cell in self.row.cells.items() if cell and column != "unit_id"}


class _Known:
    """The ledger's rows in force, by what tells a unit."""

    def __init__(self, entries: Sequence[LedgerEntry]) -> None:
        self.entries = entries
        self._by_mac = {entry.mac: entry for entry in entries if entry.mac}
        self._by_id = {entry.unit_id: entry for entry in entries}
        self._by_serial = {entry.serial.casefold(): entry for entry in entries if entry.serial}
        self.by_address = {Endpoint(entry.host, entry.port): entry for entry in entries}

    def by_identity(self, seen: _Seen) -> LedgerEntry | None:
        """Return the unit that a row is, by its MAC address, else its serial number, else its id.

        An id that a scan made from an address says nothing about the machine.
        """
        found = self._by_mac.get(seen.mac) if seen.mac else None
        found = found or (self._by_serial.get(seen.serial) if seen.serial else None)
        by_id = None if seen.row.unit_id.startswith(ADDRESS_ID) else self._by_id.get(seen.row.unit_id)
        return found or (by_id if by_id is not None and not _contradicts(by_id, seen) else None)


def _contradicts(entry: LedgerEntry, seen: _Seen) -> bool:
    """Return True if another machine answers than the one that the ledger declares."""
    if entry.mac and seen.mac:
        return entry.mac != seen.mac
    return bool(entry.serial and seen.serial and entry.serial.casefold() != seen.serial)


def _new(seen: _Seen) -> Change:
    row = seen.row
    if not seen.is_readable:
        text = f"at {row.host}: {row.note or 'no model or bin'}; fill in model and hashrate_th"
        return Change(Kind.UNREADABLE, row.unit_id, None, row, {}, is_guess=False, text=text)
    text = f"at {row.host}: {row.model} of {row.hashrate_th} TH/s{_guess(row)}{_place_text(seen.place, ', ')}"
    return Change(Kind.NEW, row.unit_id, None, row, seen.cells, is_guess=False, text=text)


def _exchanged(entry: LedgerEntry, seen: _Seen) -> Change:
    row = seen.row
    declared, told = (entry.mac, seen.mac) if entry.mac and seen.mac else (entry.serial, row.serial)
    text = f"at {row.host}: the ledger has {declared}, {told} answers"
    if not seen.is_readable:
        return Change(
            Kind.UNREADABLE, entry.unit_id, entry, row, {}, is_guess=False, text=f"{text}, without a model or bin"
        )
    place = entry.place
    stays = {"container": place.container, "rack": place.rack, "slot": place.slot}
    cells = {**{part: name for part, name in stays.items() if name}, **seen.cells}
    text = f"{text}: {row.unit_id}, {row.model} of {row.hashrate_th} TH/s{_guess(row)}"
    return Change(Kind.EXCHANGED, entry.unit_id, entry, row, cells, is_guess=False, text=text)


def _differences(entry: LedgerEntry, seen: _Seen) -> Iterator[Change]:
    row = seen.row
    moved, texts = {}, []
    if seen.endpoint != Endpoint(entry.host, entry.port):
        moved["host"] = row.host
        texts.append(f"from {host_cell(Endpoint(entry.host, entry.port))} to {row.host}")
    parts = {"container": row.container, "rack": row.rack, "slot": row.slot}
    if seen.place not in {Place(), entry.place}:
        moved |= parts
        texts.append(f"from {_place_text(entry.place) or 'no place'} to {_place_text(seen.place)}")
    if moved:
        yield Change(Kind.MOVED, entry.unit_id, entry, row, moved, is_guess=False, text="; ".join(texts))
    if seen.is_readable:
        yield from _model(entry, seen)
    else:
        text = f"at {row.host}: {row.note or 'no model or bin'}"
        yield Change(Kind.UNREADABLE, entry.unit_id, entry, row, {}, is_guess=False, text=text)
    missing = {}
    if not entry.mac and seen.mac:
        missing["mac"] = seen.mac
    if not entry.serial and row.serial:
        missing["serial"] = row.serial
    if missing:
        text = ", ".join(f"{column} {cell}" for column, cell in missing.items())
        yield Change(Kind.IDENTITY, entry.unit_id, entry, row, missing, is_guess=False, text=text)


def _model(entry: LedgerEntry, seen: _Seen) -> Iterator[Change]:
    row, nameplate, hashrate_hs = seen.row, entry.nameplate, seen.hashrate_hs
    if hashrate_hs is None:
        return
    is_model = base_key(row.model) != base_key(nameplate.model)
    # Another work mode of the same machine is no other bin.
    own_hs = (nameplate.hashrate_hs, *(mode.hashrate_hs for mode in nameplate.modes))
    if not is_model and any(abs(hashrate_hs - each) <= SAME_BIN_RATIO * each for each in own_hs):
        return
    cells = {"model": row.model, "hashrate_th": row.hashrate_th} if is_model else {"hashrate_th": row.hashrate_th}
    ours = f"{nameplate.model} of {nameplate.hashrate_hs / HS_PER_THS:g} TH/s"
    text = f"the ledger says {ours}, the unit {row.model} of {row.hashrate_th} TH/s{_guess(row)}"
    is_guess = not is_model and "hashrate_th" in row.guessed
    yield Change(Kind.MODEL, entry.unit_id, entry, row, cells, is_guess=is_guess, text=text)


def _gone(entry: LedgerEntry) -> Change:
    identity = entry.mac or entry.serial
    where = f", nor {identity} elsewhere" if identity else ""
    text = f"nothing was identified at {host_cell(Endpoint(entry.host, entry.port))}{where}"
    return Change(Kind.GONE, entry.unit_id, entry, None, {}, is_guess=False, text=text)


def _guess(row: Proposed) -> str:
    return " (guessed)" if "hashrate_th" in row.guessed else ""


def _place_text(place: Place, before: str = "") -> str:
    words = " / ".join(name for name in (place.container, place.rack, place.slot) if name)
    return f"{before}{words}" if words else ""


def _endpoint(cell: str) -> Endpoint:
    try:
        address, port = parse_endpoint(cell, default_port=API_PORT)
    except ValueError:
        return Endpoint(cell, API_PORT)
    return Endpoint(str(address), port)


def _mac(cell: str) -> str | None:
    try:
        return parse_mac(cell) if cell else None
    except ValueError:
        return None
