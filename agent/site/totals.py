"""The site's figures: sums over all unit statuses, made from scratch each time so that nothing can drift."""

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass
from operator import add
from typing import TypeVar

from agent.site.delivered import NOTHING_DELIVERED, Delivered
from agent.site.metered import UNMETERED, Metered
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState, UnitStatus
from agent.slices import Turns, at_once
from agent.unit.limits import HS_PER_THS

# A rack's figures take 30 microseconds.
RACKS_A_TURN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The sums over one group of units (the site, a container, a rack, a model) at one moment.

    Attributes:
        at: Unix time, s.
        units: How many are deployed.
        deployed_hs: Sum of nameplates, answering or not.
        operating_hs: Sum of rates measured in fresh readings.
        uplift_hs: Sum of what units deliver above their nameplates.
        losses_hs: What took the rest, by cause, H/s; every cause is there.
            deployed - sum(losses) + uplift == operating.
        known_hs: Nameplate of the units whose state is known.
        units_by_state, deployed_hs_by_state: Every state is there.
        curtailment_nameplate_hs: Nameplate of the units that a curtailment event in force covers.
        curtailment_target_hs: What these events leave those units to hash: target times nameplate.
        stragglers: Units that hash inside an event that leaves them nothing.
        unrestored: Units that an event curtailed and that do not hash again, 15 minutes or longer after its end.
    """

    at: float
    units: int
    deployed_hs: float
    operating_hs: float
    uplift_hs: float
    losses_hs: dict[Cause, float]
    known_hs: float
    units_by_state: dict[UnitState, int]
    deployed_hs_by_state: dict[UnitState, float]
    watts_by_source: dict[PowerSource, float]
    watts_units: int
    unit_watts: float
    metered_watts: float | None
    efficient_watts: float
    efficient_hs: float
    efficient_deployed_hs: float
    curtailment_nameplate_hs: float = 0.0
    curtailment_target_hs: float = 0.0
    stragglers: int = 0
    unrestored: int = 0

    @property
    def operational_efficiency_ratio(self) -> float | None:
        """Operating over deployed at this moment; None while nothing is deployed."""
        return self.operating_hs / self.deployed_hs if self.deployed_hs else None

    @property
    def coverage_ratio(self) -> float | None:
        """Share of the deployed nameplate whose state is known; None while nothing is deployed."""
        return self.known_hs / self.deployed_hs if self.deployed_hs else None

    @property
    def energy_efficiency_j_per_th(self) -> float | None:
        """Joules for each terahash over the units that have both figures; None while they hash nothing."""
        return self.efficient_watts / (self.efficient_hs / HS_PER_THS) if self.efficient_hs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFigures:
    """One site's figures at one moment.

    Attributes:
        at: Unix time, s.
        site: All units.
        by_container, by_rack, by_model: The same sums by name; a rack's key is (container, rack).
        delivered_1h_hs, delivered_24h_hs: Hashrate that pools credited, over the units of which that is known; None
            while it is of none.
        delivered_1h_deployed_hs, delivered_24h_deployed_hs: Nameplate of these units.
    """

    at: float
    site: Figures
    by_container: dict[str, Figures]
    by_rack: dict[tuple[str, str], Figures]
    by_model: dict[str, Figures]
    delivered_1h_hs: float | None
    delivered_24h_hs: float | None
    delivered_1h_deployed_hs: float
    delivered_24h_deployed_hs: float

    @property
    def delivered_1h_coverage_ratio(self) -> float | None:
        """Share of the deployed nameplate that `delivered_1h_hs` speaks for; None while nothing is deployed."""
        return self.delivered_1h_deployed_hs / self.site.deployed_hs if self.site.deployed_hs else None

    @property
    def delivered_24h_coverage_ratio(self) -> float | None:
        """Share of the deployed nameplate that `delivered_24h_hs` speaks for; None while nothing is deployed."""
        return self.delivered_24h_deployed_hs / self.site.deployed_hs if self.site.deployed_hs else None


# The sums of one group are one flat list, added to by position and merged in one go: with an object and dicts for each
# group, summing 10,000 units took half as long again. Units that have everything (a rate, power, a known state) are
# summed apart from the others, because most have, and then one sum stands for three.
_STATES, _CAUSES, _SOURCES = tuple(UnitState), tuple(Cause), tuple(PowerSource)
_NAMEPLATES_AT = len(_STATES)
_LOSSES_AT = _NAMEPLATES_AT + len(_STATES)
_WHOLE_WATTS_AT = _LOSSES_AT + len(_CAUSES)
_WATTS_AT = _WHOLE_WATTS_AT + len(_SOURCES)
_SCALARS_AT = _WATTS_AT + len(_SOURCES)
_WHOLE_DEPLOYED, _WHOLE_HS, _WHOLE_UNITS, _KNOWN, _OPERATING, _POWERED, _UPLIFT = range(_SCALARS_AT, _SCALARS_AT + 7)
_EFFICIENT, _EFFICIENT_HS, _EFFICIENT_DEPLOYED = range(_SCALARS_AT + 7, _SCALARS_AT + 10)
_EVENT_NAMEPLATE, _EVENT_TARGET, _STRAGGLERS, _UNRESTORED = range(_SCALARS_AT + 10, _SCALARS_AT + 14)
_NOTHING = [0.0] * (_SCALARS_AT + 14)

_STATE_AT = {state: index for index, state in enumerate(_STATES)}
_CAUSE_AT = {cause: _LOSSES_AT + index for index, cause in enumerate(_CAUSES)}
_SOURCE_AT = {source: index for index, source in enumerate(_SOURCES)}

_Sums = list[float]
_Key = TypeVar("_Key", bound=Hashable)


class Sums:
    """Sums over units, taken in a part of them at a time by whoever cannot wait for all.

    Each unit is added once, to its (container, rack, model) cell; everything above is a merge of cells. 10,000 units
    take about 6 ms where all of them are in the processor's cache, and ten times that where none is.
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], _Sums] = {}

    def add(self, statuses: Iterable[UnitStatus]) -> None:
        """Take in some units, each of them once."""
        _add_to_cells(self._cells, statuses)

    def figures(
        self, at: float, *, metered: Metered = UNMETERED, delivered: Delivered = NOTHING_DELIVERED
    ) -> SiteFigures:
        """Give the figures of the site and of each container, rack and model.

        Args:
            at: Unix time, s.
            metered: What meters of containers and of the site say now.
            delivered: What pools credited lately.
        """
        return at_once(self.figures_in_turns(at, metered=metered, delivered=delivered))

    def figures_in_turns(self, at: float, *, metered: Metered, delivered: Delivered) -> Turns[SiteFigures]:
        """Give what `figures` gives; nothing is to be added before the last turn."""
        return _site_figures(self._cells, at, metered=metered, delivered=delivered)


