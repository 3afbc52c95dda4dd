"""Which units are in the site's figures: simulated units beside real machines are shown and not counted."""

import time
from collections.abc import Callable, Collection, Iterable

from agent.runtime.setup import Setup
from agent.site.status import UnitStatus


class Counting:
    """The rule about simulated units, by the setup in force.

    Args:
        setup: The setup in force at the start.
        simulated: Returns the ids of all simulated units that are shown.

    Attributes:
        counts_simulated: True if simulated units are in the figures: at a site of nothing else, or by configuration.
    """

    def __init__(self, setup: Setup, simulated: Callable[[], Collection[str]]) -> None:
        self._simulated = simulated
        self._counts_always = self._has_real = self.counts_simulated = False
        self.configure(setup)
        self.apply_ledger(setup)

    def configure(self, setup: Setup) -> None:
        """Follow a changed configuration."""
        self._counts_always = setup.config.site.count_simulated
        self.counts_simulated = self._counts_always or not self._has_real

    def apply_ledger(self, setup: Setup) -> None:
        """Follow a changed ledger, or another day of the same one."""
        at = time.time()
        # The whole site decides, so that all of its shards count alike.
        self._has_real = any(not entry.is_simulated and entry.is_deployed_at(at) for entry in setup.ledger.entries)
        self.counts_simulated = self._counts_always or not self._has_real

    @property
    def uncounted(self) -> Collection[str]:
        """The ids of simulated units that are shown and not counted."""
        return () if self.counts_simulated else self._simulated()

    def counted(self, statuses: Iterable[UnitStatus]) -> Iterable[UnitStatus]:
        """Return the statuses whose hashrate is the site's."""
        if self.counts_simulated:
            return statuses
        return (status for status in statuses if not status.entry.is_simulated)

    def is_counted(self, status: UnitStatus) -> bool:
        """Return True if the unit's hashrate is the site's."""
        return self.counts_simulated or not status.entry.is_simulated

    def simulated_units(self) -> int:
        """Return how many simulated units are in the figures."""
        return len(self._simulated()) if self.counts_simulated else 0
