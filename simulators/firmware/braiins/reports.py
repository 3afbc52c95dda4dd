"""The reports of Braiins OS, with keys and lies as recorded.

Observed (O89): a window is divided by its whole length from the start. Observed (O181): half of the keys are constants.
Documented (D250): a board that was not found has no row; one that does not run has `Nominal MHS` 0 and `Chips` 0.
Documented (D251): the chip is the board and 15.0 C. Observed (O184): power is the tuner's arithmetic.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from simulators.firmware.antminer.pools import pools_of
from simulators.unit import chance, sensors
from simulators.unit.books import PAST_S
from simulators.unit.physics import MAX_FAN_RPM
from simulators.unit.snapshot import RUNNING, BoardSnapshot, Phase, Shares, Snapshot
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_SLEEP

_DAY_S: Final = 86_400.0
_WINDOWS: Final = {"MHS 15m": PAST_S, "MHS 1m": 60.0, "MHS 5m": 300.0}
_CONNECTORS: Final = 4
_REST_WATTS: Final = 75
# Observed (O180): 1 to 3 % between the windows of recorded units; a minute scatters by a third of a percent here.
_MINUTE_NOISE: Final = 0.003
_KEY_MINUTE: Final = 41


class Report(NamedTuple):
    """A report: its code, its message and its rows."""

    code: int
    message: str
    rows: list[dict[str, Any]]


class _Look(NamedTuple):
    """A unit as its firmware sees it at a moment: its figures and shares, and the rates in MH/s by window."""

    unit: Unit
    t: float
    snapshot: Snapshot
    shares: Shares
    mhs: Mapping[str, float]


def _look(unit: Unit, t: float) -> _Look:
    snapshot, shares = unit.snapshot(t), unit.shares(t)
    wobble = 1.0 + _MINUTE_NOISE * chance.normal(unit.identity.key + _KEY_MINUTE, int(t) // 60)
    mhs = {name: unit.window_hs(t, window_s) * wobble / 1e6 for name, window_s in _WINDOWS.items()}
    average = snapshot.ghs_avg * 1e3
    mhs["MHS 24h"] = average * min(snapshot.elapsed_s, _DAY_S) / _DAY_S
    # Five seconds after its start a unit has not measured five seconds.
    mhs["MHS 5s"] = snapshot.ghs_5s * 1e3 * min(snapshot.elapsed_s, 5) / 5.0
    mhs["MHS av"] = average
    return _Look(unit, t, snapshot, shares, mhs)


def version(_unit: Unit, _t: float) -> Report:
    """Return the frame of `version`; the program fills it in."""
    return Report(22, "BOSer versions", [])


def summary(unit: Unit, t: float) -> Report:
    """Return `summary`."""
    look = _look(unit, t)
    snapshot, shares = look.snapshot, look.shares
    elapsed = max(snapshot.elapsed_s, 1)
    accepted, rejected = shares.accepted * shares.difficulty, shares.rejected * shares.difficulty
    row = {
        "Accepted": shares.accepted,
        "Best Share": int(shares.work),
        "Device Hardware%": 0.0,
        "Device Rejected%": shares.rejected / (shares.accepted or 1) / 100.0,
        "Difficulty Accepted": float(accepted),
        "Difficulty Rejected": float(rejected),
        "Difficulty Stale": float(shares.stale * shares.difficulty),
        "Discarded": 0,
        "Elapsed": snapshot.elapsed_s,
        "Found Blocks": 0,
        "Get Failures": 0,
        "Getworks": int(elapsed * 0.023),
        "Hardware Errors": sum(board.hw_errors for board in snapshot.boards),
        "Last getwork": int(t),
        "Local Work": int(elapsed * 89_650),
        **dict(sorted(look.mhs.items())),
        "Network Blocks": 0,
        "Pool Rejected%": 100.0 * rejected / ((accepted + rejected) or 1),
        "Pool Stale%": 0.0,
        "Rejected": shares.rejected,
        "Remote Failures": 0,
        "Stale": shares.stale,
        "Total MH": look.mhs["MHS av"] * elapsed,
        "Utility": shares.accepted * 60.0 / elapsed,
        "Work Utility": shares.work * 60.0 / elapsed,
    }
    return Report(11, "Summary", [row])


def devs(unit: Unit, t: float) -> Report:
    """Return `devs`: one row for each board that was found. Assumed (A182): numbered from 1."""
    look = _look(unit, t)
    shares_of_boards = _weights(look.snapshot)
    rows = []
    for place, board in enumerate(look.snapshot.boards):
        share = shares_of_boards[place]
        rates = {name: rate * share for name, rate in look.mhs.items() if name != "MHS 24h"}
        rows.append(
            {
                "ASC": place,
                "Accepted": 0,
                "Device Elapsed": look.snapshot.elapsed_s,
                "Device Hardware%": 0.0,
                "Device Rejected%": 0.0,
                "Diff1 Work": int(look.shares.work * share),
                "Difficulty Accepted": 0.0,
                "Difficulty Rejected": 0.0,
                "Enabled": "Y",
                "Hardware Error MHS 15m": 0.0,
                "Hardware Errors": board.hw_errors,
                "ID": board.board + 1,
                "Last Share Difficulty": float(look.shares.difficulty),
                "Last Share Pool": -1,
                "Last Share Time": int(t) - look.shares.age_s if look.shares.accepted else 0,
                "Last Valid Work": int(t),
                **dict(sorted(rates.items())),
                "Name": "",
                "Nominal MHS": _nominal_mhs(unit, look.snapshot, board),
                "Rejected": 0,
                "Status": "Alive",
                "Temperature": 0.0,
                "Total MH": look.mhs["MHS av"] * look.snapshot.elapsed_s * share,
                "Utility": 0.0,
            }
        )
    return Report(9, f"{len(rows)} ASC(s)", rows)


def devdetails(unit: Unit, t: float) -> Report:
    """Return `devdetails`; clocks in MHz."""
    snapshot, model = unit.snapshot(t), unit.identity.model
    rows = [
        {
            "Chips": board.chips if _runs(snapshot, board) else 0,
            "Cores": board.chips * 1276 if _runs(snapshot, board) else 0,
            "DEVDETAILS": place,
            "Device Path": "",
            "Driver": "",
            "Frequency": snapshot.clock_mhz if _runs(snapshot, board) else 0,
            "ID": board.board + 1,
            "Kernel": "",
            "Model": model.api_type,
            "Name": f"HashchainManager {board.board + 1}",
            "Voltage": 14.8 if _runs(snapshot, board) else 0.0,
        }
        for place, board in enumerate(snapshot.boards)
    ]
    return Report(69, "Device Details", rows)


def temps(unit: Unit, t: float) -> Report | None:
    """Return `temps`: the boards that run; None while none is ready, because it is paused or starts."""
    snapshot = unit.snapshot(t)
    if snapshot.work_mode == WORK_MODE_SLEEP or snapshot.phase is Phase.ENUMERATING:
        return None
    rows: list[dict[str, Any]] = []
    for board in snapshot.boards:
        if not _runs(snapshot, board):
            continue
        _, of_pcb, _ = sensors.layout(unit.identity.model, board.pic_celsius)
        celsius = float(max(of_pcb, default=0)) + 0.25 * (board.board % 4)
        rows.append({"Board": celsius, "Chip": celsius + 15.0, "ID": board.board + 1, "TEMP": len(rows)})
    return Report(201, f"{len(rows)} Temp(s)", rows)


def fans(unit: Unit, t: float) -> Report:
    """Return `fans`: every connector of the board, also without a fan."""
    speeds = unit.snapshot(t).fans_rpm
    duty = min(100, round(100 * max(speeds, default=0) / MAX_FAN_RPM))
    rows = [
        {"FAN": number, "ID": number, "RPM": speeds[number] if number < len(speeds) else 0, "Speed": duty}
        for number in range(max(_CONNECTORS, len(speeds)))
    ]
    return Report(202, f"{len(rows)} Fan(s)", rows)


def tunerstatus(unit: Unit, t: float) -> Report:
    """Return `tunerstatus`: equal boards, and the rest of the unit as a constant.

    Documented (D252): the texts. Assumed (A184): a paused board says `paused` and no more, and estimates 0 W.
    """
    snapshot, identity = unit.snapshot(t), unit.identity
    limit = round(identity.model.power_watts * identity.tuning / 10.0) * 10
    of_board = int((limit - _REST_WATTS) / identity.model.boards)
    is_paused = snapshot.work_mode == WORK_MODE_SLEEP
    chains = [
        {
            "ApproximatePowerConsumptionWatt": 0 if is_paused else of_board,
            "HashchainIndex": board.board + 1,
            "Iteration": 0,
            "LoadedProfileCreatedOn": int(t) - snapshot.elapsed_s,
            "PowerLimitWatt": of_board,
            "StageElapsed": snapshot.elapsed_s,
            "Status": "paused" if is_paused else _text(snapshot),
            "TunerRunning": not is_paused,
            "TuningElapsed": snapshot.elapsed_s,
        }
        for board in snapshot.boards
        if is_paused or _runs(snapshot, board)
    ]
    of_chains = 0 if is_paused else of_board * len(chains)
    row = {
        "ApproximateChainPowerConsumption": of_chains,
        "ApproximateMinerPowerConsumption": of_chains + _REST_WATTS if of_chains else 0,
        "DynamicPowerScaling": "Disabled",
        "PowerLimit": limit,
        "TunerChainStatus": chains,
    }
    return Report(203, "Tuner Status", [row])


def pools(unit: Unit, t: float) -> Report:
    """Return `pools`: the configured ones alone; the firmware's fee is in none of them."""
    is_asleep = unit.process(t).work_mode == WORK_MODE_SLEEP
    rows = []
    for pool in pools_of(unit, t, is_asleep=is_asleep):
        if not pool.url:
            continue
        accepted, rejected = float(pool.accepted * pool.difficulty), float(pool.rejected * pool.difficulty)
        rows.append(
            {
                "Accepted": pool.accepted,
                "AsicBoost": True,
                "Bad Work": 0,
                "Best Share": pool.best_share,
                "Current Block Height": 0,
                "Current Block Version": 536870912,
                "Diff1 Shares": int(accepted),
                "Difficulty Accepted": accepted,
                "Difficulty Rejected": rejected,
                "Difficulty Stale": float(pool.stale * pool.difficulty),
                "Discarded": 0,
                "Get Failures": 0,
                "Getworks": pool.accepted // 5,
                "Has GBT": False,
                "Has Stratum": True,
                "Has Vmask": True,
                "Last Share Difficulty": float(pool.difficulty),
                "Last Share Time": int(t) - pool.age_s if pool.accepted else 0,
                "Long Poll": "N",
                "POOL": pool.position,
                "Pool Rejected%": 100.0 * rejected / ((accepted + rejected) or 1.0),
                "Pool Stale%": 0.0,
                "Priority": pool.position,
                "Proxy": "",
                "Proxy Type": "",
                "Quota": 1,
                "Rejected": pool.rejected,
                "Remote Failures": 0,
                "Stale": pool.stale,
                "Status": pool.status,
                "Stratum Active": pool.is_active,
                "Stratum Difficulty": float(pool.difficulty),
                "Stratum URL": pool.host,
                "URL": pool.url,
                "User": pool.user,
                "Work Difficulty": float(pool.difficulty),
                "Works": int(accepted) * 260,
            }
        )
    return Report(7, f"{len(rows)} Pool(s)", rows)


