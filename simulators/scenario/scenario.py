"""Scenarios: TOML files with a timeline of faults, weather and curtailments for a farm.

    about = "Container C2 loses power for forty minutes"
    start = 2025-10-14T00:00:00Z
    duration = "8h"

    [farm]
    units = 100
    containers = 4

    [[event]]
    at = "2h"
    for = "40m"
    fault = "power_off"
    who = { container = "C2" }

The keys of each section are in `sections`. Nothing here touches a farm; `player` does.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from simulators.farm.plan import FarmPlan, check_plan
from simulators.scenario.durations import show_duration
from simulators.scenario.sections import (
    MAX_BEGINNINGS,
    CurtailmentSection,
    EventSection,
    FarmSection,
    Happening,
    NetworkSection,
    Section,
    ShuffleSection,
    StrangersSection,
    WeatherSection,
    surroundings,
)
from simulators.scenario.tomlfile import Mistake, TomlError, clip, load_toml, read_toml
from simulators.scenario.values import LOOSE, PositiveLength
from simulators.unit.endpoints import Endpoint
from simulators.unit.physics import DAY_S

MAX_DURATION_S = 366.0 * DAY_S

_SHIPPED = resources.files("simulators") / "scenarios"


class Scenario(Section):
    """A scenario: a farm and a timeline.

    Attributes:
        about: One line about it.
        start: Its beginning, from which moments count.
        duration: Its length.
        seed: Random seed.
        farm: Its own farm; the control API plays it on an existing farm instead.
        weather: The outside air.
        network: The network around the units.
        strangers: What stands at its other addresses.
        event: Faults.
        curtailment: Declared curtailments.
        shuffle: Exchanges of addresses.
    """

    about: str
    start: AwareDatetime
    duration: PositiveLength
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    farm: FarmSection = FarmSection()
    weather: WeatherSection = WeatherSection()
    network: NetworkSection = NetworkSection()
    strangers: Annotated[tuple[StrangersSection, ...], LOOSE] = ()
    event: Annotated[tuple[EventSection, ...], LOOSE] = ()
    curtailment: Annotated[tuple[CurtailmentSection, ...], LOOSE] = ()
    shuffle: Annotated[tuple[ShuffleSection, ...], LOOSE] = ()

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        check_plan(self.plan())
        return self

    @property
    def start_s(self) -> float:
        """Beginning, Unix seconds."""
        return self.start.timestamp()

    def offset_s(self, moment: float | datetime) -> float:
        """Return a moment in seconds since the start."""
        return moment.timestamp() - self.start_s if isinstance(moment, datetime) else moment

    def happenings(self) -> Iterator[tuple[str, Happening, int]]:
        """Yield the name of the list, the section, and its place in the list, for everything that happens."""
        lists: dict[str, tuple[Happening, ...]] = {
            "weather.spell": self.weather.spell,
            "event": self.event,
            "curtailment": self.curtailment,
            "shuffle": self.shuffle,
        }
        for name, happenings in lists.items():
            for number, happening in enumerate(happenings):
                yield name, happening, number

    def plan(
        self, *, seed: int | None = None, base: str | None = None, endpoints: tuple[Endpoint, ...] = ()
    ) -> FarmPlan:
        """Return the plan of its farm; arguments that are given replace the scenario's own."""
        plan = self.farm.plan(seed=self.seed if seed is None else seed, air=self.weather.climate())
        plan = replace(plan, around=surroundings(self.network, self.strangers))
        if base is None and not endpoints:
            return plan
        return replace(plan, base=plan.base if base is None else base, endpoints=endpoints)


