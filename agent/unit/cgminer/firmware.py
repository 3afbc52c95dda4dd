"""Firmware named by what it says in STATUS: words for an error, never a way to choose a reader."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

# The beginning of `Description` or `Msg`. Observed (O82): BOSer, BOSminer+. Observed (O83): LUXminer.
_NAMES: Final[Sequence[tuple[str, str]]] = (
    ("boser", "Braiins OS (BOSer)"),
    ("bosminer", "Braiins OS (BOSminer)"),
    ("luxminer", "LuxOS (LUXminer)"),
    ("vnish", "VNish"),
)


_LONGEST: Final = 80


def firmware_of(*texts: str | None) -> str | None:
    """Return the name of a firmware that keeps its figures in places of its own; None if no text says so."""
    # Cut before they are looked up: what is remembered must not be as long as a unit likes.
    return _firmware_of(*[None if text is None else text[:_LONGEST] for text in texts])


@lru_cache(maxsize=256)
def _firmware_of(*texts: str | None) -> str | None:
    for text in texts:
        if text is None:
            continue
        folded = text.casefold()
        for beginning, name in _NAMES:
            if folded.startswith(beginning) or f"({beginning}" in folded:
                return name
    return None


def is_luxos(*texts: str | None) -> bool:
    """Return True for LuxOS, whose board rates in `stats` are averages (Observed (O83))."""
    return firmware_of(*texts) == "LuxOS (LUXminer)"
