"""Natural order of names: R2 before R10. Pure."""

import re
from functools import lru_cache

_DIGITS = re.compile(r"([0-9]+)")

NaturalKey = tuple[str | int, ...]
"""Texts and numbers by turns, beginning with a text, so that any two can be compared."""


@lru_cache(maxsize=8192)
def natural_key(name: str) -> NaturalKey:
    """Return a key that sorts names as people do; case does not count."""
    return tuple([int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(name.casefold()))])
