"""`temps` and `fans`: what each sensor measures is in its label, and which fan is which in its name.

Observed (O176): four sensors a board, by corner, with the labels `Board Intake (top)` and `Board Exhaust (bottom)`.
Documented (D246): on hydro units they are `Water Inlet` and `Water Outlet`. No chip's temperature is among them, so a
reading has none: what `stats` calls `temp_chip` are these same four figures.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from agent.unit.limits import MAX_FANS
from agent.unit.luxos.reports import Corner, FansReport, LabelRow, TempRow, TempsReport
from agent.unit.reading import Places

_WATER: Final = ("water", "coolant", "liquid")
_CHIP: Final = ("chip", "die")
_WAY_IN: Final = ("intake", "inlet")
_WAY_OUT: Final = ("exhaust", "outlet")
_LONGEST_LABEL: Final = 48
_FAN_NUMBER: Final = re.compile(r"[A-Za-z ]*([0-9]{1,2})")


class BoardSensors(NamedTuple):
    """The temperatures of one board, C, inlet side first; None keeps the place of a sensor without a value."""

    pcb: Places = ()
    chip: Places = ()
    coolant: Places = ()


NO_SENSORS: Final = BoardSensors()


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
            found.setdefault(int(board.ID), _sorted(_corners(board), layout))
    return found


def fans_by_name(report: FansReport) -> Places:
    """Return the speeds of the fans, rpm, the one named ``FAN1`` first.

    The list is in another order (Observed (O176)). A fan whose name has no number keeps its place in the list, and so
    do all where two have the same. A stopped fan is a measured 0.
    """
    by_number: dict[int, float | None] = {}
    for place, fan in enumerate(report.FANS):
        match = _FAN_NUMBER.fullmatch(fan.FAN[:16]) if fan.FAN else None
        number = int(match[1]) if match is not None else place
        if number in by_number:
            by_number = {position: other.RPM for position, other in enumerate(report.FANS)}
            break
        by_number[number] = fan.RPM
    speeds = tuple([by_number[number] for number in sorted(by_number)])
    return speeds[:MAX_FANS] if any(rpm is not None for rpm in speeds) else ()


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
