"""Thresholds of the rules, and the figures of one unit that they are applied to."""

from typing import Final, NamedTuple

from agent.unit.limits import MAX_HASHRATE_HS
from agent.unit.nameplate import Nameplate

LIMIT_RATIO: Final = 2.0
"""A rate above this many times the rating is never believed: no tuning reaches it."""

SURE_RATIO: Final = 1.25
"""Above this a rate needs support. The strongest factory mode is 1.27 times the weakest bin of its model (models.csv,
S21 XP Imm.), and aftermarket firmware at a steady 1.4 exists; both show the same rate elsewhere in the reply."""

SUPPORT_RATIO: Final = 0.25
"""Rates this close support each other: a board wanders by 5 % in 5 s, a longer window lags behind a ramp."""

AGREE_RATIO: Final = 0.15
"""Total and boards may differ by this. Observed (O29): the boards sum to the total to the last digit."""

AGREE_OF_RATING: Final = 0.02
"""... or by this share of the rating, so that rounding near zero is no contradiction."""

HIGHER_RATIO: Final = 0.10
"""The higher of two rates that disagree is believed only if a longer rate is this close to it."""

HASHING_RATIO: Final = 0.01
"""A rate below this share of the rating is none; the same share as in `agent.site.status`."""

LEAST_SCALED_RATIO: Final = 0.5
"""Rates that are all a thousandth of at least this share of the rating are in another unit."""

BOARD_LIMIT_RATIO: Final = 2.0
"""A board above this many times its share of the rating is false, unless the total says the same."""

LAG_S: Final = 120.0
"""Time for which a rate may outlast the word *sleep*. Documented (D50): one went on until a reboot."""

THIRTY_MIN_S: Final = 1800.0
AVERAGE_FULL_S: Final = 600.0
"""Before this uptime the average since the start is that of a ramp, and supports nothing."""

LEAST_J_PER_TH: Final = 5.0
"""No machine is as good: the best one sold takes 9.5 J/TH."""

STANDBY_WATTS: Final = 18.0
"""Power of the control board alone (Assumed (A50)); a hashing unit takes more."""

PROFILE_RATIO: Final = 0.75
"""Below this share of its profile's rate, a unit does not draw its watts. Observed (O170): 0.89 while tuning."""

MOST_OF_RATED_WATTS: Final = 3.0
"""Reported power above this many times the rating is false: the supply would have tripped."""

ASLEEP_OF_RATED_WATTS: Final = 0.5
"""A sleeping unit cannot draw more than this share of its rating: its boards are off."""

UNKNOWN_RATED_HS: Final = 200e12
"""Where no rating is known, shares of this one: what counts as hashing, and as rounding near zero."""


class Yardstick(NamedTuple):
    """One unit's figures to compare with.

    Attributes:
        rated_hs: The nameplate, or without one the firmware's ideal rate; None if there is neither.
        limit_hs: Rates above it are never believed.
        sure_hs: Rates up to it need no support.
        least_hs: Rates below it are not hashing.
        boards, chips_per_board: The design; None if unknown.
        rated_watts: Rated power; None if unknown.
    """

    rated_hs: float | None
    limit_hs: float
    sure_hs: float
    least_hs: float
    boards: int | None
    chips_per_board: int | None
    rated_watts: float | None

    def agree(self, one_hs: float, other_hs: float) -> bool:
        """Return True if two rates of the same 5 s do not contradict each other."""
        gap_hs = abs(one_hs - other_hs)
        of_rating_hs = AGREE_OF_RATING * (self.rated_hs or UNKNOWN_RATED_HS)
        return gap_hs <= max(AGREE_RATIO * max(one_hs, other_hs), of_rating_hs)


def within(ratio: float, one_hs: float | None, other_hs: float | None) -> bool:
    """Return True if two rates are known and differ by at most `ratio` of the second."""
    return one_hs is not None and other_hs is not None and abs(one_hs - other_hs) <= ratio * other_hs


def yardstick_of(nameplate: Nameplate | None, ideal_hs: float | None) -> Yardstick:
    """Return the figures to compare with.

    Args:
        nameplate: The unit's rating in the ledger, or None.
        ideal_hs: The firmware's ideal rate, for a unit without a nameplate; None if nothing supports it.
    """
    if nameplate is not None:
        rated_hs: float | None = nameplate.hashrate_hs
        boards, chips, watts = nameplate.boards, nameplate.chips_per_board, nameplate.power_watts
    else:
        rated_hs = ideal_hs or None
        boards = chips = watts = None
    if rated_hs is None:
        return Yardstick(None, MAX_HASHRATE_HS, MAX_HASHRATE_HS, HASHING_RATIO * UNKNOWN_RATED_HS, boards, chips, watts)
    return Yardstick(
        rated_hs=rated_hs,
        limit_hs=LIMIT_RATIO * rated_hs,
        sure_hs=SURE_RATIO * rated_hs,
        least_hs=HASHING_RATIO * rated_hs,
        boards=boards,
        chips_per_board=chips,
        rated_watts=watts,
    )
