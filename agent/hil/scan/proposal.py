"""A proposal: ledger rows for what a scan found, for a person to check. Pure, but for the file at the end.

A scan never changes a ledger. A row has what the unit itself says; a cell that is worked out from something else is
named in `guessed`.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from agent.files.atomic import replace_file
from agent.hil.scan.found import Found, Kind, address_order, clean
from agent.hil.scan.makes.asking import FOREIGN
from agent.site.ledger.cells import host_cell
from agent.site.ledger.reader import COLUMNS
from agent.site.mismatch import BinSource, reported_bin
from agent.unit.limits import HS_PER_THS
from agent.unit.model_advice import Machine, missing_text
from agent.unit.model_names import model_key
from agent.unit.nameplate import Catalogue

DEFAULT_WEB_PORT: Final = 80
EXTRA_COLUMNS: Final = ("guessed", "note", "source")
"""Columns of a proposal that a ledger does not have; an import leaves them out."""

CHECK_LABEL: Final = "its bin is a guess that only its label can confirm"
"""Note of a bin that is made of a running profile."""


class Proposed(NamedTuple):
    """One row of a proposal: the cells of a ledger row, as text, and where they come from.

    Attributes:
        unit_id, model, hashrate_th, host, container, rack, slot, deployed_from, deployed_to, status, serial, mac,
            simulated, web_port, reader, make, power_w, boards, chips_per_board, owner: As in the ledger; an empty cell
            is not known. No unit tells its owner.
        guessed: The columns that are worked out and not the unit's own word, in the ledger's order.
        note: What a person should know before taking the row; may be empty.
        source: Address and port that answered, as ``10.20.0.17:4028``.
    """

    unit_id: str
    model: str
    hashrate_th: str
    host: str
    container: str = ""
    rack: str = ""
    slot: str = ""
    deployed_from: str = ""
    deployed_to: str = ""
    status: str = "deployed"
    serial: str = ""
    mac: str = ""
    simulated: str = ""
    web_port: str = ""
    reader: str = ""
    make: str = ""
    power_w: str = ""
    boards: str = ""
    chips_per_board: str = ""
    owner: str = ""
    guessed: tuple[str, ...] = ()
    note: str = ""
    source: str = ""

    @property
    def cells(self) -> dict[str, str]:
        """The cells of the ledger's columns, by column."""
        return {column: getattr(self, column) for column in COLUMNS}


class Proposal(NamedTuple):
    """The rows of a scan, and what to tell about them.

    Attributes:
        rows: In the order of addresses, one a unit.
        missing_models: For each model or bin that the catalogue lacks, why and the line to add.
        clashes: Identities that several units tell, in words.
    """

    rows: tuple[Proposed, ...]
    missing_models: tuple[str, ...]
    clashes: tuple[str, ...]


def propose(found: Iterable[Found], catalogue: Catalogue) -> Proposal:
    """Return the proposal for a scan's finds; addresses that were not identified have no row.

    Args:
        found: In any order.
        catalogue: The known models.
    """
    units = sorted(
        (each for each in found if each.kind is Kind.IDENTIFIED), key=lambda each: address_order(each.endpoint)
    )
    macs = _shared(units, lambda each: None if each.info is None else each.info.mac)
    serials = _shared(units, lambda each: None if each.info is None else (each.info.serial or "").casefold() or None)
    missing: dict[tuple[str, float | None], str] = {}
    taken: set[str] = set()
    rows = []
    for unit in units:
        row = _row(unit, catalogue, macs, serials)
        if row.unit_id in taken:
            row = row._replace(unit_id=f"{row.unit_id[:40]}-{_address_id(unit)}")
        taken.add(row.unit_id)
        rows.append(row)
        machine = _missing_machine(unit, row, catalogue)
        if machine is not None:
            key = (model_key(machine.model), machine.hashrate_hs)
            if key not in missing:
                missing[key] = f"{machine.model}: {missing_text(catalogue, machine)}"
    clashes = (*_clashes("MAC address", macs), *_clashes("serial number", serials))
    return Proposal(tuple(rows), tuple(missing.values()), clashes)


def write_proposal(path: Path, rows: Iterable[Proposed]) -> None:
    """Write a proposal as CSV, whole or not at all.

    Raises:
        OSError: It could not be written; an earlier file is unchanged.
    """
    replace_file(path, proposal_bytes(rows))


