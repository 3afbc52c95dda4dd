"""The reports that a client reads, as LuxOS 2025.7.10 prints them.

Observed (O175, O176): keys and types of s19kpro-luxos-2025 and s19jpro-luxos-2025.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from simulators.firmware.antminer.pools import POOL_HOSTS, Pool, best_share, pools_of
from simulators.firmware.luxos.figures import Board, Figures
from simulators.firmware.luxos.stats import stats
from simulators.unit.models import Cooling
from simulators.unit.snapshot import Phase

VERSION: Final = "2025.7.10.152155"
PROGRAM: Final = f"LUXminer {VERSION}-6e13fb74"
COMPILED: Final = "Thu Jul 10 15:27:48 UTC 2025"
# Observed (O176): in this order; the others follow.
_FAN_ORDER: Final = (3, 1, 0, 2)
_LABELS: Final = {
    "BottomLeft": ("Board Exhaust (bottom)", 2, [1, 0]),
    "BottomRight": ("Board Intake (bottom)", 0, [1, 1]),
    "TopLeft": ("Board Exhaust (top)", 3, [0, 0]),
    "TopRight": ("Board Intake (top)", 1, [0, 1]),
}
# Documented (D246): on hydro units water runs past two of the corners.
_WATER_LABELS: Final = {
    **_LABELS,
    "TopLeft": ("Water Outlet", 3, [0, 0]),
    "TopRight": ("Water Inlet", 1, [0, 1]),
}
_COOLER_WATER: Final = 10
_MAX_RPM: Final = 6000
_ALL_HASHES_MH: Final = 1000.0


def status(t: float, letter: str, code: int, message: str) -> dict[str, Any]:
    """Return the STATUS of a reply."""
    return {"Code": code, "Description": PROGRAM, "Msg": message, "STATUS": letter, "When": int(t)}


def _reply(figures: Figures, code: int, message: str, **sections: list[dict[str, Any]]) -> dict[str, Any]:
    return {**sections, "STATUS": [status(figures.t, "S", code, message)], "id": 1}


def refusal(t: float, code: int, message: str) -> dict[str, Any]:
    """Return a reply that refuses."""
    return {"STATUS": [status(t, "E", code, message)], "id": 1}


def version(figures: Figures) -> dict[str, Any]:
    """Return the reply to `version`."""
    row = {
        "API": "3.7",
        "CompileTime": COMPILED,
        "LUXminer": PROGRAM.removeprefix("LUXminer "),
        "Miner": VERSION,
        "Type": _model(figures),
    }
    return _reply(figures, 22, "LUXminer versions", VERSION=[row])


def summary(figures: Figures) -> dict[str, Any]:
    """Return the reply to `summary`; its shares are those of the owner's pools (Observed (O178))."""
    shares, elapsed = figures.unit.shares(figures.t), figures.snapshot.elapsed_s
    windows = figures.windows_ghs()
    minutes = max(elapsed, 1) / 60.0
    found = shares.accepted + shares.rejected + shares.stale
    row = {
        "Accepted": shares.accepted,
        "Best Share": best_share(figures.unit.identity.key, shares.work),
        "Device Hardware%": 0.0,
        "Device Rejected%": 0.0,
        "Difficulty Accepted": shares.accepted * shares.difficulty,
        "Difficulty Rejected": shares.rejected * shares.difficulty,
        "Difficulty Stale": shares.stale * shares.difficulty,
        "Discarded": 0,
        "Elapsed": elapsed,
        "Found Blocks": 0,
        **{f"GHS {name}": ghs for name, ghs in windows.items()},
        "Get Failures": 0,
        "Getworks": elapsed // 10,
        "Hardware Errors": sum(board.shown.hw_errors for board in figures.boards),
        "Last getwork": int(figures.t),
        "Local Work": 0,
        "Network Blocks": 0,
        "Pool Rejected%": round(100.0 * shares.rejected / max(found, 1), 4),
        "Pool Stale%": round(100.0 * shares.stale / max(found, 1), 4),
        "Rejected": shares.rejected,
        "Remote Failures": 0,
        "Stale": shares.stale,
        # Observed (O177): the average again.
        "Total MH": windows["av"] * _ALL_HASHES_MH,
        "Utility": round(shares.accepted / minutes, 2),
        "Work Utility": round(shares.work / minutes / 1e6, 2),
    }
    return _reply(figures, 11, "Summary", SUMMARY=[row])


