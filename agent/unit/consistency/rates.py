"""Rules for the 5 s total: held against the boards, the longer rates and the rating.

| repair              | when                                                                                         |
|---------------------|----------------------------------------------------------------------------------------------|
| `total_from_boards` | the total is none, too high, or refuted, and the boards' sum is credible                     |
| `total_unit`        | the same, and the total is a power of a thousand away from the boards or a longer rate; or   |
|                     | all rates agree, and are a thousandth of the rating                                          |
| `board_unit`        | boards are a power of a thousand away from their share of a credible total                   |
| `boards_refuted`    | the total is the better supported: the boards' rates are dropped                             |
| `longer_rate`       | neither total nor boards are credible, but a longer rate is                                  |
| `implausible`       | a longer rate or the ideal above the limit; one board far above its share                    |

Without a rate to believe the reply is contradictory. Of two rates that disagree the lower is credited, unless a longer
rate with a full window is close to the higher one.
"""

from typing import Final, NoReturn

from agent.errors import ContradictoryReplyError
from agent.unit.consistency.draft import BoardsSum, Draft
from agent.unit.consistency.yardstick import (
    AVERAGE_FULL_S,
    BOARD_LIMIT_RATIO,
    HIGHER_RATIO,
    LEAST_SCALED_RATIO,
    SUPPORT_RATIO,
    Yardstick,
    within,
)
from agent.unit.limits import HS_PER_THS

# Prefixes that firmware confuses: GH/s with MH/s, TH/s, kH/s and H/s.
_THOUSAND: Final = 1e3
_FACTORS: Final = (1e3, 1e-3, 1e6, 1e-6, 1e-9, 1e9)


def settle_rates(draft: Draft, yard: Yardstick) -> None:
    """Decide which rate an awake unit is credited with.

    Raises:
        ContradictoryReplyError: The rate is refuted, and no other can be believed.
    """
    _scale_reply(draft, yard)
    _scale_boards(draft, yard)
    _refute_single_boards(draft, yard)
    total_hs, boards = draft.total_hs, draft.boards_sum()
    if total_hs is None:
        _without_total(draft, boards, yard)
    elif not is_credible(total_hs, boards, draft, yard):
        _replace_total(draft, total_hs, boards, yard)
    elif boards is not None and _is_contradicted(total_hs, boards, yard):
        _choose(draft, total_hs, boards, yard)


def refute_beyond_limit(draft: Draft, yard: Yardstick) -> None:
    """Drop longer rates and an ideal rate that no such unit reaches."""
    limit_hs = yard.limit_hs
    if draft.thirty_hs is not None and draft.thirty_hs > limit_hs:
        draft.thirty_hs = None
        draft.repairs.add("implausible")
    if draft.average_hs is not None and draft.average_hs > limit_hs:
        draft.average_hs = None
        draft.repairs.add("implausible")
    if draft.ideal_hs is not None and draft.ideal_hs > limit_hs:
        draft.ideal_hs = None
        draft.repairs.add("implausible")
    if draft.stand_in is not None and not is_credible(draft.stand_in.rate_hs, None, draft, yard):
        draft.stand_in = None
        draft.repairs.add("implausible")


def bound_boards(draft: Draft, yard: Yardstick) -> None:
    """Drop rates of boards that no such unit reaches, whether it hashes or sleeps: one by one, then together."""
    _refute_single_boards(draft, yard)
    boards_hs = sum([board.hashrate_hs or 0.0 for board in draft.boards])
    if boards_hs > yard.limit_hs:
        draft.refute_boards()


def is_credible(total_hs: float, boards: BoardsSum | None, draft: Draft, yard: Yardstick) -> bool:
    """Return True if the total may be what such a unit hashes.

    Up to `SURE_RATIO` of the rating it may. Up to `LIMIT_RATIO` it may if the boards, where they are listed, and a full
    longer rate support it. While no window is full, the firmware's ideal rate supports listed boards instead.
    """
    if total_hs <= yard.sure_hs:
        return True
    if total_hs > yard.limit_hs:
        return False
    longer_hs = draft.full_longer_hs()
    if boards is None:
        return within(SUPPORT_RATIO, total_hs, longer_hs)
    is_with_boards = within(SUPPORT_RATIO, total_hs, boards.rate_hs)
    return is_with_boards and within(SUPPORT_RATIO, total_hs, draft.ideal_hs if longer_hs is None else longer_hs)


def _are_boards_credible(boards: BoardsSum, draft: Draft, yard: Yardstick) -> bool:
    if boards.rate_hs <= yard.sure_hs:
        return True
    return boards.rate_hs <= yard.limit_hs and within(SUPPORT_RATIO, boards.rate_hs, draft.full_longer_hs())


def _is_contradicted(total_hs: float, boards: BoardsSum, yard: Yardstick) -> bool:
    if yard.agree(total_hs, boards.rate_hs):
        return False
    return boards.is_complete or boards.rate_hs > total_hs


