"""What can be asked of a farm and done to it from outside: faults, scenarios, time, truth, and the log of requests.

What cannot be done is refused with a reason and changes nothing. `control_http` serves it.
"""

from collections.abc import Callable
from itertools import islice

from simulators.control.answers import (
    InjectionTold,
    InjectionWhole,
    RequestPage,
    RequestTold,
    ScenarioListed,
    ScenarioTold,
    TimeTold,
    TruthPage,
    UnitPage,
    tell_injection,
    tell_injection_whole,
    tell_playing,
    tell_scenario,
    tell_time,
)
from simulators.control.operations import Asked, Operation
from simulators.control.questions import (
    MAX_ADVANCE_S,
    MAX_TIME,
    Advance,
    FaultOrder,
    RequestsQuery,
    ScenarioOrder,
    TimeOrder,
    TruthQuery,
    UnitsQuery,
)
from simulators.farm.farm import Farm
from simulators.farm.truth import UnitTruth, farm_truth, unit_truth
from simulators.faults.vocabulary import Entry, fault_name, read_fault, vocabulary
from simulators.scenario.player import Playing, play, stop
from simulators.scenario.scenario import read_scenario, shipped_scenario, shipped_scenarios
from simulators.sockets.journal import Journal
from simulators.sockets.serving import settle
from simulators.unit.unit import Unit


