"""Energy: power integrated over time, by its source, for the site, each container and each owner."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.site.power import PowerSource
from agent.site.totals import Figures, SiteFigures

# Three intervals without figures are a gap, but at least ten seconds: with intervals of 1 s, a busy moment is no gap.
_GAP_INTERVALS = 3
_LEAST_GAP_S = 10.0


def longest_gap_s(interval_s: float) -> float:
    """Return how far apart figures may be, s; over a longer gap the site was not watched, and nothing is counted."""
    return max(_GAP_INTERVALS * interval_s, _LEAST_GAP_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Joules since the agent started; only sources with any.

    Attributes:
        site: By source. If the site has a meter of its own, from that meter, not the sum of the containers.
        by_container: By container and source.
        by_owner: By owner and source, by the units' own figures; empty where the ledger names no owner.
    """

    site: dict[PowerSource, float]
    by_container: dict[str, dict[PowerSource, float]]
    by_owner: dict[str, dict[PowerSource, float]] = field(default_factory=dict)


class EnergyBook:
    """Adds up joules from one moment's figures to the next.

    Power between two calls is the mean of both. A gap longer than `longest_gap_s` adds nothing.

    Args:
        interval_s: Time from one call to the next.
    """

    def __init__(self, *, interval_s: float) -> None:
        self.interval_s = interval_s
        self._before: tuple[SiteFigures, float] | None = None
        self._site: dict[PowerSource, float] = {}
        self._by_container: dict[str, dict[PowerSource, float]] = {}
        self._by_owner: dict[str, dict[PowerSource, float]] = {}

    @property
    def energy(self) -> Energy:
        """The joules added up so far."""
        return Energy(
            site=self._site.copy(),
            by_container={name: joules.copy() for name, joules in self._by_container.items()},
            by_owner={name: joules.copy() for name, joules in self._by_owner.items()},
        )

    def pause(self) -> None:
        """Add nothing until the figures after the next: those until then are not believed."""
        self._before = None

    def advance(self, figures: SiteFigures, clock_s: float) -> Energy:
        """Add the figures of a moment on the monotonic clock, and return the joules added up so far."""
        before, self._before = self._before, (figures, clock_s)
        # A container or an owner that is gone is forgotten. If it comes back it begins at zero, as counters may.
        self._by_container = {name: self._by_container.get(name, {}) for name in figures.by_container}
        self._by_owner = {name: self._by_owner.get(name, {}) for name in figures.by_owner}
        if before is None:
            return self.energy
        earlier, earlier_s = before
        span_s = clock_s - earlier_s
        if 0 < span_s <= longest_gap_s(self.interval_s):
            _add(self._site, earlier.site, figures.site, span_s)
            _add_groups(self._by_container, earlier.by_container, figures.by_container, span_s)
            _add_groups(self._by_owner, earlier.by_owner, figures.by_owner, span_s)
        return self.energy


def _add_groups(
    groups: Mapping[str, dict[PowerSource, float]],
    earlier: Mapping[str, Figures],
    later: Mapping[str, Figures],
    span_s: float,
) -> None:
    for name, joules in groups.items():
        if name in earlier:
            _add(joules, earlier[name], later[name], span_s)


def _add(joules: dict[PowerSource, float], earlier: Figures, later: Figures, span_s: float) -> None:
    for source in PowerSource:
        watts = (earlier.watts_by_source[source] + later.watts_by_source[source]) / 2
        if watts:
            joules[source] = joules.get(source, 0.0) + watts * span_s
