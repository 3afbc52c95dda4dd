"""What the firmware of a unit measures at a moment: the truth of its physics through sensors, with noise."""

from simulators import chance, physics
from simulators.books import Books
from simulators.conditions import Conditions
from simulators.identity import Identity
from simulators.snapshot import RUNNING, BoardSnapshot, Phase, Snapshot

BOARD_NOISE = 0.02  # One sigma of a board's 5 s rate; 1.2 % on a unit of three boards.
_LONG_NOISE = 0.0015
_SHOWN_EVERY_S = 5
_LONG_SHOWN_EVERY_S = 60

_S_PER_HW_ERROR = 2900.0  # Per board. Observed: 61 on three boards in 59,129 s, s21-stock-aml-202407, tcp4028-summary.
_HYDRO_RPM = 6000  # Coolant carries heat like fans at this speed would. Assumed.

# Counters of a unit's key, apart from those of `shares` and `unit`.
_KEY_LONG = 16
_KEY_BOARD = 17


def observe(
    identity: Identity,
    books: Books,
    climate: physics.Climate,
    conditions: Conditions,
    t: float,
    *,
    phase: Phase,
    clock_ratio: float,
    work_mode: int,
    process_start: float,
    process_hashes: float,
) -> Snapshot:
    """Give what the firmware knows at `t`.

    Args:
        identity: Whose firmware.
        books: Its books.
        climate: The air around it.
        conditions: What was done to it.
        t: Unix seconds, not before the last event of the books.
        phase: Where it stands.
        clock_ratio: Clock over rated clock; 0 while it does not hash.
        work_mode: 0 normal, 1 sleep, 2 high, 3 low.
        process_start: When the miner process started.
        process_hashes: Hashes of the books at that moment.
    """
    model, key, flow = identity.model, identity.key, books.flow
    ambient = climate.ambient_celsius(t)
    rate_hs = flow.rate_at(t)
    rpm = physics.MAX_FAN_RPM if phase is Phase.PROTECTED else 0
    inlet = outlet = ambient
    if phase in RUNNING:
        load = flow.watts_at(t) / model.power_watts
        rpm = physics.fan_rpm(ambient, load)
        inlet, outlet = physics.board_celsius(ambient, load, rpm if model.fans else _HYDRO_RPM)
    is_up = phase is not Phase.ENUMERATING
    chips = [conditions.chips(model, board) for board in range(model.boards)]
    ghs_per_chip = rate_hs * 1e-9 / (sum(chips) or 1)
    hashes = books.hashes(t) - process_hashes
    errors = hashes / (model.hashrate_hs * _S_PER_HW_ERROR)
    moment = int(t) // _SHOWN_EVERY_S
    boards = []
    ghs_5s = 0.0
    for board, count in enumerate(chips):
        if count == 0 and not conditions.is_dead_board_listed:
            continue
        board_key = key + _KEY_BOARD + board
        ghs = 0.0
        if rate_hs > 0.0:
            ghs = round(ghs_per_chip * count * (1.0 + BOARD_NOISE * chance.normal(board_key, moment)), 2)
            ghs_5s += ghs
        pic: tuple[int, ...] = ()
        if count and is_up:
            cooler = board_key & 1
            way_in, way_out = round(inlet) - cooler, round(outlet) - cooler
            pic = (way_in, way_in, way_out, way_out)
        # Boards differ: 183, 195, 184 on s19pro-stock-202212; 38, 49, 109 on s19pro-stock-2023-issue50.
        own_errors = errors * (0.4 + 1.2 * chance.uniform(board_key, -1)) if count else 0.0
        boards.append(
            BoardSnapshot(
                board, count if is_up else 0, ghs, chance.stratified_count(board_key, own_errors) if count else 0, pic
            )
        )
    wobble = 1.0 + _LONG_NOISE * chance.normal(key + _KEY_LONG, int(t) // _LONG_SHOWN_EVERY_S)
    return Snapshot(
        phase,
        max(0, int(t - process_start)),
        work_mode,
        round(model.frequency_mhz * clock_ratio),
        round(ghs_5s, 2),
        round(books.lagged_hs(t) * 1e-9 * wobble, 2),
        round(hashes * 1e-9 / max(t - process_start, 1.0), 2),
        tuple(boards),
        tuple(_fan(key, fan, rpm, conditions.stopped_fans) for fan in range(model.fans)),
        ambient,
    )


def _fan(key: int, fan: int, rpm: int, stopped: frozenset[int]) -> int:
    """Give the speed of one fan; those of a unit differ by a step or two unless all turn as fast as they can."""
    if rpm == 0 or fan in stopped:
        return 0
    return rpm if rpm >= physics.MAX_FAN_RPM else rpm + physics.FAN_STEP_RPM * ((key >> 2 * fan & 3) - 1)
