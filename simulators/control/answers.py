"""What the control API answers; its OpenAPI description is made of these types."""

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
    """What a reply says."""


class Refusal(Answer, frozen=True, kw_only=True):
    """Why nothing was done.

    Attributes:
        error: The reason, with the offending value.
    """

    error: str


class TruthPage(FarmTruth):
    """The truth of a farm at a moment, units by the page.

    Attributes:
        next_offset: Where the next page begins; null on the last one.
    """

    next_offset: int | None


class UnitPage(Answer, frozen=True, kw_only=True):
    """Some units.

    Attributes:
        at: The moment, Unix seconds of simulated time.
        total: How many fit.
        units: This page of them, in farm order.
        next_offset: Where the next page begins; null on the last one.
    """

    at: float
    total: int
    units: list[UnitTruth]
    next_offset: int | None


class InjectionTold(Answer, frozen=True, kw_only=True):
    """A fault that was injected.

    Attributes:
        id: Its number, for clearing.
        fault: Its name; of its first unit's where each gets its own.
        values: What it was given; null for without end.
        selected: To whom, in words.
        units: To how many units.
        begin: From when, Unix seconds.
        end: Until when; null until it is cleared.
        is_active: It has begun.
        origin: Which scenario it belongs to; empty for none.
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
    """A fault that was injected, with everyone it befalls.

    Attributes:
        unit_ids: Unit ids.
    """

    unit_ids: tuple[str, ...]


class TimeTold(Answer, frozen=True, kw_only=True):
    """Simulated time.

    Attributes:
        now: Unix seconds.
        utc: The same for people.
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
        unit_id: Who was asked.
        request: The command, or method and path.
        is_write: It would change the unit.
    """

    at: float
    unit_id: str
    request: str
    is_write: bool


class RequestPage(Answer, frozen=True, kw_only=True):
    """What the units were asked.

    Attributes:
        total: Requests since the start.
        writes: Those among them that would change a unit.
        counts: How many of each kind.
        kept: How many are still known one by one.
        fitting: How many of these fit the query.
        requests: This page of them, newest first.
        next_offset: Where the next page begins; null on the last one.
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
        name: Of the container, rack, model or unit; empty for the site.
        target_ratio: Share that may go on.
        about: What a person would call it.
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
    """What is being played.

    Attributes:
        name: What it is called; null when nothing was played.
        about: What it is.
        begin: Unix seconds.
        end: When it is over.
        is_over: Its time has passed.
        curtailments: What was declared, to hand to an agent.
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
        name: For playing it.
        about: What it is.
        duration_s: How long it takes.
        units: Size of its own farm.
    """

    name: str
    about: str
    duration_s: float
    units: int


def tell_injection(injection: Injection, now: float) -> InjectionTold:
    """Give an injection without its units."""
    return InjectionTold(**_injection(injection, now))


def tell_injection_whole(injection: Injection, now: float) -> InjectionWhole:
    """Give an injection with its units."""
    return InjectionWhole(**_injection(injection, now), unit_ids=injection.unit_ids)


def tell_time(farm: Farm) -> TimeTold:
    """Give the farm's time."""
    now = farm.clock.now()
    utc = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    return TimeTold(now=now, utc=utc, speed=farm.clock.speed, since_start_s=now - farm.start)


def tell_playing(playing: Playing | None, now: float) -> ScenarioTold:
    """Give what is being played."""
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


def tell_scenario(name: str, scenario: Scenario) -> ScenarioListed:
    """Give a scenario in a line."""
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
