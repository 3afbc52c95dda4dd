"""Temperatures, fans and power: in range, of one piece, and in the relations that stock firmware keeps."""

import math
from collections.abc import Iterator
from typing import Any, Final

from agent.hil.verify.checks.sums import SLOTS
from agent.hil.verify.observed import STATS, STATS_NEW_API, Observed, number, sensors, shown
from agent.hil.verify.verdict import Finding, UnansweredError
from agent.unit.coolant import CoolantLayout
from agent.unit.limits import MAX_RPM
from agent.unit.sensors import APART_CELSIUS, median

KINDS: Final = ("temp_pic", "temp_pcb", "temp_chip")
# Observed (O54): sensor by sensor.
_ABOVE_PIC: Final = {"temp_pcb": 10.0, "temp_chip": 15.0}
_COLDEST_C, _HOTTEST_C = -40.0, 130.0
_J_PER_TH: Final = (8.0, 120.0)
"""Energy of a hash, J/TH, of any machine since 2017 at any clock."""
_POWER_KEYS: Final = ("watt", "power", "total_power", "PSU Power", "chain_power")


def sensors_are_plausible(look: Observed) -> Iterator[Finding]:
    """Each sensor has a number in range, near those of its kind; 0 stands for none. Observed (O57), assumed (A75)."""
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        for kind in KINDS:
            arrays = list(_arrays(path, figures, kind))
            present = sorted(value for _, values in arrays for value in values if value)
            middle = median(present) if present else 0.0
            for place, values in arrays:
                is_any = is_any or bool(values)
                for at, value in enumerate(values):
                    if value is None or (value and not _COLDEST_C < value < _HOTTEST_C):
                        yield Finding(path=f"{place}[{at}]", found=shown(value), expected="a temperature, or 0")
                    elif value and abs(value - middle) >= APART_CELSIUS:
                        yield Finding(path=f"{place}[{at}]", found=f"{value:g} C", expected=f"near {middle:g} C")
    if not is_any:
        raise UnansweredError("no temperatures are reported")


def pcb_and_chip_follow_pic(look: Observed) -> Iterator[Finding]:
    """On stock air units temp_pcb is temp_pic + 10 and temp_chip + 15, sensor by sensor. Observed (O54).

    The second of temp_chip may repeat the first. Observed (O185).
    """
    if look.layout is not CoolantLayout.NONE or not look.is_stock:
        raise UnansweredError("a hydro unit, or another maker's firmware: no such relation is known")
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        of_pic = dict(_by_board(figures, "temp_pic"))
        for kind, above in _ABOVE_PIC.items():
            for board, values in _by_board(figures, kind):
                for at, (low, high) in enumerate(zip(of_pic.get(board, []), values, strict=False)):
                    if not low or not high:
                        continue
                    is_any = True
                    is_repeated = kind == "temp_chip" and at == 1 and high == values[0]
                    if not is_repeated and not math.isclose(high - low, above):
                        yield Finding(
                            path=f"{path} {kind} board {board} sensor {at}",
                            found=f"{high:g} C",
                            expected=f"{low + above:g} C, temp_pic + {above:g}",
                        )
    if not is_any:
        raise UnansweredError("no temp_pic beside temp_pcb or temp_chip")


def warmest_is_the_maximum(look: Observed) -> Iterator[Finding]:
    """Legacy `tempN` is the highest of `temp_pcbN`, and `temp2_N` that of `temp_chipN`. Observed (O31)."""
    path, figures = look.figures(STATS)
    is_any = False
    for slot in SLOTS:
        for key, kind in ((f"temp{slot}", f"temp_pcb{slot}"), (f"temp2_{slot}", f"temp_chip{slot}")):
            told, values = (
                number(figures.get(key)),
                [value for value in sensors(figures.get(kind)) if value is not None],
            )
            if told is None or not values:
                continue
            is_any = True
            if told != max(values):
                yield Finding(path=f"{path}.{key}", found=f"{told:g}", expected=f"{max(values):g}, of {kind}")
    if not is_any:
        raise UnansweredError("no warmest sensor beside its array")


def fans_are_told(look: Observed) -> Iterator[Finding]:
    """As many fans are listed as are counted, each with a speed. Observed (O26, O45, O58): 0 is one too."""
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        count = number(figures.get("fan_num"))
        if count is None or not 0 <= count <= 16:
            continue
        is_any = True
        listed = figures.get("fan")
        keys = [f"fan{at}" for at in range(1, int(count) + 1)]
        values = listed if isinstance(listed, list) else [figures.get(key) for key in keys]
        if len(values) != count:
            yield Finding(path=f"{path}.fan", found=f"{len(values)} speeds", expected=f"{count:g}")
        for at, value in enumerate(values[:16]):
            rpm = number(value)
            if rpm is None or not 0 <= rpm <= MAX_RPM:
                yield Finding(path=f"{path}.fan[{at}]", found=shown(value), expected="rpm")
    if not is_any:
        raise UnansweredError("no fans are counted")


def power_fits_the_rate(look: Observed) -> Iterator[Finding]:
    """Reported power fits the rate. Observed (O187) otherwise: 0 W on an S21 XP Hyd. that hashes."""
    rate_th = look.rate_ghs() / 1000.0
    if not rate_th:
        raise UnansweredError("the unit hashes nothing")
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        for key, watts in _watts(figures):
            is_any = True
            if not _J_PER_TH[0] <= watts / rate_th <= _J_PER_TH[1]:
                yield Finding(
                    path=f"{path}.{key}",
                    found=f"{watts:,.0f} W at {rate_th:,.0f} TH/s",
                    expected=f"{_J_PER_TH[0]:g} to {_J_PER_TH[1]:g} J/TH",
                )
    if not is_any:
        raise UnansweredError("no power is reported (O63)")


def _watts(figures: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for key in _POWER_KEYS:
        value = figures.get(key)
        # Documented (D163): Hiveon's sum is a text with a remark, `34.65 (AB)`.
        told = number(value.partition(" ")[0]) if isinstance(value, str) else number(value)
        if told is not None:
            yield key, told
    of_boards = [number(figures.get(f"chain_consumption{slot}")) for slot in SLOTS]
    known = [value for value in of_boards if value is not None]
    if known:
        yield "chain_consumption", sum(known)


def _by_board(figures: dict[str, Any], kind: str) -> Iterator[tuple[int, list[float | None]]]:
    chain = figures.get("chain")
    if isinstance(chain, list):
        yield from ((at, sensors(row.get(kind))) for at, row in enumerate(chain[:16]) if isinstance(row, dict))
    else:
        yield from ((slot, sensors(figures.get(f"{kind}{slot}"))) for slot in SLOTS)


def _arrays(path: str, figures: dict[str, Any], kind: str) -> Iterator[tuple[str, list[float | None]]]:
    chain = isinstance(figures.get("chain"), list)
    for board, values in _by_board(figures, kind):
        yield (f"{path}.chain[{board}].{kind}" if chain else f"{path}.{kind}{board}"), values
