"""Temperatures of one unit's boards: which are plausible beside the others, and the hottest and coolest of those.

A broken sensor shows a temperature in range, such as -40 or 180 C, beside a dozen that agree. It must move neither a
unit's hottest chip nor its modelled power. A reading keeps such a value in its place; figures leave it out.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

# As `reading.Places`: values by position, with None in the place of one without a value.
_Places: TypeAlias = tuple[float | None, ...]

APART_CELSIUS = 60.0
"""A sensor that far from the median of its unit's sensors of the same kind is no reading.

Assumed (A75). Observed (O95): 21 degrees at most, on s19proplus-hyd-stock-202303.
"""

BOARD_APART_CELSIUS = 30.0
"""The same for a board's coolest sensor against the median of its own, in the estimate of the air.

Assumed (A75). Observed (O96): 19.5 degrees at most, on s19pro-stock-202212.
"""


class _Board(Protocol):
    """A board's sensors, as of `reading.BoardReading`."""

    @property
    def chip_celsius(self) -> _Places: ...

    @property
    def pcb_celsius(self) -> _Places: ...


def hottest_of_unit(boards: Sequence[_Board]) -> tuple[_Places, float | None]:
    """Return `hottest_by_board` of the chips, and `hottest` of the board sensors; for every poll, so in one pass."""
    highest: list[Any] = []
    lowest: list[Any] = []
    pcbs: tuple[Any, ...] = ()
    try:
        for board in boards:
            pcbs += board.pcb_celsius
            chips = board.chip_celsius
            if chips:
                highest.append(max(chips))  # type: ignore[type-var]
                lowest.append(min(chips))  # type: ignore[type-var]
        hottest_pcb = max(pcbs)
        if hottest_pcb - min(pcbs) < APART_CELSIUS:
            # The common cases: all sensors are there and close, and of chips all or none.
            if not highest:
                return (None,) * len(boards), hottest_pcb
            if len(highest) == len(boards) and max(highest) - min(lowest) < APART_CELSIUS:
                return tuple(highest), hottest_pcb
    except (TypeError, ValueError):
        # A sensor without a value, or a board without sensors.
        pass
    return hottest_by_board([board.chip_celsius for board in boards]), hottest([board.pcb_celsius for board in boards])


def hottest_by_board(boards: Sequence[_Places]) -> _Places:
    """Return the hottest plausible sensor of each board; None for a board without one.

    Args:
        boards: The sensors of one kind, board by board, C.
    """
    present = [value for values in boards for value in values if value is not None]
    if not present:
        return (None,) * len(boards)
    middle = median(sorted(present))
    # Two sensors that contradict each other are both half as far from their median, and neither is believed.
    apart = APART_CELSIUS / 2 if len(present) == 2 else APART_CELSIUS
    return tuple([_highest([value for value in values if _is_near(value, middle, apart)]) for values in boards])


def hottest(boards: Sequence[_Places]) -> float | None:
    """Return the hottest plausible sensor of all boards, as `hottest_by_board` takes them; None if there is none."""
    return _highest(hottest_by_board(boards))


def _highest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def coolest_of_board(values: _Places) -> float | None:
    """Return a board's coolest sensor that agrees with the board's median, C; None if none does."""
    if values and None not in values:
        complete: Any = values
        coolest: float = min(complete)
        if max(complete) - coolest <= BOARD_APART_CELSIUS:
            return coolest
    present = sorted([value for value in values if value is not None])
    if not present:
        return None
    middle = median(present)
    return next((value for value in present if abs(value - middle) <= BOARD_APART_CELSIUS), None)


def median(ordered: Sequence[float]) -> float:
    """Return the median of values in ascending order, of which there is at least one."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _is_near(value: float | None, middle: float, apart: float) -> bool:
    return value is not None and abs(value - middle) < apart
