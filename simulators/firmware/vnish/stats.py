"""`stats` of VNish, `version` of its older generation, and `devdetails`.

It tells what VNish tells, its lies included: chip temperatures that are the board's plus 15, the same watts on every
board, an ideal rate that follows the profile. Key order as in s21pro-vnish-2026 and s19xp-vnish-2023.
"""

from typing import Final, NamedTuple

from simulators.firmware.vnish.generation import Generation, envelope
from simulators.unit import chance, sensors
from simulators.unit.snapshot import BoardSnapshot, Phase, Snapshot
from simulators.unit.unit import Unit
from simulators.unit.work_modes import WORK_MODE_SLEEP

CHIP_OVER_PCB: Final = 15  # Observed (O171): in all generations.
_PCB_OVER_PIC: Final = 10  # Observed (O54): of the sensors of `observe`, as stock firmware shows them.
# Observed (O173): the boards' watts are a model of the firmware. Of the wall they are short by fans and supply.
_BOARDS_OF_WALL: Final = 0.93
_KEY_TUNING: Final = -10
_TUNING_RATIO: Final = 0.15  # Share of the hashing units that say `auto-tuning`; of the simulation, not of the trade.
_MAP_GROUP: Final = 10  # Observed (O171): groups in a map, s19xp-vnish-2023.


class _Column(NamedTuple):
    """The figures of one board, as text where they are."""

    ghs: float
    chips: int
    chip_map: str
    state: str
    mhz: float
    ideal_ghs: float
    hw_errors: int
    sens: str
    pcb: str
    chip: str
    hottest_pcb: int
    watts: int
    millivolts: int


def state_word(unit: Unit, snapshot: Snapshot) -> str:
    """Return the unit's word for its state."""
    phase, conditions = snapshot.phase, unit.conditions
    if snapshot.work_mode == WORK_MODE_SLEEP:
        return "stopped"
    if conditions.has_failed or conditions.has_no_boards or phase is Phase.PROTECTED:
        return "failure"
    if phase is Phase.ENUMERATING:
        return "initializing"
    # Observed (O170): a unit that tunes hashes. Assumed (A174): it tunes after each start.
    is_tuning = phase is Phase.RAMPING or chance.uniform(unit.identity.key, _KEY_TUNING) < _TUNING_RATIO
    return "auto-tuning" if is_tuning else "mining"


def stats(unit: Unit, generation: Generation, t: float) -> str:
    """Return the reply to `stats`."""
    snapshot = unit.snapshot(t)
    body = f"{_header(unit, generation)},{(_new if generation.is_new else _old)(unit, generation, snapshot)}"
    return envelope(generation, t, (70, "CGMiner stats", "STATS"), body, has_id=False)


def version(unit: Unit, generation: Generation, t: float) -> str:
    """Return the reply to `version`. Observed (O174): keys as in other-s9-vnish-2020."""
    body = (
        f'{{"CGMiner":"4.11.1","API":"3.7","Miner":"{generation.miner}","CompileTime":"{generation.compile_time}",'
        f'"Type":"{_type(unit, generation)}"}}'
    )
    return envelope(generation, t, (22, "CGMiner versions", "VERSION"), body, has_id=True)


def devdetails(unit: Unit, generation: Generation, t: float) -> str:
    """Return the reply to `devdetails`, which has an `id` in both generations."""
    name = unit.identity.model.name.replace(" ", "").replace(".", "")
    body = (
        f'{{"DEVDETAILS":0,"Name":"BTM_{name.upper()}","ID":0,"Driver":"bitmain_{name.lower()}_drv","Kernel":"",'
        '"Model":"","Device Path":""}'
    )
    return envelope(generation, t, (69, "Device Details", "DEVDETAILS"), body, has_id=True)


def _type(unit: Unit, generation: Generation) -> str:
    return f"{unit.identity.model.api_type} (Vnish {generation.version})"


def _header(unit: Unit, generation: Generation) -> str:
    if generation.is_new:
        return (
            f'{{"Type":"{_type(unit, generation)}","Miner":"{generation.miner}","Cgminer":"{generation.version}",'
            f'"CompileTime":"{generation.compile_time}"}}'
        )
    return (
        f'{{"Cgminer":"4.11.1","Miner":"{generation.miner}","CompileTime":"{generation.compile_time}",'
        f'"Type":"{_type(unit, generation)}"}}'
    )