def site_figures(
    statuses: Iterable[UnitStatus], at: float, *, metered: Metered = UNMETERED, delivered: Delivered = NOTHING_DELIVERED
) -> SiteFigures:
    """Sum `statuses` in one go, as `Sums` does; one a deployed unit."""
    sums = Sums()
    sums.add(statuses)
    return sums.figures(at, metered=metered, delivered=delivered)


def _site_figures(
    cells: "dict[tuple[str, str, str], _Sums]", at: float, *, metered: Metered, delivered: Delivered
) -> Turns[SiteFigures]:
    racks: dict[tuple[str, str], _Sums] = {}
    models: dict[str, _Sums] = {}
    for number, ((container, rack, model), cell) in enumerate(cells.items(), start=1):
        _merge(racks, (container, rack), cell)
        _merge(models, model, cell)
        if not number % RACKS_A_TURN:
            yield
    containers: dict[str, _Sums] = {}
    for (container, _), sums in racks.items():
        _merge(containers, container, sums)
    site = _NOTHING
    for sums in containers.values():
        site = list(map(add, site, sums))
    by_container = {
        container: _figures(sums, at, metered_watts=metered.container_watts.get(container))
        for container, sums in sorted(containers.items())
    }
    yield
    by_rack: dict[tuple[str, str], Figures] = {}
    for name, sums in sorted(racks.items()):
        by_rack[name] = _figures(sums, at)
        if not len(by_rack) % RACKS_A_TURN:
            yield
    return SiteFigures(
        at=at,
        site=_figures(site, at, metered_watts=metered.site_watts, parts=by_container.values()),
        by_container=by_container,
        by_rack=by_rack,
        by_model={name: _figures(sums, at) for name, sums in sorted(models.items())},
        delivered_1h_hs=delivered.hour_hs,
        delivered_24h_hs=delivered.day_hs,
        delivered_1h_deployed_hs=delivered.hour_deployed_hs,
        delivered_24h_deployed_hs=delivered.day_deployed_hs,
    )


