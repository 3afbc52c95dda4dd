"""Measurements of a unit's firmware at a moment: the true physics seen through noisy sensors."""

import math
from functools import lru_cache

from simulators.unit import chance, physics
from simulators.unit.books import Books
from simulators.unit.conditions import Conditions
from simulators.unit.identity import Identity
from simulators.unit.snapshot import RUNNING, BoardSnapshot, Phase, Snapshot

# One sigma of a board's 5 s rate around its chips times their clock. Most of it is common to the boards of a unit, so
# that the unit scatters by nearly as much. Observed (O25): 5 s rates 1.5 % over the average (s21-stock-aml-202407),
# 1.1 % under it (s19pro-stock-202212), 0.3 % over it (s19proplus-hyd-stock-202303).
BOARD_NOISE = 0.01
_COMMON_NOISE = 0.9 * BOARD_NOISE
_OWN_NOISE = math.sqrt(BOARD_NOISE**2 - _COMMON_NOISE**2)
# Boards of a unit differ permanently, by at most this much from their mean and by 2.3 % RMS. Observed
# (O50): 67,293, 68,917, 70,692 GH/s at one clock (s21-stock-aml-202407); 37,603, 35,536, 37,427
# (s19pro-stock-202212).
_BOARD_SPREAD = 0.04
_LONG_NOISE = 0.0015
_SHOWN_EVERY_S = 5
_LONG_SHOWN_EVERY_S = 60

# Per board. Observed (O23): 61 on three boards in 59,129 s, s21-stock-aml-202407, tcp4028-summary.
_S_PER_HW_ERROR = 2900.0
# Assumed (A98): boards that heat stopped are first as warm as they were under load, and cool down to the air with this
# time constant.
_COOLING_S = 600.0
_HYDRO_RPM = 6000  # Assumed (A27): coolant carries heat as fans at this speed would.

# Counters of a unit's key, apart from those of `lifecycle` and `stretches`.
_KEY_LONG = 16
_KEY_BOARD = 17
_KEY_NOISE = 24

_WEIGHTS = tuple(1.0 + _BOARD_SPREAD * (byte / 127.5 - 1.0) for byte in range(256))


def observe(
    identity: Identity,
    books: Books,
    climate: physics.Climate,
    conditions: Conditions,
    t: float,
    *,
    phase: Phase,
    phase_s: float,
    clock_ratio: float,
    work_mode: int,
    process_start: float,
    process_hashes: float,
) -> Snapshot:
    """Return the figures the firmware has at `t`.

    Args:
        identity: The unit.
        books: Its books.
        climate: The air around it.
        conditions: The sum of its active faults.
        t: Unix seconds, not before the last event of the books.
        phase: The phase it is in.
        phase_s: How long it has been in it, s.
        clock_ratio: Clock over rated clock; 0 while it does not hash.
        work_mode: 0 normal, 1 sleep, 2 high, 3 low.
        process_start: When the miner process started, Unix seconds.
        process_hashes: Hashes in the books at that moment.
    """
    model, key, flow = identity.model, identity.key, books.flow
    ambient = climate.ambient_celsius(t)
    rate_hs = flow.rate_at(t)
    # Assumed (A45): a unit stopped by heat keeps its fans at full speed.
    rpm = physics.MAX_FAN_RPM if phase is Phase.PROTECTED else 0
    watts = flow.watts_at(t)
    inlet = outlet = ambient
    is_stopped_by_heat = phase is Phase.PROTECTED and all(fan >= model.fans for fan in conditions.stopped_fans)
    if is_stopped_by_heat:
        inlet, outlet = physics.board_celsius(ambient, math.exp(-phase_s / _COOLING_S), physics.MAX_FAN_RPM)
    elif phase in RUNNING:
        load = watts / model.power_watts
        rpm = physics.fan_rpm(ambient, load)
        inlet, outlet = physics.board_celsius(ambient, load, rpm if model.fans else _HYDRO_RPM)
    is_up = phase is not Phase.ENUMERATING
    chips = conditions.chips_by_board(model)
    # Permanent traits of the boards: one byte each for the rate, one each for the rate of hardware errors.
    nature = chance.word(key + _KEY_BOARD, -1)
    weights = [count * _WEIGHTS[nature >> 8 * board & 255] for board, count in enumerate(chips)]
    ghs_per_weight = rate_hs * 1e-9 / (sum(weights) or 1.0)
    moment = int(t) // _SHOWN_EVERY_S
    common = 1.0 + _COMMON_NOISE * chance.normal(key + _KEY_NOISE, moment)
    own = chance.four_normals(key + _KEY_NOISE + 1, moment)
    hashes = books.hashes(t) - process_hashes
    errors = hashes / (model.hashrate_hs * _S_PER_HW_ERROR)
    way_in, way_out = round(inlet), round(outlet)
    boards = []
    ghs_5s = 0.0
    for board, count in enumerate(chips):
        # Documented (D164): on a unit that heat stopped, every chip is marked as bad, and still counted.
        marked, counted = 0, count
        if is_stopped_by_heat:
            marked = count
        elif conditions.bad_chips:
            marked = conditions.marked_chips(model, board)
            counted += marked
        if counted == 0:
            if conditions.is_dead_board_listed and not conditions.has_no_boards:
                boards.append(BoardSnapshot(board, 0, 0.0, 0, ()))
            continue
        ghs = round(ghs_per_weight * weights[board] * (common + _OWN_NOISE * own[board]), 2)
        ghs_5s += ghs
        pic: tuple[int, ...] = ()
        if is_up:
            cooler = key >> board & 1
            pic = (way_in - cooler, way_in - cooler, way_out - cooler, way_out - cooler)
        # Observed (O34): 183, 195, 184 on s19pro-stock-202212; 38, 49, 109 on s19pro-stock-2023-issue50.
        own_errors = errors * (0.4 + 1.2 / 256.0 * (nature >> 32 + 8 * board & 255))
        hw_errors = chance.stratified_count(key + _KEY_BOARD + board, own_errors)
        boards.append(BoardSnapshot(board, counted if is_up else 0, ghs, hw_errors, pic, marked if is_up else 0))
    wobble = 1.0 + _LONG_NOISE * chance.normal(key + _KEY_LONG, int(t) // _LONG_SHOWN_EVERY_S)
    return Snapshot(
        phase,
        max(0, int(t - process_start)),
        work_mode,
        round(model.frequency_mhz * clock_ratio),
        round(ghs_5s, 2),
        round(books.lagged_hs(t) * 1e-9 * wobble, 2),
        round(hashes * 1e-9 / max(t - process_start, 1.0), 2),
        # Observed (O30): the nameplate, s21-stock-aml-202407. Assumed (A95): 0 without a board, as on an S19j Pro.
        0.0 if conditions.has_no_boards else model.hashrate_hs / 1e9,
        tuple(boards),
        _fans(key & 255, rpm, model.fans, conditions.stopped_fans),
        ambient,
        watts,
    )


@lru_cache(maxsize=16_384)
def _fans(lot: int, rpm: int, fans: int, stopped: frozenset[int]) -> tuple[int, ...]:
    """Return the speed of each fan; below full speed `lot` makes them differ by a step or two."""
    speeds = []
    for fan in range(fans):
        if rpm == 0 or fan in stopped:
            speeds.append(0)
        elif rpm >= physics.MAX_FAN_RPM:
            speeds.append(rpm)
        else:
            steps = (lot >> 2 * fan & 3) - 1
            speeds.append(rpm + physics.FAN_STEP_RPM * steps)
    return tuple(speeds)