def devs(figures: Figures) -> dict[str, Any]:
    """Return the reply to `devs`: the boards that were found, in MH/s."""
    rows = [_device(figures, board) for board in figures.boards]
    return _reply(figures, 9, f"{len(rows)} ASC(s)", DEVS=rows)


def _device(figures: Figures, board: Board) -> dict[str, Any]:
    windows, shown = figures.windows_ghs(), board.shown
    share = shown.ghs / (figures.snapshot.ghs_5s or 1.0)
    rates = {f"MHS {name}": ghs * share * 1000.0 for name, ghs in windows.items() if name not in {"24h", "av", "5s"}}
    celsius = float(max(shown.pic_celsius, default=0))
    return {
        "ASC": board.slot,
        "Accepted": 0,
        "Board": "BHB68603",
        "Connector": f"J{board.slot + 7}",
        "ControllerIPVersionHex": "0x18351835",
        "ControllerIPVersionStr": "N/A",
        "Device Elapsed": figures.run_s,
        "Device Hardware%": 0,
        "Device Rejected%": 0,
        "Diff1 Work": 0,
        "Difficulty Accepted": 0,
        "Difficulty Rejected": 0,
        "Enabled": "Y",
        "Hardware Error MHS 15m": 0,
        "Hardware Errors": shown.hw_errors,
        "ID": board.slot,
        "IsRamping": figures.snapshot.phase in {Phase.ENUMERATING, Phase.RAMPING},
        "IsUserShutdown": False,
        "Last Share Difficulty": 0,
        "Last Share Pool": 0,
        "Last Share Time": int(figures.t),
        "Last Valid Work": int(figures.t),
        **rates,
        "MHS 5s": 0.0 if figures.is_asleep else shown.ghs * 1000.0,
        "MHS 60m": board.average_ghs * 1000.0,
        "MHS av": board.average_ghs * 1000.0,
        "Name": "",
        "Nominal MHS": board.nominal_ghs * 1000.0,
        "Profile": figures.profile,
        "Rejected": 0,
        "SerialNumber": figures.unit.identity.board_serials[board.slot],
        "Status": "Alive",
        "Temperature": celsius,
        "Total MH": board.average_ghs * 1000.0,
        "Utility": 0,
    }


def devdetails(figures: Figures) -> dict[str, Any]:
    """Return the reply to `devdetails`: chips and clock of each board that was found."""
    rows = [
        {
            "Board": "BHB68603",
            "Chips": board.chips,
            "Cores": round(figures.unit.identity.model.ghs_per_chip_mhz * 1000),
            "DEVDETAILS": board.slot,
            "Device Path": "",
            "Driver": "",
            "Frequency": figures.snapshot.clock_mhz,
            "ID": board.slot,
            "Kernel": "",
            "Model": _model(figures),
            "Name": f"Hash Chain {board.slot}",
            "Profile": figures.profile,
            "SerialNumber": figures.unit.identity.board_serials[board.slot],
            "Voltage": 13.4,
        }
        for board in figures.boards
    ]
    return _reply(figures, 69, "Device Details", DEVDETAILS=rows)


def temps(figures: Figures) -> dict[str, Any]:
    """Return the reply to `temps`: four corners of each board, and their labels; refused without a board (D247)."""
    if not figures.boards:
        return refusal(figures.t, 426, "No boards found")
    is_hydro = figures.unit.identity.model.cooling is Cooling.HYDRO
    labels = _WATER_LABELS if is_hydro else _LABELS
    metadata = {corner: {"Label": label, "Position": place} for corner, (label, _, place) in labels.items()}
    rows = []
    for board in figures.boards:
        pic = board.shown.pic_celsius or (round(figures.snapshot.ambient_celsius),) * 4
        corners = {
            corner: float(pic[sensor] - (_COOLER_WATER if label.startswith("Water") else 0))
            for corner, (label, sensor, _) in labels.items()
        }
        rows.append({**corners, "ID": board.slot, "TEMP": board.slot})
    return _reply(figures, 201, f"{len(rows)} Temp(s)", METADATA=[metadata], TEMPS=rows)


