"""`stats` of LuxOS: the keys of stock firmware, with other things under them.

Observed (O83): each `chain_rateN` is that board's mean since its start; s19kpro-luxos-2025. There `total rate` is their
mean, `total_acn` 4, and `temp_pcbN`, `temp_chipN` and `temp_picN` are the same figures.
"""

from typing import Any, Final

from simulators.firmware.luxos.figures import Board, Figures
from simulators.unit import sensors

_SLOTS: Final = 4


def stats(figures: Figures, *, program: str, compiled: str, model: str) -> list[dict[str, Any]]:
    """Return the two elements of STATS."""
    snapshot, windows = figures.snapshot, figures.windows_ghs()
    boards = {board.slot: board for board in figures.boards}
    hottest = max([max(board.shown.pic_celsius, default=0) for board in figures.boards], default=0)
    clock = float(snapshot.clock_mhz)
    row: dict[str, Any] = {
        "Calls": 0,
        "Elapsed": snapshot.elapsed_s,
        "GHS 5s": windows["5s"],
        "GHS av": windows["av"],
        "ID": "BTM_SOC0",
        "Max": 0,
        "Min": 99999999,
        "Mode": 2,
        "STATS": 0,
        "Wait": 0,
        "fan_num": len(snapshot.fans_rpm),
        "frequency": snapshot.clock_mhz,
        "miner_count": len(boards),
        "miner_id": figures.unit.identity.mac.replace(":", "").casefold(),
        "miner_version": program,
        "no_matching_work": sum(board.shown.hw_errors for board in figures.boards),
        "rate_30m": windows["30m"],
        "rate_unit": "GH",
        "temp_max": float(hottest),
        "temp_num": len(boards),
        "total rate": round(sum(board.average_ghs for board in figures.boards) / (len(boards) or 1), 2),
        "total_acn": _SLOTS,
        "total_freqavg": clock,
        "total_rateideal": sum(board.nominal_ghs for board in figures.boards),
    }
    for fan, rpm in enumerate(snapshot.fans_rpm, start=1):
        row[f"fan{fan}"] = rpm
    for slot in range(_SLOTS):
        row |= _slot(figures, slot + 1, boards.get(slot), clock)
    return [{"CompileTime": compiled, "Miner": program, "Type": model}, row]


def _slot(figures: Figures, number: int, board: Board | None, clock: float) -> dict[str, Any]:
    """Return the keys of one board position, used or not."""
    celsius = "0-0-0-0"
    if board is not None and board.shown.pic_celsius:
        way_in, _, way_out, _ = board.shown.pic_celsius
        celsius = f"{way_out}-{way_in}-{way_in}-{way_out}"
    whole = figures.unit.identity.model.chips_per_board
    return {
        f"chain_acn{number}": 0 if board is None else board.chips,
        f"chain_acs{number}": "" if board is None else sensors.chip_map(board.chips, whole, 4),
        f"chain_hw{number}": 0 if board is None else board.shown.hw_errors,
        f"chain_rate{number}": "0" if board is None else f"{board.average_ghs:.2f}",
        f"freq{number}": 0.0 if board is None else clock,
        f"temp_chip{number}": celsius,
        f"temp_pcb{number}": celsius,
        f"temp_pic{number}": celsius,
    }