class FarmFile(Section):
    """A farm in its own file.

    Attributes:
        seed: Random seed; None for a drawn one.
        farm: As in a scenario.
        weather: As in a scenario, without spells.
        network: The network around the units.
        strangers: What stands at its other addresses.
    """

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    farm: FarmSection
    weather: WeatherSection = WeatherSection()
    network: NetworkSection = NetworkSection()
    strangers: Annotated[tuple[StrangersSection, ...], LOOSE] = ()

    @field_validator("weather")
    @classmethod
    def _is_usual(cls, weather: WeatherSection) -> WeatherSection:
        if weather.spell:
            raise ValueError("spells belong in a scenario")
        return weather

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        check_plan(self.plan(seed=1))
        return self

    def plan(self, *, seed: int) -> FarmPlan:
        """Return the plan of the farm and of the network around it."""
        plan = self.farm.plan(seed=seed, air=self.weather.climate())
        return replace(plan, around=surroundings(self.network, self.strangers))


def load_farm(path: Path) -> FarmFile:
    """Read a farm from a file.

    Raises:
        TomlError: The file is wrong; lists every mistake.
    """
    return load_toml(path, FarmFile)


def shipped_scenarios() -> dict[str, Scenario]:
    """Return the scenarios that come with the package, by name."""
    return {name: shipped_scenario(name) for name in scenario_names()}


def scenario_names() -> list[str]:
    """Return the names of the scenarios that come with the package."""
    return sorted(file.name.removesuffix(".toml") for file in _SHIPPED.iterdir() if file.name.endswith(".toml"))


def shipped_scenario(name: str) -> Scenario:
    """Return a scenario that comes with the package.

    Raises:
        TomlError: There is no scenario of that name.
    """
    names = scenario_names()
    if name not in names:
        reason = f"no scenario of that name; there are {', '.join(names)}"
        raise TomlError([Mistake(file=clip(name), key="file", value="", reason=reason)])
    return read_scenario((_SHIPPED / f"{name}.toml").read_text("utf-8"), file=f"{name}.toml")


def find_scenario(name: str) -> tuple[str, Scenario]:
    """Return a shipped scenario by its name, or one in a file by its path, together with its name.

    Raises:
        TomlError: There is no such scenario, or it is wrong.
    """
    path = Path(name)
    if path.suffix:
        return path.stem, _checked(load_toml(path, Scenario), file=name)
    return name, shipped_scenario(name)


def read_scenario(text: str, *, file: str) -> Scenario:
    """Read a scenario; `file` is its name in messages.

    Raises:
        TomlError: The text is wrong; lists every mistake.
    """
    return _checked(read_toml(text, Scenario, file=file), file=file)


def _checked(scenario: Scenario, *, file: str) -> Scenario:
    """Refuse mistakes that no single key shows: moments outside the scenario, unknown containers and models."""
    mistakes = []

    def wrong(key: str, value: object, reason: str) -> None:
        mistakes.append(Mistake(file=file, key=key, value=clip(value), reason=reason))

    if scenario.duration > MAX_DURATION_S:
        wrong("duration", show_duration(scenario.duration), "at most a year is expected")
    containers = {f"C{number + 1}" for number in range(scenario.farm.containers)}
    models = {kind.model.name for kind in scenario.plan().mix}
    owners = set(scenario.farm.owners)
    for name, happening, number in scenario.happenings():
        key = f"{name}[{number}]"
        if not 0.0 <= scenario.offset_s(happening.at) < scenario.duration:
            moment = happening.at if isinstance(happening.at, datetime) else show_duration(happening.at)
            wrong(f"{key}.at", moment, "a moment between start and end of the scenario is expected")
        if isinstance(happening, CurtailmentSection):
            selector = happening.selector()
        else:
            selector, key = happening.who.selector(), f"{key}.who"
        for kind, named, known in (
            ("container", selector.containers, containers),
            ("model", selector.models, models),
            ("owner", selector.owners, owners),
        ):
            for missing in sorted(set(named) - known):
                wrong(f"{key}.{kind}", missing, f"the farm has {', '.join(sorted(known)) or 'none'}")
    if sum(event.times for event in scenario.event) > MAX_BEGINNINGS:
        wrong("event", "", f"at most {MAX_BEGINNINGS} beginnings in all are expected")
    if mistakes:
        raise TomlError(mistakes)
    return scenario
