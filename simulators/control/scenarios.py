"""The shipped scenarios, and the one that is being played."""

from collections.abc import Callable

from simulators.control.answers import ScenarioListed, ScenarioTold, playing_answer, scenario_answer
from simulators.control.operations import Asked, Operation, RefusedError
from simulators.control.questions import ScenarioOrder
from simulators.farm.farm import Farm
from simulators.scenario.player import Playing, play, stop
from simulators.scenario.scenario import read_scenario, shipped_scenario, shipped_scenarios


class ScenarioOperations:
    """Operations on scenarios.

    Args:
        farm: The farm.
        follow: Called after every change.
        playing: A scenario that is already being played.
    """

    def __init__(self, farm: Farm, follow: Callable[[], None], playing: Playing | None) -> None:
        self._farm = farm
        self._follow = follow
        self._playing = playing

    def operations(self) -> tuple[Operation, ...]:
        """Return their rows."""
        busy = ((409, "Another scenario is being played."),)
        return (
            Operation("GET", "/scenarios", self.list_scenarios, list[ScenarioListed]),
            Operation("GET", "/scenario", self.get_scenario, ScenarioTold),
            Operation(
                "POST", "/scenario", self.play_scenario, ScenarioTold, body=ScenarioOrder, status=201, refusals=busy
            ),
            Operation("DELETE", "/scenario", self.stop_scenario, ScenarioTold),
        )

    async def list_scenarios(self, _asked: Asked) -> list[ScenarioListed]:
        """The scenarios that come with the package."""
        return [scenario_answer(name, scenario) for name, scenario in shipped_scenarios().items()]

    async def get_scenario(self, _asked: Asked) -> ScenarioTold:
        """The scenario being played, its programme, and the curtailments it declares."""
        return playing_answer(self._playing, self._farm.clock.now())

    async def play_scenario(self, asked: Asked) -> ScenarioTold:
        """Play a scenario on the existing farm, beginning now."""
        order: ScenarioOrder = asked.body
        now = self._farm.clock.now()
        if self._playing is not None and now < self._playing.end:
            raise RefusedError(409, f"scenario {self._playing.name} is being played; stop it first")
        if (order.name is None) == (order.toml is None):
            raise RefusedError(400, "a name or a text in toml is expected, and not both")
        if order.name is not None:
            name, scenario = order.name, shipped_scenario(order.name)
        else:
            name, scenario = "text", read_scenario(order.toml or "", file="toml")
        self._playing = play(self._farm, name, scenario)
        self._follow()
        return playing_answer(self._playing, now)

    async def stop_scenario(self, _asked: Asked) -> ScenarioTold:
        """Stop the scenario and clear everything it has under way or still to come."""
        if self._playing is not None:
            stop(self._farm, self._playing)
            self._playing = None
            self._follow()
        return playing_answer(None, self._farm.clock.now())
