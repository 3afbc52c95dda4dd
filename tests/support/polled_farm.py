"""Units of a simulated farm, polled through the agent's own code without a socket, in simulated time."""

from collections.abc import Iterable

from simulated_wire import Alone, asked

from agent.errors import PollError
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.tracker import Tracker
from agent.unit.antminer.conversation import Memory, converse
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import Poll, UnitReading
from simulators.farm.farm import Farm
from simulators.unit.unit import Unit

CATALOGUE = shipped_catalogue()
ALONE = Alone()


def declared(unit: Unit) -> LedgerEntry:
    """Return the ledger entry of a simulated unit."""
    identity = unit.identity
    nameplate = CATALOGUE.find(identity.model.name, identity.model.hashrate_hs)
    assert nameplate is not None
    return LedgerEntry(
        unit_id=identity.unit_id,
        nameplate=nameplate,
        place=Place(container=identity.container, rack=identity.rack, slot=str(identity.slot)),
        host=identity.host,
        is_simulated=True,
    )


class Polled:
    """Simulated units and the agent's tracker over them.

    Args:
        units: The units.
        at: Simulated Unix time, s; also the monotonic clock.
        slow_every: Share counters are requested in every n-th poll.
        farm: The farm they are in; for units on their own none.
    """

    def __init__(self, units: Iterable[Unit], *, at: float, slow_every: int = 30, farm: Farm | Alone = ALONE) -> None:
        self._farm = farm
        self.units = tuple(units)
        self.tracker = Tracker(map(declared, self.units), stale_after_s=30.0, at=at)
        self._nameplates = {unit.identity.unit_id: declared(unit).nameplate for unit in self.units}
        self._memories = {unit.identity.unit_id: Memory() for unit in self.units}
        self._slow_every = slow_every

    def poll(self, unit: Unit, at: float) -> Poll:
        """Poll one unit at `at`."""
        reading: UnitReading | None = None
        error: PollError | None = None
        try:
            reading = self._converse(unit, at)
        except PollError as failure:
            error = failure
        return Poll(unit_id=unit.identity.unit_id, at=at, took_s=0.02, reading=reading, error=error)

    def sweep(self, at: float) -> None:
        """Poll every unit at `at` and record the results."""
        for unit in self.units:
            self.tracker.record(self.poll(unit, at), clock_s=at)
        self.tracker.refresh(at=at, clock_s=at)

    def _converse(self, unit: Unit, at: float) -> UnitReading:
        unit_id = unit.identity.unit_id
        talk = converse(
            unit_id,
            self._memories[unit_id],
            nameplate=self._nameplates[unit_id],
            slow_every=self._slow_every,
            wall=lambda: at,
        )
        request = next(talk)
        while True:
            answer, _ = asked(self._farm, unit, request, at)
            try:
                request = talk.throw(answer) if isinstance(answer, PollError) else talk.send(answer)
            except StopIteration as end:
                reading: UnitReading = end.value
                return reading
