"""The file of a walk: a MAC address, an address and a place a line, replaced whole at every press."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agent.errors import ConfigError, Mistake
from agent.files.atomic import replace_file
from agent.files.text import read_text
from agent.hil.listen.walk import Spot
from agent.hil.places.mac_table import read_places

COLUMNS: Final = ("mac", "host", "container", "rack", "slot")
MAX_BYTES: Final = 16 << 20


def read_spots(path: Path) -> list[Spot]:
    """Return the units of a file, in the order in which they were placed; none if there is no file.

    Raises:
        ConfigError: It is not a file of a walk, or was changed into something else.
    """
    if not path.exists():
        return []
    text = read_text(path, max_bytes=MAX_BYTES)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows or tuple(rows[0]) != COLUMNS:
        reason = f"a file of `hashsight listen` is expected, with the columns {','.join(COLUMNS)}"
        raise ConfigError([Mistake(file=str(path), where="line 1", value="", reason=reason)])
    if not any(rows[1:]):
        return []
    places = read_places(text, str(path))
    hosts = {row[0]: row[1] for row in rows[1:] if len(row) > 1}
    return [Spot(mac, hosts.get(mac, ""), place) for mac, place in places.items()]


def write_spots(path: Path, spots: Iterable[Spot]) -> None:
    """Write the units of a walk, whole or not at all.

    Raises:
        OSError: It could not be written; the file is as it was.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for spot in spots:
        writer.writerow((spot.mac, spot.host, spot.place.container, spot.place.rack, spot.place.slot))
    replace_file(path, text.getvalue().encode())
