"""The site's figures: sums over all unit statuses, computed from scratch each time so that nothing can drift."""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import TypeVar

from agent.site.credited.account import AccountCredit
from agent.site.delivered import NOTHING_DELIVERED, Delivered
from agent.site.firmware_mix import NO_MIX, FirmwareMix, MixSums
from agent.site.ledger.entries import NO_OWNER
from agent.site.metered import UNMETERED, Metered
from agent.site.pools.figures import PoolFigures, WorkSums
from agent.site.pools.work import PoolClass
from agent.site.power import PowerSource
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.slices import Slices, run_at_once
from agent.unit.limits import HS_PER_THS

# The figures of one rack take 30 microseconds.
RACKS_PER_SLICE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The sums over one group of units (the site, a container, a rack, a model, an owner) at one moment.

    Attributes:
        at: Unix time, s.
        units: Units deployed.
        deployed_hs: Sum of nameplates, of units that answer or do not.
        operating_hs: Sum of rates measured in readings that count.
        uplift_hs: Sum of the hashrate that units deliver above their nameplates.
        losses_hs: The shortfall by cause, H/s; every cause has a key. deployed - sum(losses) + uplift == operating.
        known_hs: Nameplate of the units whose state is known.
        overdue_units, overdue_hs: Units whose state is not known because the agent did not ask in time, and their
            nameplate; they count with their last rate and losses.
        units_by_state, deployed_hs_by_state: Every state has a key.
        watts_by_source: Power by source, W; every source has a key. A meter of the group takes the place of its units.
        watts_units: Units with a power figure of their own.
        unit_watts: Sum of those figures, W.
        metered_watts: The group's own meter, W; None without one.
        efficient_watts, efficient_hs, efficient_deployed_hs: Power, hashrate and nameplate of the units that have both
            power and hashrate, W and H/s.
        curtailment_nameplate_hs: Nameplate of the units that a curtailment event in force covers.
        curtailment_target_hs: Hashrate that these events leave those units: target times nameplate.
        curtailment_operating_hs: Hashrate measured of the units inside such events.
        stragglers: Units that hash more than an event in force leaves them.
        unrestored: Units that an event curtailed and that do not hash again, 15 minutes or longer after its end.
        units_by_reason: Units by the reason for their state; only reasons that some unit has, without "hashing".
        diverted_units, diverted_hs: Units whose work goes to a destination that is not the site's, and their measured
            hashrate, which is part of `operating_hs` and of no loss; None where pools are not judged.
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
    curtailment_operating_hs: float = 0.0
    stragglers: int = 0
    unrestored: int = 0
    overdue_units: int = 0
    overdue_hs: float = 0.0
    units_by_reason: dict[Reason, int] = field(default_factory=dict)
    diverted_units: int | None = None
    diverted_hs: float | None = None

    @property
    def operational_efficiency_ratio(self) -> float | None:
        """Operating over deployed at this moment; None while nothing is deployed, or while that is not known.

        It is not known if units answer and none can be read: they may be hashing. Silent units count as lost.
        """
        if not self.deployed_hs or self.is_unknown:
            return None
        return self.operating_hs / self.deployed_hs

    @property
    def is_unknown(self) -> bool:
        """True if units answer, and nothing is known or measured of any."""
        return not (self.known_hs or self.operating_hs) and self.deployed_hs_by_state[UnitState.UNREADABLE] > 0

    @property
    def coverage_ratio(self) -> float | None:
        """Share of the deployed nameplate whose state is known; None while nothing is deployed."""
        return self.known_hs / self.deployed_hs if self.deployed_hs else None

    @property
    def energy_efficiency_j_per_th(self) -> float | None:
        """Joules per terahash over the units that have both figures; None while they hash nothing."""
        rate_ths = self.efficient_hs / HS_PER_THS
        return self.efficient_watts / rate_ths if rate_ths else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFigures:
    """One site's figures at one moment.

    Attributes:
        at: Unix time, s.
        site: All units.
        by_container, by_rack, by_model: The same sums by name; a rack's key is (container, rack).
        by_owner: The same by the owner in the ledger; empty where the ledger names none. Owners add up to the site:
            units without an owner are those of `NO_OWNER`.
        delivered_1h_hs, delivered_24h_hs: Hashrate that pools credited, over the units for which it is known; None
            while it is known for none.
        delivered_1h_deployed_hs, delivered_24h_deployed_hs: Nameplate of these units.
        delivered_by_owner: The delivered hashrate of each owner for which it is known of some unit.
        mix: Units by reader and firmware, and operating by the window of its rates.
        credited: What pools say that they credit, by account of the configuration.
        pools: Units and hashrate by where the work goes; None where that is not judged.
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
    mix: FirmwareMix = NO_MIX
    credited: tuple[AccountCredit, ...] = ()
    by_owner: dict[str, Figures] = field(default_factory=dict)
    delivered_by_owner: Mapping[str, Delivered] = field(default_factory=dict)
    pools: PoolFigures | None = None

    @property
    def delivered_1h_coverage_ratio(self) -> float | None:
        """Share of the deployed nameplate that `delivered_1h_hs` covers; None while nothing is deployed."""
        return self.delivered_1h_deployed_hs / self.site.deployed_hs if self.site.deployed_hs else None

    @property
    def delivered_24h_coverage_ratio(self) -> float | None:
        """Share of the deployed nameplate that `delivered_24h_hs` covers; None while nothing is deployed."""
        return self.delivered_24h_deployed_hs / self.site.deployed_hs if self.site.deployed_hs else None


_STATES, _CAUSES, _SOURCES = tuple(UnitState), tuple(Cause), tuple(PowerSource)
_REASONS: tuple[Reason, ...] = tuple(reason for reason in Reason if reason is not Reason.HASHING)

# The sums of one group are one flat list in this order, which makes adding and merging cheap: with an object and dicts
# for each group, summing 10,000 units took half as long again. A complete unit (one with a rate, a power figure and a
# known state) adds to `complete_*` alone. Most units are complete, and for them one addition stands for three.
_SLOTS = (
    *(f"units {state}" for state in _STATES),
    *(f"deployed_hs {state}" for state in _STATES),
    *(f"losses_hs {cause}" for cause in _CAUSES),
    *(f"reasons {reason}" for reason in _REASONS),
    *(f"complete_watts {source}" for source in _SOURCES),
    *(f"partial_watts {source}" for source in _SOURCES),
    "complete_deployed_hs",
    "complete_hs",
    "complete_units",
    "known_hs",
    "operating_hs",
    "powered_units",
    "uplift_hs",
    "efficient_watts",
    "efficient_hs",
    "efficient_deployed_hs",
    "event_nameplate_hs",
    "event_target_hs",
    "event_operating_hs",
    "stragglers",
    "unrestored",
    "overdue_units",
    "overdue_hs",
    "diverted_units",
    "diverted_hs",
)
_PLACE_OF = {slot: place for place, slot in enumerate(_SLOTS)}
_NOTHING = [0.0] * len(_SLOTS)


def _places(kind: str, members: Sequence[str]) -> slice:
    first = _PLACE_OF[f"{kind} {members[0]}"]
    return slice(first, first + len(members))


_UNITS = _places("units", _STATES)
_DEPLOYED = _places("deployed_hs", _STATES)
_LOSSES = _places("losses_hs", _CAUSES)
_BY_REASON = _places("reasons", _REASONS)
_COMPLETE_WATTS = _places("complete_watts", _SOURCES)
_PARTIAL_WATTS = _places("partial_watts", _SOURCES)

# The loop over units adds this to the place of a unit's state, because hashing an enum member costs more.
_DEPLOYED_FROM_UNITS: int = _DEPLOYED.start - _UNITS.start
_UNITS_OF = {state: _PLACE_OF[f"units {state}"] for state in _STATES}
_LOSSES_OF = {cause: _PLACE_OF[f"losses_hs {cause}"] for cause in _CAUSES}
_REASONS_OF = {reason: _PLACE_OF[f"reasons {reason}"] for reason in _REASONS}
_COMPLETE_WATTS_OF = {source: _PLACE_OF[f"complete_watts {source}"] for source in _SOURCES}
_PARTIAL_WATTS_OF = {source: _PLACE_OF[f"partial_watts {source}"] for source in _SOURCES}

_COMPLETE_DEPLOYED_HS = _PLACE_OF["complete_deployed_hs"]
_COMPLETE_HS = _PLACE_OF["complete_hs"]
_COMPLETE_UNITS = _PLACE_OF["complete_units"]
_KNOWN_HS = _PLACE_OF["known_hs"]
_OPERATING_HS = _PLACE_OF["operating_hs"]
_POWERED_UNITS = _PLACE_OF["powered_units"]
_UPLIFT_HS = _PLACE_OF["uplift_hs"]
_EFFICIENT_WATTS = _PLACE_OF["efficient_watts"]
_EFFICIENT_HS = _PLACE_OF["efficient_hs"]
_EFFICIENT_DEPLOYED_HS = _PLACE_OF["efficient_deployed_hs"]
_EVENT_NAMEPLATE_HS = _PLACE_OF["event_nameplate_hs"]
_EVENT_TARGET_HS = _PLACE_OF["event_target_hs"]
_EVENT_OPERATING_HS = _PLACE_OF["event_operating_hs"]
_STRAGGLERS = _PLACE_OF["stragglers"]
_UNRESTORED = _PLACE_OF["unrestored"]
_OVERDUE_UNITS = _PLACE_OF["overdue_units"]
_OVERDUE_HS = _PLACE_OF["overdue_hs"]
_DIVERTED_UNITS = _PLACE_OF["diverted_units"]
_DIVERTED_HS = _PLACE_OF["diverted_hs"]

_Sums = list[float]
_Cells = dict[tuple[str, str, str, str], _Sums]
_Key = TypeVar("_Key", bound=Hashable)


class Sums:
    """Sums over units, which may be added in batches so that no call holds the event loop for long.

    Each unit is added once, to its (container, rack, model, owner) cell; all larger groups are merges of cells. 10,000
    units take about 6 ms from the processor's cache, and ten times that without it.
    """

    def __init__(self) -> None:
        self._cells: _Cells = {}
        self._mix = MixSums()
        self._works = WorkSums()

    def add(self, statuses: Iterable[UnitStatus]) -> None:
        """Add some units; each unit may be added once."""
        statuses = tuple(statuses)
        _add_to_cells(self._cells, statuses)
        self._mix.add(statuses)
        self._works.add([(status.work, status.hashrate_hs) for status in statuses if status.work is not None])

    def figures(
        self,
        at: float,
        *,
        metered: Metered = UNMETERED,
        delivered: Delivered = NOTHING_DELIVERED,
        names_owners: bool = False,
    ) -> SiteFigures:
        """Return the figures of the site and of each container, rack, model and owner.

        Args:
            at: Unix time, s.
            metered: What the meters of containers and of the site read now.
            delivered: The hashrate that pools credited lately.
            names_owners: True if the ledger names owners, of units that are deployed now or at other times.
        """
        slices = self.figures_in_slices(at, metered=metered, delivered=delivered, names_owners=names_owners)
        return run_at_once(slices)

    def figures_in_slices(
        self, at: float, *, metered: Metered, delivered: Delivered, names_owners: bool
    ) -> Slices[SiteFigures]:
        """Return what `figures` returns, in slices; no unit may be added before the last slice."""
        return self._site_figures(at, metered=metered, delivered=delivered, names_owners=names_owners)

    def _site_figures(
        self, at: float, *, metered: Metered, delivered: Delivered, names_owners: bool
    ) -> Slices[SiteFigures]:
        is_judged = self._works.is_judged
        racks: dict[tuple[str, str], _Sums] = {}
        models: dict[str, _Sums] = {}
        names_owners = names_owners or any(owner for _, _, _, owner in self._cells)
        owners: dict[str, _Sums] = {}
        for number, ((container, rack, model, owner), cell) in enumerate(self._cells.items(), start=1):
            _merge(racks, (container, rack), cell)
            _merge(models, model, cell)
            if names_owners:
                _merge(owners, owner or NO_OWNER, cell)
            if not number % RACKS_PER_SLICE:
                yield
        if names_owners and not owners:
            # Nothing is deployed, and that is known of each owner.
            owners[NO_OWNER] = _NOTHING
        containers: dict[str, _Sums] = {}
        for (container, _), sums in racks.items():
            _merge(containers, container, sums)
        site = _NOTHING
        for sums in containers.values():
            site = list(map(add, site, sums))
        by_container = {
            container: _figures(sums, at, is_judged=is_judged, metered_watts=metered.container_watts.get(container))
            for container, sums in sorted(containers.items())
        }
        yield
        by_rack: dict[tuple[str, str], Figures] = {}
        for name, sums in sorted(racks.items()):
            by_rack[name] = _figures(sums, at, is_judged=is_judged)
            if not len(by_rack) % RACKS_PER_SLICE:
                yield
        return SiteFigures(
            at=at,
            site=_figures(site, at, is_judged=is_judged, metered_watts=metered.site_watts, parts=by_container.values()),
            by_container=by_container,
            by_rack=by_rack,
            by_model={name: _figures(sums, at, is_judged=is_judged) for name, sums in sorted(models.items())},
            # The site's own units come last.
            by_owner={
                name: _figures(owners[name], at, is_judged=is_judged)
                for name in sorted(owners, key=lambda name: (name == NO_OWNER, name))
            },
            delivered_1h_hs=delivered.hour_hs,
            delivered_24h_hs=delivered.day_hs,
            delivered_1h_deployed_hs=delivered.hour_deployed_hs,
            delivered_24h_deployed_hs=delivered.day_deployed_hs,
            mix=self._mix.mix(),
            pools=self._works.figures(),
        )


def site_figures(
    statuses: Iterable[UnitStatus], at: float, *, metered: Metered = UNMETERED, delivered: Delivered = NOTHING_DELIVERED
) -> SiteFigures:
    """Sum `statuses`, one for each deployed unit, in a single call."""
    sums = Sums()
    sums.add(statuses)
    return sums.figures(at, metered=metered, delivered=delivered)


def _add_to_cells(cells: _Cells, statuses: Iterable[UnitStatus]) -> None:
    """Sum by container, rack, model and owner. This is the only loop over units, and every look-up in it costs."""
    units_of, losses_of, watts_of = _UNITS_OF, _LOSSES_OF, _COMPLETE_WATTS_OF
    fine, diverted = Reason.HASHING, PoolClass.DIVERTED
    for status in statuses:
        entry = status.entry
        place, nameplate = entry.place, entry.nameplate
        key = (place.container, place.rack, nameplate.model, entry.owner)
        sums = cells.get(key)
        if sums is None:
            sums = cells[key] = _NOTHING.copy()
        nameplate_hs, rate_hs, power = nameplate.hashrate_hs, status.hashrate_hs, status.power
        place_of_state = units_of[status.state]
        sums[place_of_state] += 1
        sums[place_of_state + _DEPLOYED_FROM_UNITS] += nameplate_hs
        if rate_hs is not None and power is not None and status.is_known:
            sums[_COMPLETE_UNITS] += 1
            sums[_COMPLETE_DEPLOYED_HS] += nameplate_hs
            sums[_COMPLETE_HS] += rate_hs
            sums[watts_of[power.source]] += power.watts
        else:
            _add_partial(sums, status)
        if status.reason is not fine:
            sums[_REASONS_OF[status.reason]] += 1
        if status.uplift_hs:
            sums[_UPLIFT_HS] += status.uplift_hs
        for loss in status.losses:
            sums[losses_of[loss.cause]] += loss.hashrate_hs
        if status.event is not None or status.unrestored is not None:
            _add_event(sums, status)
        work = status.work
        if work is not None and work.pool_class is diverted:
            sums[_DIVERTED_UNITS] += 1
            sums[_DIVERTED_HS] += rate_hs or 0.0


def _add_partial(sums: _Sums, status: UnitStatus) -> None:
    """Add a unit that lacks a rate, a power figure or a known state."""
    nameplate_hs, rate_hs, power = status.entry.nameplate.hashrate_hs, status.hashrate_hs, status.power
    if status.is_known:
        sums[_KNOWN_HS] += nameplate_hs
    elif status.is_overdue:
        sums[_OVERDUE_UNITS] += 1
        sums[_OVERDUE_HS] += nameplate_hs
    if rate_hs is not None:
        sums[_OPERATING_HS] += rate_hs
    if power is not None:
        sums[_POWERED_UNITS] += 1
        sums[_PARTIAL_WATTS_OF[power.source]] += power.watts
        if rate_hs is not None:
            sums[_EFFICIENT_WATTS] += power.watts
            sums[_EFFICIENT_HS] += rate_hs
            sums[_EFFICIENT_DEPLOYED_HS] += nameplate_hs


def _add_event(sums: _Sums, status: UnitStatus) -> None:
    """Add a unit that a curtailment event covers, or that did not wake after one."""
    if status.event is None:
        sums[_UNRESTORED] += 1
        return
    nameplate_hs = status.entry.nameplate.hashrate_hs
    sums[_EVENT_NAMEPLATE_HS] += nameplate_hs
    sums[_EVENT_TARGET_HS] += nameplate_hs * status.event.target_ratio
    if status.hashrate_hs is not None:
        sums[_EVENT_OPERATING_HS] += status.hashrate_hs
    if status.is_straggler:
        sums[_STRAGGLERS] += 1


def _merge(groups: dict[_Key, _Sums], key: _Key, sums: _Sums) -> None:
    """Add `sums` to a group; the first list is shared, because a merge makes a new one."""
    before = groups.get(key)
    groups[key] = sums if before is None else list(map(add, before, sums))


def _figures(
    sums: _Sums,
    at: float,
    *,
    is_judged: bool,
    metered_watts: float | None = None,
    parts: Collection[Figures] | None = None,
) -> Figures:
    """Return the figures of one group.

    Args:
        sums: Over its units.
        at: Unix time, s.
        is_judged: True if it is known of its units where their work goes.
        metered_watts: Its own meter; None without one.
        parts: The groups it consists of; it trusts their meters if it has none of its own.
    """
    units_by_state = dict(zip(_STATES, map(int, sums[_UNITS]), strict=True))
    deployed_hs_by_state = dict(zip(_STATES, sums[_DEPLOYED], strict=True))
    complete_by_source = sums[_COMPLETE_WATTS]
    by_source = list(map(add, complete_by_source, sums[_PARTIAL_WATTS]))
    if metered_watts is not None:
        trusted = [metered_watts if source is PowerSource.METERED else 0.0 for source in _SOURCES]
    elif parts is not None:
        trusted = [sum(part.watts_by_source[source] for part in parts) for source in _SOURCES]
    else:
        trusted = by_source
    return Figures(
        at=at,
        units=sum(units_by_state.values()),
        deployed_hs=sum(deployed_hs_by_state.values()),
        operating_hs=sums[_COMPLETE_HS] + sums[_OPERATING_HS],
        uplift_hs=sums[_UPLIFT_HS],
        losses_hs=dict(zip(_CAUSES, sums[_LOSSES], strict=True)),
        known_hs=sums[_COMPLETE_DEPLOYED_HS] + sums[_KNOWN_HS],
        units_by_state=units_by_state,
        deployed_hs_by_state=deployed_hs_by_state,
        watts_by_source=dict(zip(_SOURCES, trusted, strict=True)),
        watts_units=int(sums[_COMPLETE_UNITS] + sums[_POWERED_UNITS]),
        unit_watts=sum(by_source),
        metered_watts=metered_watts,
        efficient_watts=sum(complete_by_source) + sums[_EFFICIENT_WATTS],
        efficient_hs=sums[_COMPLETE_HS] + sums[_EFFICIENT_HS],
        efficient_deployed_hs=sums[_COMPLETE_DEPLOYED_HS] + sums[_EFFICIENT_DEPLOYED_HS],
        curtailment_nameplate_hs=sums[_EVENT_NAMEPLATE_HS],
        curtailment_target_hs=sums[_EVENT_TARGET_HS],
        curtailment_operating_hs=sums[_EVENT_OPERATING_HS],
        stragglers=int(sums[_STRAGGLERS]),
        unrestored=int(sums[_UNRESTORED]),
        overdue_units=int(sums[_OVERDUE_UNITS]),
        overdue_hs=sums[_OVERDUE_HS],
        diverted_units=int(sums[_DIVERTED_UNITS]) if is_judged else None,
        diverted_hs=sums[_DIVERTED_HS] if is_judged else None,
        units_by_reason={reason: int(units) for reason, units in zip(_REASONS, sums[_BY_REASON], strict=True) if units},
    )