def _new(unit: Unit, _generation: Generation, snapshot: Snapshot) -> str:
    word = state_word(unit, snapshot)
    columns = _columns(unit, snapshot, word)
    rates = _rates(snapshot, word)
    parts = [
        f'"Elapsed":{snapshot.elapsed_s},"GHS 5s":"{rates[0]:.2f}","GHS av":{rates[1]!r}',
        *_each("temp_sens", [f'"{column.sens}"' for column in columns]),
        *_each("temp", [column.hottest_pcb for column in columns]),
        *_each("temp2_", [_over(column.hottest_pcb) for column in columns]),
        *_each("temp3_", [_over(column.hottest_pcb) for column in columns]),
        *_each("temp_chip", [f'"{column.chip}"' for column in columns]),
        *_each("temp_pcb", [f'"{column.pcb}"' for column in columns]),
        *_each("chain_consumption", [column.watts for column in columns]),
        *_each("chain_hw", [column.hw_errors for column in columns]),
        _fans(snapshot),
        *_each("chain_rateideal", [column.ideal_ghs for column in columns]),
        *_each("chain_rate", [column.ghs for column in columns]),
        *_each("freq_avg", [column.mhz for column in columns]),
        *_each("chain_vol", [column.millivolts for column in columns]),
        f'"state":"{word}","total_rate":{rates[0]!r},"total_rateideal":{_sum_of_ideal(columns)!r}',
        f'"total_acn":{sum(column.chips for column in columns)}',
        *_each("chain_state", [f'"{column.state}"' for column in columns]),
        *_each("chain_fault", ['""' for _ in columns]),
        *_each("chain_acn", [column.chips for column in columns]),
    ]
    return f"{{{','.join(parts)}}}"


def _old(unit: Unit, generation: Generation, snapshot: Snapshot) -> str:
    word = state_word(unit, snapshot)
    columns = _columns(unit, snapshot, word)
    rates = _rates(snapshot, word)
    clocks = [column.mhz for column in columns]
    mean_mhz = sum(clocks) / len(clocks) if clocks else 0.0
    name = unit.identity.model.name.replace(" ", "").replace(".", "").upper()
    parts = [
        f'"STATS":0,"ID":"BTM_{name}","Elapsed":{snapshot.elapsed_s},"Calls":0,"Wait":0.000000,"Max":0.000000',
        f'"Min":99999999.000000,"GHS 5s":"{rates[0]:.2f}","GHS av":{rates[1]:.2f},"miner_count":{len(columns)}',
        f'"total_acn":{sum(column.chips for column in columns)},"frequency":{round(mean_mhz)}',
        f'"total_freqavg":{mean_mhz:.2f},"total_rateideal":{_sum_of_ideal(columns):.2f},"total_rate":{rates[0]:.2f}',
        f'"state":"{word}"',
        _fans(snapshot),
        f'"temp_num":{len(columns)}',
        *_each("temp", [column.hottest_pcb for column in columns]),
        *_each("temp2_", [_over(column.hottest_pcb) for column in columns]),
        *_each("temp3_", [_over(column.hottest_pcb) for column in columns]),
        *_each("temp_sens", [f'"{_two(column.sens)}"' for column in columns]),
        *_each("temp_pcb", [f'"{_two(column.pcb)}"' for column in columns]),
        *_each("temp_chip", [f'"{_two(column.chip)}"' for column in columns]),
        *_each("chain_state", [f'"{column.state}"' for column in columns]),
        *_each("chain_acn", [column.chips for column in columns]),
        *_each("chain_vol", [column.millivolts for column in columns]),
        *_each("freq_avg", [f"{column.mhz:.2f}" for column in columns]),
        *_each("chain_rateideal", [f"{column.ideal_ghs:.2f}" for column in columns]),
        *_each("chain_rate", [f"{column.ghs:.2f}" for column in columns]),
        *_each("chain_hw", [column.hw_errors for column in columns]),
        *_each("chain_acs", [f'"{column.chip_map}"' for column in columns]),
        # Observed (O88): always 0.
        *_each("chain_consumption", [0 for _ in columns]),
        f'"miner_version":"{generation.miner}","build_version":"{generation.version}"',
    ]
    return f"{{{','.join(parts)}}}"


