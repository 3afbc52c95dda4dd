"""Containers in which next to nothing hashes: one entry for the container instead of one for each of its units. Pure.

A container is dark as in the alert `MiningContainerDark`: its operating hashrate is below a tenth of the nameplate that
should hash. Units that an event or maintenance explains should not. Units that cannot be read may hash, so they
count for neither side, and while too few units say anything, a container is neither dark nor well.
"""

from collections import Counter
from statistics import median_low

from agent.site.accounted import LEAST_UNITS
from agent.site.repairs.look import undeclared_loss_hs
from agent.site.repairs.symptoms import Closing
from agent.site.status import UnitState, UnitStatus

KNOWN_RATIO = 0.5
"""Less than this share of the units that should hash saying anything, and nothing is concluded."""


class ContainerTally:
    """The units of one container, added up over one round.

    Attributes:
        idle: Units that should hash and are known not to.
    """

    __slots__ = (
        "_excused",
        "_excused_hs",
        "_explained_hs",
        "_hashing",
        "_known_hs",
        "_loss_hs",
        "_maintained",
        "_operating_hs",
        "_others",
        "_reasons",
        "_sinces",
        "idle",
    )

    def __init__(self) -> None:
        self.idle = self._hashing = self._others = self._excused = self._maintained = 0
        self._known_hs = self._operating_hs = self._loss_hs = 0.0
        # Of units that need not hash: their nameplate, and the part that they operate or that is declared as a loss.
        self._excused_hs = self._explained_hs = 0.0
        self._reasons: Counter[str] = Counter()
        self._sinces: list[float] = []

    def add(self, status: UnitStatus) -> None:
        """Add one unit."""
        state = status.state
        if state is UnitState.HASHING and status.event is None and not status.is_overdue:
            # Most units.
            self._hashing += 1
            self._known_hs += status.entry.nameplate.hashrate_hs
            self._operating_hs += status.hashrate_hs or 0.0
            return
        if status.event is not None or state is UnitState.CURTAILED or status.entry.is_in_maintenance:
            self._excused += 1
            if status.entry.is_in_maintenance:
                self._maintained += 1
            self._excused_hs += status.entry.nameplate.hashrate_hs
            self._explained_hs += status.entry.nameplate.hashrate_hs - undeclared_loss_hs(status)
            return
        self._others += 1
        if status.is_overdue or not status.is_looked_at or state is UnitState.UNREADABLE:
            return
        self._known_hs += status.entry.nameplate.hashrate_hs
        self._operating_hs += status.hashrate_hs or 0.0
        self.idle += 1
        self._reasons[status.why] += 1
        self._sinces.append(status.since)
        self._loss_hs += undeclared_loss_hs(status)

    @property
    def units(self) -> int:
        """Units that should hash."""
        return self._hashing + self._others

    @property
    def is_known(self) -> bool:
        """True if enough units say something to call the container dark or well."""
        return self.units >= LEAST_UNITS and self._hashing + self.idle >= KNOWN_RATIO * self.units

    @property
    def ending(self) -> Closing | None:
        """Why it is no longer judged as a container: too few units are left; None if there are enough.

        Units inside an event come back; units in maintenance are being repaired.
        """
        left = self.units + self._excused - self._maintained
        if left >= LEAST_UNITS:
            return None
        return Closing.MAINTENANCE if left + self._maintained >= LEAST_UNITS else Closing.LEFT_LEDGER

    def is_idle(self, ratio: float) -> bool:
        """Return True if less than `ratio` of the nameplate that should hash does."""
        return self.is_known and self.idle > 0 and self._operating_hs < ratio * self._known_hs

    def is_dark(self, ratio: float) -> bool:
        """Return True if it is idle, and no event or maintenance explains `ratio` of the whole.

        A few dead units among many that are curtailed are no dark container: they are listed one by one.
        """
        whole_hs = self._known_hs + self._excused_hs
        return self.is_idle(ratio) and self._operating_hs + self._explained_hs < ratio * whole_hs

    @property
    def loss_hs(self) -> float:
        """What the idle units lose, H/s."""
        return self._loss_hs

    @property
    def since(self) -> float:
        """When half of the idle units had stopped, Unix time, s."""
        return median_low(self._sinces)

    @property
    def words(self) -> str:
        """How many units are idle, and the reason that most of them have."""
        why, units = self._reasons.most_common(1)[0]
        return f"{self.idle:,} of {self.units:,} units do not hash; {why} ({units:,})"
