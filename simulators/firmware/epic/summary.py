"""`/summary` of ePIC firmware. Observed (O190, O191, O192): keys, types and lies of s19xp-epic-2025."""

from datetime import UTC, datetime
from typing import Any, Final

from simulators.firmware.epic.figures import IDLING, MHS_PER_GHS, Figures
from simulators.unit.models import Cooling
from simulators.unit.snapshot import BoardSnapshot

SOFTWARE: Final = "PowerPlay-BMS v1.5.13"
FAN_PLACES: Final = 12
_QUARTER_S: Final = 900
_MAX_RPM: Final = 6000
# Observed (O191): the third number of a board's rate. What it counts is not told.
_THIRD: Final = 0.8
# Observed (O192): not measured.
_UNMEASURED: Final = ("Input Current", "Input Power", "Output Current", "Output Power", "Output Voltage")


def summary(figures: Figures) -> dict[str, Any]:
    """Return the page's figures."""
    identity, snapshot = figures.unit.identity, figures.snapshot
    model = identity.model
    clock_mhz = round(model.frequency_mhz * identity.tuning)
    return {
        "Disable Board On Failure": True,
        "Enable Boards On Idle": False,
        "Fans": _fans(figures),
        "Fans Rpm": _speeds(snapshot.fans_rpm),
        "HBStatus": [
            {"Detected": chips > 0, "Enabled": chips > 0, "Index": slot} for slot, chips in enumerate(figures.chips)
        ],
        "HBs": [_board(figures, board) for board in figures.running],
        "Hostname": f"miner-1-{identity.unit_id}",
        "HwConfig": {
            "Boards Target Clock": [{"Data": float(clock_mhz), "Index": board.board} for board in figures.running]
        },
        "IdleOnConnectionLost": True,
        "Last License Error": None,
        "Mining": {"Algorithm": "SHA-256", "Coin": "BTC"},
        "Misc": {"Critical Temp": 100.0, "Locate Miner State": False, "Shutdown Temp": 85.0},
        "OS Type": "umcOS",
        "Overdrive": False,
        "PerpetualTune": {
            "Algorithm": {
                "VoltageOptimizer": {
                    "Min Throttle Target": 50,
                    "Optimized": False,
                    "Target": round(model.hashrate_hs / 1e12 * identity.tuning),
                    "Throttle Step": 5,
                    "Throttle Target": None,
                    "Unit": "TH/s",
                }
            },
            "Running": bool(figures.running),
        },
        "Power Supply Stats": {
            "Input Current": 0.0,
            "Input Power": round(snapshot.power_watts, 4),
            "Input Voltage": 0.0,
            "Output Current": 0.0,
            "Output Power": 0.0,
            "Output Voltage": 12.595,
            "Target Voltage": 12600,
        },
        "PresetInfo": {"Target Power": round(model.power_watts)},
        "Session": _session(figures),
        "Software": SOFTWARE,
        "Status": {
            "Last Command": None,
            "Last Command Result": None,
            "Last Error": figures.error,
            "Operating State": figures.state,
        },
        "Stratum": _stratum(figures),
        "StratumConfigs": [{"login": pool.user, "password": "x", "pool": pool.url} for pool in figures.pools],
    }


def _fans(figures: Figures) -> dict[str, Any]:
    speeds = figures.snapshot.fans_rpm
    percent = round(100 * max(speeds, default=0) / _MAX_RPM)
    return {
        "Fan Mode": {"Auto": {"Idle Speed": 20, "Target Temperature": 60}},
        "Fans Speed": min(100, percent),
        "Minimum Working Fans": 0 if figures.unit.identity.model.cooling is not Cooling.AIR else len(speeds),
    }


def _speeds(speeds: tuple[int, ...]) -> dict[str, int | None]:
    """Return the twelve places of fans. Observed (O192): null where there is none."""
    return {f"Fans Speed {place + 1}": speeds[place] if place < len(speeds) else None for place in range(FAN_PLACES)}


def _board(figures: Figures, board: BoardSnapshot) -> dict[str, Any]:
    """Return a board that runs. Observed (O191): its rate in MH/s, and in percent of what its clock should give."""
    mhs = board.ghs * MHS_PER_GHS
    percent = round(100.0 * mhs / figures.board_mhs, 1) if figures.board_mhs else 0.0
    return {
        "Core Clock": [],
        "Core Clock Avg": float(figures.snapshot.clock_mhz),
        "Hashrate": [round(mhs, 1), percent, _THIRD],
        "Index": board.board,
        **dict.fromkeys(_UNMEASURED, 0.0),
        "Input Voltage": 12.6,
        "Temperature": float(max(board.pic_celsius, default=0)),
    }


def _session(figures: Figures) -> dict[str, Any]:
    """Return the run of the mining program."""
    snapshot, shares, t = figures.snapshot, figures.unit.shares(figures.t), int(figures.t)
    started = t - snapshot.elapsed_s
    rejected = shares.rejected + shares.stale
    return {
        "Accepted": shares.accepted,
        "Active HBs": len(figures.running),
        "Average MHs": snapshot.ghs_avg * MHS_PER_GHS,
        "Difficulty": float(shares.difficulty),
        "Last Accepted Share Timer": shares.age_s,
        "Last Accepted Share Timestamp": t - shares.age_s,
        "Last Work Timer": t % 60,
        "Last Work Timestamp": t - t % 60,
        "LastAverageMHs": {"Hashrate": snapshot.ghs_30m * MHS_PER_GHS, "Timestamp": t // _QUARTER_S * _QUARTER_S},
        "Rejected": rejected,
        "Startup String": datetime.fromtimestamp(started, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "Startup Timestamp": started,
        "Submitted": shares.accepted + rejected,
        "Uptime": snapshot.elapsed_s,
        "WorkReceived": snapshot.elapsed_s // 36,
    }


def _stratum(figures: Figures) -> dict[str, Any]:
    """Return the pool in use. Assumed (A212): without one the first is named, and not connected."""
    active = figures.active_pool
    pool = active or next(iter(figures.pools), None)
    return {
        "Average Latency": 0.038 if active else 0.0,
        "Config Id": 0 if pool is None else pool.position,
        "Current Pool": "" if pool is None else pool.url.rpartition("//")[2],
        "Current User": "" if pool is None else pool.user,
        # A unit that was ordered to idle keeps its connection (A199).
        "IsPoolConnected": active is not None or (figures.state == IDLING and not _is_cut_off(figures)),
        "Worker Unique Id": False,
        "Worker Unique Id Variant": "IpAddress",
    }


def _is_cut_off(figures: Figures) -> bool:
    return bool(figures.pools) and all(pool.status == "Dead" for pool in figures.pools)
