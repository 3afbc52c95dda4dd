"""A rule for reported power: `watts_refuted` if the rate, the mode or the rating contradict it."""

from agent.unit.consistency.draft import Draft
from agent.unit.consistency.yardstick import (
    ASLEEP_OF_RATED_WATTS,
    LEAST_J_PER_TH,
    MOST_OF_RATED_WATTS,
    STANDBY_WATTS,
    Yardstick,
)
from agent.unit.limits import HS_PER_THS


def settle_watts(draft: Draft, yard: Yardstick) -> None:
    """Drop reported power that the unit cannot draw."""
    if draft.watts is not None and not _can_be(draft, draft.watts, yard):
        draft.watts = None
        draft.repairs.add("watts_refuted")


def _can_be(draft: Draft, watts: float, yard: Yardstick) -> bool:
    rated_watts = yard.rated_watts
    if draft.is_asleep:
        return rated_watts is None or watts <= ASLEEP_OF_RATED_WATTS * rated_watts
    if rated_watts is not None and watts > MOST_OF_RATED_WATTS * rated_watts:
        return False
    rate_hs = draft.rate_hs
    if rate_hs is None or rate_hs < yard.least_hs:
        return True
    return watts > STANDBY_WATTS and watts >= LEAST_J_PER_TH * rate_hs / HS_PER_THS
