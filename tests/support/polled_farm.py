"""Units of a simulated farm, polled through the agent's own code without a socket, in simulated time."""

from collections.abc import Callable, Iterable
from typing import Any

from simulated_wire import Alone, asked

from agent.errors import PollError
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.pools.allow import AllowList
from agent.site.tracker import Tracker
from agent.unit import registry
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reader import AnyReader
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
        reader: Reads all units; that of stock firmware, or the one that asks each what it runs.
        allow: The site's allow-list of pools; None to judge none.
        pools_every: Pools are requested alone in every n-th poll; None not to.
    """

    def __init__(
        self,
        units: Iterable[Unit],
        *,
        at: float,
        slow_every: int = 30,
        reader: AnyReader = registry.DEFAULT,
        farm: Farm | Alone = ALONE,
        allow: AllowList | None = None,
        pools_every: int | None = None,
    ) -> None:
        self._farm = farm
        self.units = tuple(units)
        self.tracker = Tracker(map(declared, self.units), stale_after_s=30.0, at=at, allow=allow)
        self._pools_every = pools_every
        self._nameplates = {unit.identity.unit_id: declared(unit).nameplate for unit in self.units}
        self._reader = reader
        self._memories: dict[str, Any] = {unit.identity.unit_id: reader.new_memory() for unit in self.units}
        self._slow_every = slow_every

    def poll(self, unit: Unit, at: float) -> Poll:
        """Poll one unit at `at`."""
        return self.poll_as(unit.identity.unit_id, lambda request: asked(self._farm, unit, request, at)[0], at)

    def poll_as(self, unit_id: str, ask: Callable[[bytes], bytes | PollError], at: float) -> Poll:
        """Poll what answers to `ask` under a unit's name at `at`: one of the units, or a machine of another make."""
        memory = self._memories.setdefault(unit_id, self._reader.new_memory())
        reading: UnitReading | None = None
        error: PollError | None = None
        try:
            reading = self._converse(unit_id, memory, ask, at)
        except PollError as failure:
            error = failure
            self._reader.on_failed(memory, failure)
        return Poll(unit_id=unit_id, at=at, took_s=0.02, reading=reading, error=error)

    def sweep(self, at: float, units: Iterable[Unit] | None = None) -> None:
        """Poll every unit, or those given, at `at` and record the results."""
        for unit in self.units if units is None else units:
            self.tracker.record(self.poll(unit, at), clock_s=at)
        self.tracker.refresh(at=at, clock_s=at)

    def _converse(self, unit_id: str, memory: Any, ask: Callable[[bytes], bytes | PollError], at: float) -> UnitReading:
        talk = self._reader.converse(
            unit_id,
            memory,
            nameplate=self._nameplates.get(unit_id),
            slow_every=self._slow_every,
            pools_every=self._pools_every,
            wall=lambda: at,
        )
        request = next(talk)
        while True:
            answer = ask(request)
            try:
                request = talk.throw(answer) if isinstance(answer, PollError) else talk.send(answer)
            except StopIteration as end:
                reading: UnitReading = end.value
                return reading
