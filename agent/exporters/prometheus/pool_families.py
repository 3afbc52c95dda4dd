"""The metric contract of pools: where the site's work goes, by class and by the names in the configuration.

Labels are classes and names of entries, never an address or an account.
"""

from collections.abc import Callable, Iterable, Mapping

from agent.exporters.prometheus.family import Family, Kind, Sample
from agent.site.pools.figures import PoolFigures
from agent.site.pools.work import PoolClass
from agent.site.totals import SiteFigures


def _family(
    name: str, text: str, label: str, numbers: Callable[[PoolFigures], Mapping[PoolClass, float] | Mapping[str, float]]
) -> Family[SiteFigures]:
    """Return a family with one series for each key of `numbers`; none where pools are not judged."""

    def samples(figures: SiteFigures) -> Iterable[Sample]:
        if figures.pools is None:
            return ()
        return [((str(key),), number) for key, number in numbers(figures.pools).items()]

    return Family(
        name=f"mining_site_{name}", help=f"{text}, per site.", kind=Kind.GAUGE, labels=("site", label), samples=samples
    )


_CLASSES = ", ".join(PoolClass)

POOL_FAMILIES: tuple[Family[SiteFigures], ...] = (
    _family(
        "pool_class_units",
        f"Units by what the destination of their work is ({_CLASSES}); absent without an allow-list",
        "class",
        lambda pools: pools.units_by_class,
    ),
    _family(
        "pool_class_hashrate_hashes_per_second",
        "Measured hashrate by what the destination of the work is; absent without an allow-list",
        "class",
        lambda pools: pools.hs_by_class,
    ),
    _family(
        "pool_entry_units",
        "Units by the entry of the allow-list that the destination of their work matches",
        "pool",
        lambda pools: pools.units_by_entry,
    ),
    _family(
        "pool_entry_hashrate_hashes_per_second",
        "Measured hashrate by the entry of the allow-list that the destination of the work matches",
        "pool",
        lambda pools: pools.hs_by_entry,
    ),
)
