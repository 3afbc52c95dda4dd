"""The replies of the control API; its OpenAPI description is built from these types."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import msgspec

from simulators.farm.farm import Farm, Injection
from simulators.farm.truth import FarmTruth, UnitTruth
from simulators.faults.vocabulary import fault_name
from simulators.scenario.player import Curtailment, Playing
from simulators.scenario.scenario import Scenario
from simulators.unit.conditions import Condition


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A reply."""


class Refusal(Answer, frozen=True, kw_only=True):
    """The reason why nothing was done.

    Attributes:
        error: The reason, with the offending value.
    """

    error: str


class TruthPage(FarmTruth):
    """The truth of a farm at a moment, with its units by the page.

    Attributes:
        next_offset: Offset of the next page; null on the last one.
    """

    next_offset: int | None


class UnitPage(Answer, frozen=True, kw_only=True):
    """A page of units.

    Attributes:
        at: The moment, Unix seconds of simulated time.
        total: Number of units that match.
        units: The units on this page, in farm order.
        next_offset: Offset of the next page; null on the last one.
    """

    at: float
    total: int
    units: list[UnitTruth]
    next_offset: int | None


class InjectionTold(Answer, frozen=True, kw_only=True):
    """A fault that was injected.

    Attributes:
        id: Its number, for clearing.
        fault: Name of the fault; that of the first unit if each unit has its own.
        values: Values of the fault; null stands for without end.
        selected: The selected units, in words.
        units: Number of units it hits.
        begin: Beginning, Unix seconds.
        end: End, Unix seconds; null until it is cleared.
        is_active: True once it has begun.
        origin: The scenario it belongs to; empty for none.
    """

    id: int
    fault: str
    values: dict[str, Any]
    selected: str
    units: int
    begin: float
    end: float | None
    is_active: bool
    origin: str


class InjectionWhole(InjectionTold, frozen=True, kw_only=True):
    """A fault that was injected, with all units it hits.

    Attributes:
        unit_ids: Ids of the units.
    """

    unit_ids: tuple[str, ...]


class Pressed(Answer, frozen=True, kw_only=True):
    """A report button that was pressed.

    Attributes:
        payload: The text of each datagram.
        times: Number of datagrams.
        source: Address and port that they came from.
        to: Address and port that they went to.
    """

    payload: str
    times: int
    source: str
    to: str


class StrangerTold(Answer, frozen=True, kw_only=True):
    """A machine on the farm's network that is no unit and answers.

    Attributes:
        address: Its IPv4 address.
        make: What it is.
        mac: Its MAC address.
    """

    address: str
    make: str
    mac: str


class TimeTold(Answer, frozen=True, kw_only=True):
    """Simulated time.

    Attributes:
        now: Unix seconds.
        utc: The same as a date and time in UTC.
        speed: Simulated seconds per real second.
        since_start_s: Seconds since the farm's start.
    """

    now: float
    utc: str
    speed: float
    since_start_s: float


class RequestTold(Answer, frozen=True, kw_only=True):
    """A request that a unit received.

    Attributes:
        at: Unix seconds of simulated time.
        unit_id: The unit that was asked.
        request: The command, or method and path.
        is_write: True if it would change the unit.
    """

    at: float
    unit_id: str
    request: str
    is_write: bool


class RequestPage(Answer, frozen=True, kw_only=True):
    """A page of the requests that the units received.

    Attributes:
        total: Requests since the start.
        writes: Number of requests that would change a unit.
        counts: Number of requests of each kind.
        kept: Number of requests that are still kept one by one.
        fitting: Number of kept requests that match the query.
        requests: The requests on this page, newest first.
        next_offset: Offset of the next page; null on the last one.
    """

    total: int
    writes: int
    counts: dict[str, int]
    kept: int
    fitting: int
    requests: list[RequestTold]
    next_offset: int | None


class CurtailmentTold(Answer, frozen=True, kw_only=True):
    """A curtailment as it was declared.

    Attributes:
        begin: Unix seconds.
        end: Unix seconds.
        scope: site, container, rack, model or unit.
        name: Name of the container, rack, model or unit; empty for the site.
        target_ratio: Share that may go on.
        about: A title for people.
    """

    begin: float
    end: float
    scope: str
    name: str
    target_ratio: float
    about: str


class LineTold(Answer, frozen=True, kw_only=True):
    """A line of a scenario's programme.

    Attributes:
        at: Unix seconds.
        text: What happens.
    """

    at: float
    text: str


class ScenarioTold(Answer, frozen=True, kw_only=True):
    """The scenario being played.

    Attributes:
        name: Name of the scenario; null if none was played.
        about: One line about it.
        begin: Unix seconds.
        end: End, Unix seconds.
        is_over: True once its time has passed.
        curtailments: The declared curtailments, to pass to an agent.
        programme: What happens when.
    """

    name: str | None = None
    about: str = ""
    begin: float | None = None
    end: float | None = None
    is_over: bool = True
    curtailments: list[CurtailmentTold] = []
    programme: list[LineTold] = []


class ScenarioListed(Answer, frozen=True, kw_only=True):
    """A scenario that comes with the package.

    Attributes:
        name: Name to play it by.
        about: One line about it.
        duration_s: Its length.
        units: Number of units of its own farm.
    """

    name: str
    about: str
    duration_s: float
    units: int


def injection_answer(injection: Injection, now: float) -> InjectionTold:
    """Return an injection without its units."""
    return InjectionTold(**_injection(injection, now))


def whole_injection_answer(injection: Injection, now: float) -> InjectionWhole:
    """Return an injection with its units."""
    return InjectionWhole(**_injection(injection, now), unit_ids=injection.unit_ids)


def time_answer(farm: Farm) -> TimeTold:
    """Return the farm's time."""
    now = farm.clock.now()
    utc = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    return TimeTold(now=now, utc=utc, speed=farm.clock.speed, since_start_s=now - farm.start)


def playing_answer(playing: Playing | None, now: float) -> ScenarioTold:
    """Return the scenario being played."""
    if playing is None:
        return ScenarioTold()
    return ScenarioTold(
        name=playing.name,
        about=playing.scenario.about,
        begin=playing.begin,
        end=playing.end,
        is_over=now >= playing.end,
        curtailments=[_curtailment(declared) for declared in playing.curtailments],
        programme=[LineTold(at=line.at, text=line.text) for line in playing.programme],
    )


def scenario_answer(name: str, scenario: Scenario) -> ScenarioListed:
    """Return a scenario as one entry of the list."""
    return ScenarioListed(name=name, about=scenario.about, duration_s=scenario.duration, units=scenario.farm.units)


def _curtailment(declared: Curtailment) -> CurtailmentTold:
    return CurtailmentTold(**{item.name: getattr(declared, item.name) for item in fields(declared)})


def _injection(injection: Injection, now: float) -> dict[str, Any]:
    return {
        "id": injection.number,
        "fault": fault_name(type(injection.fault)),
        "values": _values(injection.fault),
        "selected": injection.selected,
        "units": len(injection.unit_ids),
        "begin": injection.begin,
        "end": injection.end,
        "is_active": injection.begin <= now,
        "origin": injection.origin,
    }


def _values(fault: Condition) -> dict[str, Any]:
    return {item.name: getattr(fault, item.name) for item in fields(fault)}  # type: ignore[arg-type]  # A dataclass.
