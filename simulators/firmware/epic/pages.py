"""The pages of ePIC firmware besides `/summary`. Observed (O190, O194): keys and types of s19xp-epic-2025."""

from collections.abc import Callable
from typing import Any, Final

from simulators.firmware.epic.figures import MHS_PER_GHS, Figures
from simulators.firmware.epic.summary import summary

# Observed (O194): clock over that of the nameplate's preset.
PRESET_RATIOS: Final = (0.56, 0.7, 0.84, 1.0, 1.09, 1.19)
_VOLTAGES: Final = (12300, 12500, 12600, 12900, 13100, 13500)
# Of a chip the noise is larger than of its board; the third number is not told.
_OF_A_CHIP: Final = 4.0


def capabilities(figures: Figures) -> dict[str, Any]:
    """Return what the hardware is made for: the design's counts, not those of this unit."""
    identity = figures.unit.identity
    model = identity.model
    rated_th, watts = model.hashrate_hs / 1e12, model.power_watts
    presets = [
        {
            "clk": round(model.frequency_mhz * ratio),
            "hashrate": round(rated_th * ratio, 1),
            "power": round(watts * ratio),
            "voltage": voltage,
        }
        for ratio, voltage in zip(PRESET_RATIOS, _VOLTAGES, strict=True)
    ]
    return {
        "Board Serial Numbers": [
            serial for serial, chips in zip(identity.board_serials, figures.chips, strict=True) if chips
        ],
        "Coins": ["BTC"],
        "Control Board Version": {
            "carrierBoardVersion": "4.1.0",
            "cpuHardware": "STM32 (Device Tree Support)",
            "cpuSerial": f"{identity.miner_id}00000000",
            "somBoardVersion": "7.1.0",
        },
        "Default Clock": model.frequency_mhz,
        "Default Hashrate": round(rated_th),
        "Default Voltage": 12900,
        "Display": ["ClksAndVoltage", "ShutdownTemp", "PerpetualTune"],
        "Max Clock Configs": 1,
        "Max HBs": model.boards,
        "Model": f"AntMiner {model.name}",
        "Performance Estimator": {
            "Chip Count": model.chips_per_board,
            "Hashes Per Second Per Chip": round(model.ghs_per_chip_mhz * 1000.0, 3),
        },
        "Psu Info": {"FW": 25, "Max Vout": 15182, "Min Vout": 11877, "PSU Type": 118},
        "Temp Sensor Info": {"Count": 2, "Type": "Board"},
        "Tune Presets": presets,
        "Voltage Estimator": {"Slope": 0.0041, "Y Intercept": 11.0},
    }


def network(figures: Figures) -> dict[str, Any]:
    """Return the network interface, under the way in which it got its address."""
    identity = figures.unit.identity
    first = identity.host.rpartition(".")[0]
    return {
        "dhcp": {
            "address": identity.host,
            "dns": f"{first}.254",
            "gateway": f"{first}.254",
            "mac_address": identity.mac,
            "netmask": "255.255.255.0",
        }
    }


def temps(figures: Figures) -> list[dict[str, Any]]:
    """Return the sensors of every board that is there. Observed (O194): one that does not run is as warm as its air."""
    warm = {board.board: board.pic_celsius for board in figures.running}
    ambient = round(figures.snapshot.ambient_celsius, 3)
    return [
        {
            "Data": [float(warm[slot][0]), float(warm[slot][-1])] if warm.get(slot) else [ambient, ambient],
            "Index": slot,
            "Total": 0.0,
        }
        for slot, chips in enumerate(figures.chips)
        if chips
    ]


def clocks(figures: Figures) -> list[dict[str, Any]]:
    """Return the clock of each chip of the boards that run."""
    clock_mhz = float(figures.snapshot.clock_mhz)
    return [_chips(figures, board.board, clock_mhz, 0.0) for board in figures.running]


def hashrates(figures: Figures) -> list[dict[str, Any]]:
    """Return the rate of each chip of the boards that run, and of the board."""
    rows = []
    for board in figures.running:
        mhs = board.ghs * MHS_PER_GHS
        percent = round(100.0 * mhs / figures.board_mhs, 1) if figures.board_mhs else 0.0
        each = [round(mhs / figures.unit.identity.model.chips_per_board, 2), percent, _OF_A_CHIP]
        rows.append(_chips(figures, board.board, each, [round(mhs, 1), percent, _OF_A_CHIP]))
    return rows


def unmeasured(figures: Figures) -> list[dict[str, Any]]:
    """Return temperatures or voltages of chips. Observed (O194): all are 0, because nothing measures them."""
    return [_chips(figures, board.board, 0.0, 0.0) for board in figures.running]


def _chips(figures: Figures, slot: int, each: Any, total: Any) -> dict[str, Any]:
    """Return a board with one figure a chip. Observed (O194): as many as the design has."""
    return {"Data": [each] * figures.unit.identity.model.chips_per_board, "Index": slot, "Total": total}


PAGES: Final[dict[str, Callable[[Figures], Any]]] = {
    "/summary": summary,
    "/capabilities": capabilities,
    "/network": network,
    "/temps": temps,
    "/temps/chip": unmeasured,
    "/voltages": unmeasured,
    "/hashrate": hashrates,
    "/clocks": clocks,
}
"""The pages that were recorded, by path. Documented (D293): the paths."""
