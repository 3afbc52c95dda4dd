"""The legacy dialect: version, summary, stats, pools and devs as Bitmain's cgminer 1.0.0 prints them.

Observed (O11, O17, O35): key order as in s21-stock-aml-202407. Documented (D28): that of
`stats`, from the program text. Assumed (A04): no blanks after separators.
"""

from collections.abc import Callable
from functools import lru_cache

from simulators.firmware.antminer.pools import Pool, best_share, pools_of
from simulators.unit import sensors
from simulators.unit.builds import Build, Report
from simulators.unit.models import Model
from simulators.unit.snapshot import Process, Shares, Snapshot
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_SLEEP

_SLOTS = 4  # The program prints four board positions, used or not.
_MINING = 2
_ASLEEP = 1


def invalid_command(t: float) -> str:
    """Return the refusal of an unknown command.

    Observed (O03): s19pro-stock-2023-issue50, tcp4028-invalid-command.
    """
    return (
        f'{{"STATUS":[{{"STATUS":"E","When":{int(t)},"Code":14,"Msg":"Invalid command",'
        '"Description":"cgminer 1.0.0"}],"id":1}'
    )


def version(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `version`."""
    return _envelope(
        t,
        22,
        "CGMiner versions",
        "VERSION",
        f'{{"BMMiner":"1.0.0","API":"{build.api}","Miner":"{build.miner}","CompileTime":"{build.compile_time}",'
        f'"Type":"{unit.identity.model.api_type}"}}',
    )


def summary(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `summary`."""
    snapshot = unit.snapshot(t)
    is_asleep = snapshot.work_mode == WORK_MODE_SLEEP
    shares = unit.shares(t)
    elapsed = _shown_elapsed(snapshot, build)
    if is_asleep:
        shares = Shares(0, 0, 0, shares.difficulty, 0.0, 0, ())
    minutes = max(elapsed, 1) / 60.0
    errors = 0 if is_asleep else sum(board.hw_errors for board in snapshot.boards)
    ghs_av = 0.0 if is_asleep else snapshot.ghs_avg
    # Observed (O24): 94.05 pieces of local work and 0.102 getworks a second, s21-stock-aml-202407.
    local_work = int(elapsed * 94.05)
    body = (
        f'{{"Elapsed":{elapsed},"GHS 5s":{0.0 if is_asleep else snapshot.ghs_5s!r},"GHS av":{ghs_av!r},'
        f'"GHS 30m":{0.0 if is_asleep else snapshot.ghs_30m!r},"Found Blocks":0,"Getwork":{int(elapsed * 0.102)},'
        f'"Accepted":{shares.accepted},"Rejected":{shares.rejected},"Hardware Errors":{errors},'
        f'"Utility":{round(shares.accepted / minutes, 2)!r},"Discarded":{max(0, local_work - int(elapsed * 0.102))},'
        f'"Stale":{shares.stale},"Get Failures":0,"Local Work":{local_work},"Remote Failures":0,'
        f'"Network Blocks":{elapsed // 580},"Total MH":{round(ghs_av * elapsed * 1000.0, 1)!r},'
        f'"Work Utility":{round(shares.work / minutes, 2)!r},'
        f'"Difficulty Accepted":{float(shares.accepted * shares.difficulty)!r},'
        f'"Difficulty Rejected":{float(shares.rejected * shares.difficulty)!r},'
        f'"Difficulty Stale":{float(shares.stale * shares.difficulty)!r},'
        f'"Best Share":{best_share(unit.identity.key, shares.work)},'
        '"Device Hardware%":0.0,"Device Rejected%":0.0,"Pool Rejected%":0.0,"Pool Stale%":0.0,'
        f'"Last getwork":{int(t)}}}'
    )
    return _envelope(t, 11, "Summary", "SUMMARY", body)


def stats(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `stats`: a header, and the hardware unless a unit of line A or B sleeps."""
    snapshot = unit.snapshot(t)
    header = (
        f'{{"BMMiner":"1.0.0","Miner":"{build.miner}","CompileTime":"{build.compile_time}",'
        f'"Type":"{unit.identity.model.api_type}"}}'
    )
    # Observed (O61): s21-stock-202410-sleep and t21-stock-202501-sleep, tcp4028-stats.
    if snapshot.work_mode == WORK_MODE_SLEEP and not build.is_sleep_reported_in_full:
        return _envelope(t, 70, "CGMiner stats", "STATS", header)
    return _envelope(t, 70, "CGMiner stats", "STATS", f"{header},{_hardware(unit, build, snapshot)}")


def pools(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `pools`; always three entries."""
    process = unit.process(t)
    is_asleep = process.work_mode == WORK_MODE_SLEEP
    elapsed = _shown_elapsed(process, build)
    entries = []
    for pool in pools_of(unit, t, is_asleep=is_asleep):
        getworks = min(elapsed, 1) if pool.url else 0
        if pool.is_active:
            getworks = int(elapsed * 0.102)
        entries.append(
            f'{{"POOL":{pool.position},"URL":"{pool.url}","Status":"{pool.status}","Priority":{pool.position},"Quota":1,'
            f'"Long Poll":"N","Getworks":{getworks},"Accepted":{pool.accepted},"Rejected":{pool.rejected},'
            f'"Discarded":{int(elapsed * 93.95) if pool.is_active else 0},"Stale":{pool.stale},"Get Failures":0,'
            f'"Remote Failures":0,"User":"{pool.user}","Last Share Time":"{_age(pool)}",'
            f'"Diff":"{pool.shown_difficulty}","Diff1 Shares":0,"Proxy Type":"","Proxy":"",'
            f'"Difficulty Accepted":{float(pool.accepted * pool.difficulty)!r},'
            f'"Difficulty Rejected":{float(pool.rejected * pool.difficulty)!r},'
            f'"Difficulty Stale":{float(pool.stale * pool.difficulty)!r},'
            f'"Last Share Difficulty":{float(pool.difficulty if pool.accepted else 0)!r},'
            f'"Has Stratum":{_flag(bool(pool.url))},"Stratum Active":{_flag(pool.is_active)},'
            f'"Stratum URL":"{pool.host if pool.is_active else ""}","Has GBT":false,'
            f'"Best Share":{float(pool.best_share)!r},"Pool Rejected%":0.0,"Pool Stale%%":0.0}}'
        )
    return _envelope(t, 7, "3 Pool(s)", "POOLS", ",".join(entries))


def devs(unit: Unit, build: Build, t: float) -> str:
    """Return the reply to `devs`: the whole unit as one device, with the program's known defects.

    Observed (O40, O41, O42): s19pro-stock-202212 (the key `Tenperature`) and s21-stock-aml-202407
    (GH/s under keys that say MHS, a time under `Last Share Difficulty`).
    """
    snapshot, shares = unit.snapshot(t), unit.shares(t)
    is_asleep = snapshot.work_mode == WORK_MODE_SLEEP
    warmest = max((max(board.pic_celsius, default=0) + 10 for board in snapshot.boards), default=0)
    accepted, rejected = (0, 0) if is_asleep else (shares.accepted, shares.rejected)
    last_share = int(t) - shares.age_s
    body = (
        '{"ASC":0,"Name":"BTM_SOC","ID":0,"Enabled":"Y","Status":"Alive",'
        f'"Tenperature":{float(warmest)!r},"MHS av":{0.0 if is_asleep else snapshot.ghs_avg!r},'
        f'"MHS 5s":{0.0 if is_asleep else snapshot.ghs_5s!r},"Accepted":{accepted},"Rejected":{rejected},'
        f'"Hardware Errors":0,"Utility":0.0,"Last Share Pool":0,"Last Share Time":{last_share},"Total MH":0.0,'
        f'"Diff1 Work":0,"Difficulty Accepted":{accepted * shares.difficulty},'
        f'"Difficulty Rejected":{rejected * shares.difficulty},"Last Share Difficulty":{last_share},'
        f'"Last Valid Work":{last_share},"Device Hardware%":0.0,"Device Rejected%":0.0,'
        f'"Device Elapsed":{_shown_elapsed(snapshot, build)}}}'
    )
    return _envelope(t, 9, "1 ASC(s)", "DEVS", body)


REPLIES: dict[str, Callable[[Unit, Build, float], str]] = {
    "version": version,
    "summary": summary,
    "stats": stats,
    "pools": pools,
    "devs": devs,
}


def _envelope(t: float, code: int, message: str, name: str, body: str) -> str:
    return (
        f'{{"STATUS":[{{"STATUS":"S","When":{int(t)},"Code":{code},"Msg":"{message}",'
        f'"Description":"cgminer 1.0.0"}}],"{name}":[{body}],"id":1}}'
    )


def _shown_elapsed(shown: Snapshot | Process, build: Build) -> int:
    """Return Elapsed: seconds while awake, a constant while asleep.

    Observed (O62): 1 in sleep on line A. Assumed (A31): on B too. Documented (D46): 0 on C.
    """
    if shown.work_mode == WORK_MODE_SLEEP:
        return 0 if build.is_sleep_reported_in_full else 1
    return shown.elapsed_s


def _hardware(unit: Unit, build: Build, snapshot: Snapshot) -> str:
    identity = unit.identity
    model = identity.model
    is_asleep = snapshot.work_mode == WORK_MODE_SLEEP
    clock = snapshot.clock_mhz
    columns = [_NO_BOARD] * _SLOTS
    warmest = [("0", "0")] * model.boards
    chips = errors = up = 0
    for board in snapshot.boards:
        if board.chips == 0:
            continue
        pic = board.pic_celsius
        if is_asleep:
            # Documented (D46): a sleeping S21+ shows 22 C as board temperature, 5 more as chip temperature.
            # Assumed (A32): 22 C was the ambient.
            pic = (round(snapshot.ambient_celsius) - 10,) * 4
        temperatures, warmest[board.board] = _sensor_texts(model, pic)
        chip_map = sensors.chip_map(board.chips - board.marked, model.chips_per_board, build.map_group)
        columns[board.board] = (*temperatures, board.chips, chip_map, board.hw_errors, f"{board.ghs:.2f}", clock)
        chips += board.chips
        errors += board.hw_errors
        up += 1
    fans = snapshot.fans_rpm or (0, 0, 0, 0)
    ghs_av = 0.0 if is_asleep else snapshot.ghs_avg
    pcb, chip, pic_texts, acn, acs, hw, rate, freq = zip(*columns, strict=True)
    # Documented (D45): builds of May 2026 report 0 while they hash. Observed (O60): those before report 2.
    awake = 0 if build.report is Report.SALE else _MINING
    values = (
        *(_shown_elapsed(snapshot, build), snapshot.ghs_5s, ghs_av, 0.0 if is_asleep else snapshot.ghs_30m),
        *(_ASLEEP if is_asleep else awake, up, clock),
        *fans,
        *[of_pcb for of_pcb, _ in warmest],
        *[of_chip for _, of_chip in warmest],
        *pcb,
        *chip,
        *pic_texts,
        *(snapshot.ideal_ghs, clock, chips, ghs_av, errors),
        *acn,
        *acs,
        *hw,
        *rate,
        *freq,
        *(build.miner, identity.miner_id),
    )
    return _hardware_template(len(fans), model.boards) % values


@lru_cache(maxsize=64)
def _hardware_template(fans: int, boards: int) -> str:
    """Return the hardware text as a template with a place for every value, in the order of the program."""
    slots = range(1, _SLOTS + 1)
    parts = [
        '{"STATS":0,"ID":"BTM_SOC0","Elapsed":%d,"Calls":0,"Wait":0,"Max":0,"Min":99999999,"GHS 5s":%r,"GHS av":%r',
        f'"rate_30m":%r,"Mode":%d,"miner_count":%d,"frequency":%d,"fan_num":{fans}',
        *[f'"fan{number}":%d' for number in range(1, fans + 1)],
        f'"temp_num":{boards}',
        *[f'"temp{number}":%s' for number in range(1, boards + 1)],
        *[f'"temp2_{number}":%s' for number in range(1, boards + 1)],
        *[f'"{name}{number}":"%s"' for name in ("temp_pcb", "temp_chip", "temp_pic") for number in slots],
        '"total_rateideal":%r,"total_freqavg":%d,"total_acn":%d,"total rate":%r,"temp_max":0,"no_matching_work":%d',
        *[f'"chain_acn{number}":%d' for number in slots],
        *[f'"chain_acs{number}":"%s"' for number in slots],
        *[f'"chain_hw{number}":%d' for number in slots],
        *[f'"chain_rate{number}":"%s"' for number in slots],
        *[f'"freq{number}":%d' for number in slots],
        '"rate_unit":"GH","miner_version":"%s","miner_id":"%s"}',
    ]
    return ",".join(parts)


@lru_cache(maxsize=4096)
def _sensor_texts(model: Model, pic: tuple[int, ...]) -> tuple[tuple[str, str, str], tuple[str, str]]:
    """Return the texts of a board's pcb, chip and pic sensors, and of its warmest pcb and chip sensor."""
    of_pic, of_pcb, of_chip = sensors.layout(model, pic)
    texts = ["-".join(map(str, readings)) for readings in (of_pcb, of_chip, of_pic)]
    return (texts[0], texts[1], texts[2]), (str(max(of_pcb)), str(max(of_chip)))


# An unused or unseen position. Observed (O27): board 4 of s19pro-stock-202212, tcp4028-stats.
_NO_BOARD = ("0-0-0-0", "0-0-0-0", "0-0-0-0", 0, "", 0, "", 0)


def _flag(value: bool) -> str:  # noqa: FBT001  a JSON literal of a boolean has one argument
    return "true" if value else "false"


def _age(pool: Pool) -> str:
    if not pool.accepted:
        return "0"
    minutes, seconds = divmod(pool.age_s, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
