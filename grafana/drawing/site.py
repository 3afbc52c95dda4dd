"""*Site*: the headline, where the rest went, how sure we are, and which container it is."""

from grafana.drawing import page, parts
from grafana.drawing.colours import CAUSES, DELIVERED, DEPLOYED, EXPECTED, OPERATING, SOURCES
from grafana.drawing.parts import (
    COVERAGE,
    EFFICIENCY,
    HASHRATE,
    J_PER_TH,
    RATIO,
    WATTS,
    Column,
    Look,
    Query,
    column,
    now,
)

ABOUT = (
    "One site: how much of what is deployed hashes, what took the rest, and whether the figures can be believed. "
    "Everything about a moment comes from sums by place, so it does not matter how many agents watch the site."
)

_SITE = parts.selector(site="$site")
_CONTAINER = parts.selector(site="$site", container="$container")
_MODEL = parts.selector(site="$site", model="$model")
_HS = "hashrate_hashes_per_second"

_HEAT = "Red is 70 % and below, yellow 85 %, green 100 %; an empty cell is no data."

_ALERTS = 'ALERTS{alertstate="firing", site=~"$site", severity!="info"}'


def curtailed_marks() -> page.Annotation:
    """Mark declared curtailments."""
    return page.annotation(
        "Curtailment",
        f"max by (site, container) (container:mining_curtailment_active:max{_CONTAINER}) == 1",
        "purple",
        "Curtailment declared",
        "{{site}} {{container}}",
    )


def alert_marks() -> page.Annotation:
    """Mark firing alerts."""
    return page.annotation(
        "Alerts", f"max by (alertname, site, severity) ({_ALERTS})", "red", "{{alertname}}", "{{severity}}"
    )


def _headline(board: page.Page) -> None:
    ratio = "site:mining_operating_per_deployed:ratio"
    for title, window, period in (
        ("Operational efficiency now", "", "of this moment"),
        ("24 hours", "1d", "over 24 hours, mean over mean"),
        ("30 days", "30d", "over 30 days, mean over mean"),
        ("This month", "mtd", "since the first of this month (UTC), mean over mean"),
    ):
        board.add(
            parts.figure(
                title,
                f"Operating over deployed hashrate {period}; curtailed time counts against it. "
                "The trade's line is 90 %.",
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
            "This month, curtailment left out",
            "Operating over what was deployed and not curtailed. Beside the headline, never instead of it.",
            now(f"max(site:mining_operating_per_uncurtailed:ratiomtd{_SITE})"),
            RATIO,
            decimals=2,
        ),
        width=4,
        height=4,
    )
    board.add(
        parts.figure(
            "Coverage",
            "Share of the deployed nameplate whose state is known: a fresh reading, a definite refusal, or the "
            "ledger's word. Below 98 %, the other figures are about what we can see.",
            now(f"max(site:mining_known_per_deployed:ratio{_SITE})"),
            RATIO,
            COVERAGE,
            decimals=2,
        ),
        width=4,
        height=4,
    )
    board.add(
        parts.figure(
            "Operating",
            "Sum of the hashrate that fresh readings measured.",
            now(f"max(site:mining_operating_{_HS}:sum{_SITE})"),
            HASHRATE,
            decimals=2,
        ),
        width=4,
        height=4,
    )
    board.add(
        parts.figure(
            "Deployed",
            "Sum of the nameplates in the ledger; a unit that never answers stays in it.",
            now(f"max(site:mining_deployed_{_HS}:sum{_SITE})"),
            HASHRATE,
            decimals=2,
        ),
        width=4,
        height=4,
    )
    board.add(
        parts.figure(
            "Curtailment",
            "Whether somebody declared a curtailment of any unit here.",
            now(f"max(site:mining_curtailment_active:max{_SITE})"),
            parts.COUNT,
            names={"0": ("none declared", parts.PLAIN), "1": ("declared", "purple")},
        ),
        width=4,
        height=4,
    )
    board.add(
        parts.figure(
            "Alerts firing",
            "Alerts of this site that fire now. Counted only while its agents answer: no data is not none.",
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
            "Units of the ledger by the state they are in now.",
            now(f"sort_desc(sum by (state) (site:mining_units:sum{_SITE}))", "{{state}}"),
            parts.COUNT,
        ),
        width=8,
        height=4,
    )


