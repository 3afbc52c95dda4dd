"""Chip temperatures that firmware works out: the board's and 15 C. Nothing was measured, so nothing may alarm on them.

Observed (O171): VNish, in three generations. Documented (D251): Braiins OS on S19 XP, S21+ and S21 Pro.
"""

from collections.abc import Iterable
from typing import Final

ADDED_CELSIUS: Final = 15.0
_ROUNDING_CELSIUS: Final = 0.05
"""48.1 and 15 is not exactly 63.1 in binary, and firmware may round either figure to a tenth."""


def is_sum(chip_celsius: float, board_celsius: float) -> bool:
    """Return True if a chip's temperature is its board's and 15 C."""
    return abs(chip_celsius - board_celsius - ADDED_CELSIUS) <= _ROUNDING_CELSIUS


def are_sums(pairs: Iterable[tuple[float | None, float | None]]) -> bool:
    """Return True if no chip disproves that all are worked out, of firmware that works them out.

    A chip whose board tells nothing disproves nothing: it cannot be known to be measured.

    Args:
        pairs: Chip and board, C.
    """
    return all(is_sum(chip, board) for chip, board in pairs if chip is not None and board is not None)


def chip_or_none(chip_celsius: float | None, board_celsius: float | None) -> float | None:
    """Return a chip's temperature, C; None for 15 C beside a board without one, which is the sum of 0 and 15."""
    if chip_celsius is not None and board_celsius is None and is_sum(chip_celsius, 0.0):
        return None
    return chip_celsius