def fans(figures: Figures) -> dict[str, Any]:
    """Return the reply to `fans`: the list is not in the order of the names."""
    speeds = figures.snapshot.fans_rpm
    order = [fan for fan in _FAN_ORDER if fan < len(speeds)] + list(range(len(_FAN_ORDER), len(speeds)))
    rows = [
        {"FAN": f"FAN{fan + 1}", "ID": number, "RPM": speeds[fan], "Speed": round(100 * speeds[fan] / _MAX_RPM)}
        for number, fan in enumerate(order)
    ]
    control = {"MinFans": max(0, len(speeds) - 1), "PowerOffSpeed": 20}
    return _reply(figures, 202, f"{len(rows)} Fan(s)", FANCTRL=[control], FANS=rows)


def power(figures: Figures) -> dict[str, Any]:
    """Return the reply to `power`: the firmware's estimate, not the supply's word."""
    return _reply(figures, 311, "Power usage", POWER=[{"PSU": False, "Watts": figures.watts()}])


def config(figures: Figures) -> dict[str, Any]:
    """Return the reply to `config`, which says the work state (Documented (D242))."""
    identity, phase = figures.unit.identity, figures.snapshot.phase
    curtail = "None"
    if figures.is_asleep:
        curtail = "Sleep"
    elif figures.unit.is_waking and not figures.is_hashing:
        curtail = "WakeUp"
    row = {
        "ASC Count": len(figures.boards),
        "BcastAddr": "unknown",
        "ControlBoardType": "amlogic",
        "Cooling": "Air" if identity.model.cooling is Cooling.AIR else "Hydro",
        "CurtailMode": curtail,
        "DHCP": True,
        "DNS Servers": "",
        "Device Code": "",
        "FPGABuildIdHex": "0x18351835",
        "FPGABuildIdStr": "2018-35-18 35:00",
        "FeeStatus": "Ok",
        "Gateway": "unknown",
        "GreenLed": "auto",
        "Hostname": "Antminer",
        "Hotplug": "None",
        "IPAddr": identity.host,
        "ImmersionMode": identity.model.cooling is Cooling.IMMERSION,
        "IsAtmEnabled": False,
        "IsPowerSupplyOn": not figures.is_asleep,
        "IsSingleVoltage": True,
        "IsTuning": figures.is_hashing,
        "Log Interval": 0,
        "LogFileLevel": "info",
        "MACAddr": identity.mac.casefold(),
        "Model": _model(figures),
        # Observed (O179): chips times the clock of the default profile, and not the bin.
        "NameplateTHS": round(identity.model.boards * identity.model.board_ideal_ghs / 1000.0, 1),
        "Netmask": "unknown",
        "OS": "LuxOS",
        "PGA Count": 0,
        "PSUHwVersion": "75",
        "PSULabel": "APW171215a",
        "Pool Count": len(POOL_HOSTS),
        "Profile": figures.profile,
        "ProfileStep": "0" if figures.is_default else str(round((identity.tuning - 1.0) * 25)),
        "RedLed": "auto",
        "SerialNumber": identity.serial,
        "Strategy": "Failover",
        # Assumed (A178): until the boards are up.
        "SystemStatus": "Initializing" if phase is Phase.ENUMERATING else "Normal",
        "UpdateOnStartup": "off",
        "UpdateOnTimeout": "off",
        "UpdateOnUser": "full",
        "UpdateSource": "https://storage.googleapis.com/luxor-firmware/stable",
        "UpdateTimeout": 60,
    }
    return _reply(figures, 33, "LUXminer config", CONFIG=[row])


def pools(figures: Figures) -> dict[str, Any]:
    """Return the reply to `pools`: those that are configured, in one group."""
    table = [pool for pool in pools_of(figures.unit, figures.t, is_asleep=figures.is_asleep) if pool.url]
    rows = [_pool(pool) for pool in table]
    return _reply(figures, 7, f"{len(rows)} Pool(s)", POOLS=rows)


