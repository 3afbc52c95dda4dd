"""Reasons read off a reading: what the reply of a unit shows to someone who is sent to look at it. Pure.

Everything here is for units that are not fine; a healthy unit's poll never comes here.
"""

from collections.abc import Iterable, Sequence

from agent.site.hardware import absent_slots, is_up, working_chips
from agent.site.reasons import MAX_WHY, PLAIN, Finding, Reason, most_severe_first
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Dialect, Fault, Mode, UnitReading

HOT_CHIP_CELSIUS = 85.0
"""A chip at this temperature, in a unit that does not hash, says that it stopped hot.

Between a chip at full load in a warm room, about 73 C, and one in inlet air of 40 C, about 88 C, where stock firmware
lowers the clock (D55). The same as in the alert `MiningUnitsOverheating`. Assumed (A80): right after a stop by heat.
"""
HOT_PCB_CELSIUS = 80.0
"""The same for a board sensor. Observed (O54): 5 C below the chip's."""

HOT_AIR_PCB_CELSIUS = 52.0
"""A board at this temperature without load, inlet and outlet alike, stands in air that is too hot to start in.

Assumed (A81): such a board reads 10 C above its air, and the unit starts again at 42 C (A44).
"""
LEVEL_CELSIUS = 4.0
"""Sensors of a board without load differ by less than this; under load inlet and outlet are 14 C apart (O55)."""

MOSTLY_GONE_RATIO = 0.5
"""Below this share of a board's chips, the board cannot hash: its chips explain a stop."""

ALIVE = "Alive"


def stop_findings(reading: UnitReading, nameplate: Nameplate | None) -> list[Finding]:
    """Return what in the reply of an awake unit without hashrate explains the stop, most severe first.

    Args:
        reading: Of a unit that does not hash.
        nameplate: The unit's; None if it is not known.
    """
    found = [
        *_named_faults(reading, Fault.SUPPLY),
        *_some_fans(reading),
        *_named_faults(reading, Fault.FAN),
        *_hot_chips(reading),
        *_named_faults(reading, Fault.TOO_HOT),
        *_no_boards(reading),
        *_pools(reading),
        *_named_faults(reading, Fault.BOARD, Fault.POOLS, Fault.TOO_COLD),
        *_hot_air(reading),
        # A unit that lost its supply, its boards or its work may stop all fans: the other findings come first.
        *_all_fans(reading, nameplate),
        *_named_faults(reading, Fault.UNNAMED),
    ]
    if nameplate is not None:
        if not _no_boards(reading):
            found += absent_boards(reading, nameplate)
        found += [finding for finding, share in _chips(reading, nameplate) if share < MOSTLY_GONE_RATIO]
    return most_severe_first(_once(found))


def alone_findings(reading: UnitReading) -> list[Finding]:
    """Return what a reading shows by itself, of a unit whose nameplate is not known; never empty."""
    if reading.mode is Mode.SLEEP:
        return [PLAIN[Reason.ASLEEP]]
    if reading.rate_hs is None:
        return [PLAIN[Reason.NO_RATE]]
    if reading.rate_hs:
        dead = [board.slot for board in reading.boards if not is_up(board)]
        absent = [Finding(Reason.BOARD_ABSENT, f"{_named('board', dead)} absent")] if dead else []
        return [*absent, *_some_fans(reading)] or [PLAIN[Reason.HASHING]]
    return stop_findings(reading, None) or [PLAIN[Reason.STOPPED_UNKNOWN]]


def side_findings(reading: UnitReading, nameplate: Nameplate) -> list[Finding]:
    """Return the visible faults of a unit that hashes, for a technician who is there anyway."""
    return [*absent_boards(reading, nameplate), *bad_chips(reading, nameplate), *_some_fans(reading)]


