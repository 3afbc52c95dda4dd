"""`temps` and `fans`: what each sensor measures is in its label, and which fan is which in its name.

Observed (O176): four sensors a board, by corner, with the labels `Board Intake (top)` and `Board Exhaust (bottom)`.
Documented (D246): on hydro units they are `Water Inlet` and `Water Outlet`. No chip's temperature is among them, so a
reading has none: what `stats` calls `temp_chip` are these same four figures.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from agent.unit.luxos.reports import Corner, FansReport, LabelRow, TempRow, TempsReport
from agent.unit.reading import Places

_WATER: Final = ("water", "coolant", "liquid")
_CHIP: Final = ("chip", "die")
_WAY_IN: Final = ("intake", "inlet")
_WAY_OUT: Final = ("exhaust", "outlet")
_LONGEST_LABEL: Final = 48
_LONGEST_NAME: Final = 16
_FAN_NUMBER: Final = re.compile(r"[A-Za-z ]*([0-9]{1,2})")


class BoardSensors(NamedTuple):
    """The temperatures of one board, C, inlet side first; None keeps the place of a sensor without a value."""

    pcb: Places = ()
    chip: Places = ()
    coolant: Places = ()


NO_SENSORS: Final = BoardSensors()
NO_BOARDS: Final[Mapping[int, BoardSensors]] = MappingProxyType({})


class _Layout(NamedTuple):
    """Which corners hold which kind of sensor, as positions in `_corners`."""

    pcb: tuple[int, ...]
    chip: tuple[int, ...]
    water_in: int | None
    water_out: int | None


def sensors_by_slot(report: TempsReport) -> Mapping[int, BoardSensors]:
    """Return the temperatures of each board that is listed, by slot."""
    row = report.METADATA[0] if report.METADATA else None
    layout = _layout(*_labels(row))
    found: dict[int, BoardSensors] = {}
    for board in report.TEMPS:
        if board.ID is not None:
            found.setdefault(board.ID, _sorted(_corners(board), layout))
    return found


def fans_by_name(report: FansReport) -> Places:
    """Return the speeds of the fans, rpm, the one named ``FAN1`` first.

    The list is in another order (Observed (O176)). Where a name has no number, or two have the same, the list keeps
    its order. A stopped fan is a measured 0.
    """
    numbers = [_number(fan.FAN) for fan in report.FANS]
    speeds = [fan.RPM for fan in report.FANS]
    if None not in numbers and len(set(numbers)) == len(numbers):
        by_number: dict[int | None, float | None] = dict(zip(numbers, speeds, strict=True))
        speeds = [by_number[number] for number in sorted(by_number, key=lambda number: number or 0)]
    return tuple(speeds) if any(rpm is not None for rpm in speeds) else ()


def _number(name: str | None) -> int | None:
    """Return the number in a fan's name."""
    # Cut before it is looked up: what is remembered must not be as long as a unit likes.
    return None if name is None else _number_in(name[:_LONGEST_NAME])


@lru_cache(maxsize=64)
def _number_in(name: str) -> int | None:
    match = _FAN_NUMBER.fullmatch(name)
    return None if match is None else int(match[1])


def _corners(board: TempRow) -> tuple[float | None, float | None, float | None, float | None]:
    return board.TopLeft, board.TopRight, board.BottomLeft, board.BottomRight


def _labels(row: LabelRow | None) -> tuple[str, str, str, str]:
    if row is None:
        return "", "", "", ""
    return _label(row.TopLeft), _label(row.TopRight), _label(row.BottomLeft), _label(row.BottomRight)


def _label(corner: Corner | None) -> str:
    # Cut before it is looked up: what is remembered must not be as long as a unit likes.
    return "" if corner is None or corner.Label is None else corner.Label[:_LONGEST_LABEL]


@lru_cache(maxsize=64)
def _layout(*labels: str) -> _Layout:
    """Return the layout that four labels describe; a sensor without a label is on the board."""
    words = [label.casefold() for label in labels]
    order = sorted(range(len(words)), key=lambda corner: (_side(words[corner]), corner))
    water = [corner for corner in order if _has(words[corner], _WATER)]
    chip = [corner for corner in order if corner not in water and _has(words[corner], _CHIP)]
    return _Layout(
        pcb=tuple(corner for corner in order if corner not in water and corner not in chip),
        chip=tuple(chip),
        water_in=next((corner for corner in water if _has(words[corner], _WAY_IN)), None),
        water_out=next((corner for corner in water if _has(words[corner], _WAY_OUT)), None),
    )


def _side(word: str) -> int:
    if _has(word, _WAY_IN):
        return 0
    return 2 if _has(word, _WAY_OUT) else 1


def _has(word: str, parts: tuple[str, ...]) -> bool:
    return any(part in word for part in parts)


# Temperatures are whole degrees, so the same four come again: looking them up costs a fifth of sorting them.
@lru_cache(maxsize=8192)
def _sorted(corners: tuple[float | None, ...], layout: _Layout) -> BoardSensors:
    # Exactly 0, and -1, stand for no value.
    values = [None if not value or value == -1 else value for value in corners]
    water_in = None if layout.water_in is None else values[layout.water_in]
    water_out = None if layout.water_out is None else values[layout.water_out]
    return BoardSensors(
        pcb=_places([values[corner] for corner in layout.pcb]),
        chip=_places([values[corner] for corner in layout.chip]),
        coolant=_places([water_in, water_out]),
    )


def _places(values: list[float | None]) -> Places:
    return tuple(values) if any(value is not None for value in values) else ()
