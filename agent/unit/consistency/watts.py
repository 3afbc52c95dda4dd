"""Rules for reported power: `watts_refuted` if the rate, the mode or the rating contradict it.

Tuners tell the watts that their profile should take, from the first second on. Observed (O184): boards at unequal
clocks have one figure. A unit that ramps up, or tunes far below its profile, does not draw them (`profile_watts`).
"""

from agent.unit.consistency.draft import Draft
from agent.unit.consistency.yardstick import (
    ASLEEP_OF_RATED_WATTS,
    LEAST_J_PER_TH,
    MOST_OF_RATED_WATTS,
    PROFILE_RATIO,
    STANDBY_WATTS,
    Yardstick,
)
from agent.unit.limits import HS_PER_THS


def profile_watts(watts: float | None, rate: float | None, profile_rate: float | None) -> float | None:
    """Return a tuner's estimate of power, W; None while the unit's rate is far from the one that the estimate is for.

    A unit that hashes nothing is far from any.

    Args:
        watts: The estimate.
        rate: The unit's rate, in any unit; None if it tells none.
        profile_rate: What its profile should give, in the same unit; 0 or None if that is not known.
    """
    if watts is None or rate == 0:
        return None
    if not profile_rate or (rate is not None and rate >= PROFILE_RATIO * profile_rate):
        return watts
    return None


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
