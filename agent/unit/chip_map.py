"""A board's map of its chips, as firmware sends it: one letter a chip.

Documented (D30): ``o`` is a good chip, ``x`` a bad one; blanks and ``-`` are padding.
"""

import re

from msgspec import UNSET, UnsetType

from agent.unit.limits import MAX_CHIPS

_PADDING = re.compile("[^ox]+")


def marked_map(chip_map: str | None) -> str | UnsetType:
    """Return the map without its padding; `UNSET` if it marks no chip as bad, because most boards need no map."""
    if not chip_map or ("x" not in chip_map and "X" not in chip_map):
        return UNSET
    return _PADDING.sub("", chip_map.casefold())[:MAX_CHIPS]