def _rates(snapshot: Snapshot, word: str) -> tuple[float, float]:
    """Return the rates over 5 s and since the start of the run, GH/s. Documented (D231): noughts after a failure."""
    if word in {"stopped", "failure"}:
        return 0.0, 0.0
    return snapshot.ghs_5s, snapshot.ghs_avg


def _columns(unit: Unit, snapshot: Snapshot, word: str) -> list[_Column]:
    """Return the boards by slot. Documented (D231): none after a failed start."""
    if word == "failure" and snapshot.phase is not Phase.PROTECTED:
        return []
    by_slot = {board.board: board for board in snapshot.boards}
    return [_column(unit, snapshot, by_slot.get(slot), word) for slot in range(unit.identity.model.boards)]


def _column(unit: Unit, snapshot: Snapshot, board: BoardSnapshot | None, word: str) -> _Column:
    model, is_starting = unit.identity.model, word == "initializing"
    if board is None or (not board.chips and not is_starting):
        # Assumed (A174): of a board that is not found.
        return _Column(0.0, 0, "", "disconnected", 0.0, 0.0, 0, "", "", "", 0, 0, 0)
    is_hashing = word in {"mining", "auto-tuning"}
    set_mhz = model.frequency_mhz * unit.identity.tuning
    sens = pcb = chip = ""
    hottest = 0
    if board.pic_celsius:
        way_in, way_out = board.pic_celsius[0] + _PCB_OVER_PIC, board.pic_celsius[-1] + _PCB_OVER_PIC
        # Observed (O171): the second sensor is that at the inlet.
        places = (way_out, way_in, way_out, way_out)
        hottest = max(places)
        sens, pcb = "m-m-m-m", "-".join(map(str, places))
        chip = "-".join(str(place + CHIP_OVER_PCB) for place in places)
    # Observed (O173): the boards that run share one figure, whatever they do. Assumed (A174): noughts while stopped.
    running = sum(1 for each in snapshot.boards if each.chips) or model.boards
    watts = round(_BOARDS_OF_WALL * snapshot.power_watts / running) if is_hashing else 0
    return _Column(
        board.ghs if is_hashing else 0.0,
        board.chips,
        sensors.chip_map(board.chips - board.marked, model.chips_per_board, _MAP_GROUP).strip(),
        _board_word(word),
        set_mhz if is_hashing else 0.0,
        round(board.chips * model.ghs_per_chip_mhz * set_mhz, 3),
        board.hw_errors if is_hashing else 0,
        sens,
        pcb,
        chip,
        hottest,
        watts,
        13000 if is_hashing else 0,
    )


def _board_word(word: str) -> str:
    return {"stopped": "stopped", "failure": "failure", "initializing": "initializing"}.get(word, "mining")


def _each(key: str, values: list[str] | list[int] | list[float] | list[str | int]) -> list[str]:
    """Return ``"keyN":value`` for each board."""
    return [f'"{key}{slot}":{value}' for slot, value in enumerate(values, start=1)]


def _over(celsius: int) -> int:
    return celsius + CHIP_OVER_PCB if celsius else 0


def _two(text: str) -> str:
    """Return inlet and outlet of four sensors, as the older generation lists them."""
    parts = text.split("-")
    return f"{parts[1]}-{parts[0]}" if len(parts) == 4 else text


def _sum_of_ideal(columns: list[_Column]) -> float:
    return round(sum(column.ideal_ghs for column in columns), 2)


def _fans(snapshot: Snapshot) -> str:
    """Return the fans. Documented (D236): a unit without fans lists four that stand."""
    speeds = snapshot.fans_rpm or (0, 0, 0, 0)
    duty = min(100, round(100.0 * max(speeds) / 7000.0))
    listed = ",".join(f'"fan{number}":{rpm}' for number, rpm in enumerate(speeds, start=1))
    return f'"fan_num":{len(speeds)},"fan_mode":0,"fan_pwm":{duty},{listed}'
