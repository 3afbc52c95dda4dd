"""The truth of the site and of its units."""

from simulators.control.answers import TruthPage, UnitPage
from simulators.control.operations import Asked, Operation, RefusedError, next_offset
from simulators.control.questions import TruthQuery, UnitsQuery
from simulators.farm.farm import Farm
from simulators.farm.truth import UnitTruth, farm_truth, unit_truth
from simulators.faults.vocabulary import fault_name
from simulators.sockets.serving import settle
from simulators.unit.unit import Unit


class TruthOperations:
    """Operations that read the truth.

    Args:
        farm: The farm.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def operations(self) -> tuple[Operation, ...]:
        """Return their rows."""
        unknown_unit = ((404, "There is no such unit."),)
        return (
            Operation("GET", "/truth", self.get_truth, TruthPage, query=TruthQuery),
            Operation("GET", "/units", self.list_units, UnitPage, query=UnitsQuery),
            Operation("GET", "/units/{unit_id}", self.get_unit, UnitTruth, refusals=unknown_unit),
        )

    async def get_truth(self, asked: Asked) -> TruthPage:
        """The truth of the site, now and since the start, and of the units, by the page."""
        query: TruthQuery = asked.query
        farm = self._farm
        await settle(farm)
        units = farm.units[query.offset : query.offset + query.limit] if query.units else ()
        truth = farm_truth(farm, farm.clock.now(), units)
        following = next_offset(query.offset, len(units), len(farm.units)) if query.units else None
        return {**truth, "next_offset": following}

    async def list_units(self, asked: Asked) -> UnitPage:
        """The units that match, each with its truth."""
        query: UnitsQuery = asked.query
        await settle(self._farm)
        now = self._farm.clock.now()
        fitting = [unit for unit in self._farm.units if _fits(unit, query, now)]
        page = fitting[query.offset : query.offset + query.limit]
        return UnitPage(
            at=now,
            total=len(fitting),
            units=[unit_truth(unit, now) for unit in page],
            next_offset=next_offset(query.offset, len(page), len(fitting)),
        )

    async def get_unit(self, asked: Asked) -> UnitTruth:
        """One unit with its truth."""
        unit = self._farm.by_id.get(asked.named)
        if unit is None:
            raise RefusedError(404, f"no unit {asked.named[:80]!r}")
        return unit_truth(unit, self._farm.clock.now())


def _fits(unit: Unit, query: UnitsQuery, now: float) -> bool:
    identity = unit.identity
    if (
        query.container not in {None, identity.container}
        or query.rack not in {None, identity.rack}
        or query.model not in {None, identity.model.name}
        or query.firmware not in {None, identity.firmware}
    ):
        return False
    unit.advance(now)
    if query.state not in {None, unit.phase}:
        return False
    if query.fault is not None and all(fault_name(type(fault)) != query.fault for _, fault in unit.faults):
        return False
    if query.cause is None:
        return True
    losses = unit.losses_hs(now)
    return bool(losses) and max(losses, key=lambda cause: losses[cause]) is query.cause
