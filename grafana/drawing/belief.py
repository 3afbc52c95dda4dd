"""Of a site: whether its figures can be believed, and whether curtailment did what was declared."""

from grafana.drawing import page, parts
from grafana.drawing.colours import DELIVERED
from grafana.drawing.parts import COVERAGE, HASHRATE, RATIO, Look, Query, now

_SITE = parts.selector(site="$site")
_HS = "hashrate_hashes_per_second"


def belief(board: page.Page) -> None:
    """Draw coverage, delivered against reported, and who is where."""
    board.row("Can it be believed?")
    board.add(
        parts.graph(
            "How much do we know?",
            "Share of the deployed nameplate whose state is known. The dashed lines are 90 and 98 %.",
            [Query(expr=f"max(site:mining_known_per_deployed:ratio{_SITE})", legend="coverage")],
            RATIO,
            Look(most=1, steps=COVERAGE, colours={"coverage": "blue"}),
        ),
        parts.graph(
            "Do pools credit what units report?",
            "Delivered (accepted difficulty x 2^32) against the units' own word, both per nameplate of the units of "
            "which they are known, over an hour and over 24. 100 % is agreement; luck moves the hour by some per cent.",
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
            "Of how much is delivered known?",
            "Share of the deployed nameplate that delivered hashrate speaks for, over the last hour and the last 24.",
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
            "Is everybody where the ledger says?",
            "Units by what is known of their whereabouts: verified by MAC or serial number, unverified, moved to "
            "another known address, or displaced by another unit and not found.",
            [
                Query(
                    expr=f"sum by (standing) (mining_site_units_by_standing{_SITE})",
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
        width=16,
        height=7,
    )
    board.add(
        parts.figure(
            "Unknown units",
            "Units that answer at an address of the ledger and that the ledger does not know.",
            now(f"sum(mining_site_unknown_units{_SITE})"),
            parts.COUNT,
            parts.NONE_WANTED,
        ),
        width=8,
        height=7,
    )


def curtailment(board: page.Page) -> None:
    """Draw what was to go, what stayed, and who did not come back."""
    board.row("Does curtailment do what was declared?")
    board.add(
        parts.graph(
            "How much was to go, and how much stayed?",
            "Nameplate of the units inside declared curtailments, and what those leave them to hash.",
            [
                Query(expr=f"max(site:mining_curtailment_nameplate_{_HS}:sum{_SITE})", legend="inside events"),
                Query(expr=f"max(site:mining_curtailment_target_{_HS}:sum{_SITE})", legend="left to hash"),
            ],
            HASHRATE,
            Look(colours={"inside events": "purple", "left to hash": "light-purple"}),
        ),
        parts.graph(
            "Who hashed on, who did not come back?",
            "Stragglers hash inside an event that leaves them nothing; not restored are those that do not hash 15 "
            "minutes after the end.",
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
            "Units that hash inside an event that leaves them nothing to hash.",
            now(f"max(site:mining_curtailment_stragglers:sum{_SITE})"),
            parts.COUNT,
            parts.NONE_WANTED,
        ),
        width=4,
        height=8,
    )
