"""The order in which people count: R2 before R10, slot 9 before slot 10, and names without numbers among them."""

import re
from functools import lru_cache

_DIGITS = re.compile(r"([0-9]{1,18})")

Key = tuple[tuple[int, int, str], ...]


@lru_cache(maxsize=65_536)
def natural_key(name: str) -> Key:
    """Return a key that sorts names with their numbers as numbers; an empty name comes last.

    Names that differ only in zeros or in capitals keep an order of their own.
    """
    if not name:
        return ((2, 0, ""),)
    parts = _DIGITS.split(name.casefold())
    key = [(0, int(part), "") if at % 2 else (1, 0, part) for at, part in enumerate(parts) if part]
    return (*key, (-1, 0, name))
