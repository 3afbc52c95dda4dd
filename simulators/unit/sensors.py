"""Layout of a board's sensors in a reply: air units derive values from four sensors, hydro units rearrange them."""

from functools import lru_cache

from simulators.unit.models import Cooling, Model

NO_SENSORS = ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0))


def layout(model: Model, pic: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return temp_pic, temp_pcb and temp_chip of a board whose four sensors read `pic`; empty tuples if it has none.

    Observed (O54): pcb = pic + 10 and chip = pic + 15, sensor by sensor, in s21-stock-aml-202407 and
    s19pro-stock-202212. Documented (D37): S21 Hyd. gives chip = [inlet, outlet, 0, 0]. Documented
    (D38): S21+ Hyd. gives pic = [chip, pcb, pcb, pcb], pcb = [inlet, pcb, outlet, pcb] and no chips. Assumed
    (A26): later hydro models do as the S21+ Hyd., immersed ones as air units.
    """
    if not pic:
        return (), (), ()
    if model.cooling is not Cooling.HYDRO:
        return pic, tuple(p + 10 for p in pic), tuple(p + 15 for p in pic)
    first, _, last, _ = pic
    if model.name == "S21 Hyd.":
        return pic, pic, (first - 10, last - 10, 0, 0)
    return (last + 15, first, first, last), (first - 10, last, last - 10, last), (0, 0, 0, 0)


@lru_cache(maxsize=4096)
def chip_map(chips: int, whole: int) -> str:
    """Return the map of a board's chips. Observed (O32): ``o`` for a chip that answers, in groups of three.

    Documented (D30): ``x`` for one that does not. Assumed (A17): groups of three on all models.
    """
    if chips == 0:
        return ""
    marks = "o" * chips + "x" * (whole - chips)
    return "".join(f" {marks[at : at + 3]}" for at in range(0, whole, 3))
