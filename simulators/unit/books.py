"""The books of a unit: hashes, energy and losses since the farm's start, folded at every event and exact in between."""

from typing import NamedTuple

from simulators.unit.conditions import Cause, Claims, losses_by_cause
from simulators.unit.physics import Flow

LAG_30M_S = 1800.0
PAST_S = 900.0
"""The longest window for which books that keep their past know the hashes."""

_NO_LOSSES: dict[Cause, float] = {}  # Shared by all units without losses; never written to.


class Totals(NamedTuple):
    """Integrals of a unit from the farm's start to a moment.

    Attributes:
        hashes: Hashes done.
        joules: Energy at the wall.
        uplift: Hashes above the nameplate.
        losses: Hashes below the nameplate, by cause; nameplate x time - losses + uplift == hashes.
    """

    hashes: float
    joules: float
    uplift: float
    losses: dict[Cause, float]


class Outlook(NamedTuple):
    """Totals of a unit until a moment, and the formulas that hold from then until its next event.

    Attributes:
        flow: Hashrate and power from the moment on.
        losses_hs: Shortfall against the nameplate at the moment, by cause, H/s.
        totals: The integrals until the moment.
    """

    flow: Flow
    losses_hs: dict[Cause, float]
    totals: Totals


class Stretch(NamedTuple):
    """Hashes until the start of a flow that has ended, and that flow."""

    hashes: float
    flow: Flow


class Books:
    """Integrals up to the last event, and the flow that holds since.

    Args:
        start: When the books open, Unix seconds.
        nameplate_hs: Hashrate that losses are counted against.
        keeps_past: Answer `hashes_at` for moments before the last event, for firmware that reports windows.
    """

    __slots__ = (
        *("_hashes", "_joules", "_keeps_past", "_lagged_hs", "_losses", "_nameplate_hs", "_past", "_uplift"),
        *("flow", "time"),
    )

    def __init__(self, start: float, nameplate_hs: float, *, keeps_past: bool = False) -> None:
        self._keeps_past = keeps_past
        self._past: tuple[Stretch, ...] = ()
        self.time = start
        self.flow = Flow(start)
        self._nameplate_hs = nameplate_hs
        self._hashes = self._joules = self._uplift = self._lagged_hs = 0.0
        self._losses = _NO_LOSSES

    def hashes(self, t: float) -> float:
        """Return the hashes done until `t`."""
        return self._hashes + self.flow.hashes_until(t)

    def hashes_at(self, t: float) -> float:
        """Return the hashes done until `t`, at most `PAST_S` ago; before the books opened the first rate held."""
        if t >= self.time or not self._keeps_past:
            return self.hashes(t)
        for stretch in reversed(self._past):
            if stretch.flow.start <= t:
                return stretch.hashes + stretch.flow.hashes_until(t)
        first = self._past[0] if self._past else Stretch(self._hashes, self.flow)
        return first.hashes + first.flow.rate_hs * (t - first.flow.start)

    def lagged_hs(self, t: float) -> float:
        """Return the exponential average of the rate at `t`, with a time constant of half an hour, H/s."""
        return self.flow.lagged_until(t, self._lagged_hs, LAG_30M_S)

    def settle_average(self, rate_hs: float) -> None:
        """Set the half-hour average to `rate_hs`."""
        self._lagged_hs = rate_hs

    def losses_hs(self, t: float, claimed: Claims) -> dict[Cause, float]:
        """Return the shortfall against the nameplate at `t` by cause, H/s; `claimed` holds since the last event."""
        rate_hs, nameplate_hs = self.flow.rate_at(t), self._nameplate_hs
        return losses_by_cause(claimed, lambda share: max(0.0, share * nameplate_hs - rate_hs))

    def totals(self, t: float, claimed: Claims) -> Totals:
        """Return the integrals until `t`, not before the last event; `claimed` holds since then."""
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
        """Fold everything until `t` into the integrals and start the flow there; `claimed` as for `totals`."""
        if t <= self.time:
            return
        lagged_hs = self.lagged_hs(t)
        if self._keeps_past:
            kept = (*self._past, Stretch(self._hashes, self.flow))
            # The last one that began before then covers its beginning.
            old = [number for number, stretch in enumerate(kept) if stretch.flow.start <= t - PAST_S]
            self._past = kept[old[-1] if old else 0 :]
        self._hashes, self._joules, self._uplift, self._losses = self.totals(t, claimed)
        self._lagged_hs = lagged_hs
        self.flow = self.flow.moved_to(t)
        self.time = t

    def open_again(self) -> None:
        """Reset the integrals: the farm starts here."""
        self._past = tuple([stretch._replace(hashes=stretch.hashes - self._hashes) for stretch in self._past])
        self._hashes = self._joules = self._uplift = 0.0
        self._losses = _NO_LOSSES
