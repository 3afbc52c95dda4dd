"""Places by MAC address, as a spreadsheet, a DCIM or `hashsight listen` lists them. Pure."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import Final

from agent.address import parse_mac
from agent.config.mistakes import Mistakes
from agent.errors import ConfigError
from agent.site.ledger.cells import parse_label
from agent.site.ledger.entries import Place

_SEPARATORS: Final = ",;\t"
# The names that inventories use, without case, blanks and underscores.
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "mac": ("mac", "macaddress", "primarymac", "ethernetmac"),
    "container": ("container", "location", "room", "building"),
    "rack": ("rack", "cabinet", "shelf"),
    "slot": ("slot", "position", "rackposition", "rackunit"),
}


def read_places(text: str, file: str) -> dict[str, Place]:
    """Return the place of each MAC address in a table.

    Args:
        text: CSV with a header, separated by commas, semicolons or tabs. A column ``mac`` and at least one of
            ``container``, ``rack`` and ``slot`` are expected, in these or an inventory's usual names; others are
            ignored.
        file: Its name in messages.

    Raises:
        ConfigError: With every line without a MAC address or place, and every MAC address or slot that is there twice.
    """
    mistakes = Mistakes(file)
    places: dict[str, Place] = {}
    lines: dict[object, int] = {}
    columns: dict[str, int] = {}
    width = 0
    text = text.removeprefix("\ufeff")
    header = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells) or cells[0].lstrip().startswith("#"):
                continue
            number = reader.line_num
            if not columns:
                columns, width = _columns(cells, mistakes), len(cells)
                if mistakes.count:
                    break
            elif len(cells) < width:
                reason = f"{width} cells are expected, as in the header; here are {len(cells)}"
                mistakes.add(f"line {number}", "", reason)
            else:
                _add({part: cells[at].strip() for part, at in columns.items()}, number, places, lines, mistakes)
    except csv.Error as error:
        mistakes.add(f"line {reader.line_num}", "", str(error))
    if not places and not mistakes.count:
        mistakes.add("file", "", "no places: a header with mac, container, rack and slot, and a line a unit")
    if mistakes.count:
        raise ConfigError(mistakes.listed())
    return places


def _columns(header: Sequence[str], mistakes: Mistakes) -> dict[str, int]:
    """Return the index of each known column."""
    folded = [re.sub(r"[ _-]+", "", name).casefold() for name in header]
    columns: dict[str, int] = {}
    for column, names in _COLUMNS.items():
        found = [place for place, name in enumerate(folded) if name in names]
        if len(found) > 1:
            mistakes.add("line 1, column header", header[found[1]], f"a second column for the {column}")
        if found:
            columns[column] = found[0]
    if "mac" not in columns:
        mistakes.add("line 1", "", "a column mac is expected")
    elif len(columns) == 1:
        mistakes.add("line 1", "", "a column container, rack or slot is expected")
    return columns


def _add(
    cells: Mapping[str, str], line: int, places: dict[str, Place], lines: dict[object, int], mistakes: Mistakes
) -> None:
    before = mistakes.count
    labels = {}
    mac = ""
    for part, cell in cells.items():
        try:
            if part == "mac":
                mac = parse_mac(cell)
            else:
                labels[part] = parse_label(cell)
        except ValueError as error:
            mistakes.add(f"line {line}, column {part}", cell, str(error))
    place = Place(**labels)
    if mistakes.count > before:
        return
    if place == Place():
        mistakes.add(f"line {line}", "", "a container, rack or slot is expected")
        return
    for column, key in (("mac", mac), ("slot", place)):
        if column == "slot" and not place.slot:
            continue
        first = lines.setdefault(key, line)
        if first != line:
            mistakes.add(f"line {line}, column {column}", cells[column], f"also on line {first}")
    places[mac] = place
