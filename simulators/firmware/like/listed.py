"""Values in the lists of LuxOS, whose replies have a row for each board or fan, and what they follow.

Observed (O176): rows of boards have an `ID` from 0 and are in an order of their own; so are fans, by their names. A
board that was not found has no row (Documented (D247)).
"""

import re
from typing import Final

from simulators.firmware.like import chain
from simulators.firmware.like.sketch import BOARD_LISTS, Sketch, Slot
from simulators.firmware.like.tokens import Leaf

_CORNERS: Final = frozenset({"BottomLeft", "BottomRight", "TopLeft", "TopRight", "Temperature"})
_NOW: Final = frozenset({f"MHS {window}" for window in ("5s", "1m", "5m", "15m", "30m", "60m")})
# Observed (O177): `Total MH` is the average again.
_AVERAGE: Final = frozenset({"MHS av", "Total MH"})
_MHS_PER_GHS: Final = 1e3
_FAN: Final = re.compile(r"[A-Za-z ]*([1-9])")


def slot_of(leaf: Leaf, name: str, sketch: Sketch) -> Slot | None:
    """Return the slot of a value in a list; None if it is none."""
    if not sketch.has_lists or not leaf.path:
        return None
    section, row = leaf.path[0], sketch.row(leaf)
    if section == "POWER" and name == "Watts":
        return sketch.printed(leaf, lambda view: view.snapshot.power_watts) if sketch.value(leaf) else None
    if section == "FANS":
        fan = _FAN.fullmatch(str(row.get("FAN")))
        recorded = sketch.value(leaf)
        if fan is None or name != "RPM" or not recorded:
            return None
        return sketch.printed(leaf, lambda view: view.rpm(int(fan[1]) - 1, recorded))
    place = sketch.listed_place(leaf)
    return _of_board(leaf, name, place, sketch) if section in BOARD_LISTS and place in sketch.boards else None


def _of_board(leaf: Leaf, name: str, place: int, sketch: Sketch) -> Slot | None:
    if name in _CORNERS:
        return chain.temperature(leaf, place, sketch)
    recorded = sketch.value(leaf)
    if not recorded:
        return None
    if name in _NOW:
        return sketch.printed(
            leaf, lambda view: 0.0 if (board := view.boards[place]) is None else board.ghs * _MHS_PER_GHS
        )
    if name in _AVERAGE:
        return sketch.printed(leaf, lambda view: chain.board_average(view, place) * _MHS_PER_GHS)
    if name == "Nominal MHS":
        return sketch.printed(leaf, lambda view: recorded * view.clock if view.up(place) else 0.0)
    return _of_details(leaf, name, place, recorded, sketch)


def _of_details(leaf: Leaf, name: str, place: int, recorded: float, sketch: Sketch) -> Slot | None:
    if name == "Frequency":
        return sketch.printed(leaf, lambda view: recorded * view.clock if view.up(place) else 0.0)
    if name == "Chips":
        return sketch.printed(leaf, lambda view: 0 if (board := view.boards[place]) is None else board.chips)
    return None
