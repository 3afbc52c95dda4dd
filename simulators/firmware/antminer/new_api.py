"""The `new_api` dialect: five reports, which the web pages also show, and three switches, which the pages use.

Observed (O02, O45, O46, O43): key order and blanks as in s19proplus-hyd-stock-202303
(untrimmed `stats`) and s21-stock-aml-202407.
"""

import math
from collections.abc import Callable
from functools import lru_cache

from simulators.firmware.antminer.pools import POOL_HOSTS, best_share, pools_of
from simulators.unit import sensors
from simulators.unit.builds import BUILDS, Build, Report
from simulators.unit.models import Model
from simulators.unit.shares import DIFF1_HASHES
from simulators.unit.snapshot import BoardSnapshot, Phase, Snapshot
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_SLEEP

# Observed (O53): two errors make hwp_total 0.0006 on an S21 after 8152 s, 4358 of one board hwp 0.601 on an S19 Pro+
# Hyd. after 83,976 s. Assumed (A21): percent of nonces, at one nonce per 1280 shares of difficulty 1.
_DIFF1_PER_NONCE = 1280.0

_LOW_RATE_RATIO = 0.9  # Assumed (A41): where the firmware starts to call the rate low.
_SETTLED_S = 600


def summary(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `summary`."""
    snapshot = unit.snapshot(t)
    shares = unit.shares(t)
    is_asleep = snapshot.work_mode == WORK_MODE_SLEEP
    codes = {} if is_asleep else error_codes(unit, snapshot)
    fine = dict.fromkeys(("rate", "network", "fans", "temp"), "s")
    if build.report is Report.SALE and not unit.identity.model.fans:
        fine["fans"] = ""  # Documented (D87): an S21j XP Hyd. says nothing about fans.
    status = ", ".join(
        f'{{"type": "{kind}", "status": "{"e" if kind in codes else well}", "code": {int(kind in codes)}, '
        f'"msg": "{codes.get(kind, "")}"}}'
        for kind, well in fine.items()
    )
    errors = 0 if is_asleep else sum(board.hw_errors for board in snapshot.boards)
    best = 0 if is_asleep else best_share(unit.identity.key, shares.work)
    body = f'{{{_rates(unit, build, snapshot)}, "hw_all": {errors}, "bestshare": {best}, "status": [{status}]}}'
    return _envelope(unit, build, t, "summary", body)


def stats(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `stats`: one element with every board the firmware lists."""
    snapshot = unit.snapshot(t)
    model = unit.identity.model
    is_asleep = snapshot.work_mode == WORK_MODE_SLEEP
    boards: tuple[BoardSnapshot, ...] = snapshot.boards
    # Assumed (A33): sleeping boards have no power and are not listed on lines A and B, listed at ambient on C.
    if is_asleep and not build.is_sleep_reported_in_full:
        boards = ()
    # Assumed (A38): before boards hash there are no fans in the reply, as on a KS5.
    # Documented (D87): builds of May 2026 list none on a unit without fans.
    has_none = build.report is Report.SALE and not model.fans
    if has_none or snapshot.phase is Phase.ENUMERATING or (is_asleep and not boards):
        fans: tuple[int, ...] = ()
    else:
        fans = snapshot.fans_rpm or (0, 0, 0, 0)
    nonces = max(1.0, snapshot.ghs_avg * 1e9 * snapshot.elapsed_s / (DIFF1_HASHES * _DIFF1_PER_NONCE))
    errors = sum([board.hw_errors for board in boards])
    serials = unit.identity.board_serials
    per_board, end = nonces / model.boards, _origin(model, build.report)
    chain = ", ".join([_chain(model, build.key, snapshot, board, serials, nonces=per_board) + end for board in boards])
    body = (
        f"{{{_rates(unit, build, snapshot, is_sale_told=True)}, "
        f'"chain_num": {len(boards)}, "fan_num": {len(fans)}, "fan": {list(fans)}, '
        f'"hwp_total": {math.floor(1e6 * errors / nonces) / 1e4!r}, {_mode_and_power(build, snapshot)}'
        f'"chain": [{chain}]}}'
    )
    return _envelope(unit, build, t, "stats", body)


def pools(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `pools`. Assumed (A18): its keys; their order is that of the page's table."""
    process = unit.process(t)
    is_asleep = process.work_mode == WORK_MODE_SLEEP
    entries = []
    for pool in pools_of(unit, t, is_asleep=is_asleep):
        minutes, seconds = divmod(pool.age_s, 60)
        age = f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if pool.accepted else "0"
        entries.append(
            f'{{"index": {pool.position}, "url": "{pool.url}", "user": "{pool.user}", "status": "{pool.status}", '
            f'"priority": {pool.position}, "getworks": {int(process.elapsed_s * 0.102) if pool.is_active else 0}, '
            f'"accepted": {pool.accepted}, "rejected": {pool.rejected}, '
            f'"discarded": {int(process.elapsed_s * 93.95) if pool.is_active else 0}, "stale": {pool.stale}, '
            f'"diff": "{pool.shown_difficulty}", "diff1": 0, "diffa": {pool.accepted * pool.difficulty}, '
            f'"diffr": {pool.rejected * pool.difficulty}, "diffs": {pool.stale * pool.difficulty}, '
            f'"lsdiff": {pool.difficulty if pool.accepted else 0}, "lstime": "{age}"}}'
        )
    return _envelope(unit, build, t, "pools", ", ".join(entries))


def rate(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `rate`: the page's graph. Assumed (A22): one point, as right after a start."""
    snapshot = unit.snapshot(t)
    series = f'{{"name": "rate_avg", "data": [{snapshot.ghs_avg!r}]}}'
    body = f'"unit": "GH/s", "xAxis": ["{snapshot.elapsed_s // 60}m"], "series": [{series}]}}'
    return _envelope(unit, build, t, "rate", "{" + body)


def warning(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `warning`: the active error codes. Assumed (A23): objects that hold a code."""
    snapshot = unit.snapshot(t)
    codes = {} if snapshot.work_mode == WORK_MODE_SLEEP else error_codes(unit, snapshot)
    body = ", ".join(f'{{"code": "{code}"}}' for code in codes.values())
    return _envelope(unit, build, t, "warning", body)


def reload(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `reload`. Assumed (A24), as for the other two switches: success and nothing else."""
    return _envelope(unit, build, t, "reload", "")


def sleep(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `sleep`; the caller changes the work mode."""
    return _envelope(unit, build, t, "sleep", "")


def network(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `network`."""
    return _envelope(unit, build, t, "network", "")


REPLIES: dict[str, Callable[[Unit, Build, float], str]] = {
    "summary": summary,
    "stats": stats,
    "pools": pools,
    "rate": rate,
    "warning": warning,
    "reload": reload,
    "sleep": sleep,
    "network": network,
}


def _envelope(unit: Unit, build: Build, t: float, command: str, body: str) -> str:
    return (
        f'{{"STATUS": {{"STATUS": "S", "when": {int(t)}, "Msg": "{command}", "api_version": "1.0.0"}}, '
        f'"INFO": {{"miner_version": "{build.miner}", "CompileTime": "{build.compile_time}", '
        f'"type": "{unit.identity.model.api_type}"}}, "{command.upper()}": [{body}]}}'
    )


def _rates(unit: Unit, build: Build, snapshot: Snapshot, *, is_sale_told: bool = False) -> str:
    model = unit.identity.model
    ideal, sale = snapshot.ideal_ghs, ""
    if build.report is Report.SALE:
        # Documented (D84): `rate_ideal` is then the boards' sum.
        ideal = model.boards * model.board_ideal_ghs if ideal else 0.0
        sale = f'"rate_sale": {model.hashrate_hs / 1e9:.0f}, ' if is_sale_told else ""
    if snapshot.work_mode == WORK_MODE_SLEEP:
        # Assumed (A33): as in the legacy dialect, Elapsed stands at 1 (line C: 0) and all rates at 0.
        elapsed = 0 if build.is_sleep_reported_in_full else 1
        rates = (0.0, 0.0, 0.0)
    else:
        elapsed = snapshot.elapsed_s
        rates = (snapshot.ghs_5s, snapshot.ghs_30m, snapshot.ghs_avg)
    return (
        f'"elapsed": {elapsed}, "rate_5s": {rates[0]!r}, "rate_30m": {rates[1]!r}, "rate_avg": {rates[2]!r}, '
        f'"rate_ideal": {ideal!r}, {sale}"rate_unit": "GH/s"'
    )


def _mode_and_power(build: Build, snapshot: Snapshot) -> str:
    """Return the work mode and, on builds of 2026, the power. Assumed (A97): asleep it is that of standby."""
    if build.report is Report.PLAIN:
        return f'"miner-mode": {snapshot.work_mode}, "freq-level": 100, '
    watts, jt = round(snapshot.power_watts), 0.0
    if not build.is_power_measured:
        watts = 0
    if watts and snapshot.ghs_5s:
        jt = round(1000.0 * watts / snapshot.ghs_5s, 2)
    power = f'"watt": {watts}, "jt": {jt!r}, '
    if build.report is Report.POWER:
        return f'{power}"miner-mode": {snapshot.work_mode}, "freq-level": 100, '
    return (
        f'"miner-mode": {snapshot.work_mode}, "freq-level-mode": false, "freq-level-min": 0, "freq-level": 100, '
        f'{power}"ambient_temp": {round(snapshot.ambient_celsius, 2)!r}, '
    )


def _chain(
    model: Model, build_key: str, snapshot: Snapshot, board: BoardSnapshot, serials: tuple[str, ...], *, nonces: float
) -> str:
    clock = snapshot.clock_mhz if board.chips else 0
    pic = board.pic_celsius
    if snapshot.work_mode == WORK_MODE_SLEEP and board.chips:
        pic = (round(snapshot.ambient_celsius) - 10,) * 4
    return (
        f'{{"index": {board.board}, {_clock(model, clock)}"rate_real": {board.ghs!r}, '
        f"{_hardware(model, build_key, board.chips, board.marked, pic)}"
        f'"hw": {board.hw_errors}, "eeprom_loaded": true, "sn": "{serials[board.board]}", '
        f'"hwp": {round(100.0 * board.hw_errors / nonces, 4)!r}'
    )


# The texts below are cached because boards of one bin repeat them.


@lru_cache(maxsize=1024)
def _clock(model: Model, mhz: int) -> str:
    ideal = float(int(model.chips_per_board * model.ghs_per_chip_mhz * mhz))
    return f'"freq_avg": {mhz}, "rate_ideal": {ideal!r}, '


@lru_cache(maxsize=8192)
def _hardware(model: Model, build_key: str, counted: int, marked: int, pic: tuple[int, ...]) -> str:
    """Return the chips and the sensors of a board."""
    build = BUILDS[build_key]
    chips = sensors.chip_map(counted - marked, model.chips_per_board, build.map_group) if counted else ""
    of_pic, of_pcb, of_chip = sensors.layout(model, pic)
    text = (
        f'"asic_num": {counted}, "asic": "{chips}", '
        f'"temp_pic": {list(of_pic)}, "temp_pcb": {list(of_pcb)}, "temp_chip": {list(of_chip)}, '
    )
    if build.report is Report.SALE:
        way_in, way_out = sensors.coolant_keys(model, pic)
        text += f'"temp_in": {list(way_in)}, "temp_out": {list(way_out)}, '
    return text


@lru_cache(maxsize=256)
def _origin(model: Model, report: Report) -> str:
    """Return the end of a board; on builds of 2026 its EEPROM, and the places of its chips."""
    if report is Report.PLAIN:
        return "}"
    places = sensors.topology(model.chips_per_board, 4 if report is Report.SALE else 8)
    if report is Report.POWER:
        return f', "tpl": {places}}}'
    return (
        f', "eeprom_level": 0, "eeprom_vol": 2297, "eeprom_freq": {model.frequency_mhz}, "eeprom_bin": 0, '
        f'"eeprom_ft": "", "tpl": {places}}}'
    )


def error_codes(unit: Unit, snapshot: Snapshot) -> dict[str, str]:
    """Return the error code by kind of status.

    Documented (D53): R:1 low rate, N:4 pools lost, F and the number of a fan, P:1 too hot.
    """
    codes = {}
    conditions = unit.conditions
    nameplate_ghs = unit.identity.model.hashrate_hs / 1e9
    if snapshot.elapsed_s > _SETTLED_S and snapshot.ghs_30m < _LOW_RATE_RATIO * nameplate_ghs:
        codes["rate"] = "R:1"
    if conditions.dead_pools >= len(POOL_HOSTS):
        codes["network"] = "N:4"
    if conditions.stopped_fans and unit.identity.model.fans:
        codes["fans"] = f"F{min(conditions.stopped_fans) + 1}:1"
    elif snapshot.phase is Phase.PROTECTED:
        codes["temp"] = "P:1"
    return codes
