"""Rows of the Site dashboard on the credibility of its figures and on curtailment."""

from grafana.drawing import page, parts
from grafana.drawing.colours import CAUSES, DELIVERED
from grafana.drawing.parts import COVERAGE, HASHRATE, RATIO, Look, Query, now
from grafana.levels import AGENTS_DOUBLED

_SITE = parts.selector(site="$site")
_DAY = parts.selector(site="$site", window="24h")
# Of two agents that publish one site, one counts.
_ONCE = f"unless on (job, instance) {AGENTS_DOUBLED}"
_HS = "hashrate_hashes_per_second"


def belief(board: page.Page) -> None:
    """Draw coverage, delivered against reported hashrate, and the whereabouts of units."""
    board.row("Can the figures be trusted?")
    board.add(
        parts.graph(
            "How much of the site is known?",
            "Share of the deployed nameplate whose state is known. The dashed lines are 90 and 98 %.",
            [Query(expr=f"max(site:mining_known_per_deployed:ratio{_SITE})", legend="coverage")],
            RATIO,
            Look(most=1, steps=COVERAGE, colours={"coverage": "blue"}),
        ),
        parts.graph(
            "Do pools credit what units report?",
            "Delivered hashrate (accepted difficulty x 2^32) over reported hashrate, each per nameplate of the units "
            "that have it, over 1 h and 24 h. 100 % is agreement; share luck moves the hour by a few percent.",
            [
                Query(expr=f"max(site:mining_delivered_per_operating:ratio1h{_SITE})", legend="1 h"),
                Query(expr=f"max(site:mining_delivered_per_operating:ratio1d{_SITE})", legend="24 h"),
            ],
            RATIO,
            Look(least=None, colours={"1 h": "light-blue", "24 h": DELIVERED}),
        ),
        width=8,
        height=8,
    )
    delivered = f"sum by (window) (site:mining_delivered_nameplate_{_HS}:sum{_SITE})"
    board.add(
        parts.graph(
            "How much of the site has delivered hashrate?",
            "Share of the deployed nameplate covered by delivered hashrate, over the last hour and the last 24.",
            [
                Query(
                    expr=f"{delivered}\n/ on () group_left ()\nsum(site:mining_deployed_{_HS}:sum{_SITE})",
                    legend="{{window}}",
                )
            ],
            RATIO,
            Look(most=1, colours={"1h": "light-blue", "24h": DELIVERED}),
        ),
        width=8,
        height=8,
    )
    board.add(
        parts.graph(
            "What do pools themselves say?",
            "Hashrate that each account's pool says it credits over 24 h, over what its units reported in the same "
            "24 h. 2 to 3 % apart is normal. No line where the pool's word is missing or too old.",
            [
                Query(
                    expr=f"max by (pool_account) (mining_pool_credited_{_HS}{_DAY} {_ONCE})\n"
                    f"/ on (pool_account)\n(max by (pool_account) (mining_pool_reported_{_HS}{_DAY} {_ONCE}) > 0)",
                    legend="{{pool_account}}",
                )
            ],
            RATIO,
            Look(least=None),
        ),
        width=24,
        height=7,
    )
    board.add(
        parts.graph(
            "Are units where the ledger says?",
            "Units by identity: verified by MAC or serial number, unverified, moved to another known address, or "
            "displaced by another unit and not found.",
            [
                Query(
                    expr=f"sum by (standing) (mining_site_units_by_standing{_SITE} {_ONCE})",
                    legend="{{standing}}",
                )
            ],
            parts.COUNT,
            Look(
                stacked=True,
                colours={
                    "verified": "green",
                    "unverified": parts.MISSING,
                    "moved": "orange",
                    "displaced": "red",
                },
            ),
        ),
        width=14,
        height=7,
    )
    board.add(
        parts.figure(
            "Unknown units",
            "Units that answer at an address of the ledger but are not in the ledger.",
            now(f"sum(mining_site_unknown_units{_SITE} {_ONCE})"),
            parts.COUNT,
            parts.NONE_WANTED,
        ),
        parts.figure(
            "Found elsewhere",
            "Machines that answered the latest look at discovery.networks, at an address without a deployed unit. "
            "No data while discovery is off, and after a restart until the next look.",
            now(f"sum(mining_site_discovered_machines{_SITE} {_ONCE})"),
            parts.COUNT,
            parts.NONE_WANTED,
        ),
        width=5,
        height=7,
    )


def curtailment(board: page.Page) -> None:
    """Draw declared curtailment, stragglers, and units that did not come back."""
    board.row("Does curtailment work as declared?")
    board.add(
        parts.graph(
            "How much is curtailed?",
            "Nameplate of the units inside declared curtailments, and the hashrate those still allow.",
            [
                Query(expr=f"max(site:mining_curtailment_nameplate_{_HS}:sum{_SITE})", legend="inside events"),
                Query(expr=f"max(site:mining_curtailment_target_{_HS}:sum{_SITE})", legend="left to hash"),
            ],
            HASHRATE,
            Look(colours={"inside events": CAUSES["curtailed"], "left to hash": "#c8c0f4"}),
        ),
        parts.graph(
            "Which units did not follow?",
            "Stragglers hash during a curtailment to zero. Units not restored still do not hash 15 minutes after the "
            "end.",
            [
                Query(expr=f"max(site:mining_curtailment_stragglers:sum{_SITE})", legend="stragglers"),
                Query(expr=f"max(site:mining_units_not_restored:sum{_SITE})", legend="not restored"),
            ],
            parts.COUNT,
            Look(colours={"stragglers": "orange", "not restored": "red"}),
        ),
        width=10,
        height=8,
    )
    board.add(
        parts.figure(
            "Stragglers now",
            "Units that hash during a curtailment to zero.",
            now(f"max(site:mining_curtailment_stragglers:sum{_SITE})"),
            parts.COUNT,
            parts.NONE_WANTED,
        ),
        width=4,
        height=8,
    )
