"""The symptoms that one status shows, those that it refutes, and those that it says nothing about. Pure.

A healthy unit's status comes here once a round, so the common case makes no object.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from agent.site.evidence import ALIVE, has_no_living_pool, stopped_fans
from agent.site.pools.work import PoolClass
from agent.site.reasons import Finding, Reason
from agent.site.repairs.symptoms import DIVERTED_WORDS, NAMED, Rules, Symptom
from agent.site.status import Cause, UnitState, UnitStatus
from agent.unit.reading import BoardReading, UnitReading


class Look(NamedTuple):
    """What one status says.

    Attributes:
        present: The symptoms it shows, each in words.
        absent: The symptoms that it refutes. About those in neither it says nothing.
        is_maintained: The ledger has the unit out for repair.
    """

    present: Mapping[Symptom, str]
    absent: frozenset[Symptom] = frozenset()
    is_maintained: bool = False


WELL = Look({}, frozenset(Symptom))
"""A unit that hashes and shows no symptom."""
WELL_AND_SILENT = Look({}, WELL.absent - {Symptom.DIVERTED})
"""The same of a unit that says nothing of where its work goes."""
BLIND = Look({})
"""Nothing is known, or an event explains what is seen."""
MAINTAINED = Look({}, is_maintained=True)

_ANSWERS = frozenset({Symptom.NO_ANSWER})
_SYMPTOM_OF = {
    Reason.FAN_STOPPED: Symptom.FAN_STOPPED,
    Reason.TOO_HOT: Symptom.HOT,
    Reason.NO_BOARDS: Symptom.BOARD_MISSING,
    Reason.BOARD_ABSENT: Symptom.BOARD_MISSING,
    Reason.NO_POOL_ALIVE: Symptom.NO_POOL_ALIVE,
}
_DECLARED = frozenset({Cause.CURTAILED, Cause.MAINTENANCE})


def look_at(status: UnitStatus, rules: Rules) -> Look:
    """Return what a status says of each symptom."""
    state, reading = status.state, status.reading
    if state is UnitState.HASHING and reading is not None and not status.is_overdue and status.event is None:
        work = status.work
        if status.reason is Reason.HASHING and not status.also and _is_cool_and_driven(reading, rules):
            if work is None or work.pool_class is PoolClass.LISTED:
                return WELL
            if work.pool_class is PoolClass.UNKNOWN:
                return WELL_AND_SILENT
        return _hashing(status, reading, rules)
    if status.entry.is_in_maintenance:
        return MAINTAINED
    if status.is_overdue or not status.is_looked_at or status.event is not None:
        return BLIND
    return _not_hashing(status)


def _not_hashing(status: UnitStatus) -> Look:
    """Return the look at a unit that was asked and does not hash, or that could not be read."""
    match status.state:
        case UnitState.UNREACHABLE:
            return Look({Symptom.NO_ANSWER: status.why})
        case UnitState.STOPPED:
            return _idle(status)
        case UnitState.STARTING if not status.hashrate_hs or status.reason in _SYMPTOM_OF:
            return _idle(status)
        case UnitState.STARTING | UnitState.UNREADABLE:
            # On its way up, or it answers and may hash.
            return Look({}, _ANSWERS)
        case _:
            # Curtailed.
            return BLIND


def undeclared_loss_hs(status: UnitStatus) -> float:
    """Return the part of a unit's shortfall that no event and no maintenance takes, H/s."""
    return float(sum(loss.hashrate_hs for loss in status.losses if loss.cause not in _DECLARED))


def cost_hs(status: UnitStatus, symptom: Symptom) -> float:
    """Return what a symptom costs, H/s: the shortfall, or the hashrate that is measured and works elsewhere."""
    return (status.hashrate_hs or 0.0) if symptom is Symptom.DIVERTED else undeclared_loss_hs(status)


def _is_cool_and_driven(reading: UnitReading, rules: Rules) -> bool:
    """Return True if a unit has no stopped fan, no sensor at a limit, and a first pool that is alive."""
    if 0 in reading.fan_rpm:
        return False
    pools = reading.pools
    if pools and pools[0].status != ALIVE:
        return False
    is_measured, hot, hot_board = not reading.is_chip_computed, rules.hot_celsius, rules.hot_board_celsius
    for board in reading.boards:
        chips: Any = board.chip_celsius
        # The common case: each chip sensor has a value.
        if is_measured and chips and None not in chips:
            if max(chips) >= hot:
                return False
        elif _is_warm(board, hot if is_measured else math.inf, hot_board):
            return False
    return True


def _is_warm(board: BoardReading, hot: float, hot_board: float) -> bool:
    return any(
        value is not None and value >= limit
        for values, limit in ((board.chip_celsius, hot), (board.pcb_celsius, hot_board))
        for value in values
    )


def _hashing(status: UnitStatus, reading: UnitReading, rules: Rules) -> Look:
    present: dict[Symptom, str] = {}
    for finding in (Finding(status.reason, status.why), *status.also):
        symptom = _SYMPTOM_OF.get(finding.reason)
        if symptom is not None:
            present.setdefault(symptom, finding.why)
    fans, heat = stopped_fans(reading), _heat(reading, rules)
    if fans is not None:
        present.setdefault(Symptom.FAN_STOPPED, fans.why)
    if has_no_living_pool(reading):
        present.setdefault(Symptom.NO_POOL_ALIVE, "no pool alive")
    if heat is not None:
        present.setdefault(Symptom.HOT, heat)
    if status.is_diverted:
        present[Symptom.DIVERTED] = DIVERTED_WORDS
    is_silent = status.work is not None and status.work.pool_class is PoolClass.UNKNOWN
    well = WELL_AND_SILENT if is_silent else WELL
    return Look(present, well.absent - present.keys()) if present else well


def _idle(status: UnitStatus) -> Look:
    """Return the look at a unit that answers and hashes nothing."""
    reading = status.reading if status.is_fresh else None
    present: dict[Symptom, str] = {}
    for finding in (Finding(status.reason, status.why), *status.also):
        present.setdefault(_SYMPTOM_OF.get(finding.reason, Symptom.NOT_HASHING), finding.why)
    # A unit that hashes nothing gives nothing away.
    absent = {*_ANSWERS, Symptom.DIVERTED}
    if reading is not None:
        fans = stopped_fans(reading)
        if fans is not None:
            present.setdefault(Symptom.FAN_STOPPED, fans.why)
        elif reading.fan_rpm and 0 not in reading.fan_rpm:
            absent.add(Symptom.FAN_STOPPED)
        if reading.pools and not has_no_living_pool(reading):
            absent.add(Symptom.NO_POOL_ALIVE)
    if present.keys() & NAMED:
        present.pop(Symptom.NOT_HASHING, None)
    return Look(present, frozenset(absent - present.keys()))


def _heat(reading: UnitReading, rules: Rules) -> str | None:
    """Return the hottest board in words if it is at its limit. A temperature that firmware works out says nothing."""
    chips = () if reading.is_chip_computed else reading.hottest_chips_celsius
    by_slot = [(value, board.slot) for value, board in zip(chips, reading.boards, strict=False) if value is not None]
    if by_slot:
        celsius, slot = max(by_slot, key=lambda each: each[0])
        return f"chip at {celsius:.0f} °C on board {slot}" if celsius >= rules.hot_celsius else None
    board = reading.hottest_pcb_celsius
    return f"board at {board:.0f} °C" if board is not None and board >= rules.hot_board_celsius else None
