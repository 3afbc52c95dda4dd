"""The books of a unit: what it did and drew since the farm's start, folded at every event, exact in between."""

from typing import NamedTuple

from simulators.unit.conditions import Cause, Claims, losses_by_cause
from simulators.unit.physics import Flow

LAG_30M_S = 1800.0

_NO_LOSSES: dict[Cause, float] = {}  # Shared by the units that never lost anything; never written to.


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


class Outlook(NamedTuple):
    """What a unit has done until a moment, and what it does from then on until its next event.

    Attributes:
        flow: Its hashrate and power from the moment on.
        losses_hs: What is missing to its nameplate at the moment, by cause.
        totals: The integrals until then.
    """

    flow: Flow
    losses_hs: dict[Cause, float]
    totals: Totals


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
        self._losses = _NO_LOSSES

    def hashes(self, t: float) -> float:
        """Give the hashes done until `t`."""
        return self._hashes + self.flow.hashes_until(t)

    def lagged_hs(self, t: float) -> float:
        """Give the rate at `t` averaged over the half hour before, the near past counting most, H/s."""
        return self.flow.lagged_until(t, self._lagged_hs, LAG_30M_S)

    def settle_average(self, rate_hs: float) -> None:
        """Have the half-hour average stand at `rate_hs` now."""
        self._lagged_hs = rate_hs

    def losses_hs(self, t: float, claimed: Claims) -> dict[Cause, float]:
        """Give what is missing to the nameplate at `t` by cause, H/s; `claimed` as they are since the last event."""
        rate_hs, nameplate_hs = self.flow.rate_at(t), self._nameplate_hs
        return losses_by_cause(claimed, lambda share: max(0.0, share * nameplate_hs - rate_hs))

    def totals(self, t: float, claimed: Claims) -> Totals:
        """Give everything until `t`, not before the last event; `claimed` as they are since then."""
        flow, nameplate_hs = self.flow, self._nameplate_hs
        losses = dict(self._losses)
        parts = losses_by_cause(claimed, lambda share: flow.shortfall_until(t, share * nameplate_hs))
        for cause, part in parts.items():
            losses[cause] = losses.get(cause, 0.0) + part
        hashes = flow.hashes_until(t)
        return Totals(
            self._hashes + hashes,
            self._joules + flow.joules_until(t),
            self._uplift + flow.excess_until(t, nameplate_hs),
            losses,
        )

    def cut(self, t: float, claimed: Claims) -> None:
        """Fold everything until `t` into the integrals and tell the flow from there on; `claimed` as for `totals`."""
        if t <= self.time:
            return
        lagged_hs = self.lagged_hs(t)
        self._hashes, self._joules, self._uplift, self._losses = self.totals(t, claimed)
        self._lagged_hs = lagged_hs
        self.flow = self.flow.moved_to(t)
        self.time = t

    def open_again(self) -> None:
        """Forget what was done so far: the farm starts here."""
        self._hashes = self._joules = self._uplift = 0.0
        self._losses = _NO_LOSSES
