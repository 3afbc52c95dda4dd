"""The metric contract of power, energy and delivered hashrate of groups.

Every watt and joule is labelled with its source. As everywhere, sums are exported, which add up further; the one ratio
is for a quick look.
"""

from collections.abc import Callable, Iterable, Iterator

from agent.exporters.prometheus.family import Family, Kind, Sample
from agent.site.energy import Energy
from agent.site.power import PowerSource
from agent.site.totals import Figures, SiteFigures

BY_SOURCE = {source: (source.value,) for source in PowerSource}
_HOUR, _DAY = ("1h",), ("24h",)

Groups = Iterator[tuple[tuple[str, ...], Figures]]


def _watts_by_source(sums: Figures) -> Iterable[Sample]:
    """Return watts by source; a source without any is absent, a meter that reads 0 is not."""
    is_metered = sums.metered_watts is not None
    return [
        (BY_SOURCE[source], watts)
        for source, watts in sums.watts_by_source.items()
        if watts or (is_metered and source is PowerSource.METERED)
    ]


def power_figures(
    level: str, labels: tuple[str, ...], groups: Callable[[SiteFigures], Groups], *, is_metered: bool
) -> tuple[Family[SiteFigures], ...]:
    """Return the power of one level of grouping; meters are compared only at levels that can have them."""

    def family(name: str, text: str, value: Callable[[Figures], Iterable[Sample]], *own: str) -> Family[SiteFigures]:
        return Family(
            name=f"mining_{level}_{name}",
            help=f"{text}, per {level}.",
            kind=Kind.GAUGE,
            labels=("site", *labels, *own),
            samples=lambda figures: [
                ((*group, *values), number) for group, sums in groups(figures) for values, number in value(sums)
            ],
        )

    families = (
        family(
            "power_watts",
            f"Power by source, each part from the most trusted one it has ({', '.join(PowerSource)}); sources add up,"
            " and the makers' tolerance is +-5 %",
            _watts_by_source,
            "source",
        ),
        family(
            "power_units",
            "Units that have a power figure of their own",
            lambda sums: (((), sums.watts_units),),
        ),
        family(
            "energy_efficiency_power_watts",
            "Power of the units that have both power and hashrate, by their own figures; divide by their TH/s for J/TH",
            lambda sums: (((), sums.efficient_watts),),
        ),
        family(
            "energy_efficiency_hashrate_hashes_per_second",
            "Measured hashrate of the units that have both power and hashrate",
            lambda sums: (((), sums.efficient_hs),),
        ),
        family(
            "energy_efficiency_nameplate_hashrate_hashes_per_second",
            "Nameplate of the units that have both power and hashrate: the share of deployed that J/TH covers",
            lambda sums: (((), sums.efficient_deployed_hs),),
        ),
    )
    metered = (
        family(
            "metered_power_watts",
            "Power that this group's own meters read; absent without a current one; already included in power_watts",
            lambda sums: (((), sums.metered_watts),),
        ),
        family(
            "units_power_watts",
            "Sum of the units' own power figures, from any source, for comparison with a meter",
            lambda sums: (((), sums.unit_watts),),
        ),
    )
    return (*families, *metered) if is_metered else families


POWER_FAMILIES: tuple[Family[SiteFigures], ...] = (
    *power_figures("site", (), lambda figures: iter([((), figures.site)]), is_metered=True),
    *power_figures(
        "container",
        ("container",),
        lambda figures: (((name,), sums) for name, sums in figures.by_container.items()),
        is_metered=True,
    ),
    *power_figures("rack", ("container", "rack"), lambda figures: iter(figures.by_rack.items()), is_metered=False),
    *power_figures(
        "model",
        ("model",),
        lambda figures: (((name,), sums) for name, sums in figures.by_model.items()),
        is_metered=False,
    ),
    # Meters read places, not owners, so an owner's power is by its units' own figures.
    *power_figures(
        "owner",
        ("owner",),
        lambda figures: (((name,), sums) for name, sums in figures.by_owner.items()),
        is_metered=False,
    ),
    Family(
        name="mining_owner_delivered_hashrate_hashes_per_second",
        help="Hashrate that pools credited, over 1 and 24 hours, of the owner's units where it is known, per owner.",
        kind=Kind.GAUGE,
        labels=("site", "owner", "window"),
        samples=lambda figures: [
            ((owner, *window), rate_hs)
            for owner, delivered in figures.delivered_by_owner.items()
            for window, rate_hs in ((_HOUR, delivered.hour_hs), (_DAY, delivered.day_hs))
        ],
    ),
    Family(
        name="mining_owner_delivered_nameplate_hashrate_hashes_per_second",
        help="Nameplate of the owner's units whose delivered hashrate is known, per owner.",
        kind=Kind.GAUGE,
        labels=("site", "owner", "window"),
        samples=lambda figures: [
            ((owner, *window), deployed_hs)
            for owner, delivered in figures.delivered_by_owner.items()
            for window, deployed_hs in ((_HOUR, delivered.hour_deployed_hs), (_DAY, delivered.day_deployed_hs))
        ],
    ),
    Family(
        name="mining_site_energy_efficiency_j_per_th",
        help="Watts per TH/s over the units that have both, at this moment; for a period, divide averages instead.",
        kind=Kind.GAUGE,
        labels=("site",),
        samples=lambda figures: (((), figures.site.energy_efficiency_j_per_th),),
    ),
    Family(
        name="mining_site_delivered_hashrate_hashes_per_second",
        help="Hashrate that pools credited, over 1 and 24 hours, of the units where it is known; can be added up.",
        kind=Kind.GAUGE,
        labels=("site", "window"),
        samples=lambda figures: ((_HOUR, figures.delivered_1h_hs), (_DAY, figures.delivered_24h_hs)),
    ),
    Family(
        name="mining_site_delivered_nameplate_hashrate_hashes_per_second",
        help="Nameplate of the units whose delivered hashrate is known: the share of deployed that it covers.",
        kind=Kind.GAUGE,
        labels=("site", "window"),
        samples=lambda figures: ((_HOUR, figures.delivered_1h_deployed_hs), (_DAY, figures.delivered_24h_deployed_hs)),
    ),
)

ENERGY_FAMILIES: tuple[Family[Energy], ...] = (
    Family(
        name="mining_site_energy_joules_total",
        help="Energy since the agent started, by source of the watts; sources add up. Unwatched time adds none.",
        kind=Kind.COUNTER,
        labels=("site", "source"),
        samples=lambda energy: [(BY_SOURCE[source], joules) for source, joules in energy.site.items()],
    ),
    Family(
        name="mining_container_energy_joules_total",
        help="Energy since the agent started; containers add up to the site's unless the site has its own meter.",
        kind=Kind.COUNTER,
        labels=("site", "container", "source"),
        samples=lambda energy: [
            ((container, source.value), joules)
            for container, by_source in energy.by_container.items()
            for source, joules in by_source.items()
        ],
    ),
    Family(
        name="mining_owner_energy_joules_total",
        help="Energy since the agent started of the owner's units by their own figures; meters are not cut by owner.",
        kind=Kind.COUNTER,
        labels=("site", "owner", "source"),
        samples=lambda energy: [
            ((owner, *BY_SOURCE[source]), joules)
            for owner, by_source in energy.by_owner.items()
            for source, joules in by_source.items()
        ],
    ),
)
