"""What the control API can be asked; its OpenAPI description is made of these types."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from simulators.farm.selection import Selector
from simulators.unit.conditions import Cause
from simulators.unit.snapshot import Phase

MAX_PAGE = 1000
MAX_ADVANCE_S = 366 * 86400.0
MAX_TIME = 1e11  # The year 5138.
MAX_SPEED = 100_000.0

Offset = Annotated[int, Meta(ge=0, le=1_000_000, description="Leave out so many first.")]
Limit = Annotated[int, Meta(ge=0, le=MAX_PAGE, description="Give so many at most.")]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request may say; nothing else is taken."""


class NoQuery(Question, frozen=True, kw_only=True):
    """No query."""


class TruthQuery(Question, frozen=True, kw_only=True):
    """Which units to tell of beside the site."""

    units: Annotated[bool, Meta(description="Tell of units at all.")] = True
    offset: Offset = 0
    limit: Limit = MAX_PAGE


class UnitsQuery(Question, frozen=True, kw_only=True):
    """Which units to list: those that fit everything that is said."""

    container: Name | None = None
    rack: Name | None = None
    model: Name | None = None
    state: Phase | None = None
    cause: Annotated[Cause | None, Meta(description="What takes most of its nameplate.")] = None
    fault: Annotated[Name | None, Meta(description="Name of a fault that it is under.")] = None
    offset: Offset = 0
    limit: Limit = 100


class RequestsQuery(Question, frozen=True, kw_only=True):
    """Which requests to list: the newest first."""

    unit: Name | None = None
    writes: Annotated[bool, Meta(description="Only those that would change a unit.")] = False
    offset: Offset = 0
    limit: Limit = 100


class Who(Question, frozen=True, kw_only=True):
    """Units that fit everything that is said; all of them when nothing is.

    Attributes:
        units: Unit ids.
        models: Model names, without the maker.
        containers: Containers.
        racks: Racks.
        share: Share of the units that fit, drawn by the farm's seed.
        draw: Another number draws others for the same share.
    """

    units: list[Name] = []
    models: list[Name] = []
    containers: list[Name] = []
    racks: list[Name] = []
    share: Share = 1.0
    draw: Annotated[int, Meta(ge=0, le=1_000_000)] = 0

    def selector(self) -> Selector:
        """Give the same as the farm understands it."""
        return Selector(
            units=tuple(self.units),
            models=tuple(self.models),
            containers=tuple(self.containers),
            racks=tuple(self.racks),
            share=self.share,
            draw=self.draw,
        )


class FaultOrder(Question, frozen=True, kw_only=True):
    """A fault to inject.

    Attributes:
        fault: Its name, see the vocabulary.
        values: What it is given; defaults for the rest.
        who: Whom it befalls.
        at: When, Unix seconds of simulated time; now when left out or past.
        duration_s: For how long; until cleared when left out.
        spread_s: The units are hit one by one within so many seconds.
    """

    fault: Name
    values: dict[str, Any] = {}
    who: Who = Who()
    at: Annotated[float, Meta(ge=0.0, le=MAX_TIME)] | None = None
    duration_s: Annotated[float, Meta(gt=0.0, le=1e9)] | None = None
    spread_s: Annotated[float, Meta(ge=0.0, le=1e9)] = 0.0


class TimeOrder(Question, frozen=True, kw_only=True):
    """How simulated time is to go on.

    Attributes:
        speed: Simulated seconds per real second; 0 stops the clock.
        at: A later moment to jump to, Unix seconds; a year ahead at most.
    """

    speed: Annotated[float, Meta(ge=0.0, le=MAX_SPEED)] | None = None
    at: Annotated[float, Meta(ge=0.0, le=MAX_TIME)] | None = None


class Advance(Question, frozen=True, kw_only=True):
    """How far to jump.

    Attributes:
        seconds: Of simulated time.
    """

    seconds: Annotated[float, Meta(ge=0.0, le=MAX_ADVANCE_S)]


class ScenarioOrder(Question, frozen=True, kw_only=True):
    """A scenario to play from now on, on the farm that is there: one of the two.

    Attributes:
        name: One that comes with the package.
        toml: The text of one.
    """

    name: Name | None = None
    toml: Annotated[str, Meta(max_length=262_144)] | None = None
