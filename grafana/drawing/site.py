"""*Site*: the headline figures, losses, curtailment, credibility, power and places."""

from grafana.drawing import page, parts
from grafana.drawing.belief import belief, curtailment
from grafana.drawing.colours import CAUSES, DEPLOYED, EXPECTED, OPERATING
from grafana.drawing.parts import (
    COVERAGE,
    EFFICIENCY,
    HASHRATE,
    RATIO,
    Look,
    Query,
    now,
)
from grafana.drawing.places import owners, places
from grafana.drawing.power import power
from grafana.drawing.work import work

ABOUT = (
    "One site: how much of the deployed hashrate operates, what took the rest, and whether the figures can be trusted. "
    "Current values are sums by place, so they do not depend on how many agents poll the site."
)

_SITE = parts.selector(site="$site")
_CONTAINER = parts.selector(site="$site", container="$container")
_HS = "hashrate_hashes_per_second"

_ALERTS = 'ALERTS{alertstate="firing", site=~"$site", severity!="info"}'


def curtailed_marks() -> page.Annotation:
    """Return the annotation for declared curtailments."""
    return page.annotation(
        "Curtailment",
        f"max by (site, container) (container:mining_curtailment_active:max{_CONTAINER}) == 1",
        CAUSES["curtailed"],
        "Curtailment declared",
        "{{site}} {{container}}",
    )


def alert_marks() -> page.Annotation:
    """Return the annotation for firing alerts."""
    return page.annotation(
        "Alerts", f"max by (alertname, site, severity) ({_ALERTS})", "red", "{{alertname}}", "{{severity}}"
    )


def _headline(board: page.Page) -> None:
    ratio = "site:mining_operating_per_deployed:ratio"
    for title, window, period in (
        ("Operational efficiency now", "", "now"),
        ("24 hours", "1d", "over 24 hours, mean over mean"),
        ("30 days", "30d", "over 30 days, mean over mean"),
        ("This month", "mtd", "since the first of this month (UTC), mean over mean"),
    ):
        board.add(
            parts.figure(
                title,
                f"Operating over deployed hashrate {period}; curtailed time counts against it. "
                "The trade's target is 90 %.",
                now(f"max(max by (site) ({ratio}{window}{_SITE}))"),
                RATIO,
                EFFICIENCY,
                decimals=2,
            ),
            width=4,
            height=4,
        )
    board.add(
        parts.figure(
            "This month, without curtailment",
            "Operating over deployed minus curtailed hashrate. Read it beside the headline, not instead of it.",
            now(f"max(site:mining_operating_per_uncurtailed:ratiomtd{_SITE})"),
            RATIO,
            decimals=2,
        ),
        parts.figure(
            "Coverage",
            "Share of the deployed nameplate whose state is known from a fresh reading, a definite refusal, or the "
            "ledger. Below 98 % the other figures describe only the known part.",
            now(f"max(site:mining_known_per_deployed:ratio{_SITE})"),
            RATIO,
            COVERAGE,
            decimals=2,
        ),
        parts.figure(
            "Operating",
            "Sum of hashrate measured in fresh readings.",
            now(f"max(site:mining_operating_{_HS}:sum{_SITE})"),
            HASHRATE,
            decimals=2,
        ),
        parts.figure(
            "Deployed",
            "Sum of nameplates in the ledger, including units that never answer.",
            now(f"max(site:mining_deployed_{_HS}:sum{_SITE})"),
            HASHRATE,
            decimals=2,
        ),
        parts.figure(
            "Curtailment",
            "Declared if a curtailment is in force for any unit here.",
            now(f"max(site:mining_curtailment_active:max{_SITE})"),
            parts.COUNT,
            names={"0": ("none declared", parts.PLAIN), "1": ("declared", CAUSES["curtailed"])},
        ),
        parts.figure(
            "Alerts firing",
            "Alerts of this site that fire now. Counted only while its agents answer; no data does not mean none.",
            now(f"count({_ALERTS}) or 0 * max(site:mining_deployed_{_HS}:sum{_SITE})"),
            parts.COUNT,
            parts.NONE_ALLOWED,
        ),
        width=4,
        height=4,
    )
    board.add(
        parts.bars(
            "Units by state",
            "Units of the ledger by current state.",
            now(f"sort_desc(sum by (state) (site:mining_units:sum{_SITE}))", "{{state}}"),
            parts.COUNT,
        ),
        width=8,
        height=4,
    )


def _shortfall(board: page.Page) -> None:
    board.row("Losses by cause")
    loss = f"sum by (cause) (site:mining_loss_{_HS}:sum{_SITE})"
    board.add(
        parts.graph(
            "How much of the deployed hashrate operated?",
            "Deployed comes from the ledger; expected is deployed minus curtailment; operating is measured.",
            [
                Query(expr=f"max(site:mining_deployed_{_HS}:sum{_SITE})", legend="deployed"),
                Query(expr=f"max(site:mining_expected_{_HS}:sum{_SITE})", legend="expected"),
                Query(expr=f"max(site:mining_operating_{_HS}:sum{_SITE})", legend="operating"),
            ],
            HASHRATE,
            Look(
                colours={"deployed": DEPLOYED, "expected": EXPECTED, "operating": OPERATING},
                dashed=("deployed", "expected"),
            ),
        ),
        width=24,
        height=8,
    )
    board.add(
        parts.graph(
            "Where did the deployed hashrate go?",
            "Operating at the bottom, with the loss by each cause stacked on it. Deployed minus losses plus uplift "
            "(hashrate above nameplate) equals operating exactly, so the stack ends at deployed plus uplift.",
            [
                Query(expr=f"max(site:mining_operating_{_HS}:sum{_SITE})", legend="operating"),
                Query(expr=f"{loss} > 0", legend="{{cause}}"),
            ],
            HASHRATE,
            Look(stacked=True, colours={"operating": OPERATING, **CAUSES}),
        ),
        width=16,
        height=10,
    )
    board.add(
        parts.bars(
            "What took most over the time shown?",
            "Mean loss by cause over the selected time range, largest first.",
            now(
                f"sort_desc(sum by (cause) (avg_over_time(site:mining_loss_{_HS}:sum{_SITE}[$__range])) > 0)",
                "{{cause}}",
            ),
            HASHRATE,
            ((0, parts.FAIR),),
        ),
        width=8,
        height=10,
    )


def draw() -> page.Page:
    """Return the dashboard."""
    board = page.Page(
        page.SITE,
        "hashsight: Site",
        ABOUT,
        span="24h",
        variables=[
            page.choice("site", "Site", f"mining_site_deployed_{_HS}", is_single=True),
            page.choice("container", "Container", f"mining_container_deployed_{_HS}", of=["site"]),
            page.choice("model", "Model", f"mining_model_deployed_{_HS}", of=["site"]),
        ],
    )
    board.annotate(curtailed_marks(), alert_marks())
    board.row("How much of the deployed hashrate operates?")
    _headline(board)
    _shortfall(board)
    places(board)
    curtailment(board)
    work(board)
    power(board)
    belief(board)
    owners(board)
    return board
