"""The requests of the control API; its OpenAPI description is built from these types."""

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

Offset = Annotated[int, Meta(ge=0, le=1_000_000, description="Number of items to skip.")]
Limit = Annotated[int, Meta(ge=0, le=MAX_PAGE, description="Number of items at most.")]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query or body; unknown fields are refused."""


class NoQuery(Question, frozen=True, kw_only=True):
    """No query."""


class TruthQuery(Question, frozen=True, kw_only=True):
    """Which units to list with the site."""

    units: Annotated[bool, Meta(description="False lists no units.")] = True
    offset: Offset = 0
    limit: Limit = MAX_PAGE


class UnitsQuery(Question, frozen=True, kw_only=True):
    """Which units to list: those that match every given filter."""

    container: Name | None = None
    rack: Name | None = None
    model: Name | None = None
    firmware: Annotated[Name | None, Meta(description="Name of the firmware; antminer is stock.")] = None
    state: Phase | None = None
    cause: Annotated[Cause | None, Meta(description="The cause that takes most of the unit's nameplate.")] = None
    fault: Annotated[Name | None, Meta(description="Name of a fault that is active on the unit.")] = None
    offset: Offset = 0
    limit: Limit = 100


class RequestsQuery(Question, frozen=True, kw_only=True):
    """Which requests to list: the newest first."""

    unit: Name | None = None
    writes: Annotated[bool, Meta(description="Only requests that would change a unit.")] = False
    offset: Offset = 0
    limit: Limit = 100


class Who(Question, frozen=True, kw_only=True):
    """Units that match every given filter; all units without one.

    Attributes:
        units: Unit ids.
        models: Model names, without the maker.
        containers: Containers.
        racks: Racks.
        owners: Owners.
        share: Share of the matching units, drawn by the farm's seed.
        draw: Another number draws other units for the same share.
    """

    units: list[Name] = []
    models: list[Name] = []
    containers: list[Name] = []
    racks: list[Name] = []
    owners: list[Name] = []
    share: Share = 1.0
    draw: Annotated[int, Meta(ge=0, le=1_000_000)] = 0

    def selector(self) -> Selector:
        """Return the farm's selector."""
        return Selector(
            units=tuple(self.units),
            models=tuple(self.models),
            containers=tuple(self.containers),
            racks=tuple(self.racks),
            owners=tuple(self.owners),
            share=self.share,
            draw=self.draw,
        )


class FaultOrder(Question, frozen=True, kw_only=True):
    """A fault to inject.

    Attributes:
        fault: Name of the fault; see the vocabulary.
        values: Values of the fault; defaults for the rest.
        who: The units it hits.
        at: Beginning, Unix seconds of simulated time; now if left out or in the past.
        duration_s: Length; until cleared if left out.
        spread_s: Seconds within which the units are hit one by one.
    """

    fault: Name
    values: dict[str, Any] = {}
    who: Who = Who()
    at: Annotated[float, Meta(ge=0.0, le=MAX_TIME)] | None = None
    duration_s: Annotated[float, Meta(gt=0.0, le=1e9)] | None = None
    spread_s: Annotated[float, Meta(ge=0.0, le=1e9)] = 0.0


class PressOrder(Question, frozen=True, kw_only=True):
    """A press of the report button.

    Attributes:
        to: ``IPV4`` or ``IPV4:PORT`` that hears it, instead of the one of ``--report-to``.
        times: Number of datagrams; some units send two.
    """

    to: Name | None = None
    times: Annotated[int, Meta(ge=1, le=5)] = 1


class TimeOrder(Question, frozen=True, kw_only=True):
    """A change of simulated time.

    Attributes:
        speed: Simulated seconds per real second; 0 stops the clock.
        at: A later moment to jump to, Unix seconds; a year ahead at most.
    """

    speed: Annotated[float, Meta(ge=0.0, le=MAX_SPEED)] | None = None
    at: Annotated[float, Meta(ge=0.0, le=MAX_TIME)] | None = None


class Advance(Question, frozen=True, kw_only=True):
    """A jump forward.

    Attributes:
        seconds: Seconds of simulated time.
    """

    seconds: Annotated[float, Meta(ge=0.0, le=MAX_ADVANCE_S)]


class ScenarioOrder(Question, frozen=True, kw_only=True):
    """A scenario to play on the existing farm, beginning now: a name or a text.

    Attributes:
        name: Name of a scenario that comes with the package.
        toml: Text of a scenario.
    """

    name: Name | None = None
    toml: Annotated[str, Meta(max_length=262_144)] | None = None