def absent_boards(reading: UnitReading, nameplate: Nameplate) -> list[Finding]:
    """Return the absent boards by slot; nothing if no board is listed at all."""
    slots = absent_slots(nameplate, reading) if reading.boards else ()
    return [Finding(Reason.BOARD_ABSENT, f"{_named('board', slots)} absent")] if slots else []


def bad_chips(reading: UnitReading, nameplate: Nameplate) -> list[Finding]:
    """Return the missing and bad chips of the boards that are present, the worst board in numbers."""
    return [finding for finding, _ in _chips(reading, nameplate)]


def low_clock(reading: UnitReading, nameplate: Nameplate) -> Finding:
    """Return the mean clock of the boards that are up beside the nameplate's, or the low-power mode, or the profile."""
    clocks = [board.frequency_hz for board in reading.boards if is_up(board) and board.frequency_hz]
    if clocks and nameplate.frequency_hz is not None:
        mean_mhz, rated_mhz = float(sum(clocks)) / len(clocks) / 1e6, float(nameplate.frequency_hz) / 1e6
        return Finding(Reason.CLOCK_LOW, f"clock {mean_mhz:.0f} of {rated_mhz:.0f} MHz")
    if reading.mode is Mode.LOW:
        return Finding(Reason.CLOCK_LOW, "low-power mode")
    if reading.is_profile_ideal and reading.hashrate_ideal_hs:
        profile_th, rated_th = float(reading.hashrate_ideal_hs) / 1e12, float(nameplate.hashrate_hs) / 1e12
        return Finding(Reason.CLOCK_LOW, f"profile of {profile_th:.0f} of {rated_th:.0f} TH/s")
    return PLAIN[Reason.CLOCK_LOW]


def slow(reading: UnitReading) -> Finding:
    """Return the boards that are up and hash nothing while others hash; without one, a shortfall without a reason."""
    boards = [board for board in reading.boards if is_up(board) and board.hashrate_hs is not None]
    idle = [board.slot for board in boards if not board.hashrate_hs]
    if not idle or len(idle) == len(boards):
        return PLAIN[Reason.SLOW]
    return Finding(Reason.SLOW, f"no hashrate on {_named('board', idle)}")


def _named_faults(reading: UnitReading, *faults: Fault) -> list[Finding]:
    """Return those of some faults that the unit names itself, by code or by word."""
    return [_BY_FAULT[fault] for fault in faults if fault in reading.faults]


# A low rate that the unit reports is no reason: it is what is to be explained.
_BY_FAULT = {
    Fault.SUPPLY: PLAIN[Reason.POWER_SUPPLY],
    Fault.FAN: Finding(Reason.FAN_STOPPED, "fan fault reported"),
    Fault.TOO_HOT: Finding(Reason.TOO_HOT, "too hot, by its own word"),
    Fault.TOO_COLD: PLAIN[Reason.TOO_COLD],
    Fault.BOARD: PLAIN[Reason.BOARD_FAULT],
    Fault.POOLS: PLAIN[Reason.NO_POOL_ALIVE],
    Fault.UNNAMED: PLAIN[Reason.FAILURE],
}


def stopped_fans(reading: UnitReading) -> Finding | None:
    """Return the fans that stand still while others turn; None if there are none."""
    stopped = [number for number, rpm in enumerate(reading.fan_rpm, start=1) if rpm == 0]
    if not stopped or not any(reading.fan_rpm):
        return None
    return Finding(Reason.FAN_STOPPED, f"{_named('fan', stopped)} at 0 rpm")


def _some_fans(reading: UnitReading) -> list[Finding]:
    finding = stopped_fans(reading)
    return [] if finding is None else [finding]


def _all_fans(reading: UnitReading, nameplate: Nameplate | None) -> list[Finding]:
    """Return all fans at 0, where the nameplate has fans. Observed (O58): hydro units list four at 0 rpm."""
    stopped = reading.fan_rpm.count(0)
    if not stopped or any(reading.fan_rpm) or nameplate is None or nameplate.cooling != "air":
        return []
    return [Finding(Reason.FAN_STOPPED, f"all {stopped} fans at 0 rpm")] if nameplate.fans != 0 else []


