"""The sections of a scenario file, key by key; `scenario` puts them together.

Moments are lengths of time since the start (``90s``, ``2h30m``, ``3d``) or dates and times with their offset.
"""

import math
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from simulators.captures.folder import CaptureError
from simulators.farm.plan import FarmError, FarmPlan, Troubles, check_plan, read_mix
from simulators.farm.selection import Selector
from simulators.faults.vocabulary import FAULTS, Fault, read_fault
from simulators.scenario.values import LOOSE, Length, Moment, Names, PositiveLength, Share, TimeOfDay
from simulators.strangers.spans import Span, read_span
from simulators.strangers.surroundings import (
    MAX_LATENCY_S,
    MAX_LOSS_RATIO,
    Elsewhere,
    Make,
    Strangers,
    Surroundings,
    read_listed,
)
from simulators.unit.endpoints import read_endpoints
from simulators.unit.models import ModelError
from simulators.unit.physics import Climate

MAX_BEGINNINGS = 5_000

OwnerName = Annotated[str, Field(min_length=1, max_length=64)]


class Section(BaseModel):
    """A section of a file; its attributes are the keys, and other keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Who(Section):
    """Units that match every given filter; all units without one.

    Attributes:
        unit, model, container, rack, owner: One name or several.
        share: Share of the matching units, drawn by the seed.
        draw: Another number draws other units for the same share.
    """

    unit: Names = ()
    model: Names = ()
    container: Names = ()
    rack: Names = ()
    owner: Names = ()
    share: Share = 1.0
    draw: Annotated[int, Field(ge=0, le=1_000_000)] = 0

    def selector(self) -> Selector:
        """Return the farm's selector."""
        return Selector(
            units=self.unit,
            models=self.model,
            containers=self.container,
            racks=self.rack,
            owners=self.owner,
            share=self.share,
            draw=self.draw,
        )


class TroublesSection(Section):
    """Troubles that the farm starts with, as shares of the units; none by default. See `plan.Troubles`."""

    off: Share = 0.0
    asleep: Share = 0.0
    starting: Share = 0.0
    missing_board: Share = 0.0
    missing_chips: Share = 0.0
    slow: Share = 0.0


class FarmSection(Section):
    """The farm.

    Attributes:
        units: Number of units.
        containers: Number of containers, filled evenly and in order: C1, C2, ...
        base: First IPv4 address.
        addresses: ``IPV4`` or ``IPV4:PORT``, one for each unit, instead of `base`.
        mix: Model, bin and firmware, or ``like:`` and a capture's folder, to share: ``"S21:200" = "60%"``,
            ``"S21:200/vnish" = "40%"``.
        owners: Owner to share, in the farm's order: ``North = "50%"``; the rest are the site's own.
        troubles: Troubles that it starts with.
    """

    units: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    containers: Annotated[int, Field(ge=1, le=10_000)] = 3
    base: str = "127.10.0.1"
    addresses: Annotated[tuple[str, ...], LOOSE] = ()
    mix: dict[str, Share] = {"S21:200": 0.6, "T21:190": 0.4}
    owners: dict[OwnerName, Share] = {}
    troubles: TroublesSection = TroublesSection()

    @field_validator("mix")
    @classmethod
    def _can_be_farmed(cls, mix: dict[str, float]) -> dict[str, float]:
        try:
            read_mix(_mix_text(mix))
        except (FarmError, ModelError, CaptureError) as error:
            raise ValueError(str(error)) from error
        return mix

    @field_validator("addresses")
    @classmethod
    def _are_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        if addresses:
            read_endpoints(addresses)
        return addresses

    @model_validator(mode="before")
    @classmethod
    def _count_addresses(cls, section: Any) -> Any:
        """Default `units` to the number of addresses."""
        if isinstance(section, dict) and isinstance(section.get("addresses"), list) and "units" not in section:
            return {**section, "units": len(section["addresses"])}
        return section

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        check_plan(self.plan(seed=1, air=Climate()))
        return self

    def plan(self, *, seed: int, air: Climate) -> FarmPlan:
        """Return the plan of the farm."""
        return FarmPlan(
            units=self.units,
            seed=seed,
            base=self.base,
            endpoints=read_endpoints(self.addresses) if self.addresses else (),
            mix=read_mix(_mix_text(self.mix)),
            containers=self.containers,
            troubles=Troubles(**self.troubles.model_dump()),
            air=air,
            owners=dict(self.owners),
        )


