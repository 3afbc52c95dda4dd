"""Layout of a board's sensors in a reply: air units derive values from four sensors, hydro units rearrange them."""

from functools import lru_cache

from simulators.unit.models import Cooling, Model

_COOLANT_IN_PIC = frozenset({"S21j XP Hyd.", "S23 Hyd."})
# Coolant below the board sensors of `observe`, so that it enters at the ambient and leaves 8 C warmer.
_COOLER_IN, _COOLER_OUT = 19, 25

NO_SENSORS = ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0))


def layout(model: Model, pic: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return temp_pic, temp_pcb and temp_chip of a board whose four sensors read `pic`; empty tuples if it has none.

    Observed (O54): pcb = pic + 10 and chip = pic + 15, sensor by sensor, in s21-stock-aml-202407 and
    s19pro-stock-202212. Documented (D37): S21 Hyd. gives chip = [inlet, outlet, 0, 0]. Documented
    (D38): S21+ Hyd. gives pic = [chip, pcb, pcb, pcb], pcb = [inlet, pcb, outlet, pcb] and no chips. Assumed
    (A26): later hydro models do as the S21+ Hyd., immersed ones as air units. Documented (D86): S21j XP Hyd. and
    S23 Hyd. give pic = coolant, pcb = 10 more, and all four chips. Observed (O185): on an S21 Pro three of the four
    are at the outlet, and the second of temp_chip repeats the first. Observed (O186): the S21 XP Hyd. fills all.
    """
    if not pic:
        return (), (), ()
    if model.cooling is not Cooling.HYDRO:
        return _of_air(model, pic)
    first, _, last, _ = pic
    if model.name == "S21 XP Hyd.":
        board = (first - 10, last - 4, last - 5, last)
        return (last + 2, last - 5, last + 1, last - 3), board, (last + 11, last + 7, last + 4, last + 9)
    if model.name in _COOLANT_IN_PIC:
        way_in, way_out = first - _COOLER_IN, last - _COOLER_OUT
        chips = (way_out + 19,) * 4
        if _has_coolant_keys(model):
            chips = (way_in + 10, way_in + 10, way_out + 14, way_out + 14)
        coolant = (way_in, way_in, way_out, way_out)
        return coolant, tuple(celsius + 10 for celsius in coolant), chips
    if model.name == "S21 Hyd.":
        return pic, pic, (first - 10, last - 10, 0, 0)
    return (last + 15, first, first, last), (first - 10, last, last - 10, last), (0, 0, 0, 0)


def _of_air(model: Model, pic: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    chips = tuple(p + 15 for p in pic)
    if model.name == "S21 Pro":
        first, _, _, last = pic
        pic = (first, last - 2, last - 1, last)
        chips = (first + 15, first + 15, last + 14, last + 15)
    return pic, tuple(p + 10 for p in pic), chips


def coolant_keys(model: Model, pic: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return temp_in and temp_out of a board: coolant and chip, on the models that fill them.

    Documented (D86): S23 Hyd. does, S21j XP Hyd. leaves both empty.
    """
    if not pic or not _has_coolant_keys(model):
        return (), ()
    first, _, last, _ = pic
    way_in, way_out = first - _COOLER_IN, last - _COOLER_OUT
    return (way_in, way_in + 10), (way_out, way_out + 14)


def _has_coolant_keys(model: Model) -> bool:
    return model.name == "S23 Hyd."


@lru_cache(maxsize=4096)
def chip_map(chips: int, whole: int, group: int = 3) -> str:
    """Return the map of a board with `chips` good chips of `whole`, as text.

    Observed (O32): ``o`` for a chip that answers, in groups. Documented (D30): ``x`` for one that does not. Documented
    (D85): a build of May 2026 pads the last group with ``-``.
    """
    marks = ("o" * chips + "x" * (whole - chips)).ljust(-(-whole // group) * group, "-")
    return "".join(f" {marks[at : at + group]}" for at in range(0, whole, group))


@lru_cache(maxsize=64)
def topology(chips: int, rows: int) -> str:
    """Return the places of a board's chips on the page, as text: columns of `rows`, up and down in turn.

    Documented (D85): the key `tpl`. Assumed (A97): every layout is this one, which is that of an S21 XP Hyd.
    """
    columns = -(-chips // rows)
    places = [
        [rows * column + (rows - row if column % 2 == 0 else row + 1) for column in range(columns)]
        for row in range(rows)
    ]
    return str([[place if place <= chips else 0 for place in row] for row in places])
