"""The metric contract of groups: sums over the site and its containers, racks, models and owners.

Every level exports sums only, so that several agents, or shards of one site, add up to the same totals. The two ratios
are the exception: they are for a quick look, and their help says so.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from agent.exporters.prometheus.credited_families import CREDITED_FAMILIES
from agent.exporters.prometheus.family import Family, Kind, Sample
from agent.exporters.prometheus.pool_families import POOL_FAMILIES
from agent.exporters.prometheus.power_families import POWER_FAMILIES
from agent.exporters.prometheus.unit_families import BY_CAUSE, BY_REASON, BY_STATE
from agent.site.totals import Figures, SiteFigures

Groups = Iterator[tuple[tuple[str, ...], Figures]]


def _figure(
    level: str, labels: tuple[str, ...], groups: Callable[[SiteFigures], Groups], *, is_sparse: bool
) -> tuple[Family[SiteFigures], ...]:
    """Return the sums of one level of grouping; a sparse level omits losses and states that are zero."""

    def family(
        name: str,
        text: str,
        value: Callable[[Figures], Iterable[Sample]],
        *own: str,
    ) -> Family[SiteFigures]:
        return Family(
            name=f"mining_{level}_{name}",
            help=f"{text}, per {level}.",
            kind=Kind.GAUGE,
            labels=("site", *labels, *own),
            samples=lambda figures: [
                ((*group, *values), number)
                for group, sums in groups(figures)
                for values, number in value(sums)
                if number or not own or not is_sparse
            ],
        )

    return (
        family(
            "deployed_hashrate_hashes_per_second",
            "Sum of the nameplates of the units deployed now, answering or not",
            lambda sums: (((), sums.deployed_hs),),
        ),
        family(
            "operating_hashrate_hashes_per_second",
            "Sum of the hashrates measured in fresh readings, and of overdue units in their last",
            lambda sums: (((), sums.operating_hs),),
        ),
        family(
            "uplift_hashrate_hashes_per_second",
            "Hashrate that units deliver above their nameplates",
            lambda sums: (((), sums.uplift_hs),),
        ),
        family(
            "known_hashrate_hashes_per_second",
            "Nameplate of the units whose state is known from a fresh reading, a definite refusal or the ledger",
            lambda sums: (((), sums.known_hs),),
        ),
        family(
            "loss_hashrate_hashes_per_second",
            "Hashrate lost, by cause: deployed - losses + uplift = operating",
            lambda sums: [(BY_CAUSE[cause], hs) for cause, hs in sums.losses_hs.items()],
            "cause",
        ),
        family(
            "units",
            "Units deployed now, by state",
            lambda sums: [(BY_STATE[state], units) for state, units in sums.units_by_state.items()],
            "state",
        ),
        family(
            "state_nameplate_hashrate_hashes_per_second",
            "Nameplate of the units in each state",
            lambda sums: [(BY_STATE[state], hs) for state, hs in sums.deployed_hs_by_state.items()],
            "state",
        ),
        family(
            "diverted_hashrate_hashes_per_second",
            "Operating hashrate whose work goes to a pool that is not in the site's allow-list; absent without a list",
            lambda sums: (((), sums.diverted_hs),),
        ),
    )


class _Level(NamedTuple):
    """One level of grouping whose families have one series a group.

    Attributes:
        name: The level, such as ``container``.
        labels: The labels of its groups, after the site's.
        groups: Returns each group's label values and figures.
    """

    name: str
    labels: tuple[str, ...]
    groups: Callable[[SiteFigures], Groups]

    def family(self, name: str, text: str, value: Callable[[Figures], float]) -> Family[SiteFigures]:
        """Return a family of one number of each group."""
        groups = self.groups
        return Family(
            name=f"mining_{self.name}_{name}",
            help=f"{text}, per {self.name}.",
            kind=Kind.GAUGE,
            labels=("site", *self.labels),
            samples=lambda figures: [(group, value(sums)) for group, sums in groups(figures)],
        )


def _curtailment(level: _Level) -> tuple[Family[SiteFigures], ...]:
    """Return the curtailment of one level of grouping: its target, and the units that do not follow it."""
    return (
        level.family(
            "curtailment_active",
            "1 while a curtailment event covers any unit, else 0; not for adding up",
            lambda sums: int(sums.curtailment_nameplate_hs > 0),
        ),
        level.family(
            "curtailment_nameplate_hashrate_hashes_per_second",
            "Nameplate of the units inside a curtailment event now",
            lambda sums: sums.curtailment_nameplate_hs,
        ),
        level.family(
            "curtailment_target_hashrate_hashes_per_second",
            "Hashrate that events leave to the units inside them: expected = deployed - curtailment nameplate + this",
            lambda sums: sums.curtailment_target_hs,
        ),
        level.family(
            "curtailment_operating_hashrate_hashes_per_second",
            "Hashrate measured of the units inside a curtailment event now",
            lambda sums: sums.curtailment_operating_hs,
        ),
        level.family(
            "curtailment_stragglers",
            "Units that hash more than an event in force leaves them to hash",
            lambda sums: sums.stragglers,
        ),
        level.family(
            "units_not_restored",
            "Units that an event curtailed and that still do not hash 15 minutes after its end",
            lambda sums: sums.unrestored,
        ),
    )


def _lateness(level: _Level) -> tuple[Family[SiteFigures], ...]:
    """Return how much of one level of grouping the agent did not look at in time."""
    return (
        level.family(
            "overdue_units",
            "Units that the agent did not ask in time: they count as they were at their last poll, and are not known",
            lambda sums: sums.overdue_units,
        ),
        level.family(
            "overdue_nameplate_hashrate_hashes_per_second",
            "Nameplate of the units that the agent did not ask in time",
            lambda sums: sums.overdue_hs,
        ),
    )


def _reasons(level: _Level) -> tuple[Family[SiteFigures], ...]:
    """Return the units of one level of grouping by reason; reasons that no unit has are absent."""
    return (
        Family(
            name=f"mining_{level.name}_reason_units",
            help=f"Units that are not fine, by reason (docs/reasons.md), per {level.name}.",
            kind=Kind.GAUGE,
            labels=("site", *level.labels, "reason"),
            samples=lambda figures: [
                ((*group, *BY_REASON[reason]), units)
                for group, sums in level.groups(figures)
                for reason, units in sums.units_by_reason.items()
            ],
        ),
    )


def _site(figures: SiteFigures) -> Groups:
    return iter([((), figures.site)])


def _containers(figures: SiteFigures) -> Groups:
    return (((name,), sums) for name, sums in figures.by_container.items())


def _owners(figures: SiteFigures) -> Groups:
    return (((name,), sums) for name, sums in figures.by_owner.items())


_SITE_LEVEL = _Level("site", (), _site)
_CONTAINER_LEVEL = _Level("container", ("container",), _containers)
_OWNER_LEVEL = _Level("owner", ("owner",), _owners)

_OF_THIS_MOMENT = "at this moment: for a period, or for several sites, divide the averages of the sums instead"

SITE_FAMILIES: tuple[Family[SiteFigures], ...] = (
    *_figure("site", (), _site, is_sparse=False),
    *_figure("container", ("container",), _containers, is_sparse=False),
    *_figure("rack", ("container", "rack"), lambda figures: iter(figures.by_rack.items()), is_sparse=True),
    *_figure(
        "model",
        ("model",),
        lambda figures: (((name,), sums) for name, sums in figures.by_model.items()),
        is_sparse=False,
    ),
    *_figure("owner", ("owner",), _owners, is_sparse=True),
    *POOL_FAMILIES,
    *_curtailment(_SITE_LEVEL),
    *_curtailment(_CONTAINER_LEVEL),
    *_curtailment(_OWNER_LEVEL),
    *_lateness(_SITE_LEVEL),
    *_lateness(_CONTAINER_LEVEL),
    *_lateness(_OWNER_LEVEL),
    *_reasons(_SITE_LEVEL),
    *_reasons(_CONTAINER_LEVEL),
    *_reasons(_OWNER_LEVEL),
    Family(
        name="mining_site_operational_efficiency_ratio",
        help=f"Operating over deployed hashrate, {_OF_THIS_MOMENT}.",
        kind=Kind.GAUGE,
        labels=("site",),
        samples=lambda figures: (((), figures.site.operational_efficiency_ratio),),
    ),
    Family(
        name="mining_site_coverage_ratio",
        help=f"Share of the deployed nameplate whose state is known, {_OF_THIS_MOMENT}.",
        kind=Kind.GAUGE,
        labels=("site",),
        samples=lambda figures: (((), figures.site.coverage_ratio),),
    ),
    Family(
        name="mining_site_reader_units",
        help="Units whose reading counts, by the reader that read them (antminer: stock firmware).",
        kind=Kind.GAUGE,
        labels=("site", "reader"),
        samples=lambda figures: [((reader,), units) for reader, units in figures.mix.units_by_reader.items()],
    ),
    Family(
        name="mining_site_make_units",
        help="Units whose reading counts, by the make of their row in the ledger.",
        kind=Kind.GAUGE,
        labels=("site", "make"),
        samples=lambda figures: [((make,), units) for make, units in figures.mix.units_by_make.items()],
    ),
    Family(
        name="mining_site_window_operating_hashrate_hashes_per_second",
        help=f"Operating hashrate by the time over which its rates were averaged, {_OF_THIS_MOMENT}.",
        kind=Kind.GAUGE,
        labels=("site", "window"),
        samples=lambda figures: [((name,), rate_hs) for name, rate_hs in figures.mix.operating_hs_by_window.items()],
    ),
    *POWER_FAMILIES,
    *CREDITED_FAMILIES,
)

# Ratios of a part say nothing about the whole and cannot be added up; a shard omits them.
RATIOS = frozenset(
    {
        "mining_site_operational_efficiency_ratio",
        "mining_site_coverage_ratio",
        "mining_site_energy_efficiency_j_per_th",
    }
)

# Known from the ledger alone; all other group figures wait until every unit has been polled once.
DECLARED_FIGURES = frozenset(
    f"mining_{level}_deployed_hashrate_hashes_per_second" for level in ("site", "container", "rack", "model", "owner")
)