def proposal_bytes(rows: Iterable[Proposed]) -> bytes:
    """Return the content of a proposal's file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *EXTRA_COLUMNS))
    for row in rows:
        writer.writerow((*row.cells.values(), " ".join(row.guessed), row.note, row.source))
    return text.getvalue().encode("utf-8", "backslashreplace")


def _row(unit: Found, catalogue: Catalogue, macs: dict[str, list[Found]], serials: dict[str, list[Found]]) -> Proposed:
    info = unit.info
    mac = "" if info is None else info.mac or ""
    serial = "" if info is None else clean(info.serial)
    notes = []
    if mac in macs:
        # A ledger refuses two units with one MAC address, so neither gets it.
        notes.append(f"reports the MAC address {mac} as {_others(unit, macs[mac])} does")
        mac = ""
    if serial.casefold() in serials:
        notes.append(f"reports the serial number {serial} as {_others(unit, serials[serial.casefold()])} does")
        serial = ""
    model, guessed = unit.model or "", ["unit_id"]
    if not model:
        notes.append("names no model: fill it in")
    hashrate_th, is_guess, note = _bin(unit, model, catalogue)
    if is_guess:
        guessed.append("hashrate_th")
    if note:
        notes.append(note)
    if unit.reading is None and unit.error is not None:
        notes.append(f"not read: {unit.error}")
    if unit.is_made_of_reports:
        notes.append(_reader_note(unit))
    if unit.page_error is not None:
        notes.append(f"MAC and serial not read: {unit.page_error}")
    return Proposed(
        unit_id=_unit_id(unit, mac, serial),
        model=model,
        hashrate_th=hashrate_th,
        host=host_cell(unit.endpoint),
        serial=serial,
        mac=mac,
        web_port="" if unit.web_port == DEFAULT_WEB_PORT else str(unit.web_port),
        # A row of another make is read through pyasic by its make alone.
        reader=(unit.reader or "") if unit.is_made_of_reports and not unit.is_of_other_make else "",
        make=(unit.make or "") if unit.is_of_other_make else "",
        guessed=tuple(column for column in COLUMNS if column in guessed),
        note="; ".join(notes),
        source=str(unit.endpoint),
    )


def _reader_note(unit: Found) -> str:
    """Return how a machine is read once it is in a ledger that no reader of this agent's own reads."""
    what = f"made by {unit.make}" if unit.is_of_other_make else f"runs {unit.firmware_line} firmware"
    if unit.reader is None:
        return f"{what}, which this agent does not read: in a ledger it counts as unreadable"
    if unit.reader != FOREIGN:
        return f"{what}, whose pages the scan could not read as a poll reads them"
    return f"{what}: in a ledger it is read through pyasic"


def _bin(unit: Found, model: str, catalogue: Catalogue) -> tuple[str, bool, str]:
    """Return the cell of a unit's bin, True if it is a guess, and a note about it."""
    bins_hs = catalogue.bins_hs(model) if model else ()
    reading = unit.reading
    told = None if reading is None else reported_bin(reading)
    if told is not None and told.source is BinSource.RATE_SALE:
        return _th(told.hashrate_hs), False, ""
    ideal_hs = None if reading is None else reading.hashrate_ideal_hs
    is_profile = reading is not None and reading.is_profile_ideal
    if ideal_hs and bins_hs:
        note = f"its running profile should give {ideal_hs / HS_PER_THS:.1f} TH/s; {CHECK_LABEL}" if is_profile else ""
        return _th(min(bins_hs, key=lambda bin_hs: abs(bin_hs - ideal_hs))), True, note
    if ideal_hs and not is_profile:
        return _th(round(ideal_hs / HS_PER_THS) * HS_PER_THS), True, "its model is not in the catalogue"
    if len(bins_hs) == 1:
        return _th(bins_hs[0]), True, ""
    return "", True, "reports no bin: fill in the hashrate on its label"


def _missing_machine(unit: Found, row: Proposed, catalogue: Catalogue) -> Machine | None:
    """Return a unit's machine if the catalogue has no nameplate for its row."""
    hashrate_hs = float(row.hashrate_th) * HS_PER_THS if row.hashrate_th else None
    if not row.model or (hashrate_hs is None and catalogue.bins_hs(row.model)):
        return None
    if hashrate_hs is not None and catalogue.find(row.model, hashrate_hs) is not None:
        return None
    boards = () if unit.reading is None else unit.reading.boards
    return Machine(
        model=row.model,
        hashrate_hs=hashrate_hs,
        boards=len(boards) or None,
        chips_per_board=max((board.chips or 0 for board in boards), default=0) or None,
        is_antminer=not unit.is_of_other_make,
        source=f"the reply of the unit at {row.source}",
    )


def _unit_id(unit: Found, mac: str, serial: str) -> str:
    """Return an id that stays with the machine: its serial number, else its MAC address, else its address."""
    plain = "".join(each for each in serial if each.isascii() and (each.isalnum() or each in "._-"))[:LONGEST_ID]
    if any(each.isalnum() for each in plain):
        return plain
    return mac.replace(":", "") or _address_id(unit)


LONGEST_ID: Final = 40


def _address_id(unit: Found) -> str:
    return f"at-{unit.host.replace(':', '-').replace('%', '-')}" + ("" if unit.port == 4028 else f"-{unit.port}")


def _shared(units: Iterable[Found], name_of: Callable[[Found], str | None]) -> dict[str, list[Found]]:
    """Return the units by each name that more than one of them tells."""
    named: defaultdict[str, list[Found]] = defaultdict(list)
    for unit in units:
        name = name_of(unit)
        if name:
            named[name].append(unit)
    return {name: several for name, several in named.items() if len(several) > 1}


def _clashes(word: str, shared: dict[str, list[Found]]) -> Iterator[str]:
    for name, units in shared.items():
        shown = ", ".join(str(unit.endpoint) for unit in units[:5]) + (", ..." if len(units) > 5 else "")
        yield f"{len(units)} units report the {word} {name}: {shown}"


def _others(unit: Found, units: Sequence[Found]) -> str:
    others = [str(other.endpoint) for other in units if other.endpoint != unit.endpoint]
    return others[0] + (f" and {len(others) - 1} more" if len(others) > 1 else "")


def _th(hashrate_hs: float) -> str:
    return f"{hashrate_hs / HS_PER_THS:.12g}"