class NetworkSection(Section):
    """Quality of the network for TCP 4028, and its response at addresses without a machine.

    Attributes:
        elsewhere: ``reset``, ``refuse`` or ``silent``; see `Elsewhere`.
        latency_ms: Milliseconds by which each reply is late.
        loss: Share of the packets to the units that are lost.
    """

    elsewhere: Annotated[Elsewhere, LOOSE] = Elsewhere.RESET
    latency_ms: Annotated[float, Field(ge=0.0, le=1000.0 * MAX_LATENCY_S)] = 0.0
    loss: Annotated[Share, Field(le=MAX_LOSS_RATIO)] = 0.0


class StrangersSection(Section):
    """Machines on the farm's network that are no units.

    Attributes:
        make: ``silent``, ``mute``, ``web`` or a make; see `Make`.
        addresses: ``IPV4``, ``IPV4-IPV4`` or a network, one or several.
        deployed: ``MODEL:TH``, as in ``Whatsminer M30S+:101``, for machines that the farm's ledger has; empty for none.
    """

    make: Annotated[Make, LOOSE]
    addresses: Names
    deployed: str = ""

    @field_validator("addresses")
    @classmethod
    def _are_spans(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for text in addresses:
            read_span(text)
        return addresses

    @model_validator(mode="after")
    def _can_be_deployed(self) -> Self:
        if self.deployed:
            read_listed(self.deployed, self.make)
        return self

    def group(self) -> Strangers:
        """Return the strangers."""
        listed = read_listed(self.deployed, self.make) if self.deployed else None
        return Strangers(make=self.make, spans=self.spans(), listed=listed)

    def spans(self) -> tuple[Span, ...]:
        """Return its addresses."""
        return tuple(map(read_span, self.addresses))


def surroundings(network: NetworkSection, strangers: tuple[StrangersSection, ...]) -> Surroundings:
    """Return the network around the units.

    Raises:
        SurroundingsError: The strangers do not go together.
    """
    return Surroundings(
        strangers=tuple(group.group() for group in strangers),
        elsewhere=network.elsewhere,
        latency_s=network.latency_ms / 1000.0,
        loss_ratio=network.loss,
    )


class SpellSection(Section):
    """A spell of warmer or, with a negative difference, colder air.

    Attributes:
        at: Beginning.
        length: ``for``: Length.
        celsius: Difference to the usual air.
        rise: Time it takes to come, and again to go, in steps of about a degree.
        who: Units whose air changes.
    """

    at: Moment
    length: PositiveLength = Field(alias="for")
    celsius: Annotated[float, Field(ge=-50.0, le=50.0)]
    rise: Length = 0.0
    who: Who = Who()

    @field_validator("rise")
    @classmethod
    def _fits(cls, rise: float, info: ValidationInfo) -> float:
        if 2.0 * rise > info.data.get("length", math.inf):
            raise ValueError("at most half of the spell is expected: it comes and goes")
        return rise


class WeatherSection(Section):
    """The air outside: a daily sine, and spells that come on top.

    Attributes:
        mean_celsius: Mean over a usual day.
        swing_celsius: Half the difference between its coldest and its warmest moment.
        warmest: Time of day, UTC, at which it is warmest.
        spell: Spells of unusual air.
    """

    mean_celsius: Annotated[float, Field(ge=-50.0, le=60.0)] = 22.0
    swing_celsius: Annotated[float, Field(ge=0.0, le=40.0)] = 6.0
    warmest: TimeOfDay = 15 * 3600.0
    spell: Annotated[tuple[SpellSection, ...], LOOSE] = ()

    def climate(self) -> Climate:
        """Return the climate of a usual day."""
        return Climate(mean_celsius=self.mean_celsius, swing_celsius=self.swing_celsius, warmest_s=self.warmest)


class EventSection(Section):
    """A fault that hits some units.

    Attributes:
        at: Beginning.
        length: ``for``: Time it lasts on each unit; left out, it lasts beyond the end of the scenario.
        fault: Name of the fault; see ``hashsight-sim faults``.
        values: Values of the fault.
        who: Units it hits.
        spread: Time within which the units are hit one by one.
        every: Time after which it comes again.
        times: Number of times it comes in all.
        about: A title for people.
    """

    at: Moment
    length: PositiveLength | None = Field(default=None, alias="for")
    fault: str
    values: dict[str, Any] = {}
    who: Who = Who()
    spread: Length = 0.0
    every: PositiveLength | None = None
    times: Annotated[int, Field(ge=1, le=MAX_BEGINNINGS)] = 1
    about: str = ""

    @field_validator("fault")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in FAULTS:
            raise ValueError(f"one of {', '.join(FAULTS)} is expected")
        return name

    @field_validator("values")
    @classmethod
    def _fit(cls, values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "fault" in info.data:
            read_fault(info.data["fault"], values)
        return values

    @field_validator("times")
    @classmethod
    def _has_a_period(cls, times: int, info: ValidationInfo) -> int:
        if times > 1 and info.data.get("every") is None:
            raise ValueError("an event that comes several times needs the key every")
        return times

    def read(self) -> Fault:
        """Return the fault."""
        return read_fault(self.fault, self.values)


class CurtailmentSection(Section):
    """A declared curtailment, and how well the units follow it.

    Attributes:
        at: Beginning.
        length: ``for``: Length.
        target: Share of the units in its scope that may go on.
        site, container, rack, model, unit: Its scope, one of them; the whole site by default.
        stragglers: Share of the units that should sleep and do not.
        delay: Time after the beginning within which the units go to sleep one by one.
        wake: Time after the end within which they are woken one by one.
        unrestored: Share of the sleepers that are forgotten at the end.
        unrestored_for: Time after which the forgotten ones are woken.
        about: A title for people.
    """

    at: Moment
    length: PositiveLength = Field(alias="for")
    target: Share = 0.0
    site: bool = False
    container: str | None = None
    rack: str | None = None
    model: str | None = None
    unit: str | None = None
    stragglers: Share = 0.0
    delay: Length = 0.0
    wake: Length = 0.0
    unrestored: Share = 0.0
    unrestored_for: Length = 0.0
    about: str = ""

    @field_validator("delay")
    @classmethod
    def _is_in_time(cls, delay: float, info: ValidationInfo) -> float:
        if delay > info.data.get("length", math.inf):
            raise ValueError("at most the length of the curtailment is expected")
        return delay

    @model_validator(mode="after")
    def _has_one_scope(self) -> Self:
        names = sum(1 for name in self._names() if name is not None)
        if names > 1 or (self.site and names == 1):
            raise ValueError("a curtailment has one scope: site, container, rack, model or unit")
        return self

    def _names(self) -> tuple[str | None, ...]:
        return self.container, self.rack, self.model, self.unit

    @property
    def scope(self) -> tuple[str, str]:
        """The kind and the name of its scope; the name of ``site`` is empty."""
        kinds = ("container", "rack", "model", "unit")
        for kind, name in zip(kinds, self._names(), strict=True):
            if name is not None:
                return kind, name
        return "site", ""

    def selector(self) -> Selector:
        """Return its scope as the farm's selector."""
        return Selector(
            containers=_listed(self.container),
            racks=_listed(self.rack),
            models=_listed(self.model),
            units=_listed(self.unit),
        )


class ShuffleSection(Section):
    """An exchange of addresses, as with new DHCP leases: each unit answers at another unit's address.

    Attributes:
        at: Beginning.
        length: ``for``: Time until each unit is back at its own; left out, beyond the end of the scenario.
        who: Units that exchange addresses; at least two.
        about: A title for people.
    """

    at: Moment
    length: PositiveLength | None = Field(default=None, alias="for")
    who: Who = Who()
    about: str = ""


Happening = SpellSection | EventSection | CurtailmentSection | ShuffleSection


def _listed(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def _mix_text(mix: dict[str, float]) -> str:
    return ",".join(f"{name}={share!r}" for name, share in mix.items())
