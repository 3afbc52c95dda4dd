"""The replies of one poll, and what is known from before, as one reading."""

from typing import Final

import msgspec

from agent.unit.consistency.watts import profile_watts
from agent.unit.consistency.yardstick import HASHING_RATIO, LAG_S, STANDBY_WATTS, UNKNOWN_RATED_HS
from agent.unit.coolant import CoolantLayout
from agent.unit.luxos.boards import are_placed, boards_of, profile_hs, run_s
from agent.unit.luxos.memory import Memory
from agent.unit.luxos.reports import DevRow
from agent.unit.luxos.summary import Rates, Summary
from agent.unit.luxos.words import Words, words_of
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Fault, Mode, PowerKind, UnitReading

_NO_RATES: Final = Rates(None, None, None)


def assembled(
    unit_id: str,
    at: float,
    memory: Memory,
    told: Summary | None,
    devs: tuple[DevRow, ...] | None,
    *,
    nameplate: Nameplate | None,
    repairs: tuple[str, ...],
) -> UnitReading:
    """Return the reading of what one poll was told, before it is held together.

    Args:
        unit_id: The ledger's name for the unit.
        at: Unix time of `summary`, s.
        memory: The unit's, with what this poll and earlier ones read.
        told: Its `summary`; None if it has no figures.
        devs: The rows of its `devs`; None if it could not be read.
        nameplate: The unit's rating in the ledger; None if it is not known.
        repairs: Names of the repairs that the replies needed.
    """
    uptime_s = None if told is None else told.uptime_s
    rates = _NO_RATES if told is None else told.rates(run_s(devs or (), uptime_s))
    placed = devs
    if devs and not are_placed(devs):
        placed, repairs = None, (*repairs, "wrong_type")
    now_hs, boards = rates.now_hs, boards_of(placed, memory.details, memory.state.sensors)
    rated_hs = UNKNOWN_RATED_HS if nameplate is None else nameplate.hashrate_hs
    told_hs = _told_hs(now_hs, boards)
    words = words_of(memory.state.config, is_hashing=None if told_hs is None else told_hs >= HASHING_RATIO * rated_hs)
    if words.is_refuted:
        repairs = (*repairs, "mode_refuted")
    ideal_hs = profile_hs(devs or ())
    watts, power_kind = _watts(memory, words, told_hs, ideal_hs)
    reading = UnitReading(
        unit_id=unit_id,
        at=at,
        dialect=Dialect.LEGACY,
        mode=words.mode,
        identity=memory.identity,
        uptime_s=uptime_s,
        hashrate_5s_hs=now_hs,
        hashrate_30m_hs=rates.thirty_min_hs,
        hashrate_avg_hs=rates.average_hs,
        hashrate_ideal_hs=ideal_hs,
        is_profile_ideal=True,
        power_watts=watts,
        power_kind=None if watts is None else power_kind,
        boards=boards,
        fan_rpm=memory.state.fan_rpm,
        pools=memory.pools,
        shares=memory.shares,
        repairs=repairs,
        stand_in_hs=rates.stand_in_hs,
        stand_in_window_s=rates.stand_in_window_s,
        faults=memory.faults,
        is_starting=words.is_starting or (words.mode is not Mode.SLEEP and any(row.is_ramping for row in devs or ())),
        coolant_layout=_layout(boards),
        reader="luxos",
        system_info=memory.system_info,
    )
    if words.mode is not Mode.SLEEP and _has_no_boards(devs):
        reading = msgspec.structs.replace(reading, faults=with_absent_boards(memory.faults, devs))
    if words.is_off or memory.off_at is not None:
        return _without_rate_from_before(reading, memory, words)
    return reading


def _watts(
    memory: Memory, words: Words, told_hs: float | None, ideal_hs: float | None
) -> tuple[float | None, PowerKind | None]:
    """Return the power, W, and its kind, without an estimate of what the boards of a unit that stands should draw.

    Observed (O176): the supply tells no recorded unit's.
    """
    watts, kind = memory.state.watts, memory.state.power_kind
    if kind is not PowerKind.ESTIMATED or watts is None:
        return watts, kind
    if words.mode is Mode.SLEEP:
        # With its supply off no board draws anything, whatever the profile says.
        return (None, None) if words.is_off and watts > STANDBY_WATTS else (watts, kind)
    return (watts if told_hs is None else profile_watts(watts, told_hs, ideal_hs)), kind


def _told_hs(total_hs: float | None, boards: tuple[BoardReading, ...]) -> float | None:
    """Return the rate that the unit tells, H/s: its total, or the sum of its boards if each of them tells one.

    Boards that all tell 0 outweigh a total, which may stand still.
    """
    rates = [board.hashrate_hs for board in boards if board.hashrate_hs is not None]
    if not boards or len(rates) < len(boards) or (total_hs is not None and any(rates)):
        return total_hs
    return sum(rates)


def _has_no_boards(devs: tuple[DevRow, ...] | None) -> bool:
    """Return True if the unit lists no board. Rows that could not be read, or no list at all, say nothing."""
    return devs is not None and not devs


def with_absent_boards(faults: tuple[Fault, ...], devs: tuple[DevRow, ...] | None) -> tuple[Fault, ...]:
    """Return the faults an awake unit names, and a fault of the boards if it lists none (Documented (D247)).

    Args:
        faults: As the unit named them.
        devs: The rows of its `devs`; None if it could not be read.
    """
    if not _has_no_boards(devs) or Fault.BOARD in faults:
        return faults
    return tuple(fault for fault in Fault if fault in {*faults, Fault.BOARD})


def _without_rate_from_before(reading: UnitReading, memory: Memory, words: Words) -> UnitReading:
    """Return the reading of a unit that sleeps with its supply off without a rate that outlasted its sleep.

    For `LAG_S` after the supply went off; a rate that stays refutes the word (`consistency.words`).
    """
    if not words.is_off:
        memory.off_at = None
        return reading
    if memory.off_at is None or reading.at < memory.off_at:
        memory.off_at = reading.at
    has_rate = bool(reading.hashrate_5s_hs) or any(board.hashrate_hs for board in reading.boards)
    if not has_rate or reading.at - memory.off_at > LAG_S:
        return reading
    return msgspec.structs.replace(
        reading,
        hashrate_5s_hs=None,
        boards=tuple([msgspec.structs.replace(board, hashrate_hs=None) for board in reading.boards]),
        repairs=(*reading.repairs, "rate_after_sleep"),
    )


def _layout(boards: tuple[BoardReading, ...]) -> CoolantLayout:
    """Return how the sensors were told apart: those in the coolant by keys of their own, if there are any."""
    return CoolantLayout.TEMP_IN_OUT if any(board.coolant_celsius for board in boards) else CoolantLayout.NONE
