"""The rules together, called once a poll when `stats`, and `summary` where it was needed, are read.

Most replies are sound, and found so at the cost of a few comparisons (0.7 us). Any other is settled rule by rule: the
word *sleep* (`words`), the rates (`rates`), power (`watts`). Each rule that changes a figure adds its name to the
reading's repairs (`agent.unit.repairs`). Make-neutral: nothing here knows a firmware.
"""

from agent.unit.consistency.draft import Draft
from agent.unit.consistency.rates import bound_boards, refute_beyond_limit, settle_rates
from agent.unit.consistency.watts import settle_watts
from agent.unit.consistency.words import Doubts, settle_sleep
from agent.unit.consistency.yardstick import (
    AGREE_OF_RATING,
    AGREE_RATIO,
    HASHING_RATIO,
    LEAST_J_PER_TH,
    LIMIT_RATIO,
    MOST_OF_RATED_WATTS,
    STANDBY_WATTS,
    SUPPORT_RATIO,
    SURE_RATIO,
    UNKNOWN_RATED_HS,
    Yardstick,
    within,
    yardstick_of,
)
from agent.unit.consistency.youth import CARRIED_S, is_carried_over, without_carried
from agent.unit.limits import HS_PER_THS, MAX_CHIPS, MAX_HASHRATE_HS
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Mode, UnitReading

_CHIPS_LIMIT_RATIO = 2


def hold_together(reading: UnitReading, nameplate: Nameplate | None, doubts: Doubts) -> UnitReading:
    """Return the reading without what it contradicts; the same object if it is sound.

    Args:
        reading: As read from the replies of one poll.
        nameplate: The unit's rating in the ledger; None if it is not known.
        doubts: The unit's memory.

    Raises:
        ContradictoryReplyError: The rate is refuted, and no other can be believed.
    """
    if nameplate is not None and is_settled(reading, nameplate, doubts):
        return reading
    draft = Draft(reading)
    yard = yardstick_of(nameplate, _believable_ideal_hs(draft))
    refute_beyond_limit(draft, yard)
    _refute_chips(draft, yard)
    if not draft.is_asleep:
        doubts.sleep_doubted_at = None
        settle_rates(draft, yard)
    elif not settle_sleep(draft, yard, doubts, reading.at):
        settle_rates(draft, yard)
    bound_boards(draft, yard)
    settle_watts(draft, yard)
    held = draft.finished(reading)
    # A unit that says that it sleeps reports an uptime of 0 or 1 s all the time (O61).
    return held if reading.mode is Mode.SLEEP else without_carried(held, doubts)


def is_settled(reading: UnitReading, nameplate: Nameplate, doubts: Doubts) -> bool:
    """Return True if the reading is sound; earlier doubts about the unit end with it. Arguments as `hold_together`."""
    if not is_sound(reading, nameplate):
        return False
    doubts.sleep_doubted_at = doubts.young_uptime = None
    return True


def hashes_nothing(reading: UnitReading, nameplate: Nameplate | None) -> bool:
    """Return True if a unit is awake and hashes less than a hundredth of its rating."""
    rate_hs = reading.hashrate_5s_hs
    if rate_hs is None:
        rate_hs = reading.stand_in_hs
    if rate_hs is None or rate_hs >= HASHING_RATIO * MAX_HASHRATE_HS or reading.mode is Mode.SLEEP:
        return False
    return rate_hs < HASHING_RATIO * (UNKNOWN_RATED_HS if nameplate is None else nameplate.hashrate_hs)


def is_sound(reading: UnitReading, nameplate: Nameplate) -> bool:
    """Return True if no rule applies. Strict on the safe side: what it refuses may still be found in order."""
    rate_hs, rated_hs = reading.hashrate_5s_hs, nameplate.hashrate_hs
    if reading.mode is Mode.SLEEP:
        return _is_soundly_asleep(reading, nameplate)
    if rate_hs is None or rate_hs > SURE_RATIO * rated_hs:
        return False
    uptime_s = reading.uptime_s
    if uptime_s is not None and uptime_s < CARRIED_S and is_carried_over(reading):
        return False
    if 0.0 < rate_hs < HASHING_RATIO * rated_hs:
        return False
    thirty_hs, average_hs, ideal_hs = reading.hashrate_30m_hs, reading.hashrate_avg_hs, reading.hashrate_ideal_hs
    limit_hs = LIMIT_RATIO * rated_hs
    if (
        (thirty_hs is not None and thirty_hs > limit_hs)
        or (average_hs is not None and average_hs > limit_hs)
        or (ideal_hs is not None and ideal_hs > limit_hs)
    ):
        return False
    boards, watts = reading.boards, reading.power_watts
    return (not boards or _are_boards_sound(boards, rate_hs, nameplate)) and (
        watts is None or _are_watts_sound(watts, rate_hs, nameplate)
    )


def _are_boards_sound(boards: tuple[BoardReading, ...], rate_hs: float, nameplate: Nameplate) -> bool:
    boards_hs, design = 0.0, nameplate.chips_per_board or MAX_CHIPS
    for board in boards:
        board_hs, chips = board.hashrate_hs, board.chips
        if board_hs is None or board.is_average or (chips is not None and chips > _CHIPS_LIMIT_RATIO * design):
            return False
        boards_hs += board_hs
    gap_hs = abs(rate_hs - boards_hs)
    return gap_hs <= AGREE_RATIO * rate_hs or gap_hs <= AGREE_OF_RATING * nameplate.hashrate_hs


def _are_watts_sound(watts: float, rate_hs: float, nameplate: Nameplate) -> bool:
    rated_watts = nameplate.power_watts
    if rated_watts is not None and watts > MOST_OF_RATED_WATTS * rated_watts:
        return False
    is_low = watts <= STANDBY_WATTS or watts * HS_PER_THS < LEAST_J_PER_TH * rate_hs
    return not is_low or rate_hs < HASHING_RATIO * nameplate.hashrate_hs


def _is_soundly_asleep(reading: UnitReading, nameplate: Nameplate) -> bool:
    if reading.hashrate_5s_hs or reading.boards or reading.stand_in_hs is not None:
        return False
    figures = (reading.hashrate_30m_hs, reading.hashrate_avg_hs, reading.hashrate_ideal_hs)
    most_hs = LIMIT_RATIO * nameplate.hashrate_hs
    return reading.power_watts is None and all(rate_hs is None or rate_hs <= most_hs for rate_hs in figures)


def _believable_ideal_hs(draft: Draft) -> float | None:
    """Return the firmware's ideal rate, unless boards or a longer rate say the same as a total far above it."""
    ideal_hs, total_hs = draft.ideal_hs, draft.total_hs
    if not ideal_hs or total_hs is None or total_hs <= LIMIT_RATIO * ideal_hs:
        return ideal_hs
    boards = draft.boards_sum()
    is_refuted = within(SUPPORT_RATIO, total_hs, draft.full_longer_hs()) or (
        boards is not None and within(SUPPORT_RATIO, total_hs, boards.rate_hs)
    )
    return None if is_refuted else ideal_hs


def _refute_chips(draft: Draft, yard: Yardstick) -> None:
    design = yard.chips_per_board
    if design is None:
        return
    are_false = [board.chips is not None and board.chips > _CHIPS_LIMIT_RATIO * design for board in draft.boards]
    if any(are_false):
        draft.drop_chips(are_false)
