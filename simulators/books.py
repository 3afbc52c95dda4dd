"""The books of a unit: what it did and drew since the farm's start, folded at every event, exact in between."""

from collections.abc import Callable
from typing import NamedTuple

from simulators.conditions import Cause
from simulators.physics import Flow

LAG_30M_S = 1800.0

Attribution = Callable[[float, float], dict[Cause, float]]


class Totals(NamedTuple):
    """What a unit did and drew between the farm's start and a moment.

    Attributes:
        hashes: Hashes done.
        joules: Energy at the wall.
        uplift: Hashes done above the nameplate.
        losses: Hashes missing to the nameplate, by cause; nameplate x time - losses + uplift == hashes.
    """

    hashes: float
    joules: float
    uplift: float
    losses: dict[Cause, float]


class Books:
    """Integrals up to the last event, and the flow that holds since.

    Args:
        start: When the books open, Unix seconds.
        nameplate_hs: What losses are counted against.
    """

    __slots__ = ("_hashes", "_joules", "_lagged_hs", "_losses", "_nameplate_hs", "_uplift", "flow", "time")

    def __init__(self, start: float, nameplate_hs: float) -> None:
        self.time = start
        self.flow = Flow(start)
        self._nameplate_hs = nameplate_hs
        self._hashes = self._joules = self._uplift = self._lagged_hs = 0.0
        self._losses: dict[Cause, float] = {}

    def hashes(self, t: float) -> float:
        """Give the hashes done until `t`."""
        return self._hashes + self.flow.hashes_until(t)

    def lagged_hs(self, t: float) -> float:
        """Give the rate at `t` averaged over the half hour before, the near past counting most, H/s."""
        return self.flow.lagged_until(t, self._lagged_hs, LAG_30M_S)

    def settle_average(self, rate_hs: float) -> None:
        """Have the half-hour average stand at `rate_hs` now."""
        self._lagged_hs = rate_hs

    def totals(self, t: float, attribute: Attribution) -> Totals:
        """Give everything until `t`.

        Args:
            t: Not before the last event.
            attribute: Splits missing hashes by cause, given them and the hashes of a full rate.
        """
        flow = self.flow
        hashes = flow.hashes_until(t)
        whole = self._nameplate_hs * (t - self.time)
        shortfall = flow.shortfall_until(t, self._nameplate_hs)
        losses = dict(self._losses)
        for cause, part in attribute(shortfall, whole).items():
            losses[cause] = losses.get(cause, 0.0) + part
        uplift = max(0.0, hashes + shortfall - whole)
        return Totals(self._hashes + hashes, self._joules + flow.joules_until(t), self._uplift + uplift, losses)

    def cut(self, t: float, attribute: Attribution) -> None:
        """Fold everything until `t` into the integrals and tell the flow from there on."""
        if t <= self.time:
            return
        lagged_hs = self.lagged_hs(t)
        self._hashes, self._joules, self._uplift, self._losses = self.totals(t, attribute)
        self._lagged_hs = lagged_hs
        self.flow = self.flow.moved_to(t)
        self.time = t

    def open_again(self) -> None:
        """Forget what was done so far: the farm starts here."""
        self._hashes = self._joules = self._uplift = 0.0
        self._losses = {}
