"""The energy of a hash relative to the nameplate's: how much the clock and the air change it. Pure.

A faster chip runs at a higher voltage, and a warmer one leaks more. Both are read off a unit's boards. No single sensor
moves the air: each board gives its coolest sensor that agrees with its others, and the unit the median of its boards.

Where Bitmain rates a machine in several work modes, the clock's part is interpolated between the ratings. Elsewhere it
is `ENERGY_PER_CLOCK` times the change of the clock.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, UnitReading
from agent.unit.sensors import coolest_of_board, median

ENERGY_PER_CLOCK = 0.4
"""Relative change of the energy per hash for a relative change of the clock, without a rating of that mode.

Documented (D61, D140, D141, D142): eight pairs of ratings of one machine in two modes give 0.31 to 0.80. Assumed (A47):
0.4, near which the largest error over all of them is smallest; it is 6 %.
"""

POWER_PER_CELSIUS = 0.0045
"""Documented (D62): 7 % of wall power over a day, on a T21. Assumed (A48): of some 15 degrees."""

OVER_NAMEPLATE_RATIO = 1.03
"""A machine with several rated modes that reports none and hashes more is in a faster one. Documented (D60): +-3 %."""

RATED_AT_CELSIUS = 25.0

BOARD_OVER_AIR_CELSIUS = 29.0
"""Temperature of a board's coolest sensor above the air, at full load.

Observed (O55): 54 on s21-stock-aml-202407, http-stats. Assumed (A49): that room was at 25.
"""

# Air of 14 to 52 C. Documented (D145): Bitmain's J/TH is flat in cold air and 11 % up at 45 C. So cold boards take no
# more off than its tolerance (D60), and hot ones add no more than that.
_LEAST_AIR_FACTOR, _MOST_AIR_FACTOR = 0.95, 1.12
_MOST_CLOCK_RATIO = 1.5


class _Rating(NamedTuple):
    """One rating of a machine: the hashrate, H/s, and the energy of a hash without the control board's, J."""

    hashrate_hs: float
    joules: float


def energy_ratio(
    nameplate: Nameplate, reading: UnitReading, *, load: float, is_starting: bool, standby_watts: float
) -> float:
    """Return the ratio of the energy per hash to the nameplate's, from the clocks and, if air-cooled, the air.

    Args:
        nameplate: The unit's.
        reading: The unit's; boards that are not up are ignored.
        load: Its rate relative to the nameplate's.
        is_starting: It ramps up: without clocks, a low rate means a low clock.
        standby_watts: The part of the rated power that does not hash.
    """
    board_hs = nameplate.hashrate_hs / nameplate.boards if nameplate.boards else None
    is_in_air = nameplate.cooling == "air"
    clocks, clocks_hz = 0, 0.0
    airs_celsius: list[float] = []
    for board in reading.boards:
        if board.chips == 0:
            continue
        if board.frequency_hz:
            clocks += 1
            clocks_hz += board.frequency_hz
        if not is_in_air:
            continue
        # Observed (O56): the inlet does not come first everywhere (73-45-64-65), so the coolest.
        coolest_celsius, rate_hs = coolest_of_board(board.pcb_celsius), board.hashrate_hs
        if coolest_celsius is not None:
            # A board heats itself in proportion to its rate; one that reports no rate counts as fully loaded.
            board_load = 1.0 if board_hs is None or rate_hs is None else rate_hs / board_hs
            airs_celsius.append(coolest_celsius - BOARD_OVER_AIR_CELSIUS * (min(1.5, board_load)))
    if clocks and nameplate.frequency_hz is not None:
        ratio = clocks_hz / clocks / nameplate.frequency_hz
    else:
        ratio = _assumed_clock_ratio(nameplate, reading.mode, load, is_starting=is_starting)
    ratio = min(ratio, _MOST_CLOCK_RATIO)
    factor = _between_modes(nameplate, ratio, standby_watts) if nameplate.modes else _by_coefficient(ratio)
    if airs_celsius:
        airs_celsius.sort()
        air_factor = 1.0 + POWER_PER_CELSIUS * (median(airs_celsius) - RATED_AT_CELSIUS)
        factor *= air_factor if _LEAST_AIR_FACTOR < air_factor < _MOST_AIR_FACTOR else _bounded(air_factor)
    return factor


def _by_coefficient(clock_ratio: float) -> float:
    return 1.0 + ENERGY_PER_CLOCK * (clock_ratio - 1.0)


def _between_modes(nameplate: Nameplate, clock_ratio: float, standby_watts: float) -> float:
    """Return the clock's part, interpolated between the ratings of a machine; beyond them from the nearest one.

    A whole machine hashes in proportion to its clock, so the rated hashrates tell the clocks of the modes.
    """
    own = _rating(nameplate.hashrate_hs, nameplate.power_watts or 0.0, standby_watts)
    modes = [_rating(mode.hashrate_hs, mode.power_watts, standby_watts) for mode in nameplate.modes]
    return _joules_at(sorted([own, *modes]), clock_ratio * own.hashrate_hs) / own.joules


def _joules_at(ratings: Sequence[_Rating], hashrate_hs: float) -> float:
    """Return the energy of a hash of a whole machine at a hashrate, J; `ratings` are slowest first."""
    for slower, faster in pairwise(ratings):
        span_hs = faster.hashrate_hs - slower.hashrate_hs
        if span_hs and slower.hashrate_hs <= hashrate_hs <= faster.hashrate_hs:
            share = (hashrate_hs - slower.hashrate_hs) / span_hs
            return slower.joules + share * (faster.joules - slower.joules)
    nearest = ratings[0] if hashrate_hs < ratings[0].hashrate_hs else ratings[-1]
    return nearest.joules * _by_coefficient(hashrate_hs / nearest.hashrate_hs)


def _rating(hashrate_hs: float, power_watts: float, standby_watts: float) -> _Rating:
    return _Rating(hashrate_hs, max(power_watts - standby_watts, 1.0) / hashrate_hs)


def _bounded(air_factor: float) -> float:
    return max(_LEAST_AIR_FACTOR, min(air_factor, _MOST_AIR_FACTOR))


def _assumed_clock_ratio(nameplate: Nameplate, mode: Mode | None, load: float, *, is_starting: bool) -> float:
    """Return the clock relative to the nameplate's that a unit without a known clock must have to hash so much."""
    if is_starting or mode is Mode.LOW:
        return min(1.0, load)
    if nameplate.modes:
        if mode is Mode.NORMAL and nameplate.modes[0].hashrate_hs < nameplate.hashrate_hs:
            return min(1.0, load)
        if mode is None and load > OVER_NAMEPLATE_RATIO:
            return load
    return max(1.0, load) if mode is Mode.HIGH else 1.0