def _pool(pool: Pool) -> dict[str, Any]:
    found = max(1, pool.accepted + pool.rejected + pool.stale)
    hours, seconds = divmod(pool.age_s, 3600)
    return {
        "Accepted": pool.accepted,
        "AsicBoost": True,
        "Bad Work": 0,
        "Best Share": pool.best_share,
        "Current Block Height": 0,
        "Current Block Version": 536870912 if pool.is_active else 0,
        "Diff": f"{pool.difficulty // 1024}K" if pool.difficulty else "0",
        "Diff1 Shares": (pool.accepted + pool.rejected + pool.stale) * pool.difficulty,
        "Difficulty Accepted": pool.accepted * pool.difficulty,
        "Difficulty Rejected": pool.rejected * pool.difficulty,
        "Difficulty Stale": pool.stale * pool.difficulty,
        "Discarded": 0,
        "GROUP": 0,
        "Get Failures": 0,
        "Getworks": 0,
        "Has GBT": False,
        "Has Stratum": True,
        "Has Vmask": True,
        "Last Share Difficulty": pool.difficulty if pool.accepted else 0,
        "Last Share Time": f"{hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}",
        "Long Pool": "N",
        "POOL": pool.position,
        "Pool Rejected%": round(100.0 * pool.rejected / found, 4),
        "Pool Stale%": round(100.0 * pool.stale / found, 4),
        "Priority": pool.position,
        "Proxy": "",
        "Proxy Type": "",
        "Quota": 1.0,
        "Rejected": pool.rejected,
        "Remote Failures": 0,
        "Stale": pool.stale,
        "Status": pool.status,
        "Stratum Active": pool.is_active,
        "Stratum Difficulty": pool.difficulty if pool.is_active else 0,
        "Stratum URL": pool.url.rpartition("//")[2],
        "URL": pool.url,
        "User": pool.user,
        "Work Difficulty": pool.difficulty if pool.is_active else 0,
        "Works": 0,
    }


def events(figures: Figures) -> dict[str, Any]:
    """Return the reply to `events`: what is wrong now (Documented (D244))."""
    unit, model = figures.unit, figures.unit.identity.model
    found = {board.slot for board in figures.boards}
    rows = [_event(figures, "BOARD_NOT_DETECTED", slot) for slot in range(model.boards) if slot not in found]
    if unit.conditions.stopped_fans and model.fans:
        rows.append(_event(figures, "FAN_FAILURE"))
    if unit.conditions.dead_pools >= len(POOL_HOSTS):
        rows.append(_event(figures, "NO_ACTIVE_POOLS"))
    if figures.is_asleep:
        rows.append(_event(figures, "SLEEP"))
    return _reply(figures, 357, "Miner Events", EVENTS=rows)


def _event(figures: Figures, code: str, slot: int | None = None) -> dict[str, Any]:
    text = code.capitalize().replace("_", " ")
    event: dict[str, Any] = {
        "Code": code,
        "CreatedAt": datetime.fromtimestamp(int(figures.unit.since), UTC).isoformat(),
        "Description": f"{text}.",
        "DocUrl": f"https://docs.luxor.tech/firmware/kb/eventstroubleshooting#{code.casefold().replace('_', '-')}",
        "Target": "MINER" if slot is None else "BOARD",
    }
    return event if slot is None else {**event, "ID": slot}


def _model(figures: Figures) -> str:
    """Return the model; a unit that found no board does not know it (D247)."""
    return figures.unit.identity.model.api_type if figures.boards else "Unknown"


def stock_like(figures: Figures) -> dict[str, Any]:
    """Return the reply to `stats`."""
    rows = stats(figures, program=VERSION, compiled=COMPILED, model=_model(figures))
    return _reply(figures, 70, "LUXminer stats", STATS=rows)


REPORTS: Final[dict[str, Callable[[Figures], dict[str, Any]]]] = {
    "config": config,
    "devdetails": devdetails,
    "devs": devs,
    "events": events,
    "fans": fans,
    "pools": pools,
    "power": power,
    "stats": stock_like,
    "summary": summary,
    "temps": temps,
    "version": version,
}
