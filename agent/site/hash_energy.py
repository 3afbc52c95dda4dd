"""The energy of a hash relative to the nameplate's: how much the clock and the air change it. Pure.

A slower chip runs at a lower voltage, and a warmer one leaks more. Both are read off a unit's boards. No single sensor
moves the air: each board gives its coolest sensor that agrees with its others, and the unit the median of its boards.
"""

from collections.abc import Iterable

from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading
from agent.unit.sensors import coolest_of_board, median

ENERGY_PER_CLOCK = 0.4
"""Relative change of the energy per hash for a relative change of the clock: a slower chip runs at a lower voltage.

Documented (D61): S21 XP Imm. 13.5 J/TH at 300 TH/s and 15 at 380 gives 0.42, S21 Imm. 16 at 239 and 18.5 at
301 gives 0.60. Assumed (A47): the lower one, because 4 % less for 490 -> 440 MHz is well inside both.
"""

POWER_PER_CELSIUS = 0.0045
"""Documented (D62): 7 % of wall power over a day, on a T21. Assumed (A48): of some 15 degrees."""

RATED_AT_CELSIUS = 25.0

BOARD_OVER_AIR_CELSIUS = 29.0
"""Temperature of a board's coolest sensor above the air, at full load.

Observed (O55): 54 on s21-stock-aml-202407, http-stats. Assumed (A49): that room was at 25.
"""

# Air of -1 to 52 C; a sensor with an absurd value cannot move power further than that.
_AIR_FACTORS = (0.88, 1.12)
_CLOCK_RATIOS = (0.0, 1.5)


def energy_ratio(nameplate: Nameplate, boards: Iterable[BoardReading], assumed_ratio: float) -> float:
    """Return the ratio of the energy per hash to the nameplate's, from the clocks and, if air-cooled, the air.

    Args:
        nameplate: The unit's.
        boards: Boards that are not up are ignored.
        assumed_ratio: Clock relative to the nameplate's, for a unit that reports no clocks.
    """
    board_hs = nameplate.hashrate_hs / nameplate.boards if nameplate.boards else None
    is_in_air = nameplate.cooling == "air"
    clocks, clocks_hz = 0, 0.0
    airs_celsius: list[float] = []
    for board in boards:
        if board.chips == 0:
            continue
        if board.frequency_hz:
            clocks += 1
            clocks_hz += board.frequency_hz
        # Observed (O56): the inlet does not come first everywhere (73-45-64-65), so the coolest.
        coolest_celsius = coolest_of_board(board.pcb_celsius) if is_in_air else None
        if coolest_celsius is not None:
            # A board heats itself in proportion to its rate; one that reports no rate counts as fully loaded.
            load = 1.0 if board_hs is None or board.hashrate_hs is None else min(1.5, board.hashrate_hs / board_hs)
            airs_celsius.append(coolest_celsius - BOARD_OVER_AIR_CELSIUS * load)
    ratio = assumed_ratio
    if clocks and nameplate.frequency_hz is not None:
        ratio = clocks_hz / clocks / nameplate.frequency_hz
    factor = 1.0 + ENERGY_PER_CLOCK * (_within(_CLOCK_RATIOS, ratio) - 1.0)
    if airs_celsius:
        air_celsius = median(sorted(airs_celsius))
        factor *= _within(_AIR_FACTORS, 1.0 + POWER_PER_CELSIUS * (air_celsius - RATED_AT_CELSIUS))
    return factor


def _within(bounds: tuple[float, float], value: float) -> float:
    lowest, highest = bounds
    return lowest if value < lowest else min(value, highest)
