"""Recording rules on where the work of a site's units goes.

They hold for the agents that answer: one agent of a site that is down must not silence the alert on diverted work, as
it withholds the sums that are published.
"""

from collections.abc import Iterator

from grafana.levels import AGENTS_DOUBLED, CONTAINER, HASHRATE, SITE, Level, Rule

DIVERTED_PER_OPERATING = "site:mining_diverted_per_operating:ratio"


def _once(labels: str, metric: str) -> str:
    """Return the sum over a site's agents, each of its units once."""
    return f"sum by ({labels}) ({metric} unless on (job, instance) {AGENTS_DOUBLED})"


def work() -> Iterator[Rule]:
    """Yield the rules, in an order in which each rests on those before."""
    for level in (SITE, CONTAINER):
        yield Rule(_diverted(level), _once(level.by, f"mining_{level.name}_diverted_{HASHRATE}"))
    operating = _once(SITE.by, f"mining_site_operating_{HASHRATE}")
    yield Rule(DIVERTED_PER_OPERATING, f"{_diverted(SITE)}\n/\n({operating} > 0)")
    yield Rule("site:mining_pool_class_units:sum", _once("site, class", "mining_site_pool_class_units"))
    yield Rule(f"site:mining_pool_class_{HASHRATE}:sum", _once("site, class", f"mining_site_pool_class_{HASHRATE}"))


def _diverted(level: Level) -> str:
    return level.total("diverted")
