"""The vocabulary of faults, and the faults injected into a farm."""

from collections.abc import Callable

from simulators.control.answers import InjectionTold, InjectionWhole, injection_answer, whole_injection_answer
from simulators.control.operations import Asked, Operation, RefusedError
from simulators.control.questions import FaultOrder
from simulators.farm.farm import Farm
from simulators.faults.vocabulary import Entry, read_fault, vocabulary


class FaultOperations:
    """Operations on faults.

    Args:
        farm: The farm.
        follow: Called after every change.
    """

    def __init__(self, farm: Farm, follow: Callable[[], None]) -> None:
        self._farm = farm
        self._follow = follow

    def operations(self) -> tuple[Operation, ...]:
        """Return their rows."""
        unknown_fault = ((404, "There is no such fault, or it is over."),)
        return (
            Operation("GET", "/vocabulary", self.list_vocabulary, list[Entry]),
            Operation("GET", "/faults", self.list_faults, list[InjectionTold]),
            Operation("POST", "/faults", self.inject_fault, InjectionTold, body=FaultOrder, status=201),
            Operation("DELETE", "/faults", self.clear_faults, list[InjectionTold]),
            Operation("GET", "/faults/{id}", self.get_fault, InjectionWhole, named=int, refusals=unknown_fault),
            Operation("DELETE", "/faults/{id}", self.clear_fault, InjectionTold, named=int, refusals=unknown_fault),
        )

    async def list_vocabulary(self, _asked: Asked) -> list[Entry]:
        """The faults, their values, and what an agent must conclude."""
        return vocabulary()

    async def list_faults(self, _asked: Asked) -> list[InjectionTold]:
        """The injected faults that are active or still to come."""
        now = self._farm.clock.now()
        return [injection_answer(injection, now) for injection in self._farm.active_injections()]

    async def inject_fault(self, asked: Asked) -> InjectionTold:
        """Inject a fault."""
        order: FaultOrder = asked.body
        injection = self._farm.inject(
            read_fault(order.fault, order.values),
            order.who.selector(),
            at=order.at,
            duration_s=order.duration_s,
            spread_s=order.spread_s,
        )
        self._follow()
        return injection_answer(injection, self._farm.clock.now())

    async def clear_faults(self, _asked: Asked) -> list[InjectionTold]:
        """Clear every injected fault and return the cleared ones."""
        now = self._farm.clock.now()
        cleared = [self._farm.clear(injection.number) for injection in self._farm.active_injections()]
        self._follow()
        return [injection_answer(injection, now) for injection in cleared]

    async def get_fault(self, asked: Asked) -> InjectionWhole:
        """One injected fault with all units it hits."""
        for injection in self._farm.active_injections():
            if injection.number == asked.named:
                return whole_injection_answer(injection, self._farm.clock.now())
        raise RefusedError(404, f"no active injection {asked.named}")

    async def clear_fault(self, asked: Asked) -> InjectionTold:
        """Clear one fault; if it is still to come, it never happens."""
        number: int = asked.named
        if all(injection.number != number for injection in self._farm.active_injections()):
            raise RefusedError(404, f"no active injection {number}")
        injection = self._farm.clear(number)
        self._follow()
        return injection_answer(injection, self._farm.clock.now())
