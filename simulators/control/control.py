"""The control API's operations on a farm: truth, faults, time, scenarios, and the log of requests.

An operation that cannot be done is refused with a reason and changes nothing. `http` serves the operations.
"""

from collections.abc import Callable

from simulators.control.buttons import ButtonOperations
from simulators.control.clock import ClockOperations
from simulators.control.faults import FaultOperations
from simulators.control.operations import Operation
from simulators.control.requests import RequestOperations
from simulators.control.scenarios import ScenarioOperations
from simulators.control.truth import TruthOperations
from simulators.farm.farm import Farm
from simulators.scenario.player import Playing
from simulators.sockets.journal import Journal
from simulators.sockets.report_button import Listener

LOOPBACK = Listener("127.0.0.1", 0)


def nothing() -> None:
    """Do nothing."""


class Control:
    """Every operation on a farm.

    Args:
        farm: The farm.
        journal: The requests its units received.
        follow: Called after every change, so that the server of the units can follow it.
        playing: A scenario that is already being played.
        listener: What hears the report buttons.
    """

    def __init__(
        self,
        farm: Farm,
        journal: Journal,
        *,
        follow: Callable[[], None] = nothing,
        playing: Playing | None = None,
        listener: Listener = LOOPBACK,
    ) -> None:
        self._truth = TruthOperations(farm)
        self._faults = FaultOperations(farm, follow)
        self._clock = ClockOperations(farm, follow)
        self._scenarios = ScenarioOperations(farm, follow, playing)
        self._requests = RequestOperations(journal)
        self._buttons = ButtonOperations(farm, listener)

    def operations(self) -> tuple[Operation, ...]:
        """Return the rows of all operations."""
        return (
            *self._truth.operations(),
            *self._faults.operations(),
            *self._clock.operations(),
            *self._scenarios.operations(),
            *self._requests.operations(),
            *self._buttons.operations(),
        )
