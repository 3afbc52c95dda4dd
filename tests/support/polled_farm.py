"""Units of a simulated farm, polled through the agent's own code without a socket, in simulated time."""

from collections.abc import Iterable

from agent.errors import DisconnectedError, PollError, UnreachableError
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.tracker import Tracker
from agent.unit.antminer.conversation import Memory, converse
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import Poll, UnitReading
from simulators.firmware.antminer import api_program as firmware
from simulators.unit.snapshot import OFFLINE
from simulators.unit.unit import Unit

CATALOGUE = shipped_catalogue()


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
    """

    def __init__(self, units: Iterable[Unit], *, at: float, slow_every: int = 30) -> None:
        self.units = tuple(units)
        self.tracker = Tracker(map(declared, self.units), stale_after_s=30.0, at=at)
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
        unit.advance(at)
        if unit.is_silent:
            raise UnreachableError("no answer")
        if unit.phase in OFFLINE:
            raise DisconnectedError("reset", is_reset=True)
        unit_id = unit.identity.unit_id
        talk = converse(unit_id, self._memories[unit_id], slow_every=self._slow_every, wall=lambda: at)
        request = next(talk)
        while True:
            reply = firmware.answer(unit, firmware.read_request(request), at)
            try:
                request = talk.send(reply)
            except StopIteration as end:
                reading: UnitReading = end.value
                return reading
