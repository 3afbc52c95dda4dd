"""Panels on where the work goes: a row of the Site dashboard, and one panel of the Fleet dashboard."""

from grafana.drawing import page, parts
from grafana.drawing.parts import COUNT, HASHRATE, Look, Query, now

_HS = "hashrate_hashes_per_second"
_SITE = parts.selector(site="$site")
_UNJUDGED = "No data while [pools] names no destination."
CLASSES = {
    "listed": "green",
    "tolerated": "light-green",
    "diverted": "red",
    "idle": "orange",
    "unknown": parts.MISSING,
}


def work(board: page.Page) -> None:
    """Draw where the work of a site's units goes."""
    board.row("Where does the work go?")
    board.add(
        parts.graph(
            "For whom do the units work?",
            "Measured hashrate by what the destination of the work is. Diverted work goes to an address that is not in "
            f"the site's allow-list; it is part of operating. {_UNJUDGED}",
            [Query(expr=f"sum by (class) (site:mining_pool_class_{_HS}:sum{_SITE})", legend="{{class}}")],
            HASHRATE,
            Look(stacked=True, colours=CLASSES),
        ),
        width=16,
        height=8,
    )
    board.add(
        parts.figure(
            "Diverted units",
            f"Units that work for an address that is not the site's. {_UNJUDGED}",
            now('sum(site:mining_pool_class_units:sum{site=~"$site", class="diverted"})'),
            COUNT,
            parts.NONE_ALLOWED,
        ),
        parts.figure(
            "Diverted hashrate",
            f"What they measure. {_UNJUDGED}",
            now(f"sum(site:mining_diverted_{_HS}:sum{_SITE})"),
            HASHRATE,
            parts.NONE_ALLOWED,
            decimals=2,
        ),
        width=4,
        height=8,
    )


def diverted_by_site(board: page.Page) -> None:
    """Draw the diverted hashrate of each site."""
    board.add(
        parts.graph(
            "At which site is work diverted?",
            "Measured hashrate of units that work for an address that is not their site's. Sites whose [pools] names "
            "no destination have no line.",
            [Query(expr=f"max by (site) (site:mining_diverted_{_HS}:sum{_SITE})", legend="{{site}}")],
            HASHRATE,
        ),
        width=24,
        height=7,
    )