def _shortfall(board: page.Page) -> None:
    board.row("What took the rest?")
    loss = f"sum by (cause) (site:mining_loss_{_HS}:sum{_SITE})"
    board.add(
        parts.graph(
            "How much of what was deployed hashed?",
            "Deployed is the ledger's; expected is what curtailments leave to hash; operating is measured.",
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
            "Operating at the bottom, and on it what each cause took. Deployed less the losses plus the uplift (what "
            "units give above nameplate) is operating, exactly; so the pile ends at deployed plus uplift.",
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
            "What took most, over the time shown?",
            "Mean of what each cause took over the time chosen above, largest first.",
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


def _belief(board: page.Page) -> None:
    board.row("Can it be believed?")
    board.add(
        parts.graph(
            "How much do we know?",
            "Share of the deployed nameplate whose state is known. The dashed lines are 90 and 98 %.",
            [Query(expr=f"max(site:mining_known_per_deployed:ratio{_SITE})", legend="coverage")],
            RATIO,
            Look(most=1, steps=COVERAGE, colours={"coverage": "blue"}),
        ),
        width=8,
        height=8,
    )
    board.add(
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


def _curtailment(board: page.Page) -> None:
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
        width=10,
        height=8,
    )
    board.add(
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


def _power(board: page.Page) -> None:
    board.row("What does it draw?")
    board.add(
        parts.graph(
            "How much power, and by whose word?",
            "Each part by the most trusted word there is: metered, else reported by the firmware, else modelled from "
            "nameplate and hashrate. Stock S21/T21 firmware reports none; modelled watts are good to some 5 %.",
            [Query(expr=f"sum by (source) (site:mining_power_watts:sum{_SITE})", legend="{{source}}")],
            WATTS,
            Look(stacked=True, colours=SOURCES),
        ),
        width=10,
        height=8,
    )
    board.add(
        parts.graph(
            "How many joules for a terahash?",
            "Watts for each TH/s over the units that have both figures. Lower is better; not operational efficiency.",
            [Query(expr=f"max(site:mining_energy_efficiency_j_per_th:ratio{_SITE})", legend="energy efficiency")],
            J_PER_TH,
            Look(least=None, colours={"energy efficiency": "blue"}),
        ),
        width=8,
        height=8,
    )
    board.add(
        parts.graph(
            "Of how much is that known?",
            "Share of the deployed nameplate that energy efficiency speaks for.",
            [
                Query(
                    expr=f"max(site:mining_energy_efficiency_nameplate_per_deployed:ratio{_SITE})",
                    legend="share of deployed",
                )
            ],
            RATIO,
            Look(most=1, colours={"share of deployed": "blue"}),
        ),
        width=6,
        height=8,
    )


def _places(board: page.Page) -> None:
    board.row("Which container, which rack, which model?")
    board.add(
        parts.heat(
            "Containers",
            f"Operational efficiency: a row a container, a cell a moment. {_HEAT}",
            Query(
                expr=f"max by (container) (container:mining_operating_per_deployed:ratio{_CONTAINER})",
                legend="{{container}}",
            ),
            RATIO,
            what="operational efficiency",
            ends=(0.7, 1),
        ),
        width=12,
        height=10,
    )
    board.add(
        parts.heat(
            "Racks",
            f"Operational efficiency: a row for each rack of the chosen containers, a cell a moment. {_HEAT}",
            Query(
                expr=f"max by (container, rack) (rack:mining_operating_per_deployed:ratio{_CONTAINER})",
                legend="{{container}} {{rack}}",
            ),
            RATIO,
            what="operational efficiency",
            ends=(0.7, 1),
        ),
        width=12,
        height=10,
    )
    board.add(_groups("Containers now", "container", "container", _CONTAINER), width=13, height=9)
    board.add(_groups("Models now", "model", "model", _MODEL), width=11, height=9)


def _groups(title: str, level: str, label: str, chosen: str) -> parts.Table:
    by = f"max by ({label})"
    queries = [
        column(f"{by} ({level}:mining_deployed_{_HS}:sum{chosen})"),
        column(f"{by} ({level}:mining_operating_{_HS}:sum{chosen})"),
        column(f"{by} ({level}:mining_operating_per_deployed:ratio{chosen})"),
        column(f"{by} ({level}:mining_operating_per_deployed:ratio1d{chosen})"),
        column(f"{by} ({level}:mining_known_per_deployed:ratio{chosen})"),
        column(f"{by} ({level}:mining_energy_efficiency_j_per_th:ratio{chosen})"),
    ]
    where = {"site": "$site", label: page.field_of(label)}
    columns = {
        label: Column(title=label, link=("Open its units", page.address(page.UNITS, **where))),
        "Value #A": Column(title="Deployed", unit=HASHRATE, decimals=2),
        "Value #B": Column(title="Operating", unit=HASHRATE, decimals=2),
        "Value #C": Column(title="Efficiency now", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #D": Column(title="24 h", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #E": Column(title="Coverage", unit=RATIO, steps=COVERAGE, decimals=1),
        "Value #F": Column(title="Energy efficiency", unit=J_PER_TH, decimals=2),
    }
    return parts.listing(
        title,
        f"Each {label} of the site now. A click on a name opens its units.",
        queries,
        columns,
        sort_by="Efficiency now",
        is_descending=False,
    )


def draw() -> page.Page:
    """Give the dashboard."""
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
    board.row("How much of what is deployed hashes?")
    _headline(board)
    _shortfall(board)
    _curtailment(board)
    _belief(board)
    _power(board)
    _places(board)
    return board