def _without_total(draft: Draft, boards: BoardsSum | None, yard: Yardstick) -> None:
    """Let complete boards, or a longer rate, stand in for a total that is missing."""
    if boards is not None and boards.is_complete and _are_boards_credible(boards, draft, yard):
        _take_boards(draft, boards, "total_from_boards")
    elif draft.stand_in is None:
        draft.stand_in = draft.longer(yard.sure_hs)
        if draft.stand_in is not None:
            draft.repairs.add("longer_rate")


def _replace_total(draft: Draft, total_hs: float, boards: BoardsSum | None, yard: Yardstick) -> None:
    """Replace a total that cannot be: by the boards, or by a longer rate."""
    if boards is not None and _are_boards_credible(boards, draft, yard):
        if boards.rate_hs >= yard.least_hs and boards.is_complete:
            _take_boards(draft, boards, _name_of_change(total_hs, boards, yard))
            return
        if boards.is_complete:
            # The boards say that nothing hashes now, so a rate of the past cannot stand in.
            _refuse(draft, yard, "silent_boards")
    scaled_hs = _scaled_total_hs(draft, total_hs, yard)
    if scaled_hs is not None:
        _take_scaled(draft, scaled_hs, boards, yard)
        return
    longer = draft.longer(yard.sure_hs)
    if longer is not None:
        if boards is not None and _is_contradicted(longer.rate_hs, boards, yard):
            draft.refute_boards()
        draft.total_hs, draft.stand_in = None, longer
        draft.repairs.add("longer_rate")
        return
    if boards is not None and yard.least_hs <= boards.rate_hs <= yard.sure_hs:
        # The boards that have a rate are the least that the unit hashes.
        _take_boards(draft, boards, "total_from_boards")
        return
    _refuse(draft, yard, "over_limit" if total_hs > yard.limit_hs else "unsupported_rate")


def _choose(draft: Draft, total_hs: float, boards: BoardsSum, yard: Yardstick) -> None:
    """Choose between a total and boards that disagree, both within what the unit can do."""
    are_credible = _are_boards_credible(boards, draft, yard)
    if total_hs < yard.least_hs:
        _choose_beside_none(draft, total_hs, boards, yard, are_credible=are_credible)
        return
    if boards.rate_hs < yard.least_hs:
        longer_hs = draft.full_longer_hs()
        if not (within(SUPPORT_RATIO, total_hs, longer_hs) or within(SUPPORT_RATIO, total_hs, draft.ideal_hs)):
            _refuse(draft, yard, "silent_boards")
        draft.refute_boards()
        return
    if _is_part_of_list(total_hs, draft, yard):
        return
    if not are_credible or _is_total_better(total_hs, boards, draft):
        draft.refute_boards()
    else:
        _take_boards(draft, boards, "total_from_boards")


def _choose_beside_none(
    draft: Draft, total_hs: float, boards: BoardsSum, yard: Yardstick, *, are_credible: bool
) -> None:
    """Choose between a total of nothing and boards that hash: those, but not far above a full longer rate.

    A longer rate of nothing may be as false as the total.
    """
    longer_hs, scaled_hs = draft.full_longer_hs(), _scaled_total_hs(draft, total_hs, yard)
    if scaled_hs is not None and (not are_credible or boards.rate_hs > scaled_hs):
        _take_scaled(draft, scaled_hs, boards, yard)
    elif not are_credible:
        draft.refute_boards()
    elif longer_hs is not None and yard.least_hs <= longer_hs < boards.rate_hs / (1 + SUPPORT_RATIO):
        draft.refute_boards()
        draft.total_hs, draft.stand_in = None, draft.longer(yard.sure_hs)
        draft.repairs.add("longer_rate")
    else:
        _take_boards(draft, boards, _name_of_change(total_hs, boards, yard))


def _scaled_total_hs(draft: Draft, total_hs: float, yard: Yardstick) -> float | None:
    """Return the total in the unit in which a longer rate supports it, H/s; None if there is none."""
    for factor in _FACTORS:
        scaled_hs = total_hs * factor
        if yard.least_hs <= scaled_hs <= yard.sure_hs and any(
            longer_hs and within(SUPPORT_RATIO, scaled_hs, longer_hs)
            for longer_hs in (draft.thirty_hs, draft.average_hs)
        ):
            return scaled_hs
    return None


def _take_scaled(draft: Draft, scaled_hs: float, boards: BoardsSum | None, yard: Yardstick) -> None:
    draft.total_hs, draft.stand_in = scaled_hs, None
    draft.repairs.add("total_unit")
    if boards is not None and _is_contradicted(scaled_hs, boards, yard):
        draft.refute_boards()


def _is_total_better(total_hs: float, boards: BoardsSum, draft: Draft) -> bool:
    """Return True if the total is the one to credit: the lower, or the higher with a longer rate close to it."""
    higher_hs = max(total_hs, boards.rate_hs)
    is_higher_supported = within(HIGHER_RATIO, higher_hs, draft.full_longer_hs())
    return (total_hs == higher_hs) is is_higher_supported