def _add_to_cells(cells: dict[tuple[str, str, str], _Sums], statuses: Iterable[UnitStatus]) -> None:
    """Sum by container, rack and model; the only loop over units, so every look-up in it is worth a thought."""
    state_at, cause_at, source_at = _STATE_AT, _CAUSE_AT, _SOURCE_AT
    for status in statuses:
        entry = status.entry
        place, nameplate = entry.place, entry.nameplate
        key = (place.container, place.rack, nameplate.model)
        sums = cells.get(key)
        if sums is None:
            sums = cells[key] = _NOTHING.copy()
        nameplate_hs, rate_hs, power = nameplate.hashrate_hs, status.hashrate_hs, status.power
        index = state_at[status.state]
        sums[index] += 1
        sums[_NAMEPLATES_AT + index] += nameplate_hs
        if rate_hs is not None and power is not None and status.is_known:
            sums[_WHOLE_UNITS] += 1
            sums[_WHOLE_DEPLOYED] += nameplate_hs
            sums[_WHOLE_HS] += rate_hs
            sums[_WHOLE_WATTS_AT + source_at[power.source]] += power.watts
        else:
            _add_partial(sums, status)
        if status.uplift_hs:
            sums[_UPLIFT] += status.uplift_hs
        for loss in status.losses:
            sums[cause_at[loss.cause]] += loss.hashrate_hs
        if status.event is not None or status.unrestored is not None:
            _add_event(sums, status)


def _add_partial(sums: _Sums, status: UnitStatus) -> None:
    """Add a unit that lacks a rate, a power figure or a known state."""
    nameplate_hs, rate_hs, power = status.entry.nameplate.hashrate_hs, status.hashrate_hs, status.power
    if status.is_known:
        sums[_KNOWN] += nameplate_hs
    if rate_hs is not None:
        sums[_OPERATING] += rate_hs
    if power is not None:
        sums[_POWERED] += 1
        sums[_WATTS_AT + _SOURCE_AT[power.source]] += power.watts
        if rate_hs is not None:
            sums[_EFFICIENT] += power.watts
            sums[_EFFICIENT_HS] += rate_hs
            sums[_EFFICIENT_DEPLOYED] += nameplate_hs


def _add_event(sums: _Sums, status: UnitStatus) -> None:
    """Add a unit that a curtailment event covers, or that one has left asleep."""
    if status.event is None:
        sums[_UNRESTORED] += 1
        return
    nameplate_hs = status.entry.nameplate.hashrate_hs
    sums[_EVENT_NAMEPLATE] += nameplate_hs
    sums[_EVENT_TARGET] += nameplate_hs * status.event.target_ratio
    sums[_STRAGGLERS] += status.is_straggler


def _merge(groups: dict[_Key, _Sums], key: _Key, sums: _Sums) -> None:
    """Add `sums` to a group; the first are shared, because a merge makes a new list."""
    before = groups.get(key)
    groups[key] = sums if before is None else list(map(add, before, sums))


def _figures(
    sums: _Sums, at: float, *, metered_watts: float | None = None, parts: Collection[Figures] | None = None
) -> Figures:
    """Give the figures of one group.

    Args:
        sums: Over its units.
        at: Unix time, s.
        metered_watts: What its own meter says, if it has one.
        parts: The groups it consists of, whose meters it trusts where it has none of its own.
    """
    units_by_state = dict(zip(_STATES, map(int, sums[:_NAMEPLATES_AT]), strict=True))
    deployed_hs_by_state = dict(zip(_STATES, sums[_NAMEPLATES_AT:_LOSSES_AT], strict=True))
    whole_by_source = sums[_WHOLE_WATTS_AT:_WATTS_AT]
    by_source = list(map(add, whole_by_source, sums[_WATTS_AT:_SCALARS_AT]))
    if metered_watts is not None:
        trusted = [metered_watts, 0.0, 0.0]
    elif parts is not None:
        trusted = [sum(part.watts_by_source[source] for part in parts) for source in _SOURCES]
    else:
        trusted = by_source
    return Figures(
        at=at,
        units=sum(units_by_state.values()),
        deployed_hs=sum(deployed_hs_by_state.values()),
        operating_hs=sums[_WHOLE_HS] + sums[_OPERATING],
        uplift_hs=sums[_UPLIFT],
        losses_hs=dict(zip(_CAUSES, sums[_LOSSES_AT:_WHOLE_WATTS_AT], strict=True)),
        known_hs=sums[_WHOLE_DEPLOYED] + sums[_KNOWN],
        units_by_state=units_by_state,
        deployed_hs_by_state=deployed_hs_by_state,
        watts_by_source=dict(zip(_SOURCES, trusted, strict=True)),
        watts_units=int(sums[_WHOLE_UNITS] + sums[_POWERED]),
        unit_watts=sum(by_source),
        metered_watts=metered_watts,
        efficient_watts=sum(whole_by_source) + sums[_EFFICIENT],
        efficient_hs=sums[_WHOLE_HS] + sums[_EFFICIENT_HS],
        efficient_deployed_hs=sums[_WHOLE_DEPLOYED] + sums[_EFFICIENT_DEPLOYED],
        curtailment_nameplate_hs=sums[_EVENT_NAMEPLATE],
        curtailment_target_hs=sums[_EVENT_TARGET],
        stragglers=int(sums[_STRAGGLERS]),
        unrestored=int(sums[_UNRESTORED]),
    )
