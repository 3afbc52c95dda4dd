"""Playing a scenario: everything it holds is put on the agendas of the units at once, and simulated time does the rest.

So a scenario runs in real time, faster, or step by step, as the farm's clock does; how long the steps are changes
nothing, and what is true at a moment does not depend on who looked before.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from simulators.farm.clock import SimClock
from simulators.farm.farm import MAX_PARTS, Farm, Injection, Part
from simulators.farm.plan import FarmError
from simulators.farm.selection import Selector
from simulators.faults.unit import AddressSwapped, Asleep, Overheat
from simulators.scenario.durations import show_duration
from simulators.scenario.scenario import Scenario
from simulators.scenario.sections import CurtailmentSection, EventSection, Happening, ShuffleSection, SpellSection
from simulators.unit import chance
from simulators.unit.conditions import Conditions
from simulators.unit.endpoints import Endpoint
from simulators.unit.unit import Unit

# For so long after the end a unit that still sleeps counts as on its way back; then nobody has said it should.
RESTORE_S = 900.0

_KEY_CURTAILMENTS = 0x10000  # Counters of the farm's seed, apart from those of its plan.
_KEY_SHUFFLES = 0x20000


@dataclass(frozen=True, slots=True, kw_only=True)
class Curtailed:
    """A declared curtailment covers the unit, or has within the last 15 minutes: asleep, it is curtailed.

    By itself this changes nothing.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Declare it."""
        return replace(conditions, is_curtailed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curtailment:
    """A curtailment as somebody declared it, before and whatever the units did: what an agent is told.

    Attributes:
        begin: Unix seconds.
        end: Unix seconds.
        scope: ``site``, ``container``, ``rack``, ``model`` or ``unit``.
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


class Line(NamedTuple):
    """A line of the programme.

    Attributes:
        at: Unix seconds.
        text: What happens.
    """

    at: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    """A scenario that is being played on a farm, or was.

    Attributes:
        name: What it is called.
        scenario: What it says.
        begin: Unix seconds of simulated time.
        end: When it is over.
        injections: Numbers of the injections it is made of.
        curtailments: What was declared.
        programme: What happens when, in order.
    """

    name: str
    scenario: Scenario
    begin: float
    end: float
    injections: tuple[int, ...]
    curtailments: tuple[Curtailment, ...]
    programme: tuple[Line, ...]


class _Act(NamedTuple):
    """One injection to be, and what the programme says about it."""

    parts: list[Part]
    selected: str
    lines: tuple[Line, ...] = ()


def build_farm(
    scenario: Scenario,
    *,
    seed: int | None = None,
    base: str | None = None,
    endpoints: tuple[Endpoint, ...] = (),
    watch: Callable[[Iterable[Unit]], Iterable[Unit]] = iter,
) -> Farm:
    """Give the farm of a scenario, its clock standing at the scenario's start; nothing has happened to it yet."""
    clock = SimClock(start=scenario.start_s, speed=0.0)
    return Farm(scenario.plan(seed=seed, base=base, endpoints=endpoints), clock, watch=watch)


def play(farm: Farm, name: str, scenario: Scenario) -> Playing:
    """Begin a scenario now, on its own farm or any other; all of it, or nothing.

    Raises:
        FarmError: It names units the farm has not, or too much is active.
    """
    begin = farm.clock.now()
    acts = _read_all(farm, scenario, begin)
    origin = f"scenario {name}"
    injections: list[Injection] = []
    try:
        injections.extend(farm.begin(act.parts, selected=act.selected, origin=origin) for act in acts)
    except FarmError:
        for injection in injections:
            farm.clear(injection.number)
        raise
    return Playing(
        name=name,
        scenario=scenario,
        begin=begin,
        end=begin + scenario.duration,
        injections=tuple(injection.number for injection in injections),
        curtailments=tuple(_declare(scenario, section, begin) for section in scenario.curtailment),
        programme=tuple(sorted(line for act in acts for line in act.lines)),
    )


def stop(farm: Farm, playing: Playing) -> None:
    """End everything of a scenario that goes on now or lies ahead."""
    active = {injection.number for injection in farm.active_injections()}
    for number in playing.injections:
        if number in active:
            farm.clear(number)


def _read_all(farm: Farm, scenario: Scenario, begin: float) -> list[_Act]:
    acts: list[_Act] = []
    parts = 0
    for key, section, number in scenario.happenings():
        try:
            for act in _read(farm, section, begin + scenario.offset_s(section.at), number):
                acts.append(act)
                parts += len(act.parts)
                _check_parts(parts)
        except FarmError as error:
            raise FarmError(f"{key}[{number}]: {error}") from error
    return acts


def _check_parts(parts: int) -> None:
    if parts > MAX_PARTS:
        raise FarmError(f"the scenario holds more than {MAX_PARTS} faults of single units")


