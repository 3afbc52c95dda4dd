"""The player of scenarios: it schedules everything in the units at once, and simulated time does the rest.

So a scenario runs in real time, faster, or step by step, as the farm's clock does. Neither the length of the steps nor
earlier queries change the truth at a moment.
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

# Until this long after the end, a unit that still sleeps counts as on its way back; after that, as asleep.
RESTORE_S = 900.0

_KEY_CURTAILMENTS = 0x10000  # Random streams of the farm's seed, apart from those of its plan.
_KEY_SHUFFLES = 0x20000


@dataclass(frozen=True, slots=True, kw_only=True)
class Curtailed:
    """A declared curtailment covers the unit, or did within the last 15 minutes.

    By itself this changes nothing; while the unit sleeps, its loss counts as curtailed.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Return the conditions with the curtailment declared."""
        return replace(conditions, is_curtailed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curtailment:
    """A curtailment as declared to an agent, whatever the units do.

    Attributes:
        begin: Unix seconds.
        end: Unix seconds.
        scope: ``site``, ``container``, ``rack``, ``model`` or ``unit``.
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
        name: Name of the scenario.
        scenario: The scenario.
        begin: Beginning, Unix seconds of simulated time.
        end: End, Unix seconds of simulated time.
        injections: Numbers of its injections.
        curtailments: The declared curtailments.
        programme: What happens when, in order of time.
    """

    name: str
    scenario: Scenario
    begin: float
    end: float
    injections: tuple[int, ...]
    curtailments: tuple[Curtailment, ...]
    programme: tuple[Line, ...]


class _Act(NamedTuple):
    """An injection to begin, and its lines in the programme."""

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
    """Return the farm of a scenario before anything happens, with its clock stopped at the scenario's start."""
    clock = SimClock(start=scenario.start_s, speed=0.0)
    return Farm(scenario.plan(seed=seed, base=base, endpoints=endpoints), clock, watch=watch)


def play(farm: Farm, name: str, scenario: Scenario) -> Playing:
    """Begin a scenario now, on its own farm or any other; all of it or nothing.

    Raises:
        FarmError: The scenario names units that the farm lacks, or too many injections are active.
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
    """Clear everything of a scenario that is under way or still to come."""
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
    """Return the acts of a section that begins at `at`."""
    if isinstance(section, EventSection):
        return _event_acts(farm, section, at)
    if isinstance(section, SpellSection):
        return _spell_acts(farm, section, at)
    if isinstance(section, CurtailmentSection):
        return _curtailment_acts(farm, section, at, number)
    return _shuffle_acts(farm, section, at, number)


def _event_acts(farm: Farm, section: EventSection, at: float) -> Iterator[_Act]:
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


def _spell_acts(farm: Farm, section: SpellSection, at: float) -> Iterator[_Act]:
    """Yield a spell of weather as steps of about a degree; the first step to begin is the last to end."""
    selector = section.who.selector()
    steps = max(1, math.ceil(abs(section.celsius))) if section.rise else 1
    fault = Overheat(celsius=section.celsius / steps)
    for step in range(steps):
        late_s = section.rise * step / steps
        parts = farm.parts_of(fault, selector, at=at + late_s, duration_s=section.length - 2.0 * late_s)
        title = f"{section.celsius:+g} C: {_units(parts, selector)}"
        yield _Act(parts, selector.brief, _lines(title, parts) if step == 0 else ())


def _curtailment_acts(farm: Farm, section: CurtailmentSection, at: float, number: int) -> Iterator[_Act]:
    """Yield the declaration, and the sleep of the units that follow it."""
    selector = section.selector()
    covered = farm.select(selector)
    end = at + section.length
    key = chance.word(farm.plan.seed, _KEY_CURTAILMENTS + number)
    drawn = sorted(covered, key=lambda unit: chance.word(key, unit.identity.index))
    called = drawn[round(section.target * len(drawn)) :]
    sleepers = called[round(section.stragglers * len(called)) :]
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


def _shuffle_acts(farm: Farm, section: ShuffleSection, at: float, number: int) -> Iterator[_Act]:
    """Yield one act that gives each address to the next unit of a random circle."""
    selector = section.who.selector()
    key = chance.word(farm.plan.seed, _KEY_SHUFFLES + number)
    circle = sorted(farm.select(selector), key=lambda unit: chance.word(key, unit.identity.index))
    if len(circle) < 2:
        raise FarmError(f"a shuffle needs at least two units, not {circle[0].identity.unit_id} alone")
    end = None if section.length is None else at + section.length
    parts = [
        Part(here, AddressSwapped(unit_id=found.identity.unit_id), at, end)
        for here, found in zip(circle, circle[1:] + circle[:1], strict=True)
    ]
    title = _title(section.about, f"addresses shuffled: {_units(circle, selector)}")
    yield _Act(parts, selector.brief, _lines(title, parts))


def _units(units: Sequence[object], selector: Selector) -> str:
    noun = "unit" if len(units) == 1 else "units"
    return f"{len(units)} {noun} ({selector.brief})"


def _title(about: str, facts: str) -> str:
    return f"{about} ({facts})" if about else facts


def _lines(title: str, parts: Sequence[Part]) -> tuple[Line, ...]:
    """Return the lines for the beginning and the end of something."""
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
