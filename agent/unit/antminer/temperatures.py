"""A board's temperatures, sorted into chips, board and coolant.

Hydro units put coolant, board and chips into the same arrays, each model in its own way. A coolant value must never
count as a board's: it hides a hot board, and a board's value among coolants is a false alarm.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from agent.unit.antminer.reply_context import ReplyContext
from agent.unit.coolant import CoolantLayout
from agent.unit.reading import Places

_Values = Sequence[float | None] | None

# Assumed (A70): at most two sensors of an array are in the coolant, and neither is its hottest.
_SURE_ABOVE: Final = 2


class Arrays(NamedTuple):
    """The arrays of one board as the reply has them; absent ones are None.

    Attributes:
        chip, pcb, pic: `temp_chip`, `temp_pcb` and `temp_pic`.
        inlet, outlet: `temp_in` and `temp_out`. Documented (D86): first coolant, then chip.
    """

    chip: _Values = None
    pcb: _Values = None
    pic: _Values = None
    inlet: _Values = None
    outlet: _Values = None


class Temperatures(NamedTuple):
    """Chips, board and coolant (in, out), each by place; None keeps the place of one without a value."""

    chips: Places
    board: Places
    coolant: Places = ()


def sort_temperatures(arrays: Arrays, layout: CoolantLayout, context: ReplyContext) -> Temperatures:
    """Return a board's temperatures.

    Keys of the coolant's own win whatever the layout. An array shorter than its layout tells nothing. A coolant hotter
    than everything else refutes the layout, and then the board is read as one whose layout is unknown.
    """
    if layout is CoolantLayout.NONE and not (arrays.inlet or arrays.outlet):
        return Temperatures(context.celsius(arrays.chip), context.celsius(arrays.pcb))
    clean = Arrays(*[None if values is None else context.sensors(values) for values in arrays])
    found = _with_own_keys(clean, layout) if _is_any(clean.inlet) or _is_any(clean.outlet) else _by(clean, layout)
    if _is_refuted(found):
        found = _unknown(clean)
    return Temperatures(*[tuple(places) if _is_any(places) else () for places in found])


def _by(arrays: Arrays, layout: CoolantLayout) -> Temperatures:
    chip, pcb, pic = (tuple(values or ()) for values in arrays[:3])
    match layout:
        case CoolantLayout.TEMP_CHIP if len(chip) >= 2 and _is_any(chip[:2]):
            # Documented (D37): nothing follows on an S21 Hyd.
            return Temperatures((None, None, *chip[2:]), pcb, chip[:2])
        case CoolantLayout.TEMP_PCB:
            if len(pic) < 4 or len(pcb) < 4:
                return Temperatures((), ())
            return Temperatures(pic[:1], (*pic[1:4], pcb[1], pcb[3]), (pcb[0], pcb[2]))
        case CoolantLayout.TEMP_PIC:
            return Temperatures(chip, pcb, (pic[0], pic[2]) if len(pic) >= 4 else ())
        case CoolantLayout.UNKNOWN | CoolantLayout.TEMP_CHIP:
            # Without the coolant in its place, it may be in any other.
            return _unknown(arrays)
        case _:
            return Temperatures(chip, pcb)


def _with_own_keys(arrays: Arrays, layout: CoolantLayout) -> Temperatures:
    inlet, outlet = (tuple(values or ()) for values in (arrays.inlet, arrays.outlet))
    coolant, chips = ((_at(inlet, place), _at(outlet, place)) for place in (0, 1))
    found = _by(arrays, layout)
    is_apart = layout is not CoolantLayout.UNKNOWN and _is_any(found.chips)
    return Temperatures(found.chips if is_apart else chips, found.board, coolant)


def _unknown(arrays: Arrays) -> Temperatures:
    """Return only what cannot be coolant, whichever of the arrays that is in."""
    return Temperatures(_hottest_alone(arrays.chip), _hottest_alone(arrays.pcb))


def _hottest_alone(values: _Values) -> Places:
    present = [value for value in values or () if value is not None]
    if len(present) <= _SURE_ABOVE:
        return ()
    hottest = max(present)
    return tuple(value if value == hottest else None for value in values or ())


def _is_refuted(found: Temperatures) -> bool:
    coolant = [value for value in found.coolant if value is not None]
    others = [value for value in (*found.chips, *found.board) if value is not None]
    return bool(coolant and others) and max(coolant) > max(others)


def _is_any(values: _Values) -> bool:
    return any(value is not None for value in values or ())


def _at(values: Places, place: int) -> float | None:
    return values[place] if place < len(values) else None
