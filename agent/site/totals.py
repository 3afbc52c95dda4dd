"""The site's figures: sums over all unit statuses, made from scratch each time so that nothing can drift."""

from collections.abc import Iterable
from dataclasses import dataclass

from agent.site.status import Cause, UnitState, UnitStatus


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFigures:
    """One site's figures at one moment.

    Attributes:
        at: Unix time, s.
        site: All units.
        by_container, by_rack, by_model: The same sums by name; a rack's key is (container, rack).
    """

    at: float
    site: Figures
    by_container: dict[str, Figures]
    by_rack: dict[tuple[str, str], Figures]
    by_model: dict[str, Figures]


class _Sums:
    """Running sums of one group."""

    __slots__ = (
        "by_state",
        "curtailment_nameplate_hs",
        "curtailment_target_hs",
        "deployed_hs",
        "known_hs",
        "losses_hs",
        "operating_hs",
        "stragglers",
        "units",
        "units_by_state",
        "unrestored",
        "uplift_hs",
    )

    def __init__(self) -> None:
        self.units = self.stragglers = self.unrestored = 0
        self.curtailment_nameplate_hs = self.curtailment_target_hs = 0.0
        self.deployed_hs = self.operating_hs = self.uplift_hs = self.known_hs = 0.0
        self.losses_hs = dict.fromkeys(Cause, 0.0)
        self.units_by_state = dict.fromkeys(UnitState, 0)
        self.by_state = dict.fromkeys(UnitState, 0.0)

    def add(self, status: UnitStatus) -> None:
        nameplate_hs = status.entry.nameplate.hashrate_hs
        self.units += 1
        self.deployed_hs += nameplate_hs
        self.units_by_state[status.state] += 1
        self.by_state[status.state] += nameplate_hs
        self.uplift_hs += status.uplift_hs
        if status.hashrate_hs is not None:
            self.operating_hs += status.hashrate_hs
        if status.is_known:
            self.known_hs += nameplate_hs
        for cause, hashrate_hs in status.losses:
            self.losses_hs[cause] += hashrate_hs
        if status.event is not None:
            self.curtailment_nameplate_hs += nameplate_hs
            self.curtailment_target_hs += nameplate_hs * status.event.target_ratio
            self.stragglers += status.is_straggler
        elif status.unrestored is not None:
            self.unrestored += 1

    def merge(self, other: "_Sums") -> None:
        self.units += other.units
        self.deployed_hs += other.deployed_hs
        self.operating_hs += other.operating_hs
        self.uplift_hs += other.uplift_hs
        self.known_hs += other.known_hs
        self.curtailment_nameplate_hs += other.curtailment_nameplate_hs
        self.curtailment_target_hs += other.curtailment_target_hs
        self.stragglers += other.stragglers
        self.unrestored += other.unrestored
        for cause, hashrate_hs in other.losses_hs.items():
            self.losses_hs[cause] += hashrate_hs
        for state, units in other.units_by_state.items():
            self.units_by_state[state] += units
            self.by_state[state] += other.by_state[state]

    def figures(self, at: float) -> Figures:
        return Figures(
            at=at,
            units=self.units,
            deployed_hs=self.deployed_hs,
            operating_hs=self.operating_hs,
            uplift_hs=self.uplift_hs,
            losses_hs=self.losses_hs,
            known_hs=self.known_hs,
            units_by_state=self.units_by_state,
            deployed_hs_by_state=self.by_state,
            curtailment_nameplate_hs=self.curtailment_nameplate_hs,
            curtailment_target_hs=self.curtailment_target_hs,
            stragglers=self.stragglers,
            unrestored=self.unrestored,
        )


def site_figures(statuses: Iterable[UnitStatus], at: float) -> SiteFigures:
    """Sum `statuses` for the site and for each container, rack and model.

    Each unit is added once, to its (rack, model) cell; everything above is a merge of cells.
    """
    cells: dict[tuple[str, str, str], _Sums] = {}
    for status in statuses:
        place = status.entry.place
        key = (place.container, place.rack, status.entry.nameplate.model)
        cell = cells.get(key)
        if cell is None:
            cell = cells[key] = _Sums()
        cell.add(status)
    site = _Sums()
    containers: dict[str, _Sums] = {}
    racks: dict[tuple[str, str], _Sums] = {}
    models: dict[str, _Sums] = {}
    for (container, rack, model), cell in cells.items():
        site.merge(cell)
        containers.setdefault(container, _Sums()).merge(cell)
        racks.setdefault((container, rack), _Sums()).merge(cell)
        models.setdefault(model, _Sums()).merge(cell)
    return SiteFigures(
        at=at,
        site=site.figures(at),
        by_container={name: sums.figures(at) for name, sums in sorted(containers.items())},
        by_rack={name: sums.figures(at) for name, sums in sorted(racks.items())},
        by_model={name: sums.figures(at) for name, sums in sorted(models.items())},
    )