class RefusedError(Exception):
    """What was asked is not done; the message says why.

    Attributes:
        status: Of HTTP.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


def nothing() -> None:
    """Do nothing."""


class Control:
    """What can be asked of a farm, and done to it.

    Args:
        farm: The farm.
        journal: What its units were asked.
        follow: Is called after something was changed, so that whoever serves the units takes notice.
    """

    def __init__(self, farm: Farm, journal: Journal, *, follow: Callable[[], None] = nothing) -> None:
        self.farm = farm
        self.journal = journal
        self.playing: Playing | None = None
        self._follow = follow

    def operations(self) -> tuple[Operation, ...]:
        """Give everything it does."""
        unknown_unit = ((404, "There is no such unit."),)
        unknown_fault = ((404, "There is no such fault, or it is over."),)
        busy = ((409, "Another scenario is being played."),)
        return (
            Operation("GET", "/truth", self.get_truth, TruthPage, query=TruthQuery),
            Operation("GET", "/units", self.list_units, UnitPage, query=UnitsQuery),
            Operation("GET", "/units/{unit_id}", self.get_unit, UnitTruth, refusals=unknown_unit),
            Operation("GET", "/vocabulary", self.list_vocabulary, list[Entry]),
            Operation("GET", "/faults", self.list_faults, list[InjectionTold]),
            Operation("POST", "/faults", self.inject_fault, InjectionTold, body=FaultOrder, status=201),
            Operation("DELETE", "/faults", self.clear_faults, list[InjectionTold]),
            Operation("GET", "/faults/{id}", self.get_fault, InjectionWhole, named=int, refusals=unknown_fault),
            Operation("DELETE", "/faults/{id}", self.clear_fault, InjectionTold, named=int, refusals=unknown_fault),
            Operation("GET", "/time", self.get_time, TimeTold),
            Operation("PUT", "/time", self.set_time, TimeTold, body=TimeOrder),
            Operation("POST", "/time/advance", self.advance_time, TimeTold, body=Advance),
            Operation("GET", "/scenarios", self.list_scenarios, list[ScenarioListed]),
            Operation("GET", "/scenario", self.get_scenario, ScenarioTold),
            Operation(
                "POST", "/scenario", self.play_scenario, ScenarioTold, body=ScenarioOrder, status=201, refusals=busy
            ),
            Operation("DELETE", "/scenario", self.stop_scenario, ScenarioTold),
            Operation("GET", "/requests", self.list_requests, RequestPage, query=RequestsQuery),
        )

    # Truth

    async def get_truth(self, asked: Asked) -> TruthPage:
        """What is true of the site, at this moment and since the start; and of the units, by the page."""
        query: TruthQuery = asked.query
        farm = self.farm
        await settle(self.farm)
        units = farm.units[query.offset : query.offset + query.limit] if query.units else ()
        told = farm_truth(farm, farm.clock.now(), units)
        return {**told, "next_offset": _next_offset(query.offset, len(units), len(farm.units)) if query.units else None}

    async def list_units(self, asked: Asked) -> UnitPage:
        """The units that fit, each with its truth."""
        query: UnitsQuery = asked.query
        await settle(self.farm)
        now = self.farm.clock.now()
        fitting = [unit for unit in self.farm.units if _fits(unit, query, now)]
        page = fitting[query.offset : query.offset + query.limit]
        return UnitPage(
            at=now,
            total=len(fitting),
            units=[unit_truth(unit, now) for unit in page],
            next_offset=_next_offset(query.offset, len(page), len(fitting)),
        )

    async def get_unit(self, asked: Asked) -> UnitTruth:
        """One unit with its truth."""
        unit = self.farm.by_id.get(asked.named)
        if unit is None:
            raise RefusedError(404, f"no unit {asked.named[:80]!r}")
        return unit_truth(unit, self.farm.clock.now())

    # Faults

    async def list_vocabulary(self, _asked: Asked) -> list[Entry]:
        """The faults there are, what they can be given, and what an agent must conclude."""
        return vocabulary()

    async def list_faults(self, _asked: Asked) -> list[InjectionTold]:
        """The faults that were injected and are not over, those to come among them."""
        now = self.farm.clock.now()
        return [tell_injection(injection, now) for injection in self.farm.active_injections()]

    async def inject_fault(self, asked: Asked) -> InjectionTold:
        """Inject a fault."""
        order: FaultOrder = asked.body
        farm = self.farm
        injection = farm.inject(
            read_fault(order.fault, order.values),
            order.who.selector(),
            at=order.at,
            duration_s=order.duration_s,
            spread_s=order.spread_s,
        )
        self._follow()
        return tell_injection(injection, farm.clock.now())

    async def clear_faults(self, _asked: Asked) -> list[InjectionTold]:
        """Clear every fault that was injected; gives those cleared."""
        now = self.farm.clock.now()
        cleared = [self.farm.clear(injection.number) for injection in self.farm.active_injections()]
        self._follow()
        return [tell_injection(injection, now) for injection in cleared]

    async def get_fault(self, asked: Asked) -> InjectionWhole:
        """One injected fault with everyone it befalls."""
        for injection in self.farm.active_injections():
            if injection.number == asked.named:
                return tell_injection_whole(injection, self.farm.clock.now())
        raise RefusedError(404, f"no active injection {asked.named}")

    async def clear_fault(self, asked: Asked) -> InjectionTold:
        """Clear one fault; if it lies ahead it never happens."""
        number: int = asked.named
        if all(injection.number != number for injection in self.farm.active_injections()):
            raise RefusedError(404, f"no active injection {number}")
        injection = self.farm.clear(number)
        self._follow()
        return tell_injection(injection, self.farm.clock.now())

    # Time

    async def get_time(self, _asked: Asked) -> TimeTold:
        """Simulated time and its speed."""
        return tell_time(self.farm)

    async def set_time(self, asked: Asked) -> TimeTold:
        """Set the speed, or jump to a later moment."""
        order: TimeOrder = asked.body
        clock = self.farm.clock
        if order.at is not None:
            self._check_jump(order.at - clock.now())
        if order.speed is not None:
            clock.run_at(order.speed)
        if order.at is not None:
            clock.set(max(order.at, clock.now()))
        await settle(self.farm)
        self._follow()
        return tell_time(self.farm)

    async def advance_time(self, asked: Asked) -> TimeTold:
        """Jump forward."""
        order: Advance = asked.body
        self._check_jump(order.seconds)
        self.farm.clock.advance(order.seconds)
        await settle(self.farm)
        self._follow()
        return tell_time(self.farm)

    def _check_jump(self, seconds: float) -> None:
        if seconds < 0.0:
            raise RefusedError(400, f"simulated time never runs backwards; that was {-seconds:g} s ago")
        if seconds > MAX_ADVANCE_S or self.farm.clock.now() + seconds > MAX_TIME:
            raise RefusedError(
                400, f"time can jump by {MAX_ADVANCE_S:g} s, and up to {MAX_TIME:g}; not by {seconds:g} s"
            )

    # Scenarios

    async def list_scenarios(self, _asked: Asked) -> list[ScenarioListed]:
        """The scenarios that come with the package."""
        return [tell_scenario(name, scenario) for name, scenario in shipped_scenarios().items()]

    async def get_scenario(self, _asked: Asked) -> ScenarioTold:
        """What is being played, its programme, and the curtailments it declares."""
        return tell_playing(self.playing, self.farm.clock.now())

    async def play_scenario(self, asked: Asked) -> ScenarioTold:
        """Play a scenario from now on, on the farm that is there."""
        order: ScenarioOrder = asked.body
        now = self.farm.clock.now()
        if self.playing is not None and now < self.playing.end:
            raise RefusedError(409, f"scenario {self.playing.name} is being played; stop it first")
        if (order.name is None) == (order.toml is None):
            raise RefusedError(400, "a name or a text in toml is expected, and not both")
        if order.name is not None:
            name, scenario = order.name, shipped_scenario(order.name)
        else:
            name, scenario = "text", read_scenario(order.toml or "", file="toml")
        self.playing = play(self.farm, name, scenario)
        self._follow()
        return tell_playing(self.playing, now)

    async def stop_scenario(self, _asked: Asked) -> ScenarioTold:
        """Stop the scenario: what of it goes on or lies ahead is cleared."""
        if self.playing is not None:
            stop(self.farm, self.playing)
            self.playing = None
            self._follow()
        return tell_playing(None, self.farm.clock.now())

    # Requests

    async def list_requests(self, asked: Asked) -> RequestPage:
        """What the units were asked."""
        query: RequestsQuery = asked.query
        journal = self.journal
        fitting = [
            entry
            for entry in reversed(journal.entries)
            if (query.unit is None or entry.unit_id == query.unit) and (entry.is_write or not query.writes)
        ]
        page = islice(fitting, query.offset, query.offset + query.limit)
        told = [RequestTold(**entry._asdict()) for entry in page]
        return RequestPage(
            total=journal.total,
            writes=journal.writes,
            counts=dict(journal.counts),
            kept=len(journal.entries),
            fitting=len(fitting),
            requests=told,
            next_offset=_next_offset(query.offset, len(told), len(fitting)),
        )


def _fits(unit: Unit, query: UnitsQuery, now: float) -> bool:
    identity = unit.identity
    if (
        query.container not in {None, identity.container}
        or query.rack not in {None, identity.rack}
        or query.model not in {None, identity.model.name}
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


def _next_offset(offset: int, given: int, total: int) -> int | None:
    after = offset + given
    return after if given and after < total else None