def _is_part_of_list(total_hs: float, draft: Draft, yard: Yardstick) -> bool:
    """Return True if fewer boards are listed than the unit has, each at its share of the total.

    A list cut short says nothing about the boards that it leaves out.
    """
    if yard.boards is None or len(draft.boards) >= yard.boards:
        return False
    share_hs = total_hs / yard.boards
    return all(board.hashrate_hs is None or yard.agree(board.hashrate_hs, share_hs) for board in draft.boards)


def _scale_reply(draft: Draft, yard: Yardstick) -> None:
    """Scale every rate of a reply by a thousand, if all of them are a thousandth of what the unit is rated at.

    A unit that hashes so little is not steady: its longer rate, or its boards, tell the thousandth that it once was.
    """
    total_hs, boards, longer_hs = draft.total_hs, draft.boards_sum(), draft.full_longer_hs()
    if total_hs is None or yard.rated_hs is None or draft.uptime_s is None or draft.uptime_s < AVERAGE_FULL_S:
        return
    if draft.repairs:
        # A figure was refuted already, so not all rates agree.
        return
    if not LEAST_SCALED_RATIO * yard.rated_hs <= total_hs * _THOUSAND <= yard.sure_hs:
        return
    boards_hs = None if boards is None or not boards.is_complete else boards.rate_hs
    others_hs = [rate_hs for rate_hs in (draft.thirty_hs, draft.average_hs, boards_hs) if rate_hs is not None]
    if any(rate_hs >= yard.least_hs for rate_hs in others_hs):
        return
    if within(SUPPORT_RATIO, total_hs, longer_hs) or within(SUPPORT_RATIO, total_hs, boards_hs):
        draft.total_hs = total_hs * _THOUSAND
        draft.thirty_hs = None if draft.thirty_hs is None else draft.thirty_hs * _THOUSAND
        draft.average_hs = None if draft.average_hs is None else draft.average_hs * _THOUSAND
        draft.set_board_rates(
            [None if board.hashrate_hs is None else board.hashrate_hs * _THOUSAND for board in draft.boards]
        )
        draft.repairs.add("total_unit")


def _scale_boards(draft: Draft, yard: Yardstick) -> None:
    """Scale boards that are a power of a thousand away from their share, if their sum then is the total."""
    total_hs, boards = draft.total_hs, draft.boards_sum()
    if boards is None or total_hs is None or not yard.least_hs <= total_hs <= yard.limit_hs:
        return
    if yard.agree(total_hs, boards.rate_hs) or not boards.rate_hs:
        return
    share_hs = total_hs / len([board for board in draft.boards if board.hashrate_hs])
    scaled = [
        None if board.hashrate_hs is None else board.hashrate_hs * _factor(board.hashrate_hs, share_hs)
        for board in draft.boards
    ]
    if yard.agree(total_hs, sum(rate_hs for rate_hs in scaled if rate_hs is not None)):
        draft.set_board_rates(scaled)
        draft.repairs.add("board_unit")


def _factor(rate_hs: float, share_hs: float) -> float:
    """Return the power of a thousand that brings a board to about its share; 1 if it is there, or if none does."""
    if not rate_hs or 0.2 <= rate_hs / share_hs <= 3.0:
        return 1.0
    return next((factor for factor in _FACTORS if 0.4 <= rate_hs * factor / share_hs <= 2.0), 1.0)


def _refute_single_boards(draft: Draft, yard: Yardstick) -> None:
    """Drop the rate of a board far above its share of the rating, unless a credible total agrees with the sum."""
    total_hs, boards = draft.total_hs, draft.boards_sum()
    if boards is None or yard.rated_hs is None:
        return
    if total_hs is not None and boards.rate_hs <= yard.sure_hs and yard.agree(total_hs, boards.rate_hs):
        return
    most_hs = BOARD_LIMIT_RATIO * yard.rated_hs / (yard.boards or len(draft.boards))
    rates_hs = [
        None if board.hashrate_hs is None or board.hashrate_hs > most_hs else board.hashrate_hs
        for board in draft.boards
    ]
    if rates_hs != [board.hashrate_hs for board in draft.boards]:
        draft.set_board_rates(rates_hs)
        draft.repairs.add("implausible")


def _name_of_change(total_hs: float, boards: BoardsSum, yard: Yardstick) -> str:
    is_scaled = any(yard.agree(total_hs * factor, boards.rate_hs) for factor in _FACTORS)
    return "total_unit" if total_hs and is_scaled else "total_from_boards"


def _take_boards(draft: Draft, boards: BoardsSum, repair: str) -> None:
    draft.total_hs, draft.stand_in = boards.rate_hs, None
    draft.repairs.add(repair)


def _refuse(draft: Draft, yard: Yardstick, rule: str) -> NoReturn:
    boards = draft.boards_sum()
    shown = {
        "total": draft.total_hs,
        "boards": None if boards is None else boards.rate_hs,
        "30 min": draft.thirty_hs,
        "average": draft.average_hs,
        "rating": yard.rated_hs,
    }
    figures = ", ".join(
        f"{name} {rate_hs / HS_PER_THS:,.6g} TH/s" for name, rate_hs in shown.items() if rate_hs is not None
    )
    raise ContradictoryReplyError(f"stats contradict themselves ({rule}): {figures}", rule=rule)