def stats(_unit: Unit, _t: float) -> Report:
    """Return `stats`, which has nothing in it. Documented (D160)."""
    return Report(70, "BOSer stats", [])


REPORTS: Final[Mapping[str, Callable[[Unit, float], Report | None]]] = {
    "version": version,
    "summary": summary,
    "devs": devs,
    "devdetails": devdetails,
    "temps": temps,
    "fans": fans,
    "tunerstatus": tunerstatus,
    "pools": pools,
    "stats": stats,
}


def _runs(snapshot: Snapshot, board: BoardSnapshot) -> bool:
    return board.chips > 0 and snapshot.phase in RUNNING


def _nominal_mhs(unit: Unit, snapshot: Snapshot, board: BoardSnapshot) -> float:
    """Return what the board's chips should give at their clock, MH/s."""
    if not _runs(snapshot, board):
        return 0.0
    return board.chips * unit.identity.model.ghs_per_chip_mhz * snapshot.clock_mhz * 1e3


def _weights(snapshot: Snapshot) -> list[float]:
    """Return each board's share of the unit's rates."""
    parts = [board.ghs for board in snapshot.boards]
    if not sum(parts):
        parts = [float(board.chips) for board in snapshot.boards]
    total = sum(parts) or 1.0
    return [part / total for part in parts]


def _text(snapshot: Snapshot) -> str:
    return "Testing performance profile" if snapshot.phase is Phase.RAMPING else "Stable"
