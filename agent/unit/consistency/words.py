"""Rules for the work mode: the word *sleep* held against the rate.

| repair             | when                                                                                           |
|--------------------|------------------------------------------------------------------------------------------------|
| `mode_refuted`     | the unit hashes, and has run, or said so, for longer than `LAG_S`                               |
| `rate_after_sleep` | the unit hashes, and may have fallen asleep within `LAG_S`; or its total alone says so, and     |
|                    | every board says that it does not                                                              |
| `boards_refuted`   | the unit says that it sleeps and hashes nothing, but boards have a rate                         |
| `implausible`      | the unit says that it sleeps, and its rate is one that it cannot have                           |
"""

from typing import Protocol

from agent.unit.consistency.draft import Draft
from agent.unit.consistency.yardstick import LAG_S, Yardstick


class Doubts(Protocol):
    """The memory of one unit that the rules keep.

    Attributes:
        sleep_doubted_at: Unix time at which the unit first said *sleep* with a rate, s; None while it does not.
        young_uptime: As of `youth`.
    """

    sleep_doubted_at: float | None
    young_uptime: tuple[float, float] | None


def settle_sleep(draft: Draft, yard: Yardstick, doubts: Doubts, at: float) -> bool:
    """Decide whether a unit that says *sleep* sleeps; return False if it does not, and its rate must be settled.

    A rate over a longer window says nothing against the word: it is of the past.
    """
    boards = draft.boards_sum()
    draft.stand_in = None
    if draft.total_hs is not None and draft.total_hs > yard.limit_hs:
        draft.total_hs = None
        draft.repairs.add("implausible")
    rate_hs = draft.total_hs
    if rate_hs is None and boards is not None and boards.rate_hs <= yard.sure_hs:
        rate_hs = boards.rate_hs
    if rate_hs is None or rate_hs < yard.least_hs:
        doubts.sleep_doubted_at = None
        if boards is not None and boards.rate_hs >= yard.least_hs:
            draft.refute_boards()
        return True
    if boards is not None and boards.is_complete and boards.rate_hs < yard.least_hs:
        # Two against one: a total that stands still is the past, however long it does.
        doubts.sleep_doubted_at = None
        draft.total_hs = None
        draft.repairs.add("rate_after_sleep")
        return True
    if doubts.sleep_doubted_at is None or at < doubts.sleep_doubted_at:
        doubts.sleep_doubted_at = at
    has_run = draft.uptime_s is not None and draft.uptime_s > LAG_S
    if has_run or at - doubts.sleep_doubted_at > LAG_S:
        draft.mode = None
        draft.repairs.add("mode_refuted")
        return False
    draft.total_hs = None
    draft.repairs.add("rate_after_sleep")
    return True