def _read(farm: Farm, section: Happening, at: float, number: int) -> Iterator[_Act]:
    """Give what a section does to the units of a farm when it begins at `at`."""
    if isinstance(section, EventSection):
        return _befall(farm, section, at)
    if isinstance(section, SpellSection):
        return _warm(farm, section, at)
    if isinstance(section, CurtailmentSection):
        return _curtail(farm, section, at, number)
    return _shuffle(farm, section, at, number)


def _befall(farm: Farm, section: EventSection, at: float) -> Iterator[_Act]:
    selector, fault = section.who.selector(), section.read()
    if isinstance(fault, AddressSwapped) and fault.unit_id not in farm.by_id:
        raise FarmError(f"no unit {fault.unit_id!r} to put at another address")
    for time in range(section.times):
        parts = farm.parts_of(
            fault,
            selector,
            at=at + time * (section.every or 0.0),
            duration_s=section.length,
            spread_s=section.spread,
        )
        title = _title(section.about, f"{section.fault}: {_units(parts, selector)}")
        yield _Act(parts, selector.brief, _lines(title, parts))


def _warm(farm: Farm, section: SpellSection, at: float) -> Iterator[_Act]:
    """Give a spell as steps of about a degree, those that come first going last."""
    selector = section.who.selector()
    steps = max(1, math.ceil(abs(section.celsius))) if section.rise else 1
    fault = Overheat(celsius=section.celsius / steps)
    for step in range(steps):
        late_s = section.rise * step / steps
        parts = farm.parts_of(fault, selector, at=at + late_s, duration_s=section.length - 2.0 * late_s)
        title = f"{section.celsius:+g} C: {_units(parts, selector)}"
        yield _Act(parts, selector.brief, _lines(title, parts) if step == 0 else ())


def _curtail(farm: Farm, section: CurtailmentSection, at: float, number: int) -> Iterator[_Act]:
    """Give the declaration and the sleep of those who follow it."""
    selector = section.selector()
    covered = farm.select(selector)
    end = at + section.length
    key = chance.word(farm.plan.seed, _KEY_CURTAILMENTS + number)
    drawn = sorted(covered, key=lambda unit: chance.word(key, unit.identity.index))
    meant = drawn[round(section.target * len(drawn)) :]
    sleepers = meant[round(section.stragglers * len(meant)) :]
    forgotten = round(section.unrestored * len(sleepers))
    asleep = []
    for place, unit in enumerate(sleepers):
        draw = chance.uniform(key + 1, unit.identity.index)
        woken = section.unrestored_for if place < forgotten else section.wake * draw
        asleep.append(Part(unit, Asleep(), at + section.delay * draw, end + woken))
    title = _title(section.about, f"curtailment to {section.target:.0%}: {_units(covered, selector)}")
    declared = [Part(unit, Curtailed(), at, end) for unit in covered]
    yield _Act([part._replace(end=end + RESTORE_S) for part in declared], selector.brief, _lines(title, declared))
    if asleep:
        yield _Act(asleep, f"{len(asleep)} of {selector.brief}")


def _shuffle(farm: Farm, section: ShuffleSection, at: float, number: int) -> Iterator[_Act]:
    """Give each address to the next unit of a drawn circle."""
    selector = section.who.selector()
    key = chance.word(farm.plan.seed, _KEY_SHUFFLES + number)
    circle = sorted(farm.select(selector), key=lambda unit: chance.word(key, unit.identity.index))
    if len(circle) < 2:
        raise FarmError(f"two units at least are needed to change addresses, not {circle[0].identity.unit_id} alone")
    end = None if section.length is None else at + section.length
    parts = [
        Part(here, AddressSwapped(unit_id=found.identity.unit_id), at, end)
        for here, found in zip(circle, circle[1:] + circle[:1], strict=True)
    ]
    title = _title(section.about, f"addresses shuffled: {_units(circle, selector)}")
    yield _Act(parts, selector.brief, _lines(title, parts))


def _units(units: Sequence[object], selector: Selector) -> str:
    return f"{len(units)} unit{'s' * (len(units) != 1)} ({selector.brief})"


def _title(about: str, what: str) -> str:
    return f"{about} ({what})" if about else what


def _lines(title: str, parts: Sequence[Part]) -> tuple[Line, ...]:
    """Give when something begins and ends, in words."""
    first, last = min(part.begin for part in parts), max(part.begin for part in parts)
    within = f", within {show_duration(last - first)}" if last - first >= 1.0 else ""
    ends = [part.end for part in parts if part.end is not None]
    if not ends:
        return (Line(first, f"{title}{within}"),)
    lasting = f", for {show_duration(ends[0] - parts[0].begin)}"
    return Line(first, f"{title}{within}{lasting}"), Line(max(ends), f"over: {title}")


def _declare(scenario: Scenario, section: CurtailmentSection, begin: float) -> Curtailment:
    at = begin + scenario.offset_s(section.at)
    scope, name = section.scope
    return Curtailment(
        begin=at, end=at + section.length, scope=scope, name=name, target_ratio=section.target, about=section.about
    )