def _hot_chips(reading: UnitReading) -> list[Finding]:
    chip = None if reading.is_chip_computed else reading.hottest_chip_celsius
    pcb = reading.hottest_pcb_celsius
    if chip is not None and chip >= HOT_CHIP_CELSIUS:
        return [Finding(Reason.TOO_HOT, f"chip at {chip:.0f} °C")]
    if pcb is not None and pcb >= HOT_PCB_CELSIUS:
        return [Finding(Reason.TOO_HOT, f"board at {pcb:.0f} °C")]
    return []


def _hot_air(reading: UnitReading) -> list[Finding]:
    for board in reading.boards:
        sensors = [value for value in board.pcb_celsius if value is not None]
        if len(sensors) > 1 and min(sensors) >= HOT_AIR_PCB_CELSIUS and max(sensors) - min(sensors) < LEVEL_CELSIUS:
            return [Finding(Reason.TOO_HOT, f"board at {max(sensors):.0f} °C without load")]
    return []


def _no_boards(reading: UnitReading) -> list[Finding]:
    if not reading.boards:
        # Firmware that keeps its figures elsewhere lists neither boards nor fans in `stats` (O80).
        is_listing = reading.dialect is Dialect.NEW_API or bool(reading.fan_rpm)
        return [PLAIN[Reason.NO_BOARDS]] if is_listing else []
    if any(is_up(board) or board.chips is None for board in reading.boards):
        return []
    return [Finding(Reason.NO_BOARDS, f"no chips on any of {len(reading.boards)} boards")]


def has_no_living_pool(reading: UnitReading) -> bool:
    """Return True if a unit tells its owner's pools and none of them is alive."""
    # The firmware's own pool is alive even where the owner's are not.
    words = [pool.status for pool in reading.pools if pool.status is not None and not pool.is_fee]
    return bool(words) and ALIVE not in words


def _pools(reading: UnitReading) -> list[Finding]:
    return [PLAIN[Reason.NO_POOL_ALIVE]] if has_no_living_pool(reading) else []


def _chips(reading: UnitReading, nameplate: Nameplate) -> list[tuple[Finding, float]]:
    """Return missing and bad chips, each with the share of the worst board's chips that is left."""
    rated = nameplate.chips_per_board
    if not rated:
        return []
    missing, bad = {}, {}
    for board in reading.boards:
        if not is_up(board):
            continue
        if board.chips is not None and board.chips < rated:
            missing[board.slot] = rated - board.chips
        if board.bad_chips:
            bad[board.slot] = min(board.bad_chips, rated)
    left = min((working_chips(board, rated) for board in reading.boards if is_up(board)), default=rated) / rated
    kinds = ((Reason.CHIPS_MISSING, "missing", missing), (Reason.CHIPS_BAD, "bad", bad))
    return [(Finding(reason, _chips_text(word, chips, rated)), left) for reason, word, chips in kinds if chips]


def _chips_text(word: str, chips: dict[int, int], rated: int) -> str:
    """Return ``12 of 108 chips bad on board 2``, with the sum of the other boards' after it."""
    worst = max(chips, key=lambda slot: (chips[slot], -slot))
    others = sum(chips.values()) - chips[worst]
    more = f", {others} on others" if others else ""
    return f"{chips[worst]} of {rated} chips {word} on board {worst}{more}"


def _named(noun: str, numbers: Sequence[int]) -> str:
    """Return ``fan 2``, ``fans 1 and 3`` or ``boards 0, 1 and 2``."""
    if len(numbers) == 1:
        return f"{noun} {numbers[0]}"
    return f"{noun}s {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """Return the first finding of each reason, within `MAX_WHY`."""
    kept: dict[Reason, Finding] = {}
    for reason, why in findings:
        kept.setdefault(reason, Finding(reason, why[:MAX_WHY]))
    return list(kept.values())
